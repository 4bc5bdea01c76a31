//! Changes, codings, and what is kept for how long.

use super::{Served, body, field, write};
use httpd::files::{Body, CacheRule, Keep, Options};
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

#[test]
fn a_change_is_seen_when_the_age_is_over() {
    let mut served = Served::new(Options::default(), |folder| write(folder, &[("a", "one")]));
    assert_eq!(served.text("/a"), (200, "one".to_owned()));
    assert_eq!(served.status("/b"), 404);
    served.write("a", "second");
    served.write("b", "new");
    assert_eq!(served.text("/a"), (200, "one".to_owned()));
    assert_eq!(served.status("/b"), 404);
    served.pass(Duration::from_secs(1));
    assert_eq!(served.text("/a"), (200, "second".to_owned()));
    assert_eq!(served.text("/b"), (200, "new".to_owned()));
    let stats = served.site.stats();
    assert_eq!((stats.hits, stats.confirmed, stats.loads), (2, 0, 4));
    served.pass(Duration::from_secs(1));
    assert_eq!(served.text("/a"), (200, "second".to_owned()));
    assert_eq!(served.site.stats().confirmed, 1);
    fs::remove_file(served.folder.path().join("a")).unwrap();
    served.pass(Duration::from_secs(1));
    assert_eq!(served.status("/a"), 404);
}

/// The failure of builds that give every file the same date: what changes
/// without size and date changing must not be answered 304.
#[test]
fn equal_dates_and_sizes_are_told_apart() {
    let date = SystemTime::UNIX_EPOCH + Duration::from_secs(315_532_800);
    let stamp = |path: &Path| {
        fs::File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_modified(date)
            .unwrap();
    };
    let mut served = Served::new(Options::default(), |folder| {
        write(folder, &[("app.js", "one")]);
        stamp(&folder.join("app.js"));
    });
    let first = served.get("/app.js", &[]);
    let (tag, modified) = (
        field(&first, "ETag").unwrap(),
        field(&first, "Last-Modified").unwrap(),
    );
    assert!(tag.starts_with('"'), "a strong tag: {tag}");
    served.write("app.js", "two");
    stamp(&served.folder.path().join("app.js"));
    served.pass(Duration::from_secs(1));
    let fields = [
        ("If-None-Match", tag.as_str()),
        ("If-Modified-Since", modified.as_str()),
    ];
    let second = served.get("/app.js", &fields);
    assert_eq!(
        (second.status.as_u16(), body(&second)),
        (200, "two".to_owned())
    );
    assert_eq!(field(&second, "Last-Modified").unwrap(), modified);
    let tag = field(&second, "ETag").unwrap();
    assert_eq!(
        served.get("/app.js", &[("If-None-Match", &tag)]).status,
        304
    );
}

#[test]
fn sidecars_are_chosen_and_forgotten_ones_are_not() {
    let mut served = Served::new(Options::default(), |folder| {
        let files = [
            ("a.js", "original, the longest"),
            ("a.js.br", "br"),
            ("a.js.gz", "gzip"),
            ("old.js", "original"),
            ("old.js.gz", "outdated"),
            ("only.js.gz", "alone"),
            ("plain.js", "plain"),
        ];
        write(folder, &files);
        let path = folder.join("old.js.gz");
        let old = SystemTime::now() - Duration::from_secs(60);
        fs::File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_modified(old)
            .unwrap();
        // Times of files written at once would leave open which is older.
        for name in ["a.js", "a.js.br", "a.js.gz"] {
            let file = fs::File::options()
                .write(true)
                .open(folder.join(name))
                .unwrap();
            file.set_modified(old).unwrap();
        }
    });
    let mut check =
        |target: &str, accept: &str, expected: (u16, &str, Option<&str>, Option<&str>)| {
            let answer = served.get(target, &[("Accept-Encoding", accept)]);
            let text = body(&answer);
            let coding = field(&answer, "Content-Encoding");
            let vary = field(&answer, "Vary");
            let found = (
                answer.status.as_u16(),
                text.as_str(),
                coding.as_deref(),
                vary.as_deref(),
            );
            assert_eq!(found, expected, "{target} {accept}");
            if answer.status == 200 {
                let kind = field(&answer, "Content-Type").unwrap();
                assert_eq!(kind, "text/javascript; charset=utf-8");
            }
        };
    let varies = Some("Accept-Encoding");
    check("/a.js", "gzip, br", (200, "br", Some("br"), varies));
    check("/a.js", "gzip", (200, "gzip", Some("gzip"), varies));
    check(
        "/a.js",
        "zstd",
        (200, "original, the longest", None, varies),
    );
    check("/old.js", "gzip", (200, "original", None, None));
    check("/plain.js", "gzip", (200, "plain", None, None));
    check("/only.js", "gzip", (200, "alone", Some("gzip"), varies));
    check("/only.js", "br", (406, "Not Acceptable\n", None, varies));
    // A sidecar that comes later is seen, although the original did not change.
    served.write("plain.js.br", "b");
    served.pass(Duration::from_secs(1));
    let answer = served.get("/plain.js", &[("Accept-Encoding", "br")]);
    assert_eq!(body(&answer), "b");
}

