//! The order of things: content that nobody reads, clients that wait, protocols
//! that change, sides that close.

use http::{HeaderMap, HeaderValue, StatusCode};
use httpd::date::response_date;
use httpd::h1::{
    BodyPlan, BodySize, BodyStep, Connection, HeaderSlots, Limits, Next, RespondError, Waiting,
};

const LIMITS: Limits = Limits {
    request_line_bytes: 100,
    head_bytes: 200,
    headers: 10,
    body_bytes: 1000,
    chunk_line_bytes: 20,
    chunk_extension_bytes: 20,
    trailer_bytes: 100,
    drain_bytes: 20,
};

/// A connection and what it has sent.
struct Client {
    connection: Connection,
    out: Vec<u8>,
}

impl Client {
    fn new() -> Self {
        Self {
            connection: Connection::new(LIMITS),
            out: Vec::new(),
        }
    }

    /// A client whose request of `lines` was received.
    fn with(lines: &str) -> Self {
        let mut client = Self::new();
        let request = format!("POST / HTTP/1.1\r\nHost: h\r\n{lines}\r\n");
        client.receive(request.as_bytes());
        assert_eq!(client.connection.next(), Next::Respond);
        client
    }

    /// Receives the head at the start of `bytes`, if it is whole.
    fn receive(&mut self, bytes: &[u8]) -> bool {
        let mut slots = HeaderSlots::new();
        let head = self.connection.receive_head(bytes, &mut slots);
        head.expect("the request is valid").is_some()
    }

    fn respond(&mut self, content: &str) -> String {
        self.out.clear();
        self.connection
            .respond(&mut self.out, StatusCode::OK, &response_date(0))
            .expect("a response is due")
            .finish_with(content.as_bytes())
            .expect("the length is right");
        String::from_utf8(self.out.clone()).expect("text")
    }

    fn body(&mut self, bytes: &[u8]) -> Result<BodyStep, u16> {
        let step = self.connection.receive_body(bytes);
        step.map_err(|reject| reject.status.as_u16())
    }

    fn next(&self) -> Next {
        self.connection.next()
    }
}

const CLOSE: Next = Next::Close { linger: false };
const CLOSE_LINGERING: Next = Next::Close { linger: true };

