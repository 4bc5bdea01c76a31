//! Trees, histories, metadata, restoring, conflicts and dry comparisons.

use crate::frames::blob;
use crate::site::{START, Site, file, new_file, request};
use axum::body::Body;
use base::Hash;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use state::{Base, Change, Outcome};

#[tokio::test]
async fn metadata_is_changed_under_its_base() {
    let (_data, site, space) = Site::fresh().await;
    let token = site.device("s", "editor").await;
    let first = site.put(&token, space, "a", b"one").await;
    let path = "/api/metadata?space=s&path=a";
    let shown = site.get(&token, path).await.json();
    assert_eq!(shown["version"], first.to_string());
    assert_eq!((&shown["path"], &shown["size"]), (&json!("a"), &json!(3)));
    let change = async |if_match: &str, body: Value| {
        let mut request =
            request(Method::PUT, path, &token).header("content-type", "application/json");
        if !if_match.is_empty() {
            request = request.header("if-match", if_match);
        }
        site.send(request.body(Body::from(body.to_string())).unwrap())
            .await
    };
    let changed = change(&first.to_string(), json!({"mode": "0755"})).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text());
    assert_eq!(site.get(&token, path).await.json()["mode"], "0755");
    let stale = change(&format!("\"{first}\""), json!({"mode": "0700"})).await;
    stale.assert_problem(409, "conflict");
    assert_eq!(stale.json()["current"]["mode"], "0755");
    change("", json!({"mode": "99"}))
        .await
        .assert_problem(400, "malformed");
    change("", json!({"mtime": "soon"}))
        .await
        .assert_problem(400, "malformed");
    change("", json!({"owner": "me"}))
        .await
        .assert_problem(400, "malformed");
    let delete = request(Method::DELETE, path, &token)
        .body(Body::empty())
        .unwrap();
    assert_eq!(site.send(delete).await.status, StatusCode::OK);
    site.get(&token, path)
        .await
        .assert_problem(404, "not-found");
}

