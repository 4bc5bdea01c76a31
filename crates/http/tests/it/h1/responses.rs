//! What is written: framing, connection options, and lengths that must agree.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use httpd::date::response_date;
use httpd::h1::{
    BodyPlan, BodySize, Connection, FieldBlock, HeaderSlots, Limits, Next, RespondError,
};

const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

/// A connection that has just received `request`, whole.
fn received(request: &str) -> Connection {
    let mut connection = Connection::new(Limits::default());
    let mut slots = HeaderSlots::new();
    let head = connection
        .receive_head(request.as_bytes(), &mut slots)
        .expect("the request is valid")
        .expect("the request is whole");
    assert_eq!(head.consumed(), request.len());
    connection
}

fn fields(lines: &[(&'static str, &'static str)]) -> HeaderMap {
    lines
        .iter()
        .map(|&(name, value)| {
            let name = HeaderName::from_static(name);
            (name, HeaderValue::from_static(value))
        })
        .collect()
}

/// The head of the response to `request` line, without its date, and what follows.
fn head(
    request: &str,
    status: u16,
    lines: &[(&'static str, &'static str)],
    size: BodySize,
) -> Result<(String, BodyPlan, Next), RespondError> {
    let mut connection = received(&format!("{request}\r\nHost: h\r\n\r\n"));
    let mut out = Vec::new();
    let status = StatusCode::from_u16(status).expect("a status");
    let date = response_date(784_111_777);
    let plan = connection
        .respond(&mut out, status, &date)?
        .fields(&fields(lines))
        .finish(size);
    if plan.is_err() {
        assert_eq!(out, b"", "a failed head leaves nothing behind");
    }
    let text = String::from_utf8(out).expect("the head is text");
    let text = text.replace(&format!("date: {DATE}\r\n"), "");
    Ok((text, plan?, connection.next()))
}

fn check(
    (request, status): (&str, u16),
    lines: &[(&'static str, &'static str)],
    size: BodySize,
    expected: (&str, BodyPlan, Next),
) {
    let found = head(request, status, lines, size).expect("the response is valid");
    let expected = (expected.0.to_owned(), expected.1, expected.2);
    assert_eq!(found, expected, "{request} {status} {lines:?} {size:?}");
}

const OVER: Next = Next::Close { linger: false };
const OVER_LINGERING: Next = Next::Close { linger: true };

#[test]
fn framing() {
    use BodyPlan::{Nothing, Send};
    use BodySize::{Known, Streaming};
    let ok = "HTTP/1.1 200 OK\r\n";
    let five = format!("{ok}content-length: 5\r\n\r\n");
    let get = ("GET / HTTP/1.1", 200);
    check(get, &[], Known(5), (&five, Send, Next::Respond));
    let empty = format!("{ok}content-length: 0\r\n\r\n");
    check(get, &[], Known(0), (&empty, Nothing, Next::ReceiveHead));
    let chunked = format!("{ok}transfer-encoding: chunked\r\n\r\n");
    check(get, &[], Streaming, (&chunked, Send, Next::Respond));
    let length = [("content-length", "5")];
    check(get, &length, Streaming, (&five, Send, Next::Respond));
    check(get, &length, Known(5), (&five, Send, Next::Respond));

    let old = ("GET / HTTP/1.0", 200);
    let closing = format!("{ok}connection: close\r\n\r\n");
    check(old, &[], Streaming, (&closing, Send, Next::Respond));
    let closing = format!("{ok}content-length: 0\r\nconnection: close\r\n\r\n");
    check(old, &[], Known(0), (&closing, Nothing, OVER));
    let kept = ("GET / HTTP/1.0\r\nConnection: keep-alive", 200);
    let keeping = format!("{ok}content-length: 0\r\nconnection: keep-alive\r\n\r\n");
    check(kept, &[], Known(0), (&keeping, Nothing, Next::ReceiveHead));
    let closing = format!("{ok}connection: close\r\n\r\n");
    check(kept, &[], Streaming, (&closing, Send, Next::Respond));

    let last = ("GET / HTTP/1.1\r\nConnection: close", 200);
    let closing = format!("{ok}content-length: 0\r\nconnection: close\r\n\r\n");
    check(last, &[], Known(0), (&closing, Nothing, OVER));
    let close = [("connection", "Close, x")];
    check(get, &close, Known(0), (&closing, Nothing, OVER_LINGERING));
}

