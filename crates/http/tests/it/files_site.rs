//! A directory on a real disk, served by [`Site`]: links, sidecars, changes.

use httpd::files::{
    Answer, Body, CacheRule, Keep, Links, Method, Moment, Options, Part, Request, Root, Site,
    Wanted,
};
use std::fs;
use std::os::unix::fs::{FileExt, symlink};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

/// A folder and the site that serves it, at a time that the test moves.
struct Served {
    folder: TempDir,
    site: Site,
    elapsed: Duration,
}

/// Far enough ahead that no file just written counts as written just now.
const AHEAD: Duration = Duration::from_secs(3600);

impl Served {
    fn new(options: Options, fill: impl FnOnce(&Path)) -> Self {
        Self::with_links(options, Links::Inside, fill)
    }

    fn with_links(options: Options, links: Links, fill: impl FnOnce(&Path)) -> Self {
        let folder = TempDir::new().unwrap();
        fill(folder.path());
        let root = Arc::new(Root::open(folder.path(), links).unwrap());
        let site = Site::new(root, Arc::new(options), 7).unwrap();
        Self {
            folder,
            site,
            elapsed: Duration::ZERO,
        }
    }

    fn get(&mut self, target: &str, fields: &[(&str, &str)]) -> Answer {
        self.ask(Method::Get, target, fields)
    }

    fn ask(&mut self, method: Method, target: &str, fields: &[(&str, &str)]) -> Answer {
        let fields = fields
            .iter()
            .map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + AHEAD;
        self.site.answer(&Request {
            method,
            target: target.as_bytes(),
            wanted: Wanted::from_fields(fields),
            now: Moment {
                elapsed: self.elapsed,
                since_epoch,
            },
        })
    }

    /// Status and body of a GET.
    fn text(&mut self, target: &str) -> (u16, String) {
        let answer = self.get(target, &[]);
        (answer.status.as_u16(), body(&answer))
    }

    fn status(&mut self, target: &str) -> u16 {
        self.get(target, &[]).status.as_u16()
    }

    fn write(&self, name: &str, content: &str) {
        fs::write(self.folder.path().join(name), content).unwrap();
    }

    fn pass(&mut self, time: Duration) {
        self.elapsed += time;
    }
}

fn body(answer: &Answer) -> String {
    let range = |range: &httpd::files::FileRange| {
        let mut bytes = vec![0; range.span.length as usize];
        range
            .file
            .read_exact_at(&mut bytes, range.span.offset)
            .unwrap();
        bytes
    };
    let bytes = match &answer.body {
        Body::Empty => Vec::new(),
        Body::Bytes(bytes) => bytes.to_vec(),
        Body::File(file) => range(file),
        Body::Parts(parts) => parts
            .iter()
            .flat_map(|part| match part {
                Part::Bytes(bytes) => bytes.to_vec(),
                Part::File(file) => range(file),
            })
            .collect(),
    };
    String::from_utf8(bytes).unwrap()
}

fn field(answer: &Answer, name: &str) -> Option<String> {
    answer
        .fields
        .get(name)
        .map(|value| String::from_utf8(value.to_vec()).unwrap())
}

