//! What paths lead to: files, indexes, links, listings, errors.

use super::{Served, body, field, write};
use httpd::files::{Answer, Body, Links, Method, Options, Root};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use tempfile::TempDir;

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
fn a_missing_root_is_named() {
    let folder = TempDir::new().unwrap();
    let error = Root::open(&folder.path().join("absent"), Links::Inside).unwrap_err();
    assert!(error.to_string().contains("absent"), "{error}");
}
