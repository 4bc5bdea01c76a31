//! Clients that ask too often: what they are told, and who is not in their way.

use crate::site::{Answer, Site, request};
use axum::body::{Body, Bytes};
use http::{Method, Request, StatusCode};
use http_body::Frame;
use serde_json::json;
use server::throttle::Peer;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

async fn ask(site: &Site, address: &str, token: &str) -> Answer {
    let request = request(Method::GET, "/api/spaces", token).body(Body::empty());
    send(site, address, request.unwrap()).await
}

async fn register(site: &Site, address: &str, token: &str) -> Answer {
    let registration = json!({ "token": token, "name": "laptop" });
    let request = request(Method::POST, "/api/register", "")
        .header("content-type", "application/json")
        .body(Body::from(registration.to_string()));
    send(site, address, request.unwrap()).await
}

async fn send(site: &Site, address: &str, mut request: Request<Body>) -> Answer {
    let peer = Peer(address.parse().unwrap());
    request.extensions_mut().insert(peer);
    site.send(request).await
}

#[tokio::test]
async fn tokens_are_not_guessed_for_long() {
    let (_data, site, _) = Site::fresh().await;
    let neighbour = site.device("s", "reader").await;
    // What a reverse proxy on this machine passes on has its address.
    let (here, there) = ("127.0.0.1", "192.0.2.2");
    let mut answers = Vec::new();
    for guess in 0..100 {
        answers.push(ask(&site, here, &format!("dev_{guess}")).await);
    }
    answers[0].assert_problem(401, "unauthorized");
    let refused = answers.last().unwrap();
    refused.assert_problem(429, "too-often");
    assert_eq!(refused.header("retry-after"), "2");
    assert!(refused.header("ratelimit").starts_with("\"failed\";r=0"));
    // Whoever has a token that works is heard, also one who never was before, and
    // may have others join.
    assert_eq!(ask(&site, here, &neighbour).await.status, StatusCode::OK);
    assert_eq!(ask(&site, there, &neighbour).await.status, StatusCode::OK);
    let joined = register(&site, here, &site.admin()).await;
    assert_eq!(joined.status, StatusCode::CREATED);
    register(&site, here, "join_guessed")
        .await
        .assert_problem(429, "too-often");
    register(&site, there, "join_guessed")
        .await
        .assert_problem(401, "unauthorized");
    let figures = site.get("", "/metrics").await.text();
    assert!(figures.contains("atoll_http_refused_total{class=\"failed\"}"));
    assert!(!figures.contains("atoll_http_refused_total{class=\"failed\"} 0"));
}

/// Asks for an invite, with a body that counts down as it is read.
async fn invite(site: &Site, token: &str, pieces: &Pieces) -> Answer {
    let mut request = request(Method::POST, "/api/invites", token)
        .body(Body::new(pieces.clone()))
        .unwrap();
    let peer = Peer("192.0.2.1".parse().unwrap());
    request.extensions_mut().insert(peer);
    site.send(request).await
}

/// A body in so many pieces.
#[derive(Clone)]
struct Pieces(Arc<AtomicUsize>);

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let left = &self.0;
        let read = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
        let piece = Bytes::from_static(&[b' '; 1000]);
        Poll::Ready(read.ok().map(|_| Ok(Frame::data(piece))))
    }
}

#[tokio::test]
async fn a_guess_counts_once_and_who_is_refused_hears_it() {
    let data = tempfile::tempdir().unwrap();
    let site = Site::open(data.path());
    let mut heard = 0;
    let refused = loop {
        let pieces = Pieces(Arc::new(AtomicUsize::new(100)));
        let answer = invite(&site, &format!("dev_{heard}"), &pieces).await;
        // Whoever still sends does not read an answer: all of it is taken.
        assert_eq!(pieces.0.load(Ordering::Relaxed), 0);
        if answer.status != StatusCode::UNAUTHORIZED {
            break answer;
        }
        heard += 1;
    };
    refused.assert_problem(429, "too-often");
    assert!(refused.header("ratelimit").starts_with("\"failed\";r=0"));
    assert!(heard >= 29, "{heard} guesses of the 30 that may be saved");
}
