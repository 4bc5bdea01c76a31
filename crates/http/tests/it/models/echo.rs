//! Echo over every model.

use super::{MODELS, Model, PATIENCE, echo, rest};
use httpd::echo::ping::{self, PingError, Plan, Report, Stop, Transport};
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

fn measured(address: SocketAddr, transport: Transport, plan: Plan) -> Report {
    let outcome = ping::run(address, transport, plan, &Stop::default(), |_| {}).unwrap();
    assert!(outcome.failure.is_none(), "{outcome:?}");
    outcome.report
}

fn failure(address: SocketAddr, transport: Transport, plan: Plan) -> PingError {
    let done = ping::run(address, transport, plan, &Stop::default(), |_| {});
    match done {
        Ok(outcome) => outcome.failure.unwrap(),
        Err(error) => error,
    }
}

#[test]
fn every_byte_comes_back_from_every_model() {
    for model in MODELS {
        let mut server = model.start(patient);
        let plan = Plan {
            connections: 5,
            count: Some(20),
            bytes: 1000,
            timeout: PATIENCE,
            ..Plan::default()
        };
        let report = measured(server.address, Transport::Tcp, plan);
        assert_eq!((report.received, report.lost), (100, 0), "{model:?}");
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
    // Of the largest, a socket that is busy elsewhere holds two: more than one under way
    // at a time could be dropped by the kernel, as datagrams may be.
    for (bytes, connections) in [(8, 4), (1000, 4), (ping::MAX_DATAGRAM_BYTES, 1)] {
        let plan = Plan {
            connections,
            count: Some(100 / connections as u64),
            bytes,
            timeout: PATIENCE,
            ..Plan::default()
        };
        let report = measured(address, Transport::Udp, plan);
        assert_eq!((report.received, report.lost), (100, 0));
    }
    drop(stop);
    let answered: u64 = threads.into_iter().map(|one| one.join().unwrap()).sum();
    assert_eq!(answered, 300);
}

/// As if somebody had forged the server's own address: it would answer itself for ever.
#[test]
fn a_server_does_not_talk_to_itself() {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let socket = datagram_sockets(any, 1).unwrap().remove(0);
    let address = socket.local_addr().unwrap();
    socket.send_to(b"and so on", address).unwrap();
    let (stop, mut stopped) = tokio::sync::watch::channel(());
    let stopped = async move { drop(stopped.changed().await) };
    let serving = std::thread::spawn(move || udp::run(socket, stopped).unwrap());
    let plan = Plan {
        count: Some(100),
        timeout: PATIENCE,
        ..Plan::default()
    };
    // Behind that one: it has been seen when these have come back.
    let report = measured(address, Transport::Udp, plan);
    assert_eq!((report.received, report.lost), (100, 0));
    drop(stop);
    assert_eq!(serving.join().unwrap(), 100);
}

/// Every loop answers both, and a loop that ends has answered what it received.
#[test]
fn one_loop_echoes_streams_and_datagrams() {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let plan = Plan {
        connections: 4,
        count: Some(25),
        bytes: 100,
        timeout: PATIENCE,
        ..Plan::default()
    };
    for model in [MODELS[0], MODELS[2]] {
        let sockets = datagram_sockets(any, 3).unwrap();
        let address = sockets[0].local_addr().unwrap();
        let count = model.workers();
        let sockets: Vec<_> = sockets.into_iter().take(count).collect();
        let server = model
            .start(move |index| Ok(Echo::with_datagrams(PATIENT, sockets[index].try_clone()?)));
        assert_eq!(
            measured(address, Transport::Udp, plan).received,
            100,
            "{model:?}"
        );
        assert_eq!(measured(server.address, Transport::Tcp, plan).received, 100);
    }
}

#[test]
fn ping_says_what_is_wrong() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = gone.local_addr().unwrap();
    drop(gone);
    let refused = failure(address, Transport::Tcp, Plan::default());
    assert!(matches!(refused, PingError::Connection { .. }));
    let refused = failure(address, Transport::Udp, Plan::default());
    assert!(matches!(refused, PingError::Connection { .. }));
    let long = Plan {
        bytes: 70_000,
        ..Plan::default()
    };
    let refused = failure(address, Transport::Udp, long);
    assert!(matches!(refused, PingError::Length(70_000)));

    let liar = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = liar.local_addr().unwrap();
    let lying = std::thread::spawn(move || {
        let (mut stream, _) = liar.accept().unwrap();
        stream.write_all(&[b'?'; 64]).unwrap();
        // Until the client has seen enough.
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let other = failure(address, Transport::Tcp, Plan::default());
    assert!(matches!(other, PingError::Different { .. }));
    lying.join().unwrap();
}

/// Over a stream that is the end; a datagram is only lost.
#[test]
fn what_does_not_come_back_is_counted() {
    let plan = Plan {
        count: Some(3),
        timeout: Duration::from_millis(1),
        ..Plan::default()
    };
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    let stop = Stop::default();
    let address = deaf.local_addr().unwrap();
    let outcome = ping::run(address, Transport::Tcp, plan, &stop, |_| {}).unwrap();
    let report = outcome.report;
    assert_eq!((report.sent, report.received, report.lost), (1, 0, 1));
    assert!(matches!(outcome.failure, Some(PingError::Silent { .. })));

    let deaf = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let report = measured(deaf.local_addr().unwrap(), Transport::Udp, plan);
    assert_eq!((report.received, report.lost), (0, 3));
}

#[test]
fn a_measurement_ends_when_it_is_told_to() {
    let server = MODELS[2].start(patient);
    let endless = Plan {
        count: None,
        interval: PATIENCE,
        ..Plan::default()
    };
    let stop = Stop::default();
    // In the pause after the first round trip.
    let outcome = ping::run(server.address, Transport::Tcp, endless, &stop, |round| {
        assert!(round.time.is_some());
        stop.stop();
    });
    assert_eq!(outcome.unwrap().report.received, 1);
    let short = Plan {
        duration: Some(Duration::from_millis(1)),
        ..endless
    };
    assert!(measured(server.address, Transport::Tcp, short).received <= 1);
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
