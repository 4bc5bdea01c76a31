//! Files of middle size: they come whole, in pieces, and their next versions as
//! what changed in them.

use crate::frames::{blob, chunks, encoded, needed, open, rebuilt, whole};
use crate::site::{Site, file, new_file, noise};
use axum::body::Bytes;
use base::{Hash, SpaceId, VersionId, limits};
use http::StatusCode;
use state::{Base, Change, Outcome};
use store::blob::{BlockMap, Run};
use sync::chunk::{Cut, cut_bytes, runs};
use sync::wire::{Frame, Open};

/// Gives a new file; the result is its version.
async fn put(site: &Site, token: &str, space: SpaceId, name: &str, content: &[u8]) -> VersionId {
    let commit = site.commit(space, vec![new_file(space, name, content)]);
    let body = [whole(content), encoded(&commit)].concat();
    site.upload_bytes(token, space, body).await.version()
}

async fn content(site: &Site, token: &str, version: VersionId) -> Vec<u8> {
    let path = format!("/api/file/download?space=s&version={version}");
    let answer = site.get(token, &path).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    answer.bytes
}

fn staged(data: &std::path::Path) -> usize {
    std::fs::read_dir(data.join("blobs/staging"))
        .unwrap()
        .count()
}

#[tokio::test]
async fn many_travel_whole_with_their_commit() {
    let (data, site, space) = Site::fresh().await;
    let token = site.device("s", "editor").await;
    // More than may wait for their places at once, small ones between them.
    let contents: Vec<Vec<u8>> = (0..70)
        .map(|seed| noise(seed, if seed % 7 == 0 { 9 } else { 131_073 }))
        .collect();
    let mut body = Vec::new();
    let mut puts = Vec::new();
    for (number, content) in contents.iter().enumerate() {
        if content.len() > 9 {
            body.extend(whole(content));
        } else {
            blob(content).encode(&mut body);
        }
        puts.push(new_file(space, &number.to_string(), content));
    }
    site.commit(space, puts).encode(&mut body);
    let answer = site.upload_bytes(&token, space, body).await;
    let outcomes = answer.outcomes();
    assert_eq!(outcomes.len(), 70);
    for (outcome, expected) in outcomes.iter().zip(&contents) {
        let Outcome::Committed(version) = outcome else {
            panic!("{outcome:?}");
        };
        assert!(content(&site, &token, *version).await == *expected);
    }
    assert_eq!(staged(data.path()), 0);
    let scrubbed = site
        .post(&site.admin(), "/api/scrub", serde_json::json!({}))
        .await;
    assert_eq!(scrubbed.json()["damaged"], serde_json::json!([]));
}

#[tokio::test]
async fn what_came_whole_without_a_commit_may_be_committed_later() {
    let (_data, site, space) = Site::fresh().await;
    let token = site.device("s", "editor").await;
    let content = noise(1, 4 << 20);
    let answer = site.upload_bytes(&token, space, whole(&content)).await;
    assert_eq!((answer.status, answer.bytes.len()), (StatusCode::OK, 0));
    let commit = || site.commit(space, vec![new_file(space, "f", &content)]);
    let other = site.device("s", "editor").await;
    let refused = site.upload(&other, space, &[commit()]).await;
    refused.assert_problem(409, "upload-again");
    let outcomes = site.upload(&token, space, &[commit()]).await.outcomes();
    assert!(matches!(outcomes[..], [Outcome::Committed(_)]));
}

/// The map of a version, as the node tells it.
async fn told_map(site: &Site, token: &str, version: VersionId) -> BlockMap {
    let path = format!("/api/file/download?space=s&version={version}&map=1");
    let frames = site.get(token, &path).await.frames();
    let [Frame::Map(chunks), Frame::End] = frames.as_slice() else {
        panic!("{frames:?}");
    };
    BlockMap::new(chunks.clone()).unwrap()
}

