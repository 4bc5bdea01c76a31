//! What is said without a key at a port of TLS: to clients that speak HTTP there, and
//! to those that cannot be served now.

/// What a client is told that cannot be served now, before anything of it is read. It
/// could not read HTTP in clear; this it reports as what it is, an end without fault of
/// its own: the fatal alert `internal_error` (RFC 8446 6.2), in a record of its own
/// (5.1), which needs no handshake before it.
pub(crate) const BUSY: &[u8] = &[21, 3, 3, 0, 2, 2, 80];

/// In place of an alert, which a client that speaks HTTP could not read.
const WORDS: &str = "This port speaks HTTPS: ask with https://\n";

/// Whether `first`, the first byte of a connection, begins a request in clear. That is
/// a character of a token (RFC 9110 9.1, 5.6.2); the types of records are none, nor is
/// the first byte of what was spoken before TLS.
pub(crate) fn begins_request(first: u8) -> bool {
    first.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&first)
}

/// The answer to a request in clear, whatever it asks for.
pub(crate) fn answer(date: &[u8; 29]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 400 Bad Request\r\n\
         content-type: text/plain; charset=utf-8\r\n\
         content-length: {}\r\n\
         connection: close\r\n\
         date: ",
        WORDS.len()
    );
    [head.as_bytes(), date, b"\r\n\r\n", WORDS.as_bytes()].concat()
}

/// How long the content of that answer is.
pub(crate) const CONTENT_BYTES: u64 = WORDS.len() as u64;

#[cfg(test)]
mod tests {
    use super::begins_request;

    #[test]
    fn requests_are_told_from_records() {
        let check = |first: u8, expected| assert_eq!(begins_request(first), expected, "{first}");
        for method in ["GET", "OPTIONS", "PRI", "get", "M-SEARCH", "_"] {
            check(method.as_bytes()[0], true);
        }
        // Alerts, handshakes, heartbeats; SSL 2; nothing of either.
        for first in [0, 20, 21, 22, 23, 24, 0x80, 0xff, b' ', b'\r', b'\n', b'"'] {
            check(first, false);
        }
    }
}
