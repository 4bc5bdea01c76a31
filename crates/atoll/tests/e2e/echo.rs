//! `atoll echo` and `atoll ping`, with each other and with what is neither.

use crate::{LIMIT, atoll, await_that, binary, printed, refused};
use harness::process::Process;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::process::Command;

const MODELS: [&str; 4] = ["sequential", "threads", "events", "processes"];

/// `atoll echo` at a port that the kernel drew.
struct Echo {
    process: Process,
    address: String,
    _top: tempfile::TempDir,
}

impl Echo {
    fn start(options: &[&str]) -> Self {
        let words = ["echo", "--listen", "127.0.0.1:0"];
        let (process, log, top) = start(&[&words[..], options].concat());
        let mut address = None;
        await_that("echo says where it is", || {
            let said = fs::read_to_string(&log).unwrap();
            let found = said.split_once("atoll: echo at ");
            let found = found.and_then(|(_, rest)| rest.split_once(": "));
            address = found.map(|(address, _)| address.to_owned());
            address.is_some()
        });
        Self {
            process,
            address: address.unwrap(),
            _top: top,
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream
    }
}

/// Starts `atoll` with a log of its own.
fn start(words: &[&str]) -> (Process, PathBuf, tempfile::TempDir) {
    let top = tempfile::tempdir().unwrap();
    let log = top.path().join("log");
    let mut command = Command::new(binary());
    let process = Process::start(words[0], command.args(words), &log).unwrap();
    (process, log, top)
}

/// What `atoll ping` measured.
fn measured(address: &str, options: &[&str]) -> serde_json::Value {
    let words = ["ping", address, "--json", "--interval", "0"];
    serde_json::from_str(&printed(&[&words[..], options].concat())).unwrap()
}

#[test]
fn every_model_echoes_streams_and_datagrams_and_ends_when_it_is_told() {
    for model in MODELS {
        let echo = Echo::start(&["--model", model, "--workers", "3", "--udp"]);
        let options = ["--count", "20", "--connections", "3", "--size", "1000"];
        for transport in [&[][..], &["--udp"]] {
            let found = measured(&echo.address, &[&options[..], transport].concat());
            let sent = (&found["sent"], &found["received"], &found["lost"]);
            assert_eq!(sent, (&60.into(), &60.into(), &0.into()), "{model}");
            let times = ["min_us", "median_us", "p99_us", "max_us"];
            let times = times.map(|name| found[name].as_f64().unwrap());
            assert!(times[0] > 0.0 && times.is_sorted(), "{times:?}");
        }
        let text = printed(&["ping", &echo.address, "--interval", "0"]);
        assert!(text.contains("10 sent, 10 received, 0 lost"), "{text}");
        // An open connection does not hold it up.
        let mut open = echo.connect();
        open.write_all(b"hello").unwrap();
        open.read_exact(&mut [0; 5]).unwrap();
        echo.process.stop(LIMIT).unwrap();
        assert_eq!(open.read(&mut [0; 5]).unwrap(), 0, "{model}");
    }
}

#[test]
fn a_silent_connection_is_ended() {
    for model in MODELS {
        let echo = Echo::start(&["--model", model, "--idle-timeout", "1"]);
        let mut silent = echo.connect();
        assert_eq!(silent.read(&mut [0; 5]).unwrap(), 0, "{model}");
    }
}

#[test]
fn a_websocket_gets_its_messages_back_and_a_goodbye() {
    for model in MODELS {
        let echo = Echo::start(&["--model", model, "--websocket"]);
        let mut stream = echo.connect();
        stream
            .write_all(
                b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                  Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            )
            .unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        // A text, masked with zeros; it comes back without a mask.
        stream.write_all(b"\x81\x82\0\0\0\0hi").unwrap();
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"\x81\x02hi");
        let stopping = std::thread::spawn(move || echo.process.stop(LIMIT).unwrap());
        let mut goodbye = [0; 4];
        stream.read_exact(&mut goodbye).unwrap();
        assert_eq!(
            (goodbye[0], &goodbye[2..]),
            (0x88, &1001_u16.to_be_bytes()[..])
        );
        drop(stream);
        stopping.join().unwrap();
    }
}

#[test]
fn a_ping_that_is_interrupted_says_what_it_has() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (ping, log, _top) = start(&["ping", &address, "--count", "0", "--interval", "1"]);
    let (mut stream, _) = listener.accept().unwrap();
    let mut message = [0; 64];
    stream.read_exact(&mut message).unwrap();
    stream.write_all(&message).unwrap();
    // The second comes when the first has come back.
    stream.read_exact(&mut message).unwrap();
    ping.stop(LIMIT).unwrap();
    let said = fs::read_to_string(log).unwrap();
    assert!(said.contains("2 sent, 1 received, 0 lost"), "{said}");
}

#[test]
fn datagrams_that_are_lost_are_counted() {
    let deaf = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = deaf.local_addr().unwrap().to_string();
    let words = ["ping", &address, "--udp", "--count", "3", "--interval", "0"];
    let words = [&words[..], &["--timeout", "1"]].concat();
    let output = atoll(&words);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("3 sent, 0 received, 3 lost"), "{output:?}");
    refused(&words, 1, "sent nothing back");
}

#[test]
fn what_cannot_be_is_said() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap().to_string();
    refused(&["echo", "--listen", &address], 1, "choose another");
    let lying = std::thread::spawn(move || {
        let (mut stream, _) = free.accept().unwrap();
        stream.write_all(&[b'?'; 64]).unwrap();
        // Until the client has seen enough.
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let told = atoll(&["ping", &address]);
    assert_eq!(told.status.code(), Some(1), "{told:?}");
    let said = String::from_utf8_lossy(&told.stdout);
    assert!(said.contains("1 sent, 0 received, 0 lost"), "{said}");
    let said = String::from_utf8_lossy(&told.stderr);
    assert!(said.contains("other bytes"), "{said}");
    lying.join().unwrap();
    // Ports that somebody has and nobody listens on.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let deaf = taken.local_addr().unwrap().to_string();
    refused(&["ping", &deaf], 1, "does not echo");
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    taken.connect("127.0.0.1:9").unwrap();
    let deaf = taken.local_addr().unwrap().to_string();
    refused(&["ping", &deaf, "--udp"], 1, "does not echo");
    refused(&["ping", &address, "--udp", "--size", "7"], 1, "8 to 65507");
    refused(
        &["ping", "no-such-host.invalid:7"],
        1,
        "no-such-host.invalid",
    );

    refused(&["ping", "localhost"], 2, "HOST:PORT");
    refused(&["ping", "localhost:x"], 2, "HOST:PORT");
    refused(&["ping", &address, "--size", "0"], 2, "--size");
    refused(&["echo", "--model", "magic"], 2, "processes");
    refused(&["echo", "--workers", "0"], 2, "--workers");
    refused(&["echo", "--udp", "--websocket"], 2, "--udp");
}
