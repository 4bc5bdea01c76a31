//! WebSockets over real sockets: frames byte by byte, as RFC 6455 has them, and a
//! client that somebody else wrote.

use crate::serve::{Client, Server, field};
use httpd::echo::websocket::Messages;
use httpd::serve::{Closer, Closing, Settings, Tower, Upgraded};
use httpd::websocket::{self, WebSocketError};
use std::future::Future;
use std::io::Read;
use std::net::TcpStream;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Message, WebSocket, client};

const REQUEST: &str = "GET /chat HTTP/1.1\r\nHost: server.example.com\r\n\
    Upgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;
/// Of a message that goes on.
const TEXT_BEGINS: u8 = 0x01;
const GOES_ON: u8 = 0x00;
const ENDS: u8 = 0x80;

fn server() -> Server {
    Server::start(Settings::default(), || Messages)
}

fn open(server: &Server) -> Client {
    let mut client = server.connect();
    client.send(REQUEST);
    let (status, fields) = client.receive_head();
    assert_eq!(status, "HTTP/1.1 101 Switching Protocols");
    let accept = field(&fields, "sec-websocket-accept");
    assert_eq!(accept, Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    client
}

/// A frame of a client, which must be masked (RFC 6455 5.3); with this mask the
/// content is what it is.
fn frame(first: u8, content: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match content.len() {
        length @ ..=125 => frame.push(0x80 | length as u8),
        length @ ..=0xffff => {
            frame.push(0x80 | 126);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(content);
    frame
}

/// A frame of the server.
fn receive(client: &mut Client) -> Option<(u8, Vec<u8>)> {
    let mut head = [0; 2];
    client.0.read_exact(&mut head).ok()?;
    let length = match head[1] {
        126 => {
            let mut length = [0; 2];
            client.0.read_exact(&mut length).unwrap();
            u64::from(u16::from_be_bytes(length))
        }
        127 => {
            let mut length = [0; 8];
            client.0.read_exact(&mut length).unwrap();
            u64::from_be_bytes(length)
        }
        length => u64::from(length),
    };
    let mut content = vec![0; length as usize];
    client.0.read_exact(&mut content).unwrap();
    Some((head[0], content))
}

/// What comes back for `sent`; of a goodbye only the code.
#[track_caller]
fn check(sent: &[(u8, &[u8])], expected: &[(u8, &[u8])]) {
    let server = server();
    let mut client = open(&server);
    for (first, content) in sent {
        client.send(frame(*first, content));
    }
    for (first, content) in expected {
        let (found, mut received) = receive(&mut client).expect("a frame");
        if found == CLOSE {
            received.truncate(2);
        }
        assert_eq!((found, &received[..]), (*first, *content));
    }
    if expected.last().is_some_and(|(first, _)| *first == CLOSE) {
        assert_eq!(client.rest(), b"");
    }
}

const NORMAL: &[u8] = &1000_u16.to_be_bytes();
const PROTOCOL: &[u8] = &1002_u16.to_be_bytes();
const INVALID: &[u8] = &1007_u16.to_be_bytes();
const TOO_LONG: &[u8] = &1009_u16.to_be_bytes();

#[test]
fn messages_come_back_whole() {
    for length in [0, 1, 125, 126, 127, 65_535, 65_536, 1_000_000] {
        let content = vec![b'x'; length];
        for kind in [TEXT, BINARY] {
            check(&[(kind, &content)], &[(kind, &content)]);
        }
    }
    check(
        &[(TEXT_BEGINS, b"one "), (GOES_ON, b"two "), (ENDS, b"three")],
        &[(TEXT, b"one two three")],
    );
}

#[test]
fn pings_are_answered_also_within_a_message() {
    check(&[(PING, b"")], &[(PONG, b"")]);
    check(&[(PING, &[7; 125])], &[(PONG, &[7; 125])]);
    check(
        &[(TEXT_BEGINS, b"a"), (PING, b"?"), (ENDS, b"b")],
        &[(PONG, b"?"), (TEXT, b"ab")],
    );
    // One that nobody asked for means nothing.
    check(&[(PONG, b"?"), (TEXT, b"a")], &[(TEXT, b"a")]);
}

#[test]
fn frames_that_are_none_end_it() {
    for first in [
        // Reserved bits (RFC 6455 5.2).
        TEXT | 0x40,
        TEXT | 0x20,
        TEXT | 0x10,
        PING | 0x40,
        // Reserved opcodes.
        0x83,
        0x87,
        0x8b,
        0x8f,
        // Control frames in pieces (5.5).
        PING & 0x7f,
        PONG & 0x7f,
        CLOSE & 0x7f,
        // The rest of nothing (5.4).
        GOES_ON,
        ENDS,
    ] {
        check(&[(first, b"ab")], &[(CLOSE, PROTOCOL)]);
    }
    // Longer than a control frame may be (5.5).
    for first in [PING, PONG, CLOSE] {
        check(&[(first, &[3; 126])], &[(CLOSE, PROTOCOL)]);
    }
    // Another message within a message (5.4).
    check(&[(TEXT_BEGINS, b"a"), (TEXT, b"b")], &[(CLOSE, PROTOCOL)]);
}

#[test]
fn an_unmasked_frame_ends_it() {
    let server = server();
    let mut client = open(&server);
    client.send([TEXT, 1, b'a']);
    let (first, content) = receive(&mut client).unwrap();
    assert_eq!((first, &content[..2]), (CLOSE, PROTOCOL));
}

#[test]
fn text_is_utf_8_however_it_is_split() {
    let text = "κόσμε ☕ 🦀".as_bytes();
    for at in 0..text.len() {
        check(
            &[(TEXT_BEGINS, &text[..at]), (ENDS, &text[at..])],
            &[(TEXT, text)],
        );
    }
    for wrong in [
        &b"\xff"[..],
        b"\xc0\x80",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"cut \xe2\x98",
    ] {
        check(&[(TEXT, wrong)], &[(CLOSE, INVALID)]);
        check(&[(BINARY, wrong)], &[(BINARY, wrong)]);
        for at in 0..wrong.len() {
            check(
                &[(TEXT_BEGINS, &wrong[..at]), (ENDS, &wrong[at..])],
                &[(CLOSE, INVALID)],
            );
        }
    }
}

#[test]
fn goodbyes_are_answered() {
    check(&[(CLOSE, b"")], &[(CLOSE, b"")]);
    check(&[(CLOSE, NORMAL), (TEXT, b"late")], &[(CLOSE, NORMAL)]);
    for (code, expected) in [
        (1001_u16, 1001_u16),
        (1011, 1011),
        (3000, 3000),
        (4999, 4999),
        // None that may be sent (RFC 6455 7.4).
        (0, 1002),
        (999, 1002),
        (1005, 1002),
        (1006, 1002),
        (1015, 1002),
        (5000, 1002),
    ] {
        check(
            &[(CLOSE, &code.to_be_bytes())],
            &[(CLOSE, &expected.to_be_bytes())],
        );
    }
    check(&[(CLOSE, b"\x03")], &[(CLOSE, PROTOCOL)]);
    check(&[(CLOSE, b"\x03\xe8\xff")], &[(CLOSE, INVALID)]);
}

#[test]
fn a_message_that_is_too_long_is_not_held() {
    let server = server();
    let mut client = open(&server);
    // Only its head: nobody waits for the rest.
    client.send([BINARY, 0xff, 0, 0, 0, 0, 0x40, 0, 0, 0, 0, 0, 0, 0]);
    let (first, content) = receive(&mut client).unwrap();
    assert_eq!((first, &content[..2]), (CLOSE, TOO_LONG));
}

#[test]
fn a_request_that_opens_nothing_is_told_why() {
    let server = server();
    for (request, status, name, value) in [
        (
            REQUEST.replace("Version: 13", "Version: 8"),
            "HTTP/1.1 426 Upgrade Required",
            "sec-websocket-version",
            "13",
        ),
        (
            REQUEST.replace("Upgrade: websocket\r\n", ""),
            "HTTP/1.1 426 Upgrade Required",
            "upgrade",
            "websocket",
        ),
        (
            REQUEST.replace("GET", "PUT"),
            "HTTP/1.1 405 Method Not Allowed",
            "allow",
            "GET",
        ),
        (
            REQUEST.replace("HTTP/1.1", "HTTP/1.0"),
            "HTTP/1.1 426 Upgrade Required",
            "connection",
            "close, upgrade",
        ),
    ] {
        let mut client = server.connect();
        client.send(&request);
        let (found, fields, _) = client.receive();
        assert_eq!(found, status, "{request}");
        assert_eq!(field(&fields, name), Some(value), "{request}");
    }
}

/// Sockets that are impatient with a client which says nothing.
async fn impatient(request: axum::extract::Request) -> axum::response::Response {
    let (request, _) = request.into_parts();
    let settings = websocket::Settings {
        patience: Duration::from_millis(20),
        ..websocket::Settings::default()
    };
    let handshake = websocket::handshake(&request, &[], |_, _| true).unwrap();
    websocket::accept(&request, handshake, settings, websocket::echo).unwrap()
}

#[test]
fn a_silent_client_is_asked_and_then_let_go() {
    let router = || axum::Router::new().route("/chat", axum::routing::get(impatient));
    let server = Server::start(Settings::default(), move || Tower::new(router()));
    let mut client = open(&server);
    assert_eq!(receive(&mut client), Some((PING, Vec::new())));
    assert_eq!(client.rest(), b"");
}

/// A WebSocket with a client so near that hardly anything is on its way.
async fn near(settings: websocket::Settings) -> (Closer, websocket::WebSocket, DuplexStream) {
    let (client, server) = tokio::io::duplex(1024);
    let (closer, closing) = Closing::pair();
    let server = Upgraded::new(server, closing);
    let socket = websocket::WebSocket::new(server, settings).await;
    (closer, socket, client)
}

fn run<F: Future>(test: F) -> F::Output {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap().block_on(test)
}

#[test]
fn a_client_that_takes_no_pongs_is_not_heard_and_let_go() {
    run(async {
        let settings = websocket::Settings {
            farewell: Duration::from_millis(20),
            ..websocket::Settings::default()
        };
        let (_closer, mut socket, mut client) = near(settings).await;
        let pings = frame(PING, &[7; 125]).repeat(1000);
        let server = async move { socket.receive().await };
        let (sent, ended) = tokio::join!(client.write_all(&pings), server);
        assert!(matches!(ended, Err(WebSocketError::Silent)), "{ended:?}");
        assert!(sent.is_err(), "the server took all of it");
    });
}

/// Also by a service that waits for something else too, and drops its waits.
#[test]
fn every_ping_is_answered_to_a_client_that_listens() {
    run(async {
        let (_closer, mut socket, client) = near(websocket::Settings::default()).await;
        let (mut reader, mut writer) = tokio::io::split(client);
        let server = async {
            loop {
                tokio::select! {
                    biased;
                    heard = socket.receive() => return heard,
                    () = tokio::task::yield_now() => {}
                }
            }
        };
        let talk = async {
            let pings = frame(PING, &[7; 125]).repeat(50);
            writer.write_all(&pings).await.unwrap();
            writer.write_all(&frame(TEXT, b"end")).await.unwrap();
        };
        let listen = async {
            let mut pongs = vec![0; 50 * 127];
            reader.read_exact(&mut pongs).await.unwrap();
            pongs
        };
        let (heard, (), pongs) = tokio::join!(server, talk, listen);
        assert_eq!(heard.unwrap(), Some(websocket::Message::Text("end".into())));
        assert_eq!(pongs, [&[PONG, 125][..], &[7; 125]].concat().repeat(50));
    });
}

#[test]
fn a_message_that_is_too_long_is_not_sent() {
    run(async {
        let settings = websocket::Settings {
            message_bytes: 10,
            ..websocket::Settings::default()
        };
        let (_closer, mut socket, mut client) = near(settings).await;
        let message = |length| websocket::Message::Binary(vec![0; length].into());
        let refused = socket.send(message(11)).await.unwrap_err();
        let expected = "a message of 11 bytes is too long to be sent: 10 may be";
        assert_eq!(refused.to_string(), expected);
        socket.send(message(10)).await.unwrap();
        let mut frame = [1; 12];
        client.read_exact(&mut frame).await.unwrap();
        assert_eq!(frame, [BINARY, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    });
}

fn tungstenite(server: &Server) -> WebSocket<TcpStream> {
    let stream = TcpStream::connect(server.address).unwrap();
    let address = format!("ws://{}/", server.address);
    client(address, stream).unwrap().0
}

#[test]
fn a_client_that_somebody_else_wrote_is_understood() {
    let server = server();
    let mut socket = tungstenite(&server);
    for message in [Message::text("κόσμε"), Message::binary(vec![0; 3_000_000])] {
        socket.send(message.clone()).unwrap();
        assert_eq!(socket.read().unwrap(), message);
    }
    socket.close(None).unwrap();
    assert_eq!(socket.read().unwrap(), Message::Close(None));
}

#[test]
fn a_server_that_ends_says_so() {
    let mut server = server();
    let mut socket = tungstenite(&server);
    socket.send(Message::text("hello")).unwrap();
    assert_eq!(socket.read().unwrap(), Message::text("hello"));
    server.stop();
    let Message::Close(Some(goodbye)) = socket.read().unwrap() else {
        panic!("no goodbye");
    };
    assert_eq!(goodbye.code, CloseCode::Away);
    // It answers, and then it is over.
    assert!(socket.read().is_err());
    drop(socket);
    server.join();
}
