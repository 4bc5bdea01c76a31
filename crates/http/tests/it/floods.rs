//! Floods over encrypted connections: handshakes that never end, and streams of HTTP/2
//! that are begun only to be reset. Whoever floods loses its own, nobody else.

use crate::secure::Server;
use httpd::models::raise_descriptors;
use httpd::serve::{Settings, Timeouts};
use rustls::{ClientConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// As many as a loop holds.
const HANDSHAKES: usize = 1024;

type Stream = StreamOwned<ClientConnection, TcpStream>;

const GET: &[u8] = b"GET /s/small.txt HTTP/1.1\r\nHost: a\r\n\r\n";

fn is_served(stream: &mut Stream) {
    stream.write_all(GET).unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\nsmall") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        answer.extend(byte);
    }
    assert!(answer.starts_with(b"HTTP/1.1 200 "));
}

/// The oldest that still shakes hands is let go for the one that comes; who has
/// finished is none of them.
#[test]
fn a_flood_of_handshakes_costs_the_oldest() {
    // Both ends of every connection are in this process.
    raise_descriptors(3 * HANDSHAKES as u64);
    let settings = Settings {
        timeouts: Timeouts {
            // None of them ends because of its time.
            handshake: Duration::from_secs(3600),
            ..Timeouts::default()
        },
        ..Settings::default()
    };
    let server = Server::with(settings);
    let mut finished = server.connect();
    is_served(&mut finished);
    let mut silent: Vec<Stream> = (0..HANDSHAKES).map(|_| server.connect()).collect();
    // As many as there may be: this one is the first too many.
    let mut last = server.connect();
    is_served(&mut last);
    assert_eq!(silent[0].sock.read(&mut [0]).unwrap(), 0, "the oldest");
    is_served(&mut silent[1]);
    is_served(&mut silent[HANDSHAKES - 1]);
    is_served(&mut finished);
}

/// Frames of HTTP/2 (RFC 9113 6).
mod kind {
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
}

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// The error code of a connection that is too much (RFC 9113 7).
const ENHANCE_YOUR_CALM: [u8; 4] = [0, 0, 0, 0xb];

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A request for `/` of the host `a`, by the table of RFC 7541 A.
const REQUEST: [u8; 6] = [0x82, 0x84, 0x87, 0x41, 1, b'a'];

/// The same with `content-length: 0`.
const WITHOUT_CONTENT: [u8; 10] = [0x82, 0x84, 0x87, 0x41, 1, b'a', 0x0f, 0x0d, 1, b'0'];

/// A request that its client takes back.
fn changed_mind(stream: u32) -> Vec<u8> {
    let request = frame(kind::HEADERS, END_HEADERS | END_STREAM, stream, &REQUEST);
    let cancel = 8_u32.to_be_bytes();
    [request, frame(kind::RST_STREAM, 0, stream, &cancel)].concat()
}

/// A request with a mistake for which the server resets it: more content than it says
/// (RFC 9113 8.1.1).
fn mistaken(stream: u32) -> Vec<u8> {
    let request = frame(kind::HEADERS, END_HEADERS, stream, &WITHOUT_CONTENT);
    [request, frame(kind::DATA, 0, stream, b"x")].concat()
}

/// Sends `count` streams at once, and a ping behind them; whether that is answered, or
/// else the connection ended because it was too much.
fn goes_on(server: &Server, count: u32, stream: impl Fn(u32) -> Vec<u8>) -> bool {
    let mut client = server.connect_as("localhost", server.client("localhost", &[b"h2"]));
    let mut sent = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    sent.extend(frame(kind::SETTINGS, 0, 0, &[]));
    (0..count).for_each(|number| sent.extend(stream(2 * number + 1)));
    sent.extend(frame(kind::PING, 0, 0, &[0; 8]));
    client.write_all(&sent).unwrap();
    loop {
        let mut head = [0; 9];
        client.read_exact(&mut head).unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        client.read_exact(&mut payload).unwrap();
        match head[3] {
            kind::PING => return true,
            kind::GOAWAY => {
                assert_eq!(payload[4..8], ENHANCE_YOUR_CALM);
                return false;
            }
            _ => {}
        }
    }
}

#[test]
fn a_flood_of_resets_ends_its_connection() {
    let server = Server::start();
    // CVE-2023-44487.
    assert!(goes_on(&server, 20, changed_mind));
    assert!(!goes_on(&server, 40, changed_mind));
    // CVE-2025-8671. A stream that is begun and ended in one go may count twice.
    assert!(goes_on(&server, 100, mistaken));
    assert!(!goes_on(&server, 300, mistaken));
    // It was nobody else's.
    is_served(&mut server.connect());
}
