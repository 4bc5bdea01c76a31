//! The mistakes that other parsers made, class by class: each is refused, and the
//! connection ends. The classes are named as in the notes on the field.

use httpd::h1::Limits;

use super::observe::{Seen, observe};

/// The status that `message` is refused with, or 0 when it is not.
fn status(limits: Limits, message: &[u8]) -> u16 {
    match observe(limits, [message]).last() {
        Some(Seen::Rejected(reject)) => reject.status.as_u16(),
        _ => 0,
    }
}

fn check(message: &str, expected: u16) {
    let found = status(Limits::default(), message.as_bytes());
    assert_eq!(found, expected, "{:?}", message);
}

/// A request with `lines` between a Host field and the empty line, and `body`.
fn check_post(lines: &str, body: &str, expected: u16) {
    check(
        &format!("POST / HTTP/1.1\r\nHost: h\r\n{lines}\r\n{body}"),
        expected,
    );
}

fn check_chunked(body: &str, expected: u16) {
    check_post("Transfer-Encoding: chunked\r\n", body, expected);
}

#[test]
fn length_and_transfer_encoding_together() {
    let body = "0\r\n\r\n";
    check_post(
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        body,
        400,
    );
    check_post(
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        body,
        400,
    );
    check_post(
        "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
        body,
        400,
    );
    check_post(
        "Content-Length: x\r\nTransfer-Encoding: chunked\r\n",
        body,
        400,
    );
}

#[test]
fn transfer_codings_other_than_one_chunked() {
    for (value, expected) in [
        ("chunked", 0),
        ("Chunked", 0),
        (" \tchunked\t ", 0),
        ("", 400),
        (",chunked", 400),
        ("chunked,", 400),
        ("chunked, chunked", 400),
        ("chunked, gzip", 400),
        ("chunked;q=1", 400),
        ("\"chunked\"", 400),
        ("xchunked", 400),
        ("chunke", 400),
        ("chunked\u{b}", 400),
        ("identity", 400),
        ("identity, chunked", 400),
        ("gzip", 400),
        ("gzip, chunked", 501),
        ("x y, chunked", 400),
    ] {
        check_post(
            &format!("Transfer-Encoding: {value}\r\n"),
            "0\r\n\r\n",
            expected,
        );
    }
    let twice = "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n";
    check_post(twice, "0\r\n\r\n", 400);
    let split = "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n";
    check_post(split, "0\r\n\r\n", 400);
}

#[test]
fn lengths_that_are_no_plain_number() {
    for (value, expected) in [
        ("3", 0),
        (" 3 ", 0),
        ("+3", 400),
        ("-48", 400),
        ("-0", 400),
        ("0x3", 400),
        ("1_0", 400),
        ("", 400),
        ("3 3", 400),
        ("3,3", 400),
        ("3, 3", 400),
        ("3;3", 400),
        ("03", 400),
        ("00", 400),
        ("3.0", 400),
        ("٣", 400),
        ("18446744073709551616", 413),
        ("99999999999999999999999999", 413),
    ] {
        check_post(&format!("Content-Length: {value}\r\n"), "abc", expected);
    }
    check_post("Content-Length: 3\r\nContent-Length: 3\r\n", "abc", 400);
    check_post("Content-Length: 3\r\ncontent-length: 4\r\n", "abc", 400);
}

#[test]
fn chunk_sizes_that_are_no_number() {
    for (body, expected) in [
        ("3\r\nabc\r\n0\r\n\r\n", 0),
        ("0003\r\nabc\r\n000\r\n\r\n", 0),
        ("\r\n\r\n", 400),
        (";x\r\n\r\n", 400),
        (" 3\r\nabc\r\n0\r\n\r\n", 400),
        ("3 \r\nabc\r\n0\r\n\r\n", 400),
        ("+3\r\nabc\r\n0\r\n\r\n", 400),
        ("-3\r\nabc\r\n0\r\n\r\n", 400),
        ("0x3\r\nabc\r\n0\r\n\r\n", 400),
        ("3x\r\nabc\r\n0\r\n\r\n", 400),
        ("3_0\r\nabc\r\n0\r\n\r\n", 400),
        ("g\r\nabc\r\n0\r\n\r\n", 400),
        ("10000000000000003\r\nabc\r\n0\r\n\r\n", 400),
        ("00000000000000003\r\nabc\r\n0\r\n\r\n", 400),
        ("fffffffffffffffff\r\nabc", 400),
    ] {
        check_chunked(body, expected);
    }
}