fn write(folder: &Path, files: &[(&str, &str)]) {
    for (name, content) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

#[test]
fn paths_lead_to_files_indexes_and_redirects() {
    let mut served = Served::new(Options::default(), |folder| {
        let files = [
            ("index.html", "home"),
            ("a b.txt", "spaced"),
            ("docs/index.html", "docs"),
            ("empty/.keep", ""),
            (".secret", "s"),
        ];
        write(folder, &files);
    });
    for (target, expected) in [
        ("/", (200, "home")),
        ("/index.html", (200, "home")),
        ("/a%20b.txt?query", (200, "spaced")),
        ("/docs/", (200, "docs")),
        ("/docs", (301, "Moved Permanently\n")),
        ("/nothing", (404, "Not Found\n")),
        ("/empty/", (404, "Not Found\n")),
        ("/index.html/", (404, "Not Found\n")),
        ("/index.html/more", (404, "Not Found\n")),
        ("/.secret", (404, "Not Found\n")),
        ("/../etc/passwd", (400, "Bad Request\n")),
        ("/%2e%2e/etc/passwd", (400, "Bad Request\n")),
    ] {
        let (status, text) = served.text(target);
        assert_eq!((status, text.as_str()), expected, "{target}");
    }
    let location = |answer: Answer| field(&answer, "Location").unwrap();
    assert_eq!(location(served.get("/docs?a=b", &[])), "/docs/?a=b");
    assert_eq!(location(served.get("//docs//x", &[])), "/docs/x");
    let head = served.ask(Method::Head, "/docs/", &[]);
    assert_eq!(head.length, 4);
    assert_eq!(body(&head), "");
    assert_eq!(served.ask(Method::Head, "/nothing", &[]).body.length(), 0);
    assert_eq!(served.ask(Method::Other, "/", &[]).status, 405);
}

#[test]
fn a_prefix_is_kept_in_redirects() {
    let options = Options {
        prefix: "/s/notes".to_owned(),
        ..Options::default()
    };
    let mut served = Served::new(options, |folder| write(folder, &[("d/index.html", "d")]));
    assert_eq!(served.text("/s/notes/d/"), (200, "d".to_owned()));
    let location = |answer: Answer| field(&answer, "Location");
    assert_eq!(
        location(served.get("/s/notes/d", &[])).unwrap(),
        "/s/notes/d/"
    );
    assert_eq!(
        location(served.get("/s/notes?x", &[])).unwrap(),
        "/s/notes/?x"
    );
    assert_eq!(served.status("/s/notesd/"), 404);
    assert_eq!(served.status("/other"), 404);
}

/// A link that leads out, directly or by `..` or through a directory, is not followed.
#[test]
fn links_lead_out_only_where_allowed() {
    let outside = TempDir::new().unwrap();
    fs::write(outside.path().join("secret.txt"), "secret").unwrap();
    let fill = |folder: &Path| {
        write(folder, &[("real.txt", "real"), ("d/x.txt", "x")]);
        symlink("real.txt", folder.join("inside")).unwrap();
        symlink("../real.txt", folder.join("d/up")).unwrap();
        symlink(outside.path().join("secret.txt"), folder.join("out")).unwrap();
        symlink(outside.path(), folder.join("outdir")).unwrap();
        symlink("../../../../../../etc/passwd", folder.join("climb")).unwrap();
        symlink("loop", folder.join("loop")).unwrap();
    };
    for (links, expected) in [
        (Links::Inside, [200, 200, 404, 404, 404, 404]),
        (Links::Refused, [404, 404, 404, 404, 404, 404]),
        (Links::Anywhere, [200, 200, 200, 200, 200, 404]),
    ] {
        let options = Options {
            listing: true,
            ..Options::default()
        };
        let mut served = Served::with_links(options, links, fill);
        let targets = [
            "/inside",
            "/d/up",
            "/out",
            "/outdir/secret.txt",
            "/climb",
            "/loop",
        ];
        assert_eq!(
            targets.map(|target| served.status(target)),
            expected,
            "{links:?}"
        );
        let listed = body(&served.get("/?format=json", &[]));
        assert_eq!(
            listed.contains("\"out\""),
            links == Links::Anywhere,
            "{listed}"
        );
        assert_eq!(
            listed.contains("\"inside\""),
            links != Links::Refused,
            "{listed}"
        );
    }
}

/// A pipe has no end to read to, and opening one waits for a writer.
#[test]
fn only_files_are_served() {
    let mut served = Served::new(Options::default(), |folder| {
        let path = folder.join("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &path,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        )
        .unwrap();
    });
    assert_eq!(served.status("/pipe"), 404);
}

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
fn large_files_are_left_in_the_file() {
    let content: String = (0..50_000u32)
        .map(|index| char::from(b'a' + (index % 26) as u8))
        .collect();
    let mut served = Served::new(Options::default(), |folder| {
        write(folder, &[("big.txt", &content)]);
    });
    let whole = served.get("/big.txt", &[]);
    assert!(matches!(whole.body, Body::File(_)));
    assert_eq!(body(&whole), content);
    let part = served.get("/big.txt", &[("Range", "bytes=26-51")]);
    assert_eq!(
        (part.status.as_u16(), body(&part)),
        (206, content[26..52].to_owned())
    );
    let parts = served.get("/big.txt", &[("Range", "bytes=0-3,40000-40003")]);
    assert_eq!(body(&parts).len() as u64, parts.length);
    assert!(body(&parts).contains(&content[40_000..40_004]));
    assert_eq!(served.site.stats().descriptors, 1);
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
fn errors_and_lost_paths_have_pages() {
    let options = Options {
        fallback: Some("/index.html".to_owned()),
        error_pages: vec![
            (404, "/404.html".to_owned()),
            (400, "/gone.html".to_owned()),
        ],
        ..Options::default()
    };
    let mut served = Served::new(options, |folder| {
        write(folder, &[("index.html", "app"), ("404.html", "lost")]);
    });
    assert_eq!(served.text("/some/route"), (200, "app".to_owned()));
    assert_eq!(served.text("/missing.js"), (404, "lost".to_owned()));
    // Conditions are not asked of an error (RFC 9110 section 13.2.1).
    let lost = served.get(
        "/missing.js",
        &[("If-None-Match", "*"), ("Range", "bytes=0-1")],
    );
    assert_eq!(
        (lost.status.as_u16(), body(&lost)),
        (404, "lost".to_owned())
    );
    assert_eq!(
        field(&lost, "Content-Type").unwrap(),
        "text/html; charset=utf-8"
    );
    // A page that is not there is no second error.
    assert_eq!(served.text("/.."), (400, "Bad Request\n".to_owned()));
}

#[test]
fn listings_show_what_is_served() {
    let options = Options {
        listing: true,
        ..Options::default()
    };
    let mut served = Served::new(options, |folder| {
        write(
            folder,
            &[
                ("d/b.txt", "12345"),
                ("d/sub/x", ""),
                ("d/.hidden", ""),
                ("i/index.html", "i"),
            ],
        );
    });
    let json = served.get("/d/", &[("Accept", "application/json")]);
    assert_eq!(field(&json, "Content-Type").unwrap(), "application/json");
    assert_eq!(field(&json, "Vary").unwrap(), "Accept");
    let text = body(&json);
    assert!(
        text.contains("{\"name\":\"b.txt\",\"href\":\"./b.txt\",\"type\":\"file\",\"size\":5,"),
        "{text}"
    );
    assert!(!text.contains("hidden"), "{text}");
    assert!(
        text.find("sub").unwrap() < text.find("b.txt").unwrap(),
        "{text}"
    );
    let page = served.get("/d/", &[("Accept", "text/html")]);
    assert!(body(&page).contains("<a href=\"./sub/\">sub/</a>"));
    assert_eq!(served.text("/i/"), (200, "i".to_owned()));
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

#[test]
fn a_missing_root_is_named() {
    let folder = TempDir::new().unwrap();
    let error = Root::open(&folder.path().join("absent"), Links::Inside).unwrap_err();
    assert!(error.to_string().contains("absent"), "{error}");
}
