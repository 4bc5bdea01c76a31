//! What a node is after it was stopped, and after parts of it were lost.

use crate::frames::blob;
use crate::site::Site;
use base::{Hash, SeededRandom};
use http::StatusCode;
use server::node::{Node, NodeError, Settings, SnapshotPolicy};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::blob::BlobStore;
use store::fs::RealFileSystem;

async fn names(site: &Site) -> Vec<String> {
    let page = site.get(&site.admin(), "/api/tree?space=s").await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text());
    let items = page.json()["items"].as_array().unwrap().clone();
    items
        .iter()
        .map(|item| item["name"].as_str().unwrap().to_owned())
        .collect()
}

/// Everything that `apply` wrote, as its own export shows it.
fn export(data: &Path) -> Vec<u8> {
    let reader = state::Reader::open(&data.join("state.db")).unwrap();
    let mut bytes = Vec::new();
    state::snapshot::export(&reader, &mut bytes).unwrap();
    bytes
}

fn remove_database(data: &Path) {
    for file in ["state.db", "state.db-wal", "state.db-shm"] {
        let _ = std::fs::remove_file(data.join(file));
    }
}

#[tokio::test]
async fn a_node_comes_back_as_it_was() {
    let data = tempfile::tempdir().unwrap();
    let (cursor, admin, token) = {
        let site = Site::open(data.path());
        let space = site.space("s").await;
        let token = site.device("s", "editor").await;
        site.put(&token, space, "a", b"1").await;
        (site.node.cursor(), site.admin(), token)
    };
    let site = Site::open(data.path());
    assert_eq!((site.node.cursor(), site.admin()), (cursor, admin));
    assert_eq!(names(&site).await, ["a"]);
    let bytes = site
        .get(&token, "/api/file/download?space=s&path=a")
        .await
        .bytes;
    assert_eq!(bytes, b"1");
}

