//! Whatever is asked of a site: what an answer says of itself is true.

use super::{bytes, field};
use httpd::files::{Answer, Body, Links, Method, Moment, Options, Request, Root, Site, Wanted};
use proptest::prelude::*;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// Far ahead of the times of the files.
const NOW: Duration = Duration::from_secs(4_000_000_000);

const BIG: usize = 40_000;

fn fill(folder: &Path) {
    fs::create_dir(folder.join("docs")).unwrap();
    fs::create_dir(folder.join("empty")).unwrap();
    for (name, length) in [
        ("index.html", 2000),
        ("docs/index.html", 0),
        ("big.txt", BIG),
        ("big.txt.br", 9000),
        ("only.js.gz", 100),
        (".hidden", 10),
    ] {
        fs::write(folder.join(name), content(length)).unwrap();
    }
    symlink("/etc/passwd", folder.join("out")).unwrap();
}

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|index| b'a' + (index % 23) as u8).collect()
}

fn targets() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "/",
        "/index.html",
        "/docs",
        "/docs/",
        "/docs//",
        "/big.txt",
        "/big.txt?a=b",
        "/only.js",
        "/empty/",
        "/empty/?format=json",
        "/out",
        "/.hidden",
        "/../x",
        "/%62ig.txt",
        "*",
        "",
    ]);
    let known = known.prop_map(|target| target.as_bytes().to_vec());
    let any = proptest::collection::vec(any::<u8>(), 0..20).prop_map(|mut bytes| {
        bytes.insert(0, b'/');
        bytes
    });
    prop_oneof![4 => known, 1 => any]
}

fn fields() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    let texts = |texts: &[&str]| {
        prop::sample::select(
            texts
                .iter()
                .map(|text| (*text).to_owned())
                .collect::<Vec<_>>(),
        )
    };
    let dates = texts(&[
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "never",
    ]);
    let tags = texts(&["*", "\"x\"", "W/\"x\", \"y\"", "nonsense"]);
    let range = "bytes=([0-9]{0,5}-[0-9]{0,5},){0,3}[0-9]{0,5}-[0-9]{0,5}";
    let field = prop_oneof![
        3 => range.prop_map(|value| ("Range", value)),
        1 => prop_oneof![dates.clone(), tags.clone()].prop_map(|value| ("If-Range", value)),
        1 => tags.clone().prop_map(|value| ("If-None-Match", value)),
        1 => tags.prop_map(|value| ("If-Match", value)),
        1 => dates.clone().prop_map(|value| ("If-Modified-Since", value)),
        1 => dates.prop_map(|value| ("If-Unmodified-Since", value)),
        2 => texts(&["br", "gzip", "gzip, br", "*;q=0", "identity;q=0"])
            .prop_map(|value| ("Accept-Encoding", value)),
        1 => texts(&["application/json", "*/*"]).prop_map(|value| ("Accept", value)),
    ];
    proptest::collection::vec(field, 0..4)
}

fn check(answer: &Answer) {
    let body = bytes(answer);
    assert_eq!(body.len() as u64, answer.length);
    assert!(answer.fault.is_none(), "{:?}", answer.fault);
    let lines = String::from_utf8(answer.fields.as_bytes().to_vec()).unwrap();
    assert!(
        lines
            .split_terminator("\r\n")
            .all(|line| line.contains(": ") && !line.contains(['\r', '\n']))
    );
    match answer.status.as_u16() {
        200 => assert!(field(answer, "content-type").is_some()),
        206 => match field(answer, "content-range") {
            Some(range) => assert!(is_range_of(&range, &body, answer), "{range}"),
            None => assert!(
                field(answer, "content-type")
                    .unwrap()
                    .starts_with("multipart/byteranges; ")
            ),
        },
        301 => {
            let location = field(answer, "location").unwrap();
            assert!(
                location.starts_with('/') && !location.starts_with("//"),
                "{location}"
            );
        }
        304 => assert!(body.is_empty() && field(answer, "etag").is_some()),
        416 => assert!(
            field(answer, "content-range")
                .unwrap()
                .starts_with("bytes */")
        ),
        400 | 404 | 406 | 412 => {}
        other => panic!("{other}"),
    }
}

/// `bytes a-b/size`, as many as the body has, and those of the file.
fn is_range_of(range: &str, body: &[u8], answer: &Answer) -> bool {
    let numbers: Vec<usize> = range
        .trim_start_matches("bytes ")
        .split(['-', '/'])
        .map(|number| number.parse().unwrap())
        .collect();
    let [first, last, size] = numbers[..] else {
        return false;
    };
    let is_original = field(answer, "content-encoding").is_none();
    let expected = &content(size)[first..=last];
    last < size && body.len() == last - first + 1 && (!is_original || body == expected)
}

proptest! {
    #[test]
    fn answers_are_true(asked in proptest::collection::vec((targets(), fields()), 1..12)) {
        let folder = TempDir::new().unwrap();
        fill(folder.path());
        let root = Arc::new(Root::open(folder.path(), Links::Inside).unwrap());
        let options = Options { listing: true, ..Options::default() };
        let mut site = Site::new(root, Arc::new(options), 1).unwrap();
        for (step, (target, fields)) in asked.iter().enumerate() {
            let wanted = Wanted::from_fields(
                fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())),
            );
            let mut ask = |method| site.answer(&Request {
                method,
                target,
                wanted,
                now: Moment { elapsed: Duration::from_millis(400 * step as u64), since_epoch: NOW },
            });
            let get = ask(Method::Get);
            check(&get);
            let head = ask(Method::Head);
            prop_assert!(matches!(head.body, Body::Empty));
            // HEAD is GET without a body, but for ranges, which it does not know.
            if wanted.range.is_none() {
                prop_assert_eq!(head.status, get.status);
                prop_assert_eq!(head.fields, get.fields);
                prop_assert_eq!(head.length, get.length);
            }
        }
    }
}
