//! Metrics over HTTP: samples in by every way, answers out, and what is refused.

use crate::site::{Answer, Site, request};
use axum::body::Body;
use base::Clock;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use server::api::Loopback;
use server::config::Config;
use server::throttle::Peer;
use std::io::Write;
use tokio::task::JoinSet;
use tower::ServiceExt;

impl Site {
    /// Sends a body with some fields to an address.
    async fn push(&self, token: &str, path: &str, fields: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut request = request(Method::POST, path, token);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::from(body.to_vec())).unwrap())
            .await
    }

    /// What an instant query gives: the value of each series, by one of its labels.
    async fn values(&self, query: &str, label: &str) -> Vec<(String, String)> {
        let path = format!("/api/v1/query?query={}", escaped(query));
        let answer = self.get(&self.admin(), &path).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        let answer = answer.json();
        let result = answer["data"]["result"].as_array().unwrap();
        let mut values: Vec<_> = result
            .iter()
            .map(|series| {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                (text(&series["metric"][label]), text(&series["value"][1]))
            })
            .collect();
        values.sort();
        values
    }
}

fn escaped(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}

fn pairs(values: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = values.iter();
    owned
        .map(|(label, value)| ((*label).to_owned(), (*value).to_owned()))
        .collect()
}

fn document(items: &Value) -> Vec<u8> {
    json!({ "metrics": items }).to_string().into_bytes()
}

#[tokio::test]
async fn json_is_taken_item_by_item() {
    let (_data, site, _) = Site::fresh().await;
    let items = json!([
        { "name": "t", "value": 1.5, "tags": { "n": "a" } },
        { "name": "", "value": 1 },
        { "name": "t", "value": 2, "type": "counter", "tags": { "n": "b" } },
        { "name": "t", "value": "3" },
    ]);
    // Whatever its type says, it is JSON.
    let fields = [("content-type", "text/plain; charset=utf-16")];
    let answer = site
        .push(&site.admin(), "/metrics", &fields, &document(&items))
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let told = answer.json();
    assert_eq!(told["accepted"], 2);
    let refused: Vec<_> = told["refused"].as_array().unwrap().iter().collect();
    assert_eq!((refused.len(), &refused[0]["index"]), (2, &json!(1)));
    assert_eq!(refused[1]["index"], 3);
    let expected = pairs(&[("a", "1.5"), ("b", "2")]);
    assert_eq!(site.values("t", "n").await, expected);
    let kinds = site.get(&site.admin(), "/api/v1/metadata?metric=t").await;
    assert_eq!(kinds.json()["data"]["t"][0]["type"], "counter");
}

#[tokio::test]
async fn all_or_nothing_is_all_or_nothing() {
    let (_data, site, _) = Site::fresh().await;
    let items = json!([{ "name": "t", "value": 1 }, { "name": "t" }]);
    for flag in ["atomic=1", "atomic=true", "atomic"] {
        let path = format!("/metrics?{flag}");
        let answer = site
            .push(&site.admin(), &path, &[], &document(&items))
            .await;
        answer.assert_problem(400, "samples");
        assert_eq!(answer.json()["refused"][0]["index"], 1);
        assert_eq!(site.values("t", "n").await, []);
    }
    let answer = site
        .push(&site.admin(), "/metrics?atomic=all", &[], &document(&items))
        .await;
    answer.assert_problem(400, "malformed");
    let detail = answer.json()["detail"].to_string();
    assert!(
        detail.contains("atomic: `all` is neither 1 nor 0"),
        "{detail}"
    );
    let literal = b"{\"metrics\":[{\"name\":\"t\",\"value\":NaN}]}";
    let answer = site.push(&site.admin(), "/metrics", &[], literal).await;
    answer.assert_problem(400, "samples");
    let reason = answer.json()["refused"][0]["reason"].to_string();
    assert!(reason.contains("must be finite"), "{reason}");
    let answer = site
        .push(
            &site.admin(),
            "/metrics?atomic=false",
            &[],
            &document(&items),
        )
        .await;
    assert_eq!(answer.json()["accepted"], 1);
    let broken = site
        .push(&site.admin(), "/metrics", &[], b"{\"metrics\":[")
        .await;
    broken.assert_problem(400, "malformed");
}

