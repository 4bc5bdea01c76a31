//! Every refusal is a problem answer that names what is wrong.

use crate::frames::blob;
use crate::site::{Site, file, new_file, noise, request};
use axum::body::Body;
use axum::body::Bytes;
use base::{Hash, limits};
use http::Method;
use serde_json::json;
use sync::wire::{Frame, Open};

#[tokio::test]
async fn addresses_methods_queries_and_bodies() {
    let (_data, site, _) = Site::fresh().await;
    let admin = site.admin();
    site.get(&admin, "/api/nothing")
        .await
        .assert_problem(404, "not-found");
    site.get("", "/nothing")
        .await
        .assert_problem(404, "not-found");
    site.post(&admin, "/api/tree", json!({}))
        .await
        .assert_problem(405, "method");
    site.get(&admin, "/api/tree")
        .await
        .assert_problem(400, "malformed");
    site.get(&admin, "/api/changes?space=s&limit=x")
        .await
        .assert_problem(400, "malformed");
    site.get(&admin, "/api/changes?space=nowhere")
        .await
        .assert_problem(404, "not-found");
    site.get(&admin, "/api/file/download?space=s")
        .await
        .assert_problem(400, "malformed");
    site.get(&admin, "/api/file/download?space=s&hash=z")
        .await
        .assert_problem(400, "malformed");
    site.get(&admin, "/api/file/download?space=s&version=1")
        .await
        .assert_problem(400, "malformed");
    site.post(&admin, "/api/spaces", json!({"slug": "No!"}))
        .await
        .assert_problem(400, "malformed");
    site.post(&admin, "/api/spaces", json!({"name": "x"}))
        .await
        .assert_problem(400, "malformed");
    let broken = request(Method::POST, "/api/spaces", &admin)
        .header("content-type", "application/json")
        .body(Body::from("{"))
        .unwrap();
    site.send(broken).await.assert_problem(400, "malformed");
    let untyped = request(Method::POST, "/api/spaces", &admin)
        .body(Body::from("{}"))
        .unwrap();
    site.send(untyped).await.assert_problem(415, "media-type");
}

#[tokio::test]
async fn paths_that_no_item_can_have() {
    let (_data, site, _) = Site::fresh().await;
    let admin = site.admin();
    let long = "x".repeat(limits::NAME_BYTES + 1);
    let deep = "x/".repeat(limits::PATH_BYTES);
    for path in [
        "..",
        "a/../../etc/passwd",
        "%2e%2e/a",
        "a//b",
        "a%00",
        &long,
        &deep,
        "./a",
    ] {
        for address in ["metadata", "file/download", "tree", "spaces/s/history"] {
            let answer = site
                .get(&admin, &format!("/api/{address}?space=s&path={path}"))
                .await;
            answer.assert_problem(400, "path");
        }
        let put = request(
            Method::POST,
            &format!("/api/file/upload?space=s&path={path}"),
            &admin,
        )
        .header("content-type", "application/octet-stream")
        .body(Body::from("x"))
        .unwrap();
        site.send(put).await.assert_problem(400, "path");
    }
    let restore = json!({"space": "s", "path": "../x", "at": "2026-01-01"});
    site.post(&admin, "/api/restore", restore)
        .await
        .assert_problem(400, "path");
}

#[tokio::test]
async fn cursors_of_elsewhere_are_gone() {
    let (_data, site, _) = Site::fresh().await;
    let admin = site.admin();
    let log = site.node.log_id();
    let beyond = site.node.committed() + 1;
    for cursor in [
        "00000000000000ff-1-0".to_owned(),
        format!("{log}-{beyond}-0"),
    ] {
        for path in [
            format!("/api/changes?space=s&since={cursor}"),
            format!("/api/spaces?at_least={cursor}"),
        ] {
            site.get(&admin, &path)
                .await
                .assert_problem(410, "cursor-gone");
        }
        let diff = json!({"space": "s", "since": cursor});
        site.post(&admin, "/api/sync/diff", diff)
            .await
            .assert_problem(410, "cursor-gone");
    }
    site.get(&admin, "/api/changes?space=s&since=x")
        .await
        .assert_problem(400, "malformed");
    site.get(&admin, "/api/spaces?at_least=x")
        .await
        .assert_problem(400, "malformed");
}

#[tokio::test]
async fn streams_that_are_no_frames() {
    let (_data, site, space) = Site::fresh().await;
    let admin = site.admin();
    let check = async |body: &[u8]| {
        site.upload_bytes(&admin, space, body.to_vec())
            .await
            .assert_problem(400, "frames");
    };
    check(&[255, 255, 255, 255, 1]).await;
    check(&[0, 0, 0, 0, 99]).await;
    check(&[9, 0, 0, 0, 1, 0]).await;
    let hash = Hash::of(b"right");
    let frames = [
        vec![Frame::Blob {
            hash,
            bytes: Bytes::from_static(b"wrong"),
        }],
        vec![Frame::End],
        vec![Frame::Runs(vec![])],
        vec![Frame::Open(Open {
            file: hash,
            size: 9,
            base: None,
            runs: vec![],
            continued: 1,
        })],
        vec![Frame::Open(Open {
            file: hash,
            size: 9,
            base: None,
            runs: vec![],
            continued: 0,
        })],
    ];
    for frames in frames {
        site.upload(&admin, space, &frames)
            .await
            .assert_problem(400, "frames");
    }
    let other = request(
        Method::POST,
        &format!("/api/file/upload?space={space}"),
        &admin,
    )
    .header("content-type", "text/plain")
    .body(Body::from("x"))
    .unwrap();
    site.send(other).await.assert_problem(415, "media-type");
}