/// Who asks whether the node can do its work gets 503 while it cannot, whatever is
/// wrong; that it runs at all is another question.
#[tokio::test]
async fn a_node_that_cannot_write_is_not_ready() {
    let data = tempfile::tempdir().unwrap();
    let site = Site::open(data.path());
    assert_eq!(site.get("", "/ready").await.status, StatusCode::OK);
    let (blobs, away) = (data.path().join("blobs"), data.path().join("away"));
    std::fs::rename(&blobs, &away).unwrap();
    let answer = site.get("", "/ready").await;
    answer.assert_problem(503, "unavailable");
    assert!(answer.text().contains("blobs"), "{}", answer.text());
    assert_eq!(site.get("", "/health").await.status, StatusCode::OK);
    let status = site.get(&site.admin(), "/api/status").await;
    assert!(status.json()["problem"].is_string(), "{}", status.text());
    std::fs::rename(&away, &blobs).unwrap();
    assert_eq!(site.get("", "/ready").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_repeated_commit_is_known_after_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let (space, token, frames, outcomes) = {
        let site = Site::open(data.path());
        let space = site.space("s").await;
        let token = site.device("s", "editor").await;
        let commit = site.commit(space, vec![crate::site::new_file(space, "a", b"1")]);
        let frames = [blob(b"1"), commit];
        let outcomes = site.upload(&token, space, &frames).await.outcomes();
        (space, token, frames, outcomes)
    };
    remove_database(data.path());
    let site = Site::open(data.path());
    assert_eq!(
        site.upload(&token, space, &frames).await.outcomes(),
        outcomes
    );
    assert_eq!(names(&site).await, ["a"]);
}

#[tokio::test]
async fn a_lost_or_damaged_database_is_rebuilt() {
    let data = tempfile::tempdir().unwrap();
    {
        let site = Site::open(data.path());
        let space = site.space("s").await;
        for name in ["a", "b", "c"] {
            site.put(&site.admin(), space, name, name.as_bytes()).await;
        }
    }
    let before = export(data.path());
    remove_database(data.path());
    drop(Site::open(data.path()));
    assert!(export(data.path()) == before, "rebuilt from the log alone");
    remove_database(data.path());
    std::fs::write(data.path().join("state.db"), "not a database").unwrap();
    assert_eq!(names(&Site::open(data.path())).await, ["a", "b", "c"]);
    assert!(export(data.path()) == before);
}

/// Lets the closed database be one of another format.
fn set_format(data: &Path, format: u32) {
    let database = rusqlite::Connection::open(data.join("state.db")).unwrap();
    database
        .pragma_update(None, "user_version", format)
        .unwrap();
}

#[tokio::test]
async fn a_database_of_another_format_is_rebuilt_from_snapshot_and_log() {
    let data = tempfile::tempdir().unwrap();
    let policy = SnapshotPolicy {
        entries: 5,
        bytes: u64::MAX,
    };
    {
        let site = Site::open_with(data.path(), policy);
        let space = site.space("s").await;
        for number in 10..30 {
            site.put(&site.admin(), space, &number.to_string(), b"x")
                .await;
        }
        site.node.close();
    }
    let before = export(data.path());
    for format in [1, 99] {
        set_format(data.path(), format);
        let refused = state::Reader::open(&data.path().join("state.db"));
        assert!(matches!(
            refused,
            Err(state::StateError::OtherFormat { .. })
        ));
        drop(Site::open_with(data.path(), policy));
        assert!(export(data.path()) == before, "format {format}");
    }
}

#[tokio::test]
async fn snapshots_carry_what_the_log_dropped() {
    let data = tempfile::tempdir().unwrap();
    let policy = SnapshotPolicy {
        entries: 5,
        bytes: u64::MAX,
    };
    let snapshots = || {
        let listed = std::fs::read_dir(data.path().join("snapshots"));
        let names = listed
            .into_iter()
            .flatten()
            .map(|entry| entry.unwrap().file_name());
        let mut names: Vec<String> = names.filter_map(|name| name.into_string().ok()).collect();
        names.retain(|name| name.ends_with(".snapshot"));
        names.sort();
        names
    };
    {
        let site = Site::open_with(data.path(), policy);
        let space = site.space("s").await;
        for number in 10..40 {
            site.put(&site.admin(), space, &number.to_string(), b"x")
                .await;
        }
        // The keeper works through what it has seen before the node has closed.
        site.node.close();
    }
    let kept = snapshots();
    assert!((1..=2).contains(&kept.len()), "{kept:?}");
    let before = export(data.path());
    remove_database(data.path());
    drop(Site::open_with(data.path(), policy));
    assert!(
        export(data.path()) == before,
        "rebuilt from a snapshot and the log after it"
    );

    // A damaged snapshot is passed over for the one before it, or the log.
    if let Some(newest) = snapshots().last() {
        let path = data.path().join("snapshots").join(newest);
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&path, bytes).unwrap();
    }
    remove_database(data.path());
    drop(Site::open_with(data.path(), policy));
    assert!(export(data.path()) == before);
}

#[tokio::test]
async fn a_log_that_lost_entries_is_refused() {
    let data = tempfile::tempdir().unwrap();
    {
        let site = Site::open(data.path());
        site.space("s").await;
    }
    // The database of a longer life over the log of a shorter one.
    let newer = data.path().join("newer.db");
    let log = {
        let site = Site::open(data.path());
        site.node.log_id()
    };
    let mut projection = state::Projection::create(&newer, log).unwrap();
    let command = state::Command {
        device: base::DeviceId::ADMIN,
        stream: 0,
        sequence: 0,
        time: 1,
        body: state::Body::CreateSpace {
            slug: base::Slug::new("s").unwrap(),
            root: meta::Metadata::directory(meta::Mode::DIRECTORY, meta::Timestamp::default()),
        },
    };
    projection
        .apply([(99, command.encode().unwrap().as_slice())])
        .unwrap();
    drop(projection);
    remove_database(data.path());
    std::fs::rename(&newer, data.path().join("state.db")).unwrap();
    let refused = open(data.path());
    let Err(NodeError::Recovery(why)) = refused.map(drop) else {
        panic!("opened")
    };
    assert!(why.contains("entry 99"), "{why}");
}