#[tokio::test]
async fn lines_of_influx_come_in() {
    let (_data, site, _) = Site::fresh().await;
    let seconds = site.clock.now() / 1000;
    let body = format!("cpu,n=a user=1,idle=2i {seconds}\ncpu,n=b user=3\nwrong\n");
    let answer = site
        .push(
            &site.admin(),
            "/write?precision=s&db=any",
            &[],
            body.as_bytes(),
        )
        .await;
    answer.assert_problem(400, "samples");
    assert_eq!(answer.json()["refused"][0]["line"], 3);
    let expected = pairs(&[("a", "1"), ("b", "3")]);
    assert_eq!(site.values("cpu_user", "n").await, expected);
    assert_eq!(site.values("cpu_idle", "n").await, pairs(&[("a", "2")]));
    let answer = site
        .push(
            &site.admin(),
            "/api/v2/write?org=o&bucket=b",
            &[],
            b"cpu,n=a user=7",
        )
        .await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert_eq!(site.get("", "/ping").await.status, StatusCode::NO_CONTENT);
    let answer = site
        .push(&site.admin(), "/write?precision=days", &[], b"cpu user=7")
        .await;
    answer.assert_problem(400, "malformed");
}

#[tokio::test]
async fn bodies_may_be_compressed() {
    let (_data, site, _) = Site::fresh().await;
    let body = |n: &str| document(&json!([{ "name": "t", "value": 1, "tags": { "n": n } }]));
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&body("gzip")).unwrap();
    let zstd = zstd::encode_all(&*body("zstd"), 3).unwrap();
    for (coding, bytes) in [("gzip", gzip.finish().unwrap()), ("zstd", zstd)] {
        let fields = [("content-encoding", coding)];
        let answer = site.push(&site.admin(), "/metrics", &fields, &bytes).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    }
    let expected = pairs(&[("gzip", "1"), ("zstd", "1")]);
    assert_eq!(site.values("t", "n").await, expected);
    let answer = site
        .push(
            &site.admin(),
            "/metrics",
            &[("content-encoding", "br")],
            b"{}",
        )
        .await;
    answer.assert_problem(415, "media-type");
}

#[tokio::test]
async fn many_agents_may_compress_at_once() {
    let (_data, site, _) = Site::fresh().await;
    // Short ones, and short ones of which much comes.
    let padding = [0, 500_000].map(|length| " ".repeat(length));
    let push = |n: usize| {
        let item = json!({ "name": "t", "value": 1, "tags": { "n": n.to_string() } });
        let mut body = document(&json!([item]));
        body.extend(padding[n % 2].bytes());
        let body = zstd::encode_all(&*body, 3).unwrap();
        let request = request(Method::POST, "/metrics", &site.admin());
        let request = request.header("content-encoding", "zstd");
        site.router()
            .oneshot(request.body(Body::from(body)).unwrap())
    };
    let mut pushes = JoinSet::new();
    for n in 0..200 {
        pushes.spawn(push(n));
    }
    for answer in pushes.join_all().await {
        assert_eq!(answer.unwrap().status(), StatusCode::OK);
    }
}

/// A message of remote write with one series of one sample, snappy around it.
fn message(labels: &[(&str, &str)], time: i64, value: f64) -> Vec<u8> {
    fn field(out: &mut Vec<u8>, number: u8, bytes: &[u8]) {
        out.extend([number << 3 | 2, u8::try_from(bytes.len()).unwrap()]);
        out.extend(bytes);
    }
    let mut series = Vec::new();
    for (name, text) in labels {
        let mut label = Vec::new();
        field(&mut label, 1, name.as_bytes());
        field(&mut label, 2, text.as_bytes());
        field(&mut series, 1, &label);
    }
    let mut sample = vec![1 << 3 | 1];
    sample.extend(value.to_le_bytes());
    sample.push(2 << 3);
    let mut rest = time.cast_unsigned();
    while rest >= 0x80 {
        sample.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    sample.push(rest as u8);
    field(&mut series, 2, &sample);
    let mut whole = Vec::new();
    field(&mut whole, 1, &series);
    snap::raw::Encoder::new().compress_vec(&whole).unwrap()
}

#[tokio::test]
async fn remote_write_is_received() {
    let (_data, site, _) = Site::fresh().await;
    let now = i64::try_from(site.clock.now()).unwrap();
    let fields = [
        ("content-encoding", "snappy"),
        ("content-type", "application/x-protobuf"),
        ("x-prometheus-remote-write-version", "0.1.0"),
    ];
    let good = message(&[("__name__", "up"), ("n", "a")], now, 1.0);
    let answer = site
        .push(&site.admin(), "/api/v1/write", &fields, &good)
        .await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.text());
    assert_eq!(site.values("up", "n").await, pairs(&[("a", "1")]));
    // What a sender must not repeat is 400.
    let far = message(
        &[("__name__", "up"), ("n", "b")],
        now + 30 * 86_400_000,
        1.0,
    );
    let unordered = message(&[("n", "a"), ("__name__", "up")], now, 1.0);
    for wrong in [far, unordered, b"no snappy".to_vec()] {
        let answer = site
            .push(&site.admin(), "/api/v1/write", &fields, &wrong)
            .await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text());
    }
    let second = [(
        "content-type",
        "application/x-protobuf;proto=io.prometheus.write.v2.Request",
    )];
    let answer = site
        .push(&site.admin(), "/api/v1/write", &second, &good)
        .await;
    answer.assert_problem(415, "media-type");
}

