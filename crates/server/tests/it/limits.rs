//! Clients that ask too often: what they are told, and who is not in their way.

use crate::site::{Answer, Site, request};
use axum::body::Body;
use http::{Method, StatusCode};
use server::throttle::Peer;

async fn ask(site: &Site, address: &str, token: &str) -> Answer {
    let mut request = request(Method::GET, "/api/spaces", token)
        .body(Body::empty())
        .unwrap();
    let peer = Peer(address.parse().unwrap());
    request.extensions_mut().insert(peer);
    site.send(request).await
}

#[tokio::test]
async fn tokens_are_not_guessed_for_long() {
    let data = tempfile::tempdir().unwrap();
    let site = Site::open(data.path());
    site.space("s").await;
    let neighbour = site.device("s", "reader").await;
    let (here, there) = ("192.0.2.1", "192.0.2.2");
    assert_eq!(ask(&site, here, &neighbour).await.status, StatusCode::OK);
    let mut answers = Vec::new();
    for guess in 0..100 {
        answers.push(ask(&site, here, &format!("dev_{guess}")).await);
    }
    answers[0].assert_problem(401, "unauthorized");
    let refused = answers.last().unwrap();
    refused.assert_problem(429, "too-often");
    assert_eq!(refused.header("retry-after"), "2");
    assert!(refused.header("ratelimit").starts_with("\"failed\";r=0"));
    // Whoever was heard before, and whoever is elsewhere, still is.
    assert_eq!(ask(&site, here, &neighbour).await.status, StatusCode::OK);
    assert_eq!(ask(&site, there, &neighbour).await.status, StatusCode::OK);
    let figures = site.get("", "/metrics").await.text();
    assert!(figures.contains("atoll_http_refused_total{class=\"failed\"}"));
    assert!(!figures.contains("atoll_http_refused_total{class=\"failed\"} 0"));
}
