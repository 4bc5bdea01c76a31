//! Requests to try: valid ones from the grammar, and damaged ones.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// One to three requests, one behind the other.
pub fn pipeline() -> impl Strategy<Value = Vec<u8>> {
    vec(request(), 1..4).prop_map(|requests| requests.concat())
}

/// A pipeline with a few places damaged.
pub fn damaged() -> impl Strategy<Value = Vec<u8>> {
    (
        pipeline(),
        vec((any::<prop::sample::Index>(), damage()), 1..4),
    )
        .prop_map(|(mut bytes, damages)| {
            for (place, damage) in damages {
                if !bytes.is_empty() {
                    damage.apply(&mut bytes, place);
                }
            }
            bytes
        })
}

/// A request that is valid, or has fields that make it invalid in a way that is
/// hard to see.
pub fn request() -> impl Strategy<Value = Vec<u8>> {
    (line(), vec(field(), 0..5), content()).prop_map(|(line, fields, content)| {
        let mut message = line.as_bytes().to_vec();
        for field in fields.iter().copied().chain(["Host: h"]) {
            message.extend_from_slice(field.as_bytes());
            message.extend_from_slice(b"\r\n");
        }
        message.extend_from_slice(&content);
        message
    })
}

fn line() -> impl Strategy<Value = &'static str> {
    select(vec![
        "GET / HTTP/1.1\r\n",
        "GET /a/b?c=d HTTP/1.1\r\n",
        "POST /upload HTTP/1.1\r\n",
        "PUT /a%20b HTTP/1.1\r\n",
        "HEAD / HTTP/1.1\r\n",
        "OPTIONS * HTTP/1.1\r\n",
        "GET http://h/p?q HTTP/1.1\r\n",
        "X-OWN / HTTP/1.1\r\n",
        "GET / HTTP/1.0\r\n",
        "\r\nGET / HTTP/1.1\r\n",
    ])
}

fn field() -> impl Strategy<Value = &'static str> {
    select(vec![
        "Accept: */*",
        "accept-encoding: gzip, br",
        "User-Agent: some thing/1.0 (x; y)",
        "Cookie: a=b; c=d",
        "Empty:",
        "Spaces: \t x \t ",
        "Latin: h\u{e9}llo",
        "Connection: keep-alive",
        "Connection: close",
        "Connection: Upgrade, keep-alive",
        "Upgrade: websocket",
        "Range: bytes=0-",
        "If-None-Match: \"x\"",
        "Expect: 100-continue",
        "TE: trailers",
        "Content-Length: 3",
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: gzip, chunked",
    ])
}

/// The last fields, the empty line and the content.
fn content() -> impl Strategy<Value = Vec<u8>> {
    let bytes = || vec(any::<u8>(), 1..40);
    prop_oneof![
        3 => Just(b"\r\n".to_vec()),
        3 => bytes().prop_map(|bytes| {
            let mut content = format!("Content-Length: {}\r\n\r\n", bytes.len()).into_bytes();
            content.extend_from_slice(&bytes);
            content
        }),
        3 => (vec((bytes(), extension()), 0..4), trailers()).prop_map(|(chunks, trailers)| {
            let mut content = b"Transfer-Encoding: chunked\r\n\r\n".to_vec();
            for (bytes, extension) in chunks {
                content.extend_from_slice(format!("{:x}{extension}\r\n", bytes.len()).as_bytes());
                content.extend_from_slice(&bytes);
                content.extend_from_slice(b"\r\n");
            }
            content.extend_from_slice(trailers.as_bytes());
            content
        }),
    ]
}

fn extension() -> impl Strategy<Value = &'static str> {
    select(vec!["", "", "", ";a", ";a=b", ";a=\"b c\"", " ;a"])
}

fn trailers() -> impl Strategy<Value = &'static str> {
    select(vec![
        "0\r\n\r\n",
        "0\r\n\r\n",
        "000\r\n\r\n",
        "0;x\r\n\r\n",
        "0\r\nX-Sum: 1\r\n\r\n",
        "0\r\nX-Sum: 1\r\nCookie: x\r\n\r\n",
    ])
}

#[derive(Clone, Debug)]
enum Damage {
    Remove,
    Replace(u8),
    Insert(u8),
    Repeat,
    Cut,
}

fn damage() -> impl Strategy<Value = Damage> {
    let byte = || {
        prop_oneof![
            3 => select(b"\r\n \t:;,0159aAfF\0=\"/?#*-+_%\x7f\x80".to_vec()),
            1 => any::<u8>(),
        ]
    };
    prop_oneof![
        4 => Just(Damage::Remove),
        4 => byte().prop_map(Damage::Replace),
        4 => byte().prop_map(Damage::Insert),
        2 => Just(Damage::Repeat),
        1 => Just(Damage::Cut),
    ]
}

impl Damage {
    fn apply(self, bytes: &mut Vec<u8>, place: prop::sample::Index) {
        let place = place.index(bytes.len());
        match self {
            Self::Remove => {
                bytes.remove(place);
            }
            Self::Replace(byte) => bytes[place] = byte,
            Self::Insert(byte) => bytes.insert(place, byte),
            Self::Repeat => bytes.insert(place, bytes[place]),
            Self::Cut => bytes.truncate(place),
        }
    }
}