/// Bytes that came as new in the delta between two versions, whose rest is in
/// `old`; the whole must be `new`.
async fn downloaded(
    site: &Site,
    token: &str,
    (base, old): (VersionId, &[u8]),
    (version, new): (VersionId, &[u8]),
) -> usize {
    let path = format!("/api/file/download?space=s&version={version}&base={base}");
    let frames = site.get(token, &path).await.frames();
    let (found, sent) = rebuilt(old, &frames);
    assert!(found == new);
    sent
}

/// Gives a new version as runs against an old one; the result is the version and
/// how many bytes the node asked for.
async fn put_delta(
    site: &Site,
    token: &str,
    space: SpaceId,
    (base, old): (VersionId, &Cut),
    new: &[u8],
) -> (VersionId, u64) {
    let cut = cut_bytes(new).unwrap();
    let opening = open(&cut, Some(old.hash), runs(&old.map, &cut.map));
    let ranges = needed(&site.upload(token, space, &[opening]).await);
    let mut frames = chunks(&cut, new, &ranges);
    frames.push(Frame::Finish(vec![cut.hash]));
    let change = Change::Put {
        base: Base::Version(base),
        metadata: file(new),
        conflict_of: None,
    };
    frames.push(site.commit(space, vec![change]));
    let version = site.upload(token, space, &frames).await.version();
    (version, ranges.iter().map(|(start, end)| end - start).sum())
}

#[tokio::test]
async fn an_edit_travels_as_what_changed_both_ways() {
    let (_data, site, space) = Site::fresh().await;
    let token = site.device("s", "editor").await;
    let old = noise(3, 3_000_000);
    let first = put(&site, &token, space, "f", &old).await;
    let cut = cut_bytes(&old).unwrap();
    assert_eq!(told_map(&site, &token, first).await, cut.map);

    let new = [b"!".as_slice(), &old].concat();
    let (second, sent) = put_delta(&site, &token, space, (first, &cut), &new).await;
    assert!(sent < 600_000, "{sent} bytes for one");
    let sent = downloaded(&site, &token, (first, &old), (second, &new)).await;
    assert!(sent < 600_000, "{sent} bytes for one");
    // Also back from a version with a map to one without, and from one without to
    // another.
    let sent = downloaded(&site, &token, (second, &new), (first, &old)).await;
    assert!(sent < 600_000, "{sent} bytes for one");
    let third = put(&site, &token, space, "g", &new[..2_900_000]).await;
    let sent = downloaded(&site, &token, (first, &old), (third, &new[..2_900_000])).await;
    assert!(sent < 600_000, "{sent} bytes for one");
}

#[tokio::test]
async fn a_damaged_one_serves_nobody_as_a_base() {
    let (data, site, space) = Site::fresh().await;
    let token = site.device("s", "editor").await;
    let old = noise(3, 500_000);
    let version = put(&site, &token, space, "f", &old).await;
    let name = Hash::of(&old).to_hex();
    let path = data.path().join("blobs/large").join(&name[..1]).join(&name);
    let mut rotten = std::fs::read(&path).unwrap();
    rotten[1000] ^= 1;
    std::fs::write(&path, rotten).unwrap();
    let map = format!("/api/file/download?space=s&version={version}&map=1");
    site.get(&token, &map).await.assert_problem(409, "no-base");
    let metrics = site.get("", "/metrics").await.text();
    let count = metrics
        .lines()
        .find(|line| line.starts_with("atoll_unreadable_contents_total"));
    assert!(count.is_some_and(|line| line.ends_with(" 1")), "{count:?}");
}

