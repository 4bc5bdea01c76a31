//! Who may do what, and what a wrong token gets.

use crate::site::{START, Site, noise, request};
use axum::body::Body;
use base::limits;
use http::{Method, StatusCode};
use serde_json::json;
use sync::wire::Frame;

#[tokio::test]
async fn wrong_tokens() {
    let (_data, site, _) = Site::fresh().await;
    let wrong = format!("dev_{}", "0".repeat(64));
    for path in [
        "/api/spaces",
        "/api/changes?space=s",
        "/api/status",
        "/api/tree?space=s",
    ] {
        for token in ["", "x", &wrong, &"x".repeat(10_000)] {
            let answer = site.get(token, path).await;
            answer.assert_problem(401, "unauthorized");
            assert!(answer.header("www-authenticate").starts_with("Bearer"));
        }
    }
    let basic = request(Method::GET, "/api/spaces", "").header("authorization", "Basic eDp5");
    site.send(basic.body(Body::empty()).unwrap())
        .await
        .assert_problem(401, "unauthorized");
    for path in ["/health", "/ready", "/metrics", "/"] {
        assert_eq!(site.get("", path).await.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn spaces_one_may_not_read_do_not_exist() {
    let data = tempfile::tempdir().unwrap();
    let site = Site::open(data.path());
    site.space("mine").await;
    let other = site.space("theirs").await;
    let token = site.device("mine", "owner").await;
    let version = site.put(&site.admin(), other, "secret", b"secret").await;
    let hash = base::Hash::of(b"secret").to_hex();
    for path in [
        "/api/changes?space=theirs".to_owned(),
        format!("/api/changes?space={other}"),
        "/api/tree?space=theirs".to_owned(),
        "/api/spaces/theirs/members".to_owned(),
        "/api/file/download?space=theirs&path=secret".to_owned(),
        format!("/api/file/download?space=mine&version={version}"),
        format!("/api/file/download?space=mine&hash={hash}"),
        format!("/api/tree?space=mine&item={}", version.item),
    ] {
        site.get(&token, &path)
            .await
            .assert_problem(404, "not-found");
    }
    let items = site.get(&token, "/api/spaces").await.json();
    assert_eq!(items["items"].as_array().unwrap().len(), 1);
    let batch = format!("/api/file/download?space=mine&items={version}");
    assert_eq!(
        site.get(&token, &batch).await.frames(),
        [Frame::Missing(version), Frame::End]
    );
}

#[tokio::test]
async fn roles() {
    let (_data, site, space) = Site::fresh().await;
    let (reader, editor) = (
        site.device("s", "reader").await,
        site.device("s", "editor").await,
    );
    let owner = site.device("s", "owner").await;
    assert_eq!(
        site.get(&reader, "/api/tree?space=s").await.status,
        StatusCode::OK
    );
    site.upload(&reader, space, &[])
        .await
        .assert_problem(403, "forbidden");
    assert_eq!(
        site.upload(&editor, space, &[]).await.status,
        StatusCode::OK
    );
    let invite = json!({"space": "s", "role": "reader"});
    site.post(&editor, "/api/invites", invite.clone())
        .await
        .assert_problem(403, "forbidden");
    assert_eq!(
        site.post(&owner, "/api/invites", invite).await.status,
        StatusCode::CREATED
    );
    let everything = json!({"role": "owner"});
    site.post(&owner, "/api/invites", everything)
        .await
        .assert_problem(403, "forbidden");
    let folder = json!({"path": "/tmp/x"});
    site.post(&owner, "/api/folders", folder)
        .await
        .assert_problem(403, "forbidden");
    site.post(&owner, "/api/scrub", json!({}))
        .await
        .assert_problem(403, "forbidden");
}

#[tokio::test]
async fn a_role_can_be_taken_away() {
    let (_data, site, _) = Site::fresh().await;
    let editor = site.device("s", "editor").await;
    let admin = site.admin();
    let members = site.get(&admin, "/api/spaces/s/members").await.json();
    let members = members["items"].as_array().unwrap().clone();
    let laptop = members
        .iter()
        .find(|member| member["name"] == "laptop")
        .unwrap();
    let grant = json!({"member": laptop["member"], "role": null});
    let answer = site.post(&admin, "/api/spaces/s/members", grant).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.text());
    site.get(&editor, "/api/tree?space=s")
        .await
        .assert_problem(404, "not-found");
}

#[tokio::test]
async fn invites_expire_and_join_tokens_only_join() {
    let (_data, site, _) = Site::fresh().await;
    let admin = site.admin();
    let invite = site
        .post(&admin, "/api/invites", json!({"space": "s"}))
        .await
        .json();
    assert!(
        invite["join"]
            .as_str()
            .unwrap()
            .contains("atoll sync ./s --server")
    );
    let token = invite["token"].as_str().unwrap();
    site.get(token, "/api/spaces")
        .await
        .assert_problem(401, "unauthorized");

    let registration = json!({"token": token, "name": "phone"});
    let answer = site
        .post("", "/api/register", registration.clone())
        .await
        .json();
    assert_eq!(answer["space"]["slug"], "s");
    assert_eq!(answer["space"]["role"], "editor");
    let nameless = json!({"token": token, "name": "a\nb"});
    site.post("", "/api/register", nameless)
        .await
        .assert_problem(400, "malformed");
    let unknown = json!({"token": "join_0", "name": "x"});
    site.post("", "/api/register", unknown)
        .await
        .assert_problem(401, "unauthorized");
    site.post("", "/api/register", json!({"name": "x"}))
        .await
        .assert_problem(401, "unauthorized");

    site.clock.set(START + limits::LEASE_MILLIS + 1);
    site.post("", "/api/register", registration)
        .await
        .assert_problem(403, "forbidden");
}

#[tokio::test]
async fn the_admin_token_registers_a_device_for_every_space() {
    let (_data, site, _) = Site::fresh().await;
    let registration = json!({"token": site.admin(), "name": "script"});
    let answer = site.post("", "/api/register", registration).await.json();
    let token = answer["token"].as_str().unwrap();
    assert_eq!(
        site.get(token, "/api/tree?space=s").await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_link_signs_one_browser_in_once() {
    let (_data, site, space) = Site::fresh().await;
    let wanted = json!({"space": "s", "role": "owner", "kind": "link"});
    let link = site
        .post(&site.admin(), "/api/invites", wanted)
        .await
        .json();
    let token = link["token"].as_str().unwrap().to_owned();
    assert!(
        link["url"]
            .as_str()
            .unwrap()
            .ends_with(&format!("/link#{token}"))
    );
    let redeem = |origin: &str| {
        request(Method::POST, "/link", "")
            .header("host", "node:1")
            .header("origin", origin)
            .body(Body::from(format!("token={token}")))
            .unwrap()
    };
    site.send(redeem("http://evil.example"))
        .await
        .assert_problem(403, "forbidden");
    let registration = json!({"token": token, "name": "x"});
    site.post("", "/api/register", registration)
        .await
        .assert_problem(401, "unauthorized");

    let answer = site.send(redeem("http://node:1")).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text());
    let cookie = answer.header("set-cookie").to_owned();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"),
        "{cookie}"
    );
    site.send(redeem("http://node:1"))
        .await
        .assert_problem(403, "forbidden");

    let cookie = cookie.split(';').next().unwrap();
    let with_cookie = |method, path: &str, origin: &str| {
        request(method, path, "")
            .header("cookie", cookie)
            .header("host", "node:1")
            .header("origin", origin)
            .header("content-type", "application/octet-stream")
    };
    let listing = with_cookie(Method::GET, "/api/spaces", "x")
        .body(Body::empty())
        .unwrap();
    assert_eq!(site.send(listing).await.json()["items"][0]["slug"], "s");
    let put = format!("/api/file/upload?space={space}&path=a");
    let bytes = noise(1, 10);
    let forged = with_cookie(Method::POST, &put, "http://evil.example");
    let forged = forged.body(Body::from(bytes.clone())).unwrap();
    site.send(forged).await.assert_problem(403, "forbidden");
    let honest = with_cookie(Method::POST, &put, "http://node:1")
        .body(Body::from(bytes))
        .unwrap();
    assert_eq!(site.send(honest).await.status, StatusCode::CREATED);

    site.clock.set(START + 24 * 60 * 60 * 1000);
    let late = with_cookie(Method::GET, "/api/spaces", "x")
        .body(Body::empty())
        .unwrap();
    site.send(late).await.assert_problem(401, "unauthorized");
}
