//! The feed in its three forms, and waiting for a cursor.

use crate::site::{Site, request};
use axum::body::Body;
use base::Cursor;
use http::{Method, StatusCode};
use http_body_util::BodyExt;
use serde_json::json;
use state::Version;
use sync::wire::{Decoder, Frame, MEDIA_TYPE};

/// Frames from an open body as they come.
struct Frames {
    body: Body,
    decoder: Decoder,
}

impl Frames {
    async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.decoder.next_frame().unwrap() {
                return Some(frame);
            }
            let frame = self.body.frame().await?.unwrap();
            self.decoder.push(frame.into_data().unwrap());
        }
    }

    /// The names up to the next cursor, and that cursor.
    async fn page(&mut self) -> (Vec<String>, Cursor) {
        let mut names = Vec::new();
        loop {
            match self.next().await.unwrap() {
                Frame::Version(bytes) => {
                    names.push(Version::decode(&bytes).unwrap().name.as_str().to_owned());
                }
                Frame::Cursor(cursor) => return (names, cursor),
                Frame::KeepAlive => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

async fn open(site: &Site, path: &str) -> Frames {
    let body = site.open_stream(&site.admin(), path, MEDIA_TYPE).await;
    Frames {
        body,
        decoder: Decoder::new(),
    }
}

#[tokio::test]
async fn pages_of_json_from_any_cursor() {
    let (_data, site, space) = Site::fresh().await;
    let admin = site.admin();
    for name in ["a", "b", "c"] {
        site.put(&admin, space, name, name.as_bytes()).await;
    }
    let (mut names, mut since) = (Vec::new(), String::new());
    loop {
        let page = site
            .get(&admin, &format!("/api/changes?space=s&limit=1{since}"))
            .await
            .json();
        for item in page["items"].as_array().unwrap() {
            names.push(item["name"].as_str().unwrap().to_owned());
        }
        since = format!("&since={}", page["next"].as_str().unwrap());
        if page["more"] == false {
            break;
        }
    }
    assert_eq!(names, ["", "a", "b", "c"]);
}

#[tokio::test]
async fn frames_end_or_follow() {
    let (_data, site, space) = Site::fresh().await;
    let other = site.space("t").await;
    let admin = site.admin();
    site.put(&admin, space, "a", b"1").await;

    let mut ending = open(&site, "/api/changes?space=s").await;
    let (names, cursor) = ending.page().await;
    assert_eq!(names, ["root", "a"]);
    assert_eq!(ending.next().await, Some(Frame::End));
    assert_eq!(ending.next().await, None);

    let mut following = open(
        &site,
        &format!("/api/changes?space=s&since={cursor}&follow=1"),
    )
    .await;
    let (names, _) = following.page().await;
    assert!(names.is_empty(), "caught up at once");
    site.put(&admin, other, "elsewhere", b"2").await;
    site.put(&admin, space, "b", b"3").await;
    let (names, cursor) = following.page().await;
    assert_eq!(names, ["b"], "other spaces say nothing here");
    assert!(cursor.place() >= site.node.cursor().place());
}

#[tokio::test]
async fn superseded_versions_can_be_left_out() {
    let (_data, site, space) = Site::fresh().await;
    let admin = site.admin();
    site.put(&admin, space, "a", b"1").await;
    let mode = json!({"mode": "0600"});
    let path = "/api/metadata?space=s&path=a";
    assert_eq!(
        site.with_json(Method::PUT, &admin, path, mode).await.status,
        StatusCode::OK
    );
    assert_eq!(
        open(&site, "/api/changes?space=s").await.page().await.0,
        ["root", "a", "a"]
    );
    assert_eq!(
        open(&site, "/api/changes?space=s&latest=1")
            .await
            .page()
            .await
            .0,
        ["root", "a"]
    );
}

#[tokio::test]
async fn events_for_browsers_resume() {
    let (_data, site, space) = Site::fresh().await;
    let admin = site.admin();
    site.put(&admin, space, "a", b"1").await;
    let mut body = site
        .open_stream(&admin, "/api/changes?space=s", "text/event-stream")
        .await;
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    let first = String::from_utf8(first.to_vec()).unwrap();
    assert!(first.contains("\"name\":\"a\""), "{first}");
    let last = first
        .lines()
        .filter_map(|line| line.strip_prefix("id: "))
        .next_back()
        .unwrap();
    site.put(&admin, space, "b", b"2").await;
    let resumed = request(Method::GET, "/api/changes?space=s", &admin)
        .header("accept", "application/json")
        .header("last-event-id", last);
    let page = site.send(resumed.body(Body::empty()).unwrap()).await.json();
    assert_eq!(page["items"][0]["name"], "b");
}

#[tokio::test]
async fn a_feed_ends_when_the_right_to_read_does() {
    let (_data, site, space) = Site::fresh().await;
    let token = site.device("s", "reader").await;
    let admin = site.admin();
    let path = "/api/changes?space=s&follow=1";
    let body = site.open_stream(&token, path, MEDIA_TYPE).await;
    let mut feed = Frames {
        body,
        decoder: Decoder::new(),
    };
    feed.page().await;
    let members = site.get(&admin, "/api/spaces/s/members").await.json();
    let laptop = members["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|m| m["name"] == "laptop")
        .unwrap();
    let grant = json!({"member": laptop["member"], "role": null});
    site.post(&admin, "/api/spaces/s/members", grant).await;
    site.put(&admin, space, "secret", b"x").await;
    assert_eq!(feed.next().await, None);
}

#[tokio::test]
async fn answers_carry_cursors_that_can_be_waited_for() {
    let (_data, site, space) = Site::fresh().await;
    let admin = site.admin();
    site.put(&admin, space, "a", b"1").await;
    let cursor = site
        .get(&admin, "/api/spaces")
        .await
        .header("atoll-cursor")
        .to_owned();
    assert_eq!(cursor, site.node.cursor().to_string());
    let answer = site
        .get(&admin, &format!("/api/tree?space=s&at_least={cursor}"))
        .await;
    assert_eq!(answer.status, StatusCode::OK);
}
