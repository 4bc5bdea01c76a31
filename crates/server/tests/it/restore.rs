//! Going back: names that were used again, and whole directories.

use crate::frames::blob;
use crate::site::{Answer, START, Site, request};
use axum::body::Body;
use http::{Method, StatusCode};
use serde_json::{Value, json};

/// A space under edits by path, each a second after the one before.
struct Past {
    site: Site,
    token: String,
    now: u64,
    _data: tempfile::TempDir,
}

impl Past {
    async fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        let site = Site::open(data.path());
        site.space("s").await;
        let token = site.device("s", "editor").await;
        Self {
            site,
            token,
            now: START,
            _data: data,
        }
    }

    /// The moment after the last edit.
    fn tick(&mut self) -> u64 {
        let moment = self.now;
        self.now += 1000;
        self.site.clock.set(self.now);
        moment
    }

    async fn put(&mut self, path: &str, bytes: &str) {
        self.tick();
        let path = format!("/api/file/upload?space=s&parents=1&path={path}");
        let request = request(Method::POST, &path, &self.token)
            .header("content-type", "application/octet-stream")
            .body(Body::from(bytes.to_owned()))
            .unwrap();
        let answer = self.site.send(request).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
    }

    async fn remove(&mut self, path: &str) {
        self.tick();
        let path = format!("/api/metadata?space=s&path={path}");
        let request = request(Method::DELETE, &path, &self.token)
            .body(Body::empty())
            .unwrap();
        let answer = self.site.send(request).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    }

    async fn content(&self, path: &str) -> String {
        let path = format!("/api/file/download?space=s&path={path}");
        self.site.get(&self.token, &path).await.text()
    }

    async fn restore(&self, wanted: Value) -> Answer {
        let mut body = json!({ "space": "s" });
        for (key, value) in wanted.as_object().unwrap() {
            body[key] = value.clone();
        }
        self.site.post(&self.token, "/api/restore", body).await
    }

    async fn history(&self, path: &str) -> Vec<Value> {
        let path = format!("/api/spaces/s/history?path={path}");
        let answer = self.site.get(&self.token, &path).await.json();
        answer["items"].as_array().unwrap().clone()
    }
}

#[tokio::test]
async fn a_name_used_again_still_leads_to_what_it_named() {
    let mut past = Past::new().await;
    past.put("d/p", "first").await;
    let then = past.tick();
    past.remove("d/p").await;
    past.remove("d").await;
    past.put("d/p", "second").await;
    let second = past.tick();
    let versions = past.history("d/p").await;
    assert_eq!(versions.len(), 3, "{versions:?}");
    let answer = past
        .restore(json!({ "path": "d/p", "at": then.to_string() }))
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    assert_eq!(past.content("d/p").await, "first");
    assert_eq!(
        answer.json()["replaced_version"],
        versions[0]["version"],
        "what it replaced is said"
    );
    let answer = past
        .restore(json!({ "path": "d/p", "at": second.to_string() }))
        .await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(past.content("d/p").await, "second");
    let by_version = json!({ "path": "d/p", "version": versions[2]["version"] });
    assert_eq!(past.restore(by_version).await.status, StatusCode::OK);
    assert_eq!(past.content("d/p").await, "first");
    let deletion = json!({ "path": "d/p", "version": versions[1]["version"] });
    past.restore(deletion)
        .await
        .assert_problem(404, "not-found");
}

#[tokio::test]
async fn a_directory_in_the_place_of_a_file_is_told() {
    let mut past = Past::new().await;
    past.put("a", "file").await;
    let then = past.tick();
    past.remove("a").await;
    past.put("a/b", "beneath").await;
    let kinds: Vec<Value> = past.history("a").await;
    let kinds: Vec<_> = kinds
        .iter()
        .map(|version| version["kind"].clone())
        .collect();
    assert_eq!(kinds, ["directory", "deleted", "file"]);
    let wanted = json!({ "path": "a", "at": then.to_string() });
    let refused = past.restore(wanted.clone()).await;
    refused.assert_problem(409, "refused");
    past.remove("a/b").await;
    past.remove("a").await;
    assert_eq!(past.restore(wanted).await.status, StatusCode::OK);
    assert_eq!(past.content("a").await, "file");
}

#[tokio::test]
async fn a_directory_comes_back_with_all_that_was_in_it() {
    let mut past = Past::new().await;
    for path in ["d/a", "d/x/b", "d/x/y/c", "d/keep", "d/turned", "out"] {
        past.put(path, "old").await;
    }
    let then = past.tick();
    past.put("d/a", "newer").await;
    past.put("d/new", "newer").await;
    past.remove("d/turned").await;
    past.put("d/turned/now", "newer").await;
    for path in ["d/x/y/c", "d/x/y", "d/x/b", "d/x"] {
        past.remove(path).await;
    }
    past.remove("out").await;
    let answer = past
        .restore(json!({ "path": "d", "at": then.to_string() }))
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let report = answer.json();
    let counted = |name: &str| report[name].as_u64().unwrap();
    assert_eq!(counted("entries"), 4, "x, x/b, x/y and x/y/c: {report}");
    assert_eq!(counted("replaced"), 1, "{report}");
    assert_eq!(counted("unchanged"), 1, "{report}");
    assert_eq!(counted("blocked"), 1, "{report}");
    assert_eq!(report["in_the_way"], json!(["d/turned"]));
    for (path, content) in [
        ("d/a", "old"),
        ("d/x/b", "old"),
        ("d/x/y/c", "old"),
        ("d/keep", "old"),
        ("d/new", "newer"),
        ("d/turned/now", "newer"),
    ] {
        assert_eq!(past.content(path).await, content, "{path}");
    }
    let root = past
        .restore(json!({ "path": "", "at": then.to_string() }))
        .await;
    assert_eq!(root.json()["entries"], 1, "out: {}", root.text());
    assert_eq!(past.content("out").await, "old");
}

#[tokio::test]
async fn more_than_one_commit_holds_comes_back() {
    let (_data, site, space) = Site::fresh().await;
    let admin = site.admin();
    let (names, bytes): (Vec<String>, _) = ((0..1200).map(|n| format!("f{n}")).collect(), b"x");
    let changes = names
        .iter()
        .map(|name| crate::site::new_file(space, name, bytes))
        .collect();
    let made = site
        .upload(&admin, space, &[blob(bytes), site.commit(space, changes)])
        .await
        .outcomes();
    site.clock.set(START + 1000);
    let deletions = made.iter().map(|outcome| match outcome {
        state::Outcome::Committed(id) => state::Change::Delete { base: *id },
        other => panic!("{other:?}"),
    });
    let gone = site.commit(space, deletions.collect());
    site.upload(&admin, space, &[gone]).await.outcomes();
    let wanted = json!({ "space": "s", "path": "", "at": START.to_string() });
    let answer = site.post(&admin, "/api/restore", wanted).await.json();
    assert_eq!(answer["entries"], 1200, "{answer}");
    let page = site.get(&admin, "/api/tree?space=s&limit=1000").await;
    assert_eq!(page.json()["items"].as_array().unwrap().len(), 1000);
}
