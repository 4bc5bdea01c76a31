//! Answers of every shape, cut anywhere.

use super::*;
use proptest::prelude::*;

/// What a reader makes of `bytes` that come in pieces of `piece`, and of the end of
/// the connection behind them if they are not enough.
fn read(bytes: &[u8], piece: usize, is_head: bool) -> Result<(Answer, usize), Malformed> {
    let mut reader = Reader::new(is_head);
    let (mut start, mut end) = (0, 0);
    loop {
        end = (end + piece).min(bytes.len());
        let read = reader.read(&bytes[start..end])?;
        start += read.consumed;
        if let Some(answer) = read.answer {
            return Ok((answer, start));
        }
        if end == bytes.len() {
            return reader.end(end - start).map(|answer| (answer, start));
        }
    }
}

#[track_caller]
fn check(text: &str, expected: Result<(u16, u64, bool), Malformed>) {
    for piece in [1, 7, usize::MAX / 2] {
        let found = read(text.as_bytes(), piece, false);
        let found = found.map(|(answer, consumed)| {
            assert_eq!(consumed, text.len(), "{text:?}");
            (answer.status, answer.content_bytes, answer.keeps_connection)
        });
        assert_eq!(found, expected, "{text:?} in pieces of {piece}");
    }
}

#[test]
fn the_end_of_an_answer_is_found() {
    for (text, expected) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
            (200, 3, true),
        ),
        ("HTTP/1.1 404 \r\ncontent-length: 0\r\n\r\n", (404, 0, true)),
        ("HTTP/1.1 204 No Content\r\n\r\n", (204, 0, true)),
        (
            "HTTP/1.1 304 X\r\nContent-Length: 9\r\n\r\n",
            (304, 0, true),
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\nx",
            (200, 1, true),
        ),
        (
            "HTTP/1.1 200 OK\r\nConnection: a, Close\r\nContent-Length: 1\r\n\r\nx",
            (200, 1, false),
        ),
        (
            "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx",
            (200, 1, false),
        ),
        (
            "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx",
            (200, 1, true),
        ),
        ("HTTP/1.1 200 OK\r\n\r\nuntil the end", (200, 13, false)),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n3;x=y\r\nabc\r\n1\r\nd\r\n0\r\nA: b\r\n\r\n",
            (200, 4, true),
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n",
            (200, 0, false),
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nContent-Length: 1\r\n\r\nxyz",
            (200, 3, false),
        ),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
            (200, 1, true),
        ),
    ] {
        check(text, Ok(expected));
    }
}

#[test]
fn what_is_no_answer_is_said_so() {
    for (text, expected) in [
        ("", Malformed::Nothing),
        ("HTTP/1.1 200", Malformed::Cut),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
            Malformed::Cut,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n",
            Malformed::Cut,
        ),
        (
            "SSH-2.0-OpenSSH\r\n",
            Malformed::Head(httparse::Error::Version),
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n",
            Malformed::Length,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n",
            Malformed::Length,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n",
            Malformed::Length,
        ),
        ("HTTP/1.1 101 Switch\r\n\r\n", Malformed::Status(101)),
        ("HTTP/1.1 099 Odd\r\n\r\n", Malformed::Status(99)),
    ] {
        check(text, Err(expected));
    }
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx";
    assert!(matches!(read(chunked, 9, false), Err(Malformed::Chunks(_))));
}

#[test]
fn heads_are_bounded_and_so_is_their_number() {
    let long = format!("HTTP/1.1 200 OK\r\nA: {}", "a".repeat(HEAD_BYTES));
    assert_eq!(read(long.as_bytes(), 4096, false), Err(Malformed::LongHead));
    let many = "HTTP/1.1 100 Continue\r\n\r\n".repeat(INFORMATIONAL as usize + 1);
    assert_eq!(read(many.as_bytes(), 9, false), Err(Malformed::Status(100)));
}

#[test]
fn the_answer_to_a_head_request_has_no_content() {
    let text = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nHTTP/1.1";
    let (answer, consumed) = read(text, 5, true).unwrap();
    assert_eq!((answer.content_bytes, consumed), (0, text.len() - 8));
    assert!(answer.keeps_connection);
}

proptest! {
    /// Bytes of any kind, cut anywhere, never panic, and mean the same however cut.
    #[test]
    fn cuts_change_nothing(
        lengths in proptest::collection::vec(0_usize..40, 0..6),
        noise in proptest::collection::vec(any::<u8>(), 0..30),
        piece in 1_usize..50,
    ) {
        let mut text = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        for length in &lengths {
            text.extend(format!("{:x}\r\n{}\r\n", length + 1, "x".repeat(length + 1)).bytes());
        }
        let whole: usize = lengths.iter().map(|length| length + 1).sum();
        let mut good = text.clone();
        good.extend(b"0\r\n\r\n");
        let (answer, consumed) = read(&good, piece, false).unwrap();
        prop_assert_eq!((answer.content_bytes, consumed), (whole as u64, good.len()));
        text.extend(&noise);
        let pieces = read(&text, piece, false);
        prop_assert_eq!(pieces.ok(), read(&text, text.len(), false).ok());
    }
}