#[test]
fn line_ends_of_chunks() {
    for body in [
        "3\nabc\r\n0\r\n\r\n",
        "3\rabc\r\n0\r\n\r\n",
        "3\r\rabc\r\n0\r\n\r\n",
        "3\r\nabc\n0\r\n\r\n",
        "3\r\nabc\r0\r\n\r\n",
        "3\r\nabcd\r\n0\r\n\r\n",
        "3\r\nabc0\r\n\r\n",
        "3;a\nabc\r\n0\r\n\r\n",
        "3;a\rb\r\nabc\r\n0\r\n\r\n",
        "3;a=\"\n\"\r\nabc\r\n0\r\n\r\n",
        "3;a\0\r\nabc\r\n0\r\n\r\n",
        "3;a\u{7f}\r\nabc\r\n0\r\n\r\n",
        "3 x\r\nabc\r\n0\r\n\r\n",
        "3\r\nabc\r\n0\n\r\n",
    ] {
        check_chunked(body, 400);
    }
    check_chunked("3;a=b;c=\"d e\"\r\nabc\r\n0;last\r\n\r\n", 0);
    check_chunked("3 \t;a\r\nabc\r\n0\r\n\r\n", 0);
}

#[test]
fn chunk_extensions_are_bounded() {
    let limits = Limits::default();
    let line = usize::from(limits.chunk_line_bytes);
    check_chunked(
        &format!("3;{}\r\nabc\r\n0\r\n\r\n", "x".repeat(line - 4)),
        0,
    );
    check_chunked(
        &format!("3;{}\r\nabc\r\n0\r\n\r\n", "x".repeat(line - 3)),
        400,
    );
    check_chunked(&format!("3;{}", "x".repeat(line * 2)), 400);
    // Many chunks with a little extension each.
    let chunks = limits.chunk_extension_bytes as usize / 100;
    let extended = format!("1;{}\r\na\r\n", "x".repeat(99));
    check_chunked(&format!("{}0\r\n\r\n", extended.repeat(chunks)), 0);
    check_chunked(&format!("{}0\r\n\r\n", extended.repeat(chunks + 2)), 400);
}

#[test]
fn the_final_line_end_is_checked() {
    check_chunked("0\r\n\r\n", 0);
    check_chunked("0\r\n\n", 400);
    check_chunked("0\r\nX\r\n", 400);
    check_chunked("0\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", 400);
    check_chunked("0\r\n", 400);
    check_chunked("0\r\n\r", 400);
}

#[test]
fn trailers() {
    check_chunked("0\r\nX-Sum: 1\r\n\r\n", 0);
    check_chunked("0\r\nX-Sum : 1\r\n\r\n", 400);
    check_chunked("0\r\nX-Sum: 1\n\r\n", 400);
    check_chunked("0\r\nX-Sum: 1\r\n folded\r\n\r\n", 400);
    check_chunked("0\r\nContent-Length: 1\r\n\r\n", 400);
    check_chunked("0\r\ntransfer-encoding: chunked\r\n\r\n", 400);
    check_chunked("0\r\nHost: other\r\n\r\n", 400);
    check_chunked(&format!("0\r\n{}\r\n", "a: b\r\n".repeat(33)), 431);
    check_chunked(&format!("0\r\na: {}\r\n\r\n", "b".repeat(8192)), 431);
    let message = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\
        0\r\nX-Sum: 1\r\nAuthorization: x\r\nCookie: y\r\n\r\n";
    let seen = observe(Limits::default(), [message.as_bytes()]);
    let expected = vec![("x-sum".to_owned(), b"1".to_vec())];
    assert_eq!(seen.last(), Some(&Seen::End(expected)));
}

