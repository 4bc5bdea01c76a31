//! Answers of [`super::plan`], compared as the text that goes on the wire.

use super::plan;
use crate::files::{
    Answer, Body, Coding, Content, Description, Facts, Method, Part, Representation, Time,
    Variants, Wanted,
};
use bytes::Bytes;

const NOW: i64 = 784_111_777 + 1000;
const TAG: &str = "\"4e20-ae1b981bc490a00-";

fn content() -> Bytes {
    (0..20_000u32)
        .map(|index| b'a' + (index % 26) as u8)
        .collect()
}

fn offer(coding: Coding, content: Bytes, varies: bool) -> Representation {
    let facts = Facts {
        size: content.len() as u64,
        modified: Time::new(784_111_777, 0),
        changed: Time::new(784_111_777, 0),
        inode: 1,
        device: 1,
    };
    let says = Description {
        content_type: "text/plain; charset=utf-8",
        cache_control: Some("no-cache"),
        varies,
        extra: &[("X-Extra".to_owned(), "yes".to_owned())],
        now: NOW,
        is_weak: false,
    };
    Representation::new(&facts, coding, Content::Memory(content), &says)
}

fn plain_file() -> Variants {
    let offers = vec![offer(Coding::Identity, content(), false)];
    Variants::new(offers, "text/plain; charset=utf-8".to_owned()).unwrap()
}

fn ask(variants: &Variants, method: Method, fields: &[(&str, &str)]) -> Answer {
    let fields = fields
        .iter()
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    plan(method, variants, &Wanted::from_fields(fields), NOW, 0xb0)
}

fn bytes_of(body: &Body) -> Vec<u8> {
    match body {
        Body::Empty => Vec::new(),
        Body::Bytes(bytes) => bytes.to_vec(),
        Body::File(_) => panic!("all content is in memory"),
        Body::Parts(parts) => parts
            .iter()
            .flat_map(|part| match part {
                Part::Bytes(bytes) => bytes.to_vec(),
                Part::File(_) => panic!("all content is in memory"),
            })
            .collect(),
    }
}

/// The status, and the lines with the part of the tag that is a hash left out.
fn head(answer: &Answer) -> String {
    let lines = String::from_utf8(answer.fields.as_bytes().to_vec()).unwrap();
    let lines: Vec<_> = lines
        .split_terminator("\r\n")
        .map(|line| match line.split_once(": ") {
            Some(("etag", tag)) => {
                assert!(tag.starts_with(TAG), "{tag}");
                "etag: …"
            }
            _ => line,
        })
        .collect();
    format!("{} {}", answer.status.as_u16(), lines.join(" | "))
}

const VALIDATORS: &str = "etag: … | cache-control: no-cache | x-extra: yes";
const DATED: &str = "last-modified: Sun, 06 Nov 1994 08:49:37 GMT | accept-ranges: bytes";
const TYPE: &str = "content-type: text/plain; charset=utf-8";

#[test]
fn heads_of_all_answers() {
    let check = |method, fields: &[(&str, &str)], expected: String, length: u64| {
        let answer = ask(&plain_file(), method, fields);
        assert_eq!(head(&answer), expected, "{fields:?}");
        assert_eq!(answer.body.length(), length, "{fields:?}");
    };
    let full = format!("200 {VALIDATORS} | {DATED} | {TYPE}");
    check(Method::Get, &[], full.clone(), 20_000);
    check(Method::Head, &[], full.clone(), 0);
    check(Method::Head, &[("Range", "bytes=0-4")], full.clone(), 0);
    check(
        Method::Get,
        &[("Range", "bytes=0-4"), ("If-Range", "\"x\"")],
        full,
        20_000,
    );
    check(
        Method::Get,
        &[("If-None-Match", "*")],
        format!("304 {VALIDATORS}"),
        0,
    );
    check(
        Method::Get,
        &[("Range", "bytes=0-4")],
        format!("206 {VALIDATORS} | {DATED} | {TYPE} | content-range: bytes 0-4/20000"),
        5,
    );
    check(
        Method::Get,
        &[("Range", "bytes=20000-")],
        "416 content-range: bytes */20000 | content-type: text/plain; charset=utf-8".to_owned(),
        22,
    );
    check(
        Method::Get,
        &[("If-Match", "\"x\"")],
        format!("412 {TYPE}"),
        20,
    );
    check(
        Method::Options,
        &[],
        "204 allow: GET, HEAD, OPTIONS".to_owned(),
        0,
    );
    check(
        Method::Other,
        &[],
        format!("405 allow: GET, HEAD, OPTIONS | {TYPE}"),
        19,
    );
}

#[test]
fn parts_say_which_bytes_they_are() {
    let answer = ask(
        &plain_file(),
        Method::Get,
        &[("Range", "bytes=15000-15002,0-1,-3")],
    );
    let body = String::from_utf8(bytes_of(&answer.body)).unwrap();
    let part = |range: &str, text: &str| {
        format!(
            "--00000000000000b0\r\n{TYPE}\r\ncontent-range: bytes {range}/20000\r\n\r\n{text}\r\n"
        )
    };
    let expected = [
        part("15000-15002", "yza"),
        part("0-1", "ab"),
        part("19997-19999", "def"),
        "--00000000000000b0--\r\n".to_owned(),
    ];
    assert_eq!(body, expected.concat());
    assert_eq!(answer.length, body.len() as u64);
    assert_eq!(
        head(&answer),
        format!(
            "206 {VALIDATORS} | {DATED} | content-type: multipart/byteranges; \
             boundary=00000000000000b0"
        )
    );
}

#[test]
fn codings_are_files_of_their_own() {
    let offers = vec![
        offer(Coding::Identity, content(), true),
        offer(Coding::Brotli, Bytes::from_static(b"packed"), true),
    ];
    let variants = Variants::new(offers, "text/plain; charset=utf-8".to_owned()).unwrap();
    let original = ask(&variants, Method::Get, &[]);
    let packed = ask(&variants, Method::Get, &[("Accept-Encoding", "br")]);
    assert_eq!(original.fields.get("Vary"), Some(&b"Accept-Encoding"[..]));
    assert_eq!(packed.fields.get("Vary"), Some(&b"Accept-Encoding"[..]));
    assert_eq!(packed.fields.get("Content-Encoding"), Some(&b"br"[..]));
    assert_eq!(original.fields.get("Content-Encoding"), None);
    assert_eq!(bytes_of(&packed.body), b"packed");
    let tag = String::from_utf8(packed.fields.get("ETag").unwrap().to_vec()).unwrap();
    assert_ne!(original.fields.get("ETag"), packed.fields.get("ETag"));

    // What was got packed is not modified packed; the original is something else.
    let again = [("Accept-Encoding", "br"), ("If-None-Match", tag.as_str())];
    assert_eq!(ask(&variants, Method::Get, &again).status, 304);
    assert_eq!(ask(&variants, Method::Get, &again[1..]).status, 200);
    // One range is of the packed bytes; several are not sent of them.
    let part = [("Accept-Encoding", "br"), ("Range", "bytes=1-2")];
    assert_eq!(bytes_of(&ask(&variants, Method::Get, &part).body), b"ac");
    let unwanted = ask(&variants, Method::Get, &[("Accept-Encoding", "*;q=0")]);
    assert_eq!(unwanted.status, 406);
    assert_eq!(unwanted.fields.get("Vary"), Some(&b"Accept-Encoding"[..]));
}