#[test]
fn a_small_unread_content_is_drained() {
    let mut client = Client::with("Content-Length: 20\r\n");
    assert!(!client.respond("no").contains("connection: close"));
    assert_eq!(client.next(), Next::Drain);
    assert_eq!(client.connection.waiting(), Waiting::Body);
    assert_eq!(client.body(b"0123456789"), Ok(BodyStep::Data(0..10)));
    assert_eq!(client.next(), Next::Drain);
    assert_eq!(client.body(b"0123456789GET"), Ok(BodyStep::Data(0..10)));
    assert_eq!(client.next(), Next::ReceiveHead);
    assert!(client.receive(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
}

#[test]
fn a_large_unread_content_ends_the_connection() {
    let mut client = Client::with("Content-Length: 21\r\n");
    assert!(client.respond("no").contains("connection: close"));
    assert_eq!(client.next(), CLOSE_LINGERING);
}

#[test]
fn an_unread_content_of_unknown_length_is_drained_for_a_while() {
    let mut client = Client::with("Transfer-Encoding: chunked\r\n");
    assert!(!client.respond("no").contains("connection: close"));
    assert_eq!(client.body(b"10\r\n0123456789"), Ok(BodyStep::Data(4..14)));
    assert_eq!(client.next(), Next::Drain);
    assert_eq!(client.body(b"012345\r\n"), Ok(BodyStep::Data(0..6)));
    assert_eq!(client.next(), Next::Drain, "20 bytes may be drained");
    assert_eq!(client.body(b"\r\n"), Ok(BodyStep::NeedMore { consumed: 2 }));
    assert_eq!(client.next(), CLOSE_LINGERING);

    let mut client = Client::with("Transfer-Encoding: chunked\r\n");
    client.respond("no");
    assert_eq!(client.body(b"0\r\n\r\n"), Ok(BodyStep::End(3..5)));
    assert_eq!(client.next(), Next::ReceiveHead);
}

#[test]
fn each_request_may_leave_as_much_content_unread() {
    let mut client = Client::new();
    for _ in 0..3 {
        assert!(client.receive(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 20\r\n\r\n"));
        client.respond("no");
        assert_eq!(client.body(&[b'x'; 20]), Ok(BodyStep::Data(0..20)));
        assert_eq!(client.next(), Next::ReceiveHead);
    }
}

#[test]
fn content_that_is_refused_after_the_response_has_begun_is_not_answered() {
    let mut client = Client::with("Transfer-Encoding: chunked\r\n");
    let plan = client
        .connection
        .respond(&mut client.out, StatusCode::OK, &response_date(0))
        .expect("a response is due")
        .finish(BodySize::Streaming);
    assert_eq!(plan, Ok(BodyPlan::Send));
    client.out.clear();
    let reject = client.connection.receive_body(b"x\r\n");
    let reject = reject.expect_err("x is no size");
    assert_eq!(client.next(), CLOSE_LINGERING);
    let late = client.connection.send_body(&mut client.out, b"more");
    assert_eq!(late, Err(RespondError::NotDue));
    client
        .connection
        .reject(&mut client.out, &reject, &response_date(0));
    assert_eq!((client.out.as_slice(), client.next()), (&b""[..], CLOSE));
}

#[test]
fn a_refusal_is_written_and_closes() {
    let mut client = Client::new();
    let mut slots = HeaderSlots::new();
    let reject = client
        .connection
        .receive_head(b"GET / HTTP/1.1\r\n\r\n", &mut slots)
        .expect_err("the host is missing");
    assert_eq!(client.next(), CLOSE_LINGERING);
    client
        .connection
        .reject(&mut client.out, &reject, &response_date(0));
    let expected = "HTTP/1.1 400 Bad Request\r\n\
        content-type: text/plain; charset=utf-8\r\ncontent-length: 25\r\n\
        connection: close\r\ndate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n\
        the Host field is missing";
    assert_eq!(String::from_utf8_lossy(&client.out), expected);
    assert_eq!(client.next(), CLOSE_LINGERING);
    assert!(!client.receive(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
}

#[test]
fn a_client_that_waits_is_told_to_go_on_when_its_content_is_wanted() {
    let waiting = "Expect: 100-continue\r\nContent-Length: 3\r\n";
    let mut client = Client::with(waiting);
    assert_eq!(client.out, b"", "nothing is sent before it is wanted");
    assert_eq!(client.body(b""), Ok(BodyStep::ContinueDue));
    client.connection.send_continue(&mut client.out);
    client.connection.send_continue(&mut client.out);
    assert_eq!(client.out, b"HTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(client.body(b""), Ok(BodyStep::NeedMore { consumed: 0 }));
    assert_eq!(client.body(b"abc"), Ok(BodyStep::Data(0..3)));
    assert_eq!(client.body(b""), Ok(BodyStep::End(0..0)));
    client.respond("");
    assert_eq!(client.next(), Next::ReceiveHead);

    // It did not wait after all.
    let mut client = Client::with(waiting);
    assert_eq!(client.body(b"a"), Ok(BodyStep::Data(0..1)));
    client.connection.send_continue(&mut client.out);
    assert_eq!(client.out, b"");

    // It was answered instead: whether it sends its content cannot be known.
    let mut client = Client::with(waiting);
    assert!(client.respond("no").contains("connection: close"));
    assert_eq!(client.next(), CLOSE_LINGERING);

    // HTTP/1.0 has no 100.
    let mut client = Client::new();
    client.receive(b"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    assert_eq!(client.body(b""), Ok(BodyStep::NeedMore { consumed: 0 }));
}

fn websocket() -> HeaderMap {
    let mut fields = HeaderMap::new();
    let value = HeaderValue::from_static("websocket");
    fields.insert(http::header::UPGRADE, value);
    fields
}

const UPGRADE: &str = "Connection: upgrade\r\nUpgrade: websocket\r\n";

#[test]
fn an_upgrade_ends_http() {
    let mut client = Client::with(UPGRADE);
    let switched = client
        .connection
        .switch_protocols(&mut client.out, 0, &websocket());
    assert_eq!(switched, Ok(()));
    let expected = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n\
        upgrade: websocket\r\n\r\n";
    assert_eq!(String::from_utf8_lossy(&client.out), expected);
    assert_eq!(client.next(), Next::Upgraded);
    assert!(!client.receive(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
}

#[test]
fn bytes_before_the_101_are_neither_frames_nor_a_request() {
    let request = format!("GET / HTTP/1.1\r\nHost: h\r\n{UPGRADE}\r\n");
    for (bytes, unread) in [(format!("{request}frame"), 0), (request, 5)] {
        let mut client = Client::new();
        assert!(client.receive(bytes.as_bytes()));
        let switched = client
            .connection
            .switch_protocols(&mut client.out, unread, &websocket());
        assert_eq!(switched, Err(RespondError::EarlyBytes));
        assert!(client.respond("no").contains("connection: close"));
        assert_eq!(client.next(), CLOSE_LINGERING);
    }
    // Without an upgrade they are the next request.
    let mut client = Client::with(UPGRADE);
    client.respond("no upgrade here");
    assert_eq!(client.next(), Next::ReceiveHead);
}

#[test]
fn an_upgrade_is_offered_or_it_is_not() {
    for lines in [
        "",
        "Upgrade: websocket\r\n",
        "Connection: upgrade\r\n",
        "Connection: close\r\nUpgrade: websocket\r\n",
    ] {
        let mut client = Client::with(lines);
        let switched = client
            .connection
            .switch_protocols(&mut client.out, 0, &websocket());
        assert_eq!(switched, Err(RespondError::NoUpgrade), "{lines:?}");
    }
    let mut client = Client::with(UPGRADE);
    let switched = client
        .connection
        .switch_protocols(&mut client.out, 0, &HeaderMap::new());
    assert_eq!(switched, Err(RespondError::NoUpgrade));
    let mut client = Client::with(&format!("{UPGRADE}Content-Length: 3\r\n"));
    let switched = client
        .connection
        .switch_protocols(&mut client.out, 0, &websocket());
    assert_eq!(switched, Err(RespondError::EarlyBytes));
    let mut client = Client::new();
    client.receive(format!("GET / HTTP/1.0\r\n{UPGRADE}\r\n").as_bytes());
    let switched = client
        .connection
        .switch_protocols(&mut client.out, 0, &websocket());
    assert_eq!(switched, Err(RespondError::NoUpgrade));
}

#[test]
fn a_client_that_has_shut_down_its_side_is_answered() {
    let mut client = Client::with("");
    client.connection.input_ended();
    assert_eq!(client.next(), Next::Respond);
    assert!(client.respond("yes").ends_with("yes"));
    // Another request may be in the buffer; only when there is none, it is over.
    assert_eq!(client.next(), Next::ReceiveHead);
    assert!(client.receive(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
    client.respond("and this");
    assert!(!client.receive(b""));
    assert_eq!(client.next(), CLOSE);
}

#[test]
fn a_head_that_never_ends_is_not_answered() {
    let mut client = Client::new();
    assert!(!client.receive(b"GET / HT"));
    client.connection.input_ended();
    assert!(!client.receive(b"GET / HT"));
    assert_eq!(client.next(), CLOSE);
}

#[test]
fn content_that_never_ends_is_refused() {
    let mut client = Client::with("Content-Length: 3\r\n");
    assert_eq!(client.body(b"a"), Ok(BodyStep::Data(0..1)));
    client.connection.input_ended();
    assert_eq!(client.body(b""), Err(400));
    assert_eq!(client.next(), CLOSE);
    assert_eq!(client.body(b""), Err(400), "it never passes for whole");
}

#[test]
fn waiting_is_told_apart() {
    let mut client = Client::new();
    assert_eq!(client.connection.waiting(), Waiting::Idle);
    assert!(!client.receive(b"G"));
    assert_eq!(client.connection.waiting(), Waiting::Head);
    assert!(client.receive(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
    assert_eq!(client.connection.waiting(), Waiting::Nothing);
    client.respond("");
    assert_eq!(client.connection.waiting(), Waiting::Idle);
}

#[test]
fn a_driver_may_end_a_connection_between_requests() {
    let mut idle = Client::new();
    idle.connection.close_soon();
    assert!(idle.receive(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
    assert!(idle.respond("last").contains("connection: close"));
    assert_eq!(idle.next(), CLOSE_LINGERING);

    let mut busy = Client::with("");
    busy.connection.close_soon();
    assert!(busy.respond("last").contains("connection: close"));
    assert_eq!(busy.next(), CLOSE_LINGERING);

    let mut half = Client::new();
    assert!(!half.receive(b"GET / "));
    half.connection.close_soon();
    assert!(half.receive(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
    assert!(half.respond("last").contains("connection: close"));

    // Asked for between the head and the end of a response.
    let mut sending = Client::with("");
    let plan = sending
        .connection
        .respond(&mut sending.out, StatusCode::OK, &response_date(0))
        .expect("a response is due")
        .finish(BodySize::Streaming);
    assert_eq!(plan, Ok(BodyPlan::Send));
    sending.connection.close_soon();
    assert_eq!(sending.next(), Next::Respond);
    let ended = sending.connection.end_body(&mut sending.out, None);
    assert_eq!((ended, sending.next()), (Ok(()), CLOSE_LINGERING));
}

#[test]
fn a_route_may_lower_the_limit_of_content() {
    let mut client = Client::with("Content-Length: 30\r\n");
    assert_eq!(client.connection.limit_body(30), Ok(()));
    assert_eq!(client.connection.limit_body(u64::MAX), Ok(()));
    let refused = client.connection.limit_body(29);
    assert_eq!(refused.map_err(|reject| reject.status.as_u16()), Err(413));
    let mut client = Client::with("Transfer-Encoding: chunked\r\n");
    assert_eq!(client.connection.limit_body(4), Ok(()));
    assert_eq!(client.connection.limit_body(100), Ok(()));
    assert_eq!(client.body(b"4\r\nabcd"), Ok(BodyStep::Data(3..7)));
    assert_eq!(client.body(b"\r\n1\r\nx"), Err(413));
    let mut client = Client::with("");
    assert_eq!(client.connection.limit_body(0), Ok(()));
}

#[test]
fn a_connection_is_small() {
    // 10,000 idle ones may cost 1.5 KiB each, with everything around them.
    assert!(size_of::<Connection>() <= 160);
}