#[tokio::test]
async fn what_is_exported_can_be_imported_elsewhere() {
    let (_data, site, _) = Site::fresh().await;
    let items: Value = (0..50)
        .map(
            |n| json!({ "name": "t", "value": f64::from(n) / 3.0, "tags": { "n": n.to_string() } }),
        )
        .collect();
    site.push(&site.admin(), "/metrics", &[], &document(&items))
        .await;
    let path = format!("/api/v1/export?match[]={}", escaped("{__name__=\"t\"}"));
    let lines = site.get(&site.admin(), &path).await;
    assert_eq!(
        lines.bytes.iter().filter(|byte| **byte == b'\n').count(),
        50
    );
    let (_other_data, other, _) = Site::fresh().await;
    let answer = other
        .push(&other.admin(), "/api/v1/import", &[], &lines.bytes)
        .await;
    assert_eq!(answer.json(), json!({ "accepted": 50, "refused": [] }));
    assert_eq!(other.get(&other.admin(), &path).await.bytes, lines.bytes);
    let answer = other
        .push(&other.admin(), "/api/v1/import", &[], b"{}\n")
        .await;
    answer.assert_problem(400, "samples");
    assert_eq!(answer.json()["refused"][0]["line"], 1);
}

#[tokio::test]
async fn the_administrator_deletes_and_copies() {
    let (data, site, _) = Site::fresh().await;
    let items = json!([
        { "name": "t", "value": 1, "tags": { "n": "a" } },
        { "name": "t", "value": 2, "tags": { "n": "b" } },
    ]);
    site.push(&site.admin(), "/metrics", &[], &document(&items))
        .await;
    let device = site.device("s", "editor").await;
    let path = format!(
        "/api/v1/admin/tsdb/delete_series?match[]={}",
        escaped("t{n=\"a\"}")
    );
    let refused = site.push(&device, &path, &[], b"").await;
    refused.assert_problem(403, "forbidden");
    let done = site.push(&site.admin(), &path, &[], b"").await;
    assert_eq!(done.status, StatusCode::NO_CONTENT, "{}", done.text());
    assert_eq!(site.values("t", "n").await, pairs(&[("b", "2")]));
    let snapshot = "/api/v1/admin/tsdb/snapshot?name=first";
    let made = site.push(&site.admin(), snapshot, &[], b"").await;
    assert_eq!(made.json()["data"]["name"], "first");
    assert!(
        data.path()
            .join("metrics/snapshots/first/manifest")
            .is_file()
    );
    let again = site.push(&site.admin(), snapshot, &[], b"").await;
    again.assert_problem(409, "refused");
    let wrong = "/api/v1/admin/tsdb/snapshot?name=..%2Fup";
    let wrong = site.push(&site.admin(), wrong, &[], b"").await;
    wrong.assert_problem(400, "malformed");
}

