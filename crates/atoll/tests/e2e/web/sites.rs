//! What a server answers that flags or a file describe.

use super::{Place, Web, expect};
use harness::load::Client;

#[test]
fn flags_say_the_simple_case() {
    let place = Place::new();
    place.write("www/404.html", "nothing here\n");
    place.write("www/assets/x.css", "p {}\n");
    place.write("www/.secret", "no\n");
    let flags = [
        "--listing",
        "--error-page",
        "404=/404.html",
        "--cache",
        "assets/**=max-age=60",
        "--header",
        "X-Frame-Options: DENY",
        "--log-format",
        "json",
        "--access-log",
        "-",
    ];
    let web = place.serve(&flags);
    expect(
        &web.get("/a.txt"),
        "200",
        &["x-frame-options: DENY\r\n", "\r\n\r\nhello\n"],
    );
    expect(&web.get("/assets/x.css"), "200", &["max-age=60\r\n"]);
    expect(&web.get("/"), "200", &["a.txt"]);
    expect(&web.get("/none"), "404", &["nothing here\n"]);
    expect(&web.get("/.secret"), "404", &[]);
    expect(&web.get("/../log"), "400", &[]);
    let range = web.get_with("/a.txt", "Range: bytes=1-2\r\n");
    expect(
        &range,
        "206",
        &["content-range: bytes 1-2/6\r\n", "\r\n\r\nel"],
    );
    let printed = web.stop();
    let records = printed.lines().filter(|line| line.starts_with('{'));
    assert_eq!(records.count(), 7, "{printed}");
}

#[test]
fn a_file_says_the_rest() {
    let place = Place::new();
    place.write("www/404.html", "gone\n");
    place.write("www/page.html", "<p>text</p>\n".repeat(200));
    place.write("app/index.html", "the app\n");
    place.write("app/app.js", "1\n");
    let web = place.serve_file(
        "listen: 127.0.0.1:0\n\
         status: /-/status\n\
         metrics: /-/metrics\n\
         limit: 1000 per 1h\n\
         limits: [{prefix: /scarce, limit: 2 per 1h}]\n\
         sites:\n\
         - directory: www\n  error-pages: {404: /404.html}\n  \
           redirects: [{from: '/old/*', to: '/*', status: 308}]\n  \
           cors: {origins: ['https://b.example']}\n\
         - directory: app\n  hosts: [app.example]\n  spa: /index.html\n  \
           users: {alice: secret}\n  realm: the app\n",
    );
    expect(&web.get("/none"), "404", &["\r\n\r\ngone\n"]);
    expect(
        &web.get("/old/a.txt?q=1"),
        "308",
        &["location: /a.txt?q=1\r\n"],
    );
    expect(
        &web.get_with("/a.txt", "Origin: https://b.example\r\n"),
        "200",
        &["access-control-allow-origin: https://b.example\r\n"],
    );
    let page = ask(&web, "a.example", "/page.html", "Accept-Encoding: gzip\r\n");
    let page = String::from_utf8_lossy(&page);
    expect(&page, "200", &["content-encoding: gzip\r\n", "vary: "]);
    let app = |target: &str, lines: &str| {
        String::from_utf8(ask(&web, "app.example", target, lines)).unwrap()
    };
    expect(&app("/", ""), "401", &["Basic realm=\"the app\""]);
    let alice = "Authorization: Basic YWxpY2U6c2VjcmV0\r\n";
    expect(&app("/some/view", alice), "200", &["the app\n"]);
    expect(&app("/none.js", alice), "404", &[]);
    for expected in ["404", "404", "429"] {
        expect(&web.get("/scarce/x"), expected, &[]);
    }
    expect(&web.get("/%73carce"), "429", &["retry-after: "]);
    expect(&web.get("/-/status"), "200", &["requests_refused: 2\n"]);
    let metrics = web.get("/-/metrics");
    expect(&metrics, "200", &["http_limit_refused_total 2\n"]);
    web.stop();
}

fn ask(web: &Web, host: &str, target: &str, lines: &str) -> Vec<u8> {
    use std::io::{Read, Write};
    let mut stream = super::connect(web.address());
    let head = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{lines}\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    answer
}

#[test]
fn every_model_serves_at_every_address() {
    for model in ["sequential", "threads", "events", "processes"] {
        for balance in ["per-slot", "shared", "least-loaded"] {
            let place = Place::new();
            let flags = [
                "--listen",
                "127.0.0.1:0",
                "--model",
                model,
                "--balance",
                balance,
                "--workers",
                "2",
            ];
            let web = place.serve(&flags);
            let addresses = web.addresses();
            assert_eq!(addresses.len(), 2, "{addresses:?}");
            for address in addresses {
                for _ in 0..4 {
                    let content = Client::new(address).get("/a.txt").unwrap();
                    assert_eq!(content, b"hello\n", "{model} {balance}");
                }
            }
            web.stop();
        }
    }
}