/// Texts are packed here when nobody packed them before; ranges are of what is
/// on the disk, because another compressor would pack in another way.
#[test]
fn texts_are_packed_once() {
    let text = "to be or not to be, ".repeat(5000);
    let fill = |folder: &Path| {
        write(
            folder,
            &[("a.txt", &text), ("small.txt", "to be"), ("a.png", &text)],
        );
    };
    let mut served = Served::new(Options::default(), fill);
    let gzip = [("Accept-Encoding", "gzip, br")];
    let packed = served.get("/a.txt", &gzip);
    assert_eq!(field(&packed, "Content-Encoding").unwrap(), "gzip");
    assert_eq!(field(&packed, "Vary").unwrap(), "Accept-Encoding");
    assert!(packed.length < 2000, "{}", packed.length);
    assert!(matches!(packed.body, Body::Bytes(_)));
    let tag = field(&packed, "ETag").unwrap();
    assert!(tag.starts_with("W/"), "{tag}");
    assert_eq!(
        served
            .get("/a.txt", &[gzip[0], ("If-None-Match", &tag)])
            .status,
        304
    );
    assert_eq!(
        served
            .get("/a.txt", &[gzip[0], ("Range", "bytes=0-4")])
            .status,
        200
    );
    let part = served.get("/a.txt", &[("Range", "bytes=0-4")]);
    assert_eq!(
        (part.status.as_u16(), body(&part)),
        (206, "to be".to_owned())
    );
    assert_eq!(field(&part, "Vary").unwrap(), "Accept-Encoding");
    for target in ["/small.txt", "/a.png"] {
        assert_eq!(
            field(&served.get(target, &gzip), "Content-Encoding"),
            None,
            "{target}"
        );
    }
    let options = Options {
        compress: false,
        ..Options::default()
    };
    let mut plain = Served::new(options, fill);
    assert_eq!(field(&plain.get("/a.txt", &gzip), "Vary"), None);
}

#[test]
fn what_is_kept_is_bounded() {
    let options = Options {
        keep: Keep {
            entries: 8,
            descriptors: 3,
            missing: 4,
            memory: 100_000,
            ..Keep::default()
        },
        ..Options::default()
    };
    let large = "x".repeat(20_000);
    let mut served = Served::new(options, |folder| {
        for index in 0..20 {
            write(
                folder,
                &[
                    (&format!("{index}"), &large),
                    (&format!("s{index}"), "small"),
                ],
            );
        }
    });
    for round in 0..3 {
        for index in 0..20 {
            for name in ["", "s", "missing"] {
                served.status(&format!("/{name}{index}"));
                let stats = served.site.stats();
                assert!(stats.found <= 8 && stats.missing <= 4, "{round} {stats:?}");
                assert!(
                    stats.descriptors <= 3 && stats.memory <= 100_000,
                    "{round} {stats:?}"
                );
            }
        }
    }
    served.site.clear();
    assert_eq!(served.site.stats().descriptors, 0);
}

#[test]
fn cache_rules_say_how_long() {
    let rule = |pattern: &str, value: &str| CacheRule {
        pattern: pattern.to_owned(),
        value: value.to_owned(),
    };
    let options = Options {
        cache_rules: vec![
            rule("assets/**", "max-age=31536000, immutable"),
            rule("*.css", "max-age=60"),
        ],
        ..Options::default()
    };
    let mut served = Served::new(options, |folder| {
        write(
            folder,
            &[("assets/a.css", ""), ("b.css", ""), ("index.html", "")],
        );
    });
    for (target, expected) in [
        ("/assets/a.css", "max-age=31536000, immutable"),
        ("/b.css", "max-age=60"),
        ("/", "no-cache"),
    ] {
        let answer = served.get(target, &[]);
        assert_eq!(
            field(&answer, "Cache-Control").unwrap(),
            expected,
            "{target}"
        );
        assert_eq!(answer.length, 0);
    }
}
