//! The node's own figures: the text at `GET /metrics`, and what a round of storing them
//! leaves to ask for.

use crate::site::{Answer, START, Site};
use http::StatusCode;
use serde_json::json;
use server::figures;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The samples of a text, by name and labels as they are written; panics on what is not in
/// the grammar of the format.
fn samples(text: &str) -> BTreeMap<&str, f64> {
    let mut samples = BTreeMap::new();
    let mut family = "";
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            family = help.split_once(' ').unwrap().0;
        } else if let Some(told) = line.strip_prefix("# TYPE ") {
            let (name, kind) = told.split_once(' ').unwrap();
            assert_eq!(name, family);
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
        } else {
            let (series, value) = line.rsplit_once(' ').unwrap();
            assert!(series.starts_with(family), "{line} in {family}");
            let again = samples.insert(series, value.parse().unwrap());
            assert_eq!(again, None, "{line} comes twice");
        }
    }
    samples
}

/// The values of an instant query, by their labels as JSON.
fn values(answer: &Answer) -> Vec<(String, String)> {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let answer = answer.json();
    let result = answer["data"]["result"].as_array().unwrap().clone();
    let one = |series: serde_json::Value| {
        let value = series["value"][1].as_str().unwrap().to_owned();
        (series["metric"].to_string(), value)
    };
    result.into_iter().map(one).collect()
}

#[tokio::test]
async fn the_text_has_what_was_done() {
    let (_data, site, _) = Site::fresh().await;
    let admin = site.admin();
    site.get(&admin, "/nowhere").await;
    for (value, status) in [(json!(1), 200), (json!(null), 400)] {
        let pushed = json!({ "metrics": [{ "name": "a", "value": value, "type": "gauge" }] });
        let answer = site.post(&admin, "/metrics", pushed).await;
        assert_eq!(answer.status, status, "{}", answer.text());
    }
    values(&site.get(&admin, "/api/v1/query?query=a").await);

    let answer = site.get("", "/metrics").await;
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4");
    let text = answer.text();
    assert!(!text.contains(&admin));
    let samples = samples(&text);
    let check = |series: &str, expected: f64| {
        assert_eq!(samples.get(series), Some(&expected), "{series} in\n{text}");
    };
    let latency = "atoll_http_request_duration_seconds";
    // A space was made; the last request is not answered yet.
    check("atoll_http_requests_total", 6.0);
    check(
        &format!("{latency}_count{{route=\"/api/spaces\",status=\"2xx\"}}"),
        1.0,
    );
    check(
        &format!("{latency}_count{{route=\"other\",status=\"4xx\"}}"),
        1.0,
    );
    check(
        &format!("{latency}_count{{route=\"/metrics\",status=\"2xx\"}}"),
        1.0,
    );
    check(
        &format!("{latency}_count{{route=\"/metrics\",status=\"4xx\"}}"),
        1.0,
    );
    let bucket = "_bucket{route=\"/api/spaces\",status=\"2xx\",le=\"+Inf\"}";
    check(&format!("{latency}{bucket}"), 1.0);
    check("atoll_metrics_samples_total{format=\"json\"}", 1.0);
    check("atoll_metrics_refused_samples_total{format=\"json\"}", 1.0);
    check("atoll_metrics_samples_total{format=\"remote_write\"}", 0.0);
    check("atoll_metrics_queries_total", 1.0);
    check("atoll_metrics_series", 1.0);
    check("atoll_http_refused_total{class=\"join\"}", 0.0);
    check("atoll_limit_overflowed_total", 0.0);
    let decisions = samples
        .iter()
        .filter(|(series, _)| series.contains("_decisions_total"));
    let pushes: Vec<_> = decisions
        .filter(|(series, _)| series.contains("class=\"push\",decision=\"allowed\""))
        .collect();
    assert_eq!(pushes.len(), 1);
    assert_eq!(*pushes[0].1, 2.0);
}

#[tokio::test]
async fn a_round_is_stored_and_can_be_asked_for() {
    let (_data, site, _) = Site::fresh().await;
    let admin = site.admin();
    for _ in 0..3 {
        site.get("", "/health").await;
    }
    figures::store(&site.service).unwrap();
    let ask = async |query: &str| {
        let path = format!("/api/v1/query?query={query}");
        values(&site.get(&admin, &path).await)
    };
    let own = r#"{"__name__":"atoll_http_requests_total","instance":"reef","job":"atoll"}"#;
    let requests = ask("atoll_http_requests_total").await;
    assert_eq!(requests, [(own.to_owned(), "4".to_owned())]);
    let health = "atoll_http_request_duration_seconds_count%7Broute=%22/health%22%7D";
    let counts = ask(health).await;
    assert_eq!(counts.len(), 1);
    assert_eq!(counts[0].1, "3");

    // What is stored is what the text says.
    site.clock.set(START + 15_000);
    figures::store(&site.service).unwrap();
    let text = site.get("", "/metrics").await.text();
    let stored = ask("count(%7Bjob=%22atoll%22%7D)").await;
    let stored: f64 = stored[0].1.parse().unwrap();
    // But for what the requests since then added to it.
    assert!(stored > 40.0);
    assert!(stored <= samples(&text).len() as f64);
    let grown = ask("increase(atoll_http_requests_total%5B1m%5D)").await;
    assert_eq!(grown.len(), 1);
}

#[tokio::test]
async fn the_first_round_is_at_once_and_the_end_waits_for_it() {
    let (_data, site, _) = Site::fresh().await;
    drop(figures::Keeper::start(Arc::clone(&site.service)).unwrap());
    let answer = site
        .get(&site.admin(), "/api/v1/query?query=atoll_metrics_parts")
        .await;
    assert_eq!(values(&answer).len(), 1);
}

#[tokio::test]
async fn a_node_without_room_says_so_and_goes_on() {
    let (_data, site, _) = Site::fresh().await;
    let limits = |client| metrics::head::SeriesLimits {
        client,
        ..Default::default()
    };
    site.node.metrics().set_series_limits(limits(3));
    let error = figures::store(&site.service).unwrap_err().to_string();
    assert!(error.contains("as many as it may have"), "{error}");
    site.node.metrics().set_series_limits(limits(1000));
    figures::store(&site.service).unwrap();
    site.node.metrics().close();
    let error = figures::store(&site.service).unwrap_err();
    let closed = matches!(
        error,
        figures::StoreError::Write(metrics::database::WriteError::Closed)
    );
    assert!(closed, "{error}");
}