#[tokio::test]
async fn a_scrub_finds_damage_and_what_is_missing() {
    let data = tempfile::tempdir().unwrap();
    let space;
    {
        let site = Site::open(data.path());
        space = site.space("s").await;
        site.put(&site.admin(), space, "a", &crate::site::noise(1, 1000))
            .await;
        let clean = site
            .post(&site.admin(), "/api/scrub", serde_json::json!({}))
            .await
            .json();
        assert_eq!(
            (&clean["blobs"], &clean["damaged"]),
            (&1.into(), &serde_json::json!([]))
        );
    }
    let segments = data.path().join("blobs/segments");
    let segment = std::fs::read_dir(&segments)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let mut bytes = std::fs::read(&segment).unwrap();
    let content = crate::site::noise(1, 1000);
    let place = bytes
        .windows(1000)
        .position(|window| window == content)
        .unwrap();
    bytes[place + 500] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    let site = Site::open(data.path());
    let report = site
        .post(&site.admin(), "/api/scrub", serde_json::json!({}))
        .await
        .json();
    let damaged = report["damaged"].as_array().unwrap();
    assert_eq!(
        damaged[0]["hash"],
        Hash::of(&content).to_string(),
        "{report}"
    );
}

fn open(data: &Path) -> Result<Arc<Node>, NodeError> {
    Node::open(&Settings {
        data: data.to_owned(),
        name: None,
        clock: Arc::new(base::SystemClock),
        random: Arc::new(base::SystemRandom),
        snapshots: SnapshotPolicy::default(),
        metrics: Default::default(),
        live_copy: false,
    })
}

/// The only file in `directory`, its bytes, and how many before the zeros that
/// may end it.
fn only_file(directory: &Path) -> (PathBuf, Vec<u8>, usize) {
    let mut files = std::fs::read_dir(directory).unwrap();
    let path = files.next().unwrap().unwrap().path();
    assert!(files.next().is_none());
    let bytes = std::fs::read(&path).unwrap();
    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    (path, bytes, used)
}

#[tokio::test]
async fn a_flipped_byte_in_the_last_record_of_the_log_is_no_torn_write() {
    let data = tempfile::tempdir().unwrap();
    let log = data.path().join("log");
    {
        let site = Site::open(data.path());
        site.space("s").await;
    }
    let before = only_file(&log).2;
    {
        let site = Site::open(data.path());
        site.space("t").await;
    }
    let (path, whole, end) = only_file(&log);
    assert!(end > before + 8);
    for offset in before.next_multiple_of(8)..end {
        let mut flipped = whole.clone();
        flipped[offset] ^= 1;
        std::fs::write(&path, flipped).unwrap();
        let refused = open(data.path()).map(drop).err();
        assert!(
            matches!(refused, Some(NodeError::Log(_) | NodeError::Recovery(_))),
            "byte {offset}: {refused:?}"
        );
    }
    std::fs::write(&path, whole).unwrap();
    open(data.path()).unwrap();
}

#[tokio::test]
async fn scrub_misses_no_flipped_byte_of_the_last_small_file_without_its_index() {
    let data = tempfile::tempdir().unwrap();
    {
        let site = Site::open(data.path());
        let space = site.space("s").await;
        for name in ["first", "last"] {
            site.put(&site.admin(), space, name, name.as_bytes()).await;
        }
    }
    let blobs = data.path().join("blobs");
    let (path, whole, _) = only_file(&blobs.join("segments"));
    let told = || {
        for file in ["index.db", "index.db-wal", "index.db-shm"] {
            let _ = std::fs::remove_file(blobs.join(file));
        }
        let store = BlobStore::open(
            Arc::new(RealFileSystem),
            &blobs,
            &store::blob::Options::default(),
            &SeededRandom::new(1),
            0,
        );
        let report = server::scrub::run(data.path(), &store.unwrap(), &Default::default()).unwrap();
        report["damaged"].to_string()
    };
    assert_eq!(told(), "[]");
    let last = Hash::of(b"last").to_string();
    // Four bytes of padding end it.
    for offset in whole.len() - 48..whole.len() - 4 {
        let mut flipped = whole.clone();
        flipped[offset] ^= 1;
        std::fs::write(&path, flipped).unwrap();
        assert!(told().contains(&last), "byte {offset}: {}", told());
    }
}
