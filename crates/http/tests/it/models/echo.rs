//! Echo over every model.

use super::{MODELS, Model, PATIENCE, echo, rest};
use httpd::echo::ping::{self, PingError, Plan};
use httpd::echo::{Echo, Settings, udp};
use httpd::models::{Strategy, datagram_sockets};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::time::Duration;

/// However loaded the machine is, whoever says something is not cut off.
const PATIENT: Settings = Settings {
    idle: PATIENCE,
    pause: PATIENCE,
};

fn patient(_: usize) -> std::io::Result<std::rc::Rc<Echo>> {
    Ok(Echo::new(PATIENT))
}

#[test]
fn every_byte_comes_back_from_every_model() {
    for model in MODELS {
        let mut server = model.start(patient);
        let plan = Plan {
            clients: 5,
            rounds: 20,
            bytes: 1000,
            timeout: PATIENCE,
        };
        let report = ping::tcp(server.address, plan).unwrap();
        assert_eq!((report.completed, report.lost), (100, 0), "{model:?}");
        server.stop();
        server.join().unwrap();
    }
}

/// A client that sends more than sockets hold before it reads anything.
#[test]
fn a_client_that_reads_late_gets_everything() {
    let server = MODELS[2].start(patient);
    let mut reader = server.connect();
    let mut writer = reader.try_clone().unwrap();
    let sent: Vec<u8> = (0..20_000_000_u32).map(|n| (n % 251) as u8).collect();
    let expected = sent.clone();
    let writing = std::thread::spawn(move || {
        writer.write_all(&sent).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    let mut received = Vec::new();
    reader.read_to_end(&mut received).unwrap();
    writing.join().unwrap();
    assert!(received == expected, "{} bytes came back", received.len());
}

#[test]
fn whoever_is_silent_too_long_is_let_go() {
    for model in MODELS {
        let server = model.start(|_| {
            Ok(Echo::new(Settings {
                idle: Duration::from_millis(20),
                ..PATIENT
            }))
        });
        let mut client = server.connect();
        client.write_all(b"once").unwrap();
        assert_eq!(rest(&mut client), "once", "{model:?}");
    }
}

#[test]
fn a_peer_that_vanishes_leaves_the_others_alone() {
    for model in MODELS {
        let server = model.start(patient);
        for _ in 0..10 {
            let mut gone = server.connect();
            gone.write_all(&[b'x'; 100_000]).unwrap();
            // It is closed with bytes in it that nobody read: a reset.
        }
        echo(&mut server.connect(), "still here");
    }
}

#[test]
fn a_server_that_stops_sends_back_what_it_has_received() {
    for model in MODELS {
        let mut server = model.start(|_| {
            Ok(Echo::new(Settings {
                pause: Duration::from_millis(200),
                ..PATIENT
            }))
        });
        let mut client = server.connect();
        echo(&mut client, "before");
        server.stop();
        // Still served, until it is idle for the grace.
        client.write_all(b"after").unwrap();
        assert_eq!(rest(&mut client), "after", "{model:?}");
        server.join().unwrap();
    }
}

#[test]
fn datagrams_come_back_to_whoever_sent_them() {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let sockets = datagram_sockets(any, 2).unwrap();
    let address = sockets[0].local_addr().unwrap();
    let (stop, stopped) = tokio::sync::watch::channel(());
    let threads: Vec<_> = sockets
        .into_iter()
        .map(|socket| {
            let mut stopped = stopped.clone();
            let stopped = async move { drop(stopped.changed().await) };
            std::thread::spawn(move || udp::run(socket, stopped).unwrap())
        })
        .collect();
    for bytes in [8, 1000, ping::MAX_DATAGRAM_BYTES] {
        let plan = Plan {
            clients: 4,
            rounds: 25,
            bytes,
            timeout: PATIENCE,
        };
        let report = ping::udp(address, plan).unwrap();
        assert_eq!((report.completed, report.lost), (100, 0));
    }
    drop(stop);
    let answered: u64 = threads.into_iter().map(|one| one.join().unwrap()).sum();
    assert_eq!(answered, 300);
}

/// Every loop answers both, and a loop that ends has answered what it received.
#[test]
fn one_loop_echoes_streams_and_datagrams() {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let plan = Plan {
        clients: 4,
        rounds: 25,
        bytes: 100,
        timeout: PATIENCE,
    };
    for model in [MODELS[0], MODELS[2]] {
        let sockets = datagram_sockets(any, 3).unwrap();
        let address = sockets[0].local_addr().unwrap();
        let count = model.workers();
        let sockets: Vec<_> = sockets.into_iter().take(count).collect();
        let server = model
            .start(move |index| Ok(Echo::with_datagrams(PATIENT, sockets[index].try_clone()?)));
        assert_eq!(
            ping::udp(address, plan).unwrap().completed,
            100,
            "{model:?}"
        );
        assert_eq!(ping::tcp(server.address, plan).unwrap().completed, 100);
    }
}

#[test]
fn ping_says_what_is_wrong() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = gone.local_addr().unwrap();
    drop(gone);
    let refused = ping::tcp(address, Plan::default());
    assert!(matches!(refused, Err(PingError::Connection { .. })));
    let long = Plan {
        bytes: 70_000,
        ..Plan::default()
    };
    assert!(matches!(
        ping::udp(address, long),
        Err(PingError::Length(70_000))
    ));

    let liar = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = liar.local_addr().unwrap();
    let lying = std::thread::spawn(move || {
        let (mut stream, _) = liar.accept().unwrap();
        stream.write_all(&[b'?'; 64]).unwrap();
        // Until the client has seen enough.
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let other = ping::tcp(address, Plan::default());
    assert!(matches!(other, Err(PingError::Different { .. })));
    lying.join().unwrap();
}

/// A strategy must not matter to what is served, however many listeners there are.
#[test]
fn fewer_listeners_than_loops_are_shared() {
    let model = Model::Events {
        workers: 7,
        strategy: Strategy::Shared,
    };
    let server = model.start(patient);
    let mut clients: Vec<_> = (0..50).map(|_| server.connect()).collect();
    for client in &mut clients {
        echo(client, "hello");
    }
}