#[tokio::test]
async fn strangers_neither_send_nor_ask() {
    let (_data, site, _) = Site::fresh().await;
    for path in ["/metrics", "/api/v1/write", "/write", "/api/v1/import"] {
        let answer = site.push("", path, &[], b"x").await;
        answer.assert_problem(401, "unauthorized");
    }
    for path in ["/api/v1/query?query=1", "/api/v1/labels", "/api/v1/export"] {
        site.get("", path).await.assert_problem(401, "unauthorized");
    }
    let device = site.device("s", "reader").await;
    let items = json!([{ "name": "t", "value": 1 }]);
    let answer = site.push(&device, "/metrics", &[], &document(&items)).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let wrong = site.get(&device, "/api/v1/query?query=1%2B").await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    assert_eq!(wrong.json()["errorType"], "bad_data");
    let nothing = site.get(&device, "/api/v1/nothing").await;
    assert_eq!(nothing.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn who_needs_no_token_is_of_this_machine_and_no_page_of_others() {
    let (_data, site, _) = Site::fresh().await;
    let mut config = Config::default();
    config.metrics.loopback = Loopback::Write;
    site.service.adopt(&config).unwrap();
    let push = async |address: &str, fields: &[(&str, &str)]| {
        let mut request = request(Method::POST, "/metrics", "");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let body = document(&json!([{ "name": "t", "value": 1 }]));
        let mut request = request.body(Body::from(body)).unwrap();
        let peer = Peer(address.parse().unwrap());
        request.extensions_mut().insert(peer);
        site.send(request).await
    };
    let own = [
        ("host", "localhost:8080"),
        ("origin", "http://localhost:8080"),
    ];
    for fields in [&own[..1], &own, &[("host", "[::1]:8080")]] {
        let answer = push("127.0.0.1", fields).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    }
    let foreign = [own[0], ("origin", "http://evil.example")];
    for fields in [&foreign[..], &[("host", "evil.example:8080")]] {
        let answer = push("127.0.0.1", fields).await;
        answer.assert_problem(401, "unauthorized");
    }
    let answer = push("192.0.2.1", &own).await;
    answer.assert_problem(401, "unauthorized");
}

#[tokio::test]
async fn more_samples_than_ever_pass_are_not_to_be_sent_again() {
    let (_data, site, _) = Site::fresh().await;
    let mut config = Config::default();
    let push = async |count: u32| {
        let items: Value = (0..count)
            .map(|n| json!({ "name": format!("m{n}"), "value": 1 }))
            .collect();
        site.push(&site.admin(), "/metrics", &[], &document(&items))
            .await
    };
    for limit in ["3 per 1h", "1 per 1h burst 3"] {
        config.limits.samples = Some(limit.parse().unwrap());
        site.service.adopt(&config).unwrap();
        let refused = push(4).await;
        refused.assert_problem(400, "malformed");
        assert!(refused.text().contains("3 at once"), "{}", refused.text());
    }
    assert_eq!(push(3).await.status, StatusCode::OK);
    push(1).await.assert_problem(429, "too-often");
}

#[tokio::test]
async fn a_full_queue_is_told_at_once() {
    let data = tempfile::tempdir().unwrap();
    let site = Site::set_up(data.path(), |settings| settings.metrics.queue_samples = 0);
    let items = json!([{ "name": "t", "value": 1 }]);
    let answer = site
        .push(&site.admin(), "/metrics", &[], &document(&items))
        .await;
    answer.assert_problem(503, "busy");
    assert_eq!(answer.header("retry-after"), "1");
    assert_eq!(site.values("t", "n").await, []);
}

#[tokio::test]
async fn each_client_has_its_bound_of_series() {
    let (_data, site, _) = Site::fresh().await;
    site.node
        .metrics()
        .set_series_limits(metrics::head::SeriesLimits {
            total: 5,
            client: 3,
        });
    let items = |names: std::ops::Range<u32>| -> Value {
        names
            .map(|n| json!({ "name": format!("m{n}"), "value": 1 }))
            .collect()
    };
    let (one, other) = (
        site.device("s", "editor").await,
        site.device("s", "editor").await,
    );
    let answer = site
        .push(&one, "/metrics", &[], &document(&items(0..4)))
        .await;
    assert_eq!(answer.json()["accepted"], 3);
    let reason = answer.json()["refused"][0]["reason"].to_string();
    assert!(
        reason.contains("this client already has 3 series"),
        "{reason}"
    );
    let answer = site
        .push(&other, "/metrics", &[], &document(&items(10..13)))
        .await;
    assert_eq!(answer.json()["accepted"], 2);
    let reason = answer.json()["refused"][0]["reason"].to_string();
    assert!(
        reason.contains("the store already has 5 series"),
        "{reason}"
    );
    // Those that are known go on, whoever sends them.
    let answer = site
        .push(&other, "/metrics", &[], &document(&items(0..3)))
        .await;
    assert_eq!(answer.json()["accepted"], 3);
}
