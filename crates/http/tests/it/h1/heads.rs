//! What is decided from a head, and what services get of it.

use httpd::h1::{Connection, HeaderSlots, Limits, RequestHead, Room, Version};

/// Applies `look` to the head of a request with `lines`.
fn head<T>(line: &str, lines: &str, look: impl FnOnce(&RequestHead<'_, '_>) -> T) -> T {
    let message = format!("\r\n{line}\r\n{lines}\r\n");
    let mut slots = HeaderSlots::new();
    let mut connection = Connection::new(Limits::default());
    let head = connection
        .receive_head(message.as_bytes(), &mut slots)
        .expect("the request is valid")
        .expect("the request is whole");
    assert_eq!(head.consumed(), message.len());
    look(&head)
}

#[test]
fn persistence() {
    for (version, lines, expected) in [
        ("1.1", "", true),
        ("1.1", "Connection: close\r\n", false),
        ("1.1", "connection: CLOSE\r\n", false),
        ("1.1", "Connection: x , close\r\n", false),
        (
            "1.1",
            "Connection: keep-alive\r\nConnection: close\r\n",
            false,
        ),
        ("1.1", "Connection: closed\r\n", true),
        ("1.0", "", false),
        ("1.0", "Connection: keep-alive\r\n", true),
        ("1.0", "Connection: Keep-Alive\r\n", true),
        ("1.0", "Connection: x,\tkeep-alive\r\n", true),
        ("1.0", "Connection: keep-alive, close\r\n", false),
    ] {
        let line = format!("GET / HTTP/{version}");
        let lines = format!("Host: h\r\n{lines}");
        let found = head(&line, &lines, |head| head.keep_alive());
        assert_eq!(found, expected, "{version} {lines:?}");
    }
}

#[test]
fn fields_of_interest_are_noted_whatever_their_case() {
    let present = |lines: &str| {
        head("GET / HTTP/1.0", lines, |head| {
            let present = head.present();
            (
                present.range(),
                present.condition(),
                present.accept_encoding(),
            )
        })
    };
    assert_eq!(present("Ranges: x\r\nAccept: y\r\n"), (false, false, false));
    assert_eq!(present("RANGE: bytes=0-\r\n"), (true, false, false));
    assert_eq!(present("accept-Encoding: br\r\n"), (false, false, true));
    for condition in [
        "if-match",
        "IF-NONE-MATCH",
        "If-Range",
        "If-Modified-Since",
        "If-Unmodified-Since",
    ] {
        let found = present(&format!("{condition}: x\r\n"));
        assert_eq!(found, (false, true, false), "{condition}");
    }
}

#[test]
fn the_host_is_that_of_the_target_first() {
    let host = |line: &str, lines: &str| head(line, lines, |head| head.host().to_owned());
    assert_eq!(host("GET / HTTP/1.1", "hOST: a:80\r\n"), "a:80");
    assert_eq!(host("GET http://b/ HTTP/1.1", "Host: a\r\n"), "b");
    assert_eq!(host("GET / HTTP/1.0", ""), "");
}

#[test]
fn services_get_the_same_request() {
    let lines = "Host: h\r\nX-Two: 1\r\nx-two: 2\r\nEmpty:\r\nLatin: \u{e9}\r\n";
    head("PATCH /p?q HTTP/1.1", lines, |head| {
        assert_eq!(head.version(), Version::Http11);
        assert_eq!(head.values("x-TWO").collect::<Vec<_>>(), [b"1", b"2"]);
        let parts = head
            .to_parts(&mut Room::default())
            .expect("an accepted request");
        assert_eq!(parts.method, "PATCH");
        assert_eq!(parts.uri, "/p?q");
        assert_eq!(parts.version, http::Version::HTTP_11);
        let found = parts.headers.iter();
        let found: Vec<_> = found
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect();
        let expected: [(&str, &[u8]); 5] = [
            ("host", b"h"),
            ("x-two", b"1"),
            ("x-two", b"2"),
            ("empty", b""),
            ("latin", "\u{e9}".as_bytes()),
        ];
        assert_eq!(found, expected);
    });
}