#[test]
fn responses_without_content() {
    use BodyPlan::Nothing;
    use BodySize::{Known, Streaming};
    let next = Next::ReceiveHead;
    let head = ("HEAD / HTTP/1.1", 200);
    let five = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n";
    check(head, &[], Known(5), (five, Nothing, next));
    let length = [("content-length", "5")];
    check(head, &length, Known(0), (five, Nothing, next));
    check(head, &length, Streaming, (five, Nothing, next));
    check(
        head,
        &[],
        Streaming,
        ("HTTP/1.1 200 OK\r\n\r\n", Nothing, next),
    );
    let none = "HTTP/1.1 204 No Content\r\n\r\n";
    check(
        ("GET / HTTP/1.1", 204),
        &[],
        Known(0),
        (none, Nothing, next),
    );
    check(
        ("GET / HTTP/1.1", 204),
        &length,
        Known(5),
        (none, Nothing, next),
    );
    let unmodified = "HTTP/1.1 304 Not Modified\r\n\r\n";
    check(
        ("GET / HTTP/1.1", 304),
        &[],
        Known(5),
        (unmodified, Nothing, next),
    );
    let unmodified = "HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n";
    check(
        ("GET / HTTP/1.1", 304),
        &length,
        Known(0),
        (unmodified, Nothing, next),
    );
    let reset = "HTTP/1.1 205 Reset Content\r\ncontent-length: 0\r\n\r\n";
    check(
        ("GET / HTTP/1.1", 205),
        &[],
        Known(0),
        (reset, Nothing, next),
    );
}

#[test]
fn fields_of_a_service() {
    let lines = [
        ("transfer-encoding", "gzip"),
        ("keep-alive", "timeout=5"),
        ("x-own", "1"),
        ("connection", "upgrade"),
        ("upgrade", "h2c"),
    ];
    let expected = "HTTP/1.1 426 Upgrade Required\r\nx-own: 1\r\nupgrade: h2c\r\n\
        content-length: 0\r\nconnection: upgrade\r\n\r\n";
    let request = ("GET / HTTP/1.1", 426);
    let found = (expected, BodyPlan::Nothing, Next::ReceiveHead);
    check(request, &lines, BodySize::Known(0), found);
    // Its own date stands, and there is no other.
    let (text, ..) = head(
        "GET / HTTP/1.1",
        299,
        &[("date", "then")],
        BodySize::Known(0),
    )
    .expect("a response");
    assert_eq!(
        text,
        "HTTP/1.1 299 \r\ndate: then\r\ncontent-length: 0\r\n\r\n"
    );
    for lines in [
        [("content-length", "4")].as_slice(),
        &[("content-length", "x")],
        &[("content-length", "5"), ("content-length", "6")],
    ] {
        let found = head("GET / HTTP/1.1", 200, lines, BodySize::Known(5));
        assert_eq!(found, Err(RespondError::LengthConflict), "{lines:?}");
    }
}