#[tokio::test]
async fn what_is_not_as_announced_is_refused_and_leaves_nothing() {
    let (data, site, space) = Site::fresh().await;
    let token = site.device("s", "editor").await;
    let content = noise(1, 2_000_000);
    let (hash, size) = (Hash::of(&content), content.len() as u64);
    let announced = |size| Frame::Whole { hash, size };
    let piece = |length: usize| Frame::Piece(Bytes::copy_from_slice(&content[..length]));
    let small = limits::SMALL_FILE_BYTES;
    let many = |frames: &[Frame]| frames.iter().flat_map(encoded).collect::<Vec<u8>>();
    let check = async |body: Vec<u8>, expected: &str| {
        let answer = site.upload_bytes(&token, space, body).await;
        answer.assert_problem(400, "frames");
        assert!(answer.text().contains(expected), "{}", answer.text());
    };
    check(many(&[announced(small)]), "does not travel whole").await;
    check(many(&[announced((4 << 20) + 1)]), "does not travel whole").await;
    check(many(&[piece(9)]), "than were announced").await;
    let end = [announced(small + 9), piece(100_000), piece(100_000)];
    check(many(&end), "than were announced").await;
    let between = [announced(size), piece(100_000), Frame::KeepAlive];
    check(many(&between), "something else came").await;
    check(many(&[announced(size), piece(100_000)]), "before all bytes").await;
    let crumb = [announced(size), piece(16 * 1024 - 1)];
    check(many(&crumb), "before the last of its file").await;
    let mut wrong = whole(&content);
    let last = wrong.len() - 1;
    wrong[last] ^= 1;
    check(wrong, "have the hash").await;
    let cut = whole(&content)[..1_500_000].to_vec();
    check(cut, "inside a frame").await;
    assert!(!site.node.blobs().contains(&hash).unwrap());

    // What came before stands: each file is whole or not there.
    let first = noise(2, 200_000);
    let mut broken = whole(&first);
    broken.extend(&whole(&content)[..1_500_000]);
    check(broken, "inside a frame").await;
    put(&site, &token, space, "f", &content).await;
    drop(site);
    let left = staged(data.path());
    assert_eq!(left, 0, "files of uploads that broke off");
}

#[tokio::test]
async fn a_hash_is_no_key() {
    let data = tempfile::tempdir().unwrap();
    let site = Site::open(data.path());
    let (space, other) = (site.space("s").await, site.space("t").await);
    let token = site.device("s", "editor").await;
    let secret = noise(4, 500_000);
    put(&site, &site.admin(), other, "secret", &secret).await;
    let claim = || site.commit(space, vec![new_file(space, "stolen", &secret)]);
    let refused = site.upload(&token, space, &[claim()]).await;
    refused.assert_problem(409, "upload-again");
    // Other bytes under its name prove nothing, and the answer is the same as for
    // a hash that nobody has.
    let (hash, size) = (Hash::of(&secret), secret.len() as u64);
    let mut body = encoded(&Frame::Whole { hash, size });
    let forged = noise(5, 500_000);
    for piece in forged.chunks(100_000) {
        Frame::Piece(Bytes::copy_from_slice(piece)).encode(&mut body);
    }
    claim().encode(&mut body);
    let refused = site.upload_bytes(&token, space, body).await;
    refused.assert_problem(400, "frames");
    let refused = site.upload(&token, space, &[claim()]).await;
    refused.assert_problem(409, "upload-again");
    let version = put(&site, &token, space, "owned", &secret).await;
    assert!(content(&site, &token, version).await == secret);
}

#[tokio::test]
async fn a_file_beyond_the_largest_is_too_long() {
    let (_data, site, space) = Site::fresh().await;
    let token = site.device("s", "editor").await;
    let open = Frame::Open(Open {
        file: Hash::of(b"x"),
        size: limits::FILE_BYTES + 1,
        base: None,
        runs: vec![Run::Insert(vec![])],
        continued: 0,
    });
    let answer = site.upload(&token, space, &[open]).await;
    answer.assert_problem(413, "too-long");
    assert_eq!(answer.json()["limit"], limits::FILE_BYTES);
}

#[tokio::test]
async fn what_folders_keep_for_themselves_cannot_be_committed() {
    let (_data, site, space) = Site::fresh().await;
    let token = site.device("s", "editor").await;
    let version = site.put(&token, space, "f", b"content").await;
    let put = new_file(space, ".atoll", b"content");
    let rename = Change::Move {
        base: version,
        parent: state::Parent::Item(base::ItemId::root_of(space)),
        name: base::Name::new(".atoll").unwrap(),
    };
    for change in [put, rename] {
        let commit = site.commit(space, vec![change]);
        let answer = site.upload(&token, space, &[commit]).await;
        answer.assert_problem(400, "path");
    }
}