#[tokio::test]
async fn what_was_deleted_or_overwritten_comes_back() {
    let (_data, site, _) = Site::fresh().await;
    let token = site.device("s", "editor").await;
    let put = async |path: &str, bytes: &'static str| {
        let path = format!("/api/file/upload?space=s&parents=1&path={path}");
        let request =
            request(Method::POST, &path, &token).header("content-type", "application/octet-stream");
        let answer = site.send(request.body(Body::from(bytes)).unwrap()).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
    };
    let content = async |path: &str| {
        let answer = site
            .get(&token, &format!("/api/file/download?space=s&path={path}"))
            .await;
        answer.text()
    };
    let remove = async |path: &str| {
        let path = format!("/api/metadata?space=s&path={path}");
        let request = request(Method::DELETE, &path, &token)
            .body(Body::empty())
            .unwrap();
        assert_eq!(site.send(request).await.status, StatusCode::OK);
    };
    let restore = async |path: &str, at: u64| {
        let wanted = json!({"space": "s", "path": path, "at": at.to_string()});
        site.post(&token, "/api/restore", wanted).await
    };
    site.clock.set(START + 1000);
    put("d/a", "one").await;
    site.clock.set(START + 2000);
    put("d/a", "two").await;
    restore("d/a", START + 500)
        .await
        .assert_problem(404, "not-found");
    assert_eq!(restore("d/a", START + 1500).await.status, StatusCode::OK);
    assert_eq!(content("d/a").await, "one");
    site.clock.set(START + 3000);
    remove("d/a").await;
    remove("d").await;
    restore("d/a", START + 3500)
        .await
        .assert_problem(404, "not-found");
    assert_eq!(restore("d/a", START + 2000).await.status, StatusCode::OK);
    assert_eq!(
        content("d/a").await,
        "one",
        "two and one share a moment; the later stands"
    );
    restore("never", START + 2000)
        .await
        .assert_problem(404, "not-found");
    let neither = json!({"space": "s", "path": "d/a"});
    site.post(&token, "/api/restore", neither)
        .await
        .assert_problem(400, "malformed");

    let history = site
        .get(&token, "/api/spaces/s/history?path=d/a")
        .await
        .json();
    let kinds: Vec<_> = history["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|version| version["kind"].clone())
        .collect();
    assert_eq!(
        kinds,
        ["file", "deleted", "file", "file", "file"],
        "all that ever stood there, of whichever item"
    );
    let directory = site.get(&token, "/api/tree?space=s&path=d").await.json();
    let names: Vec<_> = directory["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["name"].clone())
        .collect();
    assert_eq!(names, ["a"]);
}

#[tokio::test]
async fn trees_are_paged() {
    let (_data, site, space) = Site::fresh().await;
    let admin = site.admin();
    for name in ["a", "b", "c", "d", "e"] {
        site.put(&admin, space, name, name.as_bytes()).await;
    }
    let (mut names, mut since) = (Vec::new(), String::new());
    loop {
        let page = site
            .get(&admin, &format!("/api/tree?space=s&limit=2{since}"))
            .await
            .json();
        for item in page["items"].as_array().unwrap() {
            names.push(item["name"].as_str().unwrap().to_owned());
            assert!(item["node_hash"].as_str().unwrap().starts_with("blake3:"));
        }
        match page["next"].as_str() {
            Some(next) => since = format!("&since={next}"),
            None => break,
        }
    }
    assert_eq!(names, ["a", "b", "c", "d", "e"]);
}

#[tokio::test]
async fn conflicts_are_listed_and_closed() {
    let (_data, site, space) = Site::fresh().await;
    let (ann, bob) = (
        site.device("s", "editor").await,
        site.device("s", "editor").await,
    );
    let base = site.put(&ann, space, "a", b"base").await;
    let write = async |token: &str, bytes: &[u8]| {
        let change = Change::Put {
            base: Base::Version(base),
            metadata: file(bytes),
            conflict_of: None,
        };
        let commit = site.commit(space, vec![change]);
        site.upload(token, space, &[blob(bytes), commit])
            .await
            .outcomes()
            .remove(0)
    };
    assert!(matches!(write(&ann, b"ann").await, Outcome::Committed(_)));
    let Outcome::Conflict {
        current: Some(current),
    } = write(&bob, b"bob").await
    else {
        panic!("no conflict");
    };
    assert_eq!(current.id.counter, 2);
    let list = site.get(&bob, "/api/spaces/s/conflicts").await.json();
    let [conflict] = list["items"].as_array().unwrap().as_slice() else {
        panic!("{list}")
    };
    assert_eq!(
        (&conflict["path"], &conflict["kept"]),
        (&json!("a"), &Value::Null)
    );
    assert_eq!(conflict["hash"], Hash::of(b"bob").to_string());
    let close = |id: Value, keep: &str| json!({"space": "s", "id": id, "keep": keep});
    let id = conflict["id"].clone();
    site.post(&bob, "/api/conflict", close(id.clone(), "mine"))
        .await
        .assert_problem(400, "malformed");
    site.post(&bob, "/api/conflict", close(json!("1"), "both"))
        .await
        .assert_problem(404, "not-found");
    let closed = site.post(&bob, "/api/conflict", close(id, "remote")).await;
    assert_eq!(closed.status, StatusCode::NO_CONTENT, "{}", closed.text());
    let open = site.get(&bob, "/api/spaces/s/conflicts").await.json();
    assert_eq!(open["items"], json!([]));
    let all = site.get(&bob, "/api/spaces/s/conflicts?all=1").await.json();
    assert_eq!(all["items"][0]["kept"], "remote");
}

#[tokio::test]
async fn a_comparison_changes_nothing() {
    let (_data, site, space) = Site::fresh().await;
    let token = site.device("s", "editor").await;
    let same = site.put(&token, space, "same", b"same").await;
    let since = site.node.cursor().to_string();
    let edited = site.put(&token, space, "edited", b"theirs").await;
    site.put(&token, space, "theirs", b"new").await;
    let before = site.node.cursor();
    let hash = |bytes: &[u8]| Hash::of(bytes).to_string();
    let comparison = json!({
        "space": "s",
        "since": since,
        "changes": [
            {"path": "same", "kind": "file", "hash": hash(b"same"), "size": 4},
            {"path": "same2", "kind": "file", "hash": hash(b"same"), "size": 4},
            {"path": "mine", "kind": "file", "hash": hash(b"mine"), "size": 4},
            {"path": "edited", "kind": "file", "hash": hash(b"mine"), "base": same.to_string()},
            {"path": "gone", "kind": "deleted"},
        ],
    });
    let verdict = site.post(&token, "/api/sync/diff", comparison).await.json();
    assert_eq!(verdict["have"], json!(["same", "gone"]));
    let upload = json!([{"path": "same2", "content": false}, {"path": "mine", "content": true}]);
    assert_eq!(verdict["upload"], upload);
    assert_eq!(verdict["conflicts"][0]["path"], "edited");
    assert_eq!(
        verdict["conflicts"][0]["current"]["version"],
        edited.to_string()
    );
    let download: Vec<_> = verdict["download"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["path"].clone())
        .collect();
    assert_eq!(download, ["theirs"]);
    assert_eq!(verdict["delete"], json!([]));
    assert_eq!(site.node.cursor(), before);
    let kinds = json!({"space": "s", "changes": [{"path": "same", "kind": "socket"}]});
    site.post(&token, "/api/sync/diff", kinds)
        .await
        .assert_problem(400, "malformed");
    let many = vec![json!({"path": "x", "kind": "deleted"}); 10_001];
    let many = json!({"space": "s", "changes": many});
    site.post(&token, "/api/sync/diff", many)
        .await
        .assert_problem(400, "malformed");
}

#[tokio::test]
async fn sessions_start_once_and_count() {
    let (_data, site, space) = Site::fresh().await;
    let token = site.device("s", "editor").await;
    let start = async || {
        site.post(&token, "/api/sync/start", json!({"space": "s"}))
            .await
            .json()
    };
    let first = start().await;
    assert_eq!(first["session"], start().await["session"]);
    assert_eq!(
        (&first["role"], &first["node"]),
        (&json!("editor"), &json!("reef"))
    );
    assert_eq!(first["log"], site.node.log_id().to_string());
    let empty_root = first["root_hash"].clone();
    site.put(&token, space, "a", b"bytes").await;
    assert_ne!(start().await["root_hash"], empty_root);
    let session = first["session"].as_str().unwrap();
    let status = site
        .get(&token, &format!("/api/sync/status?session={session}"))
        .await
        .json();
    assert_eq!(status["files_up"], 1);
    assert!(status["bytes_up"].as_u64().unwrap() >= 5);
    let foreign = site
        .get(
            &site.admin(),
            &format!("/api/sync/status?session={session}"),
        )
        .await;
    foreign.assert_problem(404, "not-found");
    let unseen = Change::Put {
        base: new_base(space),
        metadata: file(b"bytes"),
        conflict_of: None,
    };
    let commit = site.commit(space, vec![unseen]);
    let outcomes = site.upload(&token, space, &[commit]).await.outcomes();
    assert!(
        matches!(outcomes[..], [Outcome::Committed(_)]),
        "content of the space needs no upload"
    );
}

fn new_base(space: base::SpaceId) -> Base {
    match new_file(space, "copy", b"bytes") {
        Change::Put { base, .. } => base,
        _ => unreachable!("a new file is a put"),
    }
}