#[test]
fn a_conflict_leaves_room_for_another_response() {
    let mut connection = received("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    let mut out = b"before".to_vec();
    let date = response_date(0);
    let conflict = connection
        .respond(&mut out, StatusCode::OK, &date)
        .expect("a response is due")
        .field(
            &http::header::CONTENT_LENGTH,
            &HeaderValue::from_static("7"),
        )
        .finish(BodySize::Known(5));
    assert_eq!(conflict, Err(RespondError::LengthConflict));
    drop(connection.respond(&mut out, StatusCode::OK, &date));
    assert_eq!(out, b"before");
    connection
        .respond(&mut out, StatusCode::INTERNAL_SERVER_ERROR, &date)
        .expect("a response is still due")
        .finish_with(b"oh")
        .expect("the length is right");
    let text = String::from_utf8_lossy(&out);
    assert!(text.starts_with("beforeHTTP/1.1 500 "), "{text}");
    assert!(text.ends_with("\r\n\r\noh"), "{text}");
    let again = connection.respond(&mut out, StatusCode::OK, &date);
    assert_eq!(again.err(), Some(RespondError::NotDue));
}

#[test]
fn content_that_differs_from_its_announced_length_ends_the_connection() {
    let date = response_date(0);
    let begun = || {
        let mut connection = received("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        let mut out = Vec::new();
        let plan = connection
            .respond(&mut out, StatusCode::OK, &date)
            .expect("a response is due")
            .finish(BodySize::Known(5));
        assert_eq!(plan, Ok(BodyPlan::Send));
        out.clear();
        (connection, out)
    };
    let (mut connection, mut out) = begun();
    assert_eq!(connection.send_body(&mut out, b"123"), Ok(()));
    assert_eq!(
        connection.send_body(&mut out, b"456"),
        Err(RespondError::TooLong)
    );
    assert_eq!((out.as_slice(), connection.next()), (&b"123"[..], OVER));
    let (mut connection, mut out) = begun();
    assert_eq!(connection.send_body(&mut out, b"123"), Ok(()));
    let short = connection.end_body(&mut out, None);
    assert_eq!(short, Err(RespondError::TooShort { missing: 2 }));
    assert_eq!(connection.next(), OVER);
    let (mut connection, mut out) = begun();
    assert_eq!(connection.announce_body(&mut out, 5), Ok(&b""[..]));
    assert_eq!(connection.end_body(&mut out, None), Ok(()));
    assert_eq!(connection.next(), Next::ReceiveHead);
    assert_eq!(
        connection.send_body(&mut out, b"x"),
        Err(RespondError::NotDue)
    );
}

#[test]
fn chunks_and_trailers() {
    let trailers = fields(&[("x-sum", "1"), ("content-length", "5")]);
    for (te, end) in [
        ("TE: trailers\r\n", "0\r\nx-sum: 1\r\n\r\n"),
        ("TE: gzip;q=0, Trailers\r\n", "0\r\nx-sum: 1\r\n\r\n"),
        ("TE: gzip\r\n", "0\r\n\r\n"),
        ("", "0\r\n\r\n"),
    ] {
        let mut connection = received(&format!("GET / HTTP/1.1\r\nHost: h\r\n{te}\r\n"));
        let mut out = Vec::new();
        let plan = connection
            .respond(&mut out, StatusCode::OK, &response_date(0))
            .expect("a response is due")
            .finish(BodySize::Streaming);
        assert_eq!(plan, Ok(BodyPlan::Send));
        out.clear();
        connection.send_body(&mut out, b"").expect("nothing fits");
        connection
            .send_body(&mut out, &[b'x'; 26])
            .expect("chunks have no bound");
        let suffix = connection
            .announce_body(&mut out, u64::MAX)
            .expect("chunks have no bound");
        assert_eq!(suffix, b"\r\n");
        connection
            .end_body(&mut out, Some(&trailers))
            .expect("the end");
        let x = "x".repeat(26);
        let expected = format!("1a\r\n{x}\r\nffffffffffffffff\r\n{end}");
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }
}

#[test]
fn interim_responses() {
    let hints = fields(&[("link", "</a>"), ("content-length", "5")]);
    let inform = |version: &str, status| {
        let mut connection = received(&format!("GET / {version}\r\nHost: h\r\n\r\n"));
        let mut out = Vec::new();
        let status = StatusCode::from_u16(status).expect("a status");
        let done = connection.inform(&mut out, status, &hints);
        (done, String::from_utf8(out).expect("text"))
    };
    let expected = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";
    assert_eq!(inform("HTTP/1.1", 103), (Ok(()), expected.to_owned()));
    assert_eq!(inform("HTTP/1.0", 103), (Ok(()), String::new()));
    let unfit = (Err(RespondError::Informational), String::new());
    assert_eq!(inform("HTTP/1.1", 101), unfit);
    assert_eq!(inform("HTTP/1.1", 200), unfit);
    let found = head("GET / HTTP/1.1", 103, &[], BodySize::Known(0));
    assert_eq!(found, Err(RespondError::Informational));
}

#[test]
fn blocks_hold_no_field_that_the_connection_decides() {
    let block = |name| {
        let name = HeaderName::from_static(name);
        FieldBlock::new([(&name, &HeaderValue::from_static("x"))])
            .map(|block| String::from_utf8_lossy(block.as_bytes()).into_owned())
    };
    assert_eq!(block("etag"), Ok("etag: x\r\n".to_owned()));
    for name in [
        "content-length",
        "transfer-encoding",
        "connection",
        "date",
        "keep-alive",
    ] {
        assert!(block(name).is_err(), "{name}");
    }
}