#[test]
fn transfer_encoding_in_http_1_0() {
    check(
        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    );
    check(
        "POST / HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    );
}

#[test]
fn a_request_is_never_delimited_by_the_close() {
    for version in ["HTTP/1.0", "HTTP/1.1"] {
        let message = format!("POST / {version}\r\nHost: h\r\nConnection: close\r\n\r\nrest");
        let seen = observe(Limits::default(), [message.as_bytes()]);
        assert_eq!(seen[1..], [Seen::Content(vec![]), Seen::End(vec![])]);
    }
}

#[test]
fn field_lines() {
    for line in [
        "Name : value",
        "Name\t: value",
        " Name: value",
        "\tName: value",
        ": value",
        " : value",
        "Name",
        "Na me: value",
        "Na\0me: value",
        "Näme: value",
        "Na(me: value",
        "Name: va\0lue",
        "Name: va\rlue",
        "Name: va\nlue: x",
        "Name: va\u{1}lue",
        "Name: va\u{7f}lue",
        "Name: value\r\n folded",
        "Name: value\r\n\tfolded",
        "Name: value\r\n ",
        "Name: \r\n folded",
        "Name: value\rOther: value",
        "Name: value\nOther: value",
        "Name: value\r\r\nOther: value",
    ] {
        check(&format!("GET / HTTP/1.1\r\nHost: h\r\n{line}\r\n\r\n"), 400);
        check(&format!("GET / HTTP/1.1\r\n{line}\r\nHost: h\r\n\r\n"), 400);
    }
    check("GET / HTTP/1.1\r\nHost: h\r\nName:\r\n\r\n", 0);
    check("GET / HTTP/1.1\r\nHost: h\r\nName: \t\r\n\r\n", 0);
    check("GET / HTTP/1.1\r\nHost: h\r\nName: vàlue\tx\r\n\r\n", 0);
    check("GET / HTTP/1.1\r\nHost: h\n\r\n", 400);
    check("GET / HTTP/1.1\r\nHost: h\r\n\n", 400);
    check("GET / HTTP/1.1\nHost: h\r\n\r\n", 400);
    check("GET / HTTP/1.1\rHost: h\r\n\r\n", 400);
    // A head that never ends is not answered, but a bad line end is at once.
    check("GET / HTTP/1.1\nHost: h", 400);
    check("GET / HTTP/1.1\r\nHost: h", 0);
}

#[test]
fn request_lines() {
    for (line, expected) in [
        ("GET / HTTP/1.1", 0),
        ("get / HTTP/1.1", 0),
        ("X-!#$%&'*+-.^_`|~ / HTTP/1.1", 0),
        ("GET  / HTTP/1.1", 400),
        ("GET /  HTTP/1.1", 400),
        ("GET\t/ HTTP/1.1", 400),
        ("GET / HTTP/1.1 ", 400),
        (" GET / HTTP/1.1", 400),
        ("GET /", 400),
        ("GET", 400),
        ("GET HTTP/1.1", 400),
        ("GET / http/1.1", 400),
        ("GET / HTTP/1.1.1", 400),
        ("GET / HTTP/11", 400),
        ("GET / HTTP/x.1", 400),
        ("GET / HTTPS/1.1", 400),
        ("GET / HTTP/ 1.1", 400),
        ("G(T / HTTP/1.1", 400),
        ("GÉT / HTTP/1.1", 400),
        ("GET /\0 HTTP/1.1", 400),
        ("GET /a b HTTP/1.1", 400),
        ("GET / HTTP/0.9", 505),
        ("GET / HTTP/1.2", 505),
        ("GET / HTTP/2.0", 505),
        ("GET / HTTP/9.9", 505),
        ("CONNECT h:443 HTTP/1.1", 501),
        ("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF / HTTP/1.1", 0),
        ("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1", 501),
    ] {
        check(&format!("{line}\r\nHost: h\r\n\r\n"), expected);
    }
    // The preface of HTTP/2, and the first byte of TLS.
    check("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505);
    check("\u{16}\u{3}\u{1}", 400);
    // RFC 9112 2.2: an empty line before the request line.
    check("\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", 0);
    check("\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", 400);
    check("\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", 400);
    check("\rGET / HTTP/1.1\r\nHost: h\r\n\r\n", 400);
}

#[test]
fn hosts() {
    for (lines, expected) in [
        ("Host: h\r\n", 0),
        ("HOST: h:80\r\n", 0),
        ("Host:\r\n", 0),
        ("", 400),
        ("Host: h\r\nHost: h\r\n", 400),
        ("Host: h\r\nhost: other\r\n", 400),
        ("Host: h, h\r\n", 400),
        ("Host: h h\r\n", 400),
        ("Host: user@h\r\n", 400),
        ("Host: h/path\r\n", 400),
        ("Host: http://h\r\n", 400),
        ("Host: h:port\r\n", 400),
    ] {
        check(&format!("GET / HTTP/1.1\r\n{lines}\r\n"), expected);
    }
    check("GET / HTTP/1.0\r\n\r\n", 0);
    check("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400);
    // The Host field is checked even where the target takes its place.
    check("GET http://a/ HTTP/1.1\r\n\r\n", 400);
    check("GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", 0);
}

#[test]
fn expectations() {
    check_post("Expect: 100-continue\r\nContent-Length: 3\r\n", "abc", 0);
    check_post("Expect: 100-Continue\r\nContent-Length: 3\r\n", "abc", 0);
    check_post(
        "Expect: 100-continue, x\r\nContent-Length: 3\r\n",
        "abc",
        417,
    );
    check_post("Expect: tea\r\n", "", 417);
    check_post("Expect:\r\n", "", 417);
}

#[test]
fn sizes() {
    let limits = Limits {
        request_line_bytes: 32,
        head_bytes: 64,
        headers: 3,
        body_bytes: 10,
        ..Limits::default()
    };
    let check = |message: &str, expected| {
        assert_eq!(status(limits, message.as_bytes()), expected, "{message:?}");
    };
    let path = |length| format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", "p".repeat(length));
    check(&path(16), 0);
    check(&path(17), 414);
    check(&"GET /".repeat(7), 414);
    let field = |length| format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", "h".repeat(length));
    check(&field(38), 0);
    check(&field(39), 431);
    check(&field(39)[..64], 431);
    check("GET / HTTP/1.1\r\nHost: h\r\na: b\r\nc: d\r\n\r\n", 0);
    check(
        "GET / HTTP/1.1\r\nHost: h\r\na: b\r\nc: d\r\ne: f\r\n\r\n",
        431,
    );
    check("GET / HTTP/1.0\r\nContent-Length: 10\r\n\r\n0123456789", 0);
    check("GET / HTTP/1.0\r\nContent-Length: 11\r\n\r\n", 413);
    let chunked =
        |body: &str| format!("GET / HTTP/1.1\r\nHost:\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
    check(&chunked("5\r\n01234\r\n5\r\n01234\r\n0\r\n\r\n"), 0);
    check(&chunked("5\r\n01234\r\n6\r\n"), 413);
    check(&chunked("b\r\n"), 413);
}

#[test]
fn content_that_ends_early() {
    check_post("Content-Length: 3\r\n", "ab", 400);
    check_chunked("3\r\nab", 400);
    check_chunked("3\r\nabc\r\n", 400);
    check_post("Expect: 100-continue\r\nContent-Length: 3\r\n", "", 400);
}