#[tokio::test]
async fn a_stream_beyond_the_limit_is_refused() {
    let (_data, site, space) = Site::fresh().await;
    let body = vec![0; (160 << 20) + 1];
    let answer = site.upload_bytes(&site.admin(), space, body).await;
    answer.assert_problem(413, "too-long");
    assert_eq!(answer.json()["limit"], 160 << 20);
}

#[tokio::test]
async fn json_beyond_the_limit_is_refused() {
    let data = tempfile::tempdir().unwrap();
    let site = Site::open(data.path());
    let long = json!({ "slug": "x".repeat(64 << 10) });
    site.post(&site.admin(), "/api/spaces", long)
        .await
        .assert_problem(413, "too-long");
}

#[tokio::test]
async fn commits_that_cannot_be() {
    let data = tempfile::tempdir().unwrap();
    let site = Site::open(data.path());
    let (space, other) = (site.space("s").await, site.space("t").await);
    let token = site.device("s", "editor").await;
    let content = noise(1, 100);

    let unsent = site.commit(space, vec![new_file(space, "a", &content)]);
    let answer = site.upload(&token, space, &[unsent]).await;
    answer.assert_problem(409, "upload-again");
    assert_eq!(answer.json()["hash"], Hash::of(&content).to_string());

    let sent = blob(&content);
    let foreign = site.commit(other, vec![new_file(other, "a", &content)]);
    let answer = site.upload(&token, space, &[sent.clone(), foreign]).await;
    answer.assert_problem(400, "malformed");

    let mut lie = file(&content);
    lie.kind = meta::Kind::File {
        hash: Hash::of(&content),
        size: 99,
    };
    let state::Change::Put { base, .. } = new_file(space, "a", &content) else {
        unreachable!()
    };
    let lie = state::Change::Put {
        base,
        metadata: lie,
        conflict_of: None,
    };
    let lie = site.commit(space, vec![lie]);
    site.upload(&token, space, &[sent.clone(), lie])
        .await
        .assert_problem(400, "malformed");

    let garbage = Frame::Commit {
        stream: 1,
        sequence: 1,
        commit: Bytes::from_static(b"garbage"),
    };
    site.upload(&token, space, &[garbage])
        .await
        .assert_problem(400, "malformed");
    let unnumbered = Frame::Commit {
        stream: 0,
        sequence: 1,
        commit: Bytes::new(),
    };
    site.upload(&token, space, &[unnumbered])
        .await
        .assert_problem(400, "malformed");

    let number = |name: &str| Frame::Commit {
        stream: 77,
        sequence: 1,
        commit: state::Commit {
            space,
            changes: vec![new_file(space, name, &content)],
        }
        .encode()
        .into(),
    };
    let first = site
        .upload(&token, space, &[sent.clone(), number("a")])
        .await;
    let again = site
        .upload(&token, space, &[sent.clone(), number("a")])
        .await;
    assert_eq!(
        first.outcomes(),
        again.outcomes(),
        "a repeated commit is answered, not repeated"
    );
    let reused = site.upload(&token, space, &[sent, number("b")]).await;
    reused.assert_problem(422, "sequence-reused");
}

#[tokio::test]
async fn what_a_query_says_wrongly_is_refused() {
    let (_data, site, _) = Site::fresh().await;
    let admin = site.admin();
    let put = async |query: &str| {
        let path = format!("/api/file/upload?space=s&{query}");
        let request = request(Method::POST, &path, &admin)
            .header("content-type", "application/octet-stream")
            .body(Body::from("x"))
            .unwrap();
        site.send(request).await
    };
    for (query, name) in [
        ("path=%ff", "malformed"),
        ("path=a&parents=maybe", "malformed"),
        ("path=.atoll/x&parents=1", "path"),
        ("path=.atoll", "path"),
        ("path=/.atoll/x&parents=1", "path"),
        ("path=a/.atoll&parents=1", "path"),
    ] {
        put(query).await.assert_problem(400, name);
    }
    for query in ["path=a&version=1.1", "path=a&items=1.1", "base=1.1"] {
        let path = format!("/api/file/download?space=s&{query}");
        site.get(&admin, &path)
            .await
            .assert_problem(400, "malformed");
    }
    let without = site.get(&admin, "/api/tree?path=a").await;
    without.assert_problem(400, "malformed");
    let text = without.json()["detail"].as_str().unwrap().to_owned();
    assert_eq!(text, "the query is wrong: missing field `space`");
}
