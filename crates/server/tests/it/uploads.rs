//! Content on its way in: small files, large ones in chunks, resumed, deduced
//! from a base, and proven where the node has them already.

use crate::frames::{blob, chunks, needed, open, open_whole, rebuilt};
use crate::site::{Site, file, new_file, noise, request};
use axum::body::Body;
use base::{Hash, SpaceId, VersionId, limits};
use http::{Method, StatusCode};
use state::{Base, Change, Outcome};
use store::blob::{ChunkRef, Run};
use sync::chunk::{Cut, cut_bytes};
use sync::wire::{Frame, Open};

async fn download(site: &Site, token: &str, space: SpaceId, path: &str) -> Vec<u8> {
    let answer = site
        .get(
            token,
            &format!("/api/file/download?space={space}&path={path}"),
        )
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    answer.bytes
}

#[tokio::test]
async fn small_files_travel_with_their_commit() {
    let (_data, site, space) = Site::fresh().await;
    let token = site.device("s", "editor").await;
    let contents: Vec<Vec<u8>> = (0..300).map(|seed| noise(seed, 10_000)).collect();
    let mut frames: Vec<Frame> = contents.iter().map(|bytes| blob(bytes)).collect();
    let puts = contents.iter().enumerate();
    let puts = puts
        .map(|(number, bytes)| new_file(space, &number.to_string(), bytes))
        .collect();
    frames.push(site.commit(space, puts));
    let outcomes = site.upload(&token, space, &frames).await.outcomes();
    assert!(
        outcomes
            .iter()
            .all(|outcome| matches!(outcome, Outcome::Committed(_)))
    );
    assert_eq!(outcomes.len(), 300);
    assert_eq!(download(&site, &token, space, "299").await, contents[299]);
    let spaces = site.get(&token, "/api/spaces").await.json();
    assert_eq!(spaces["items"][0]["files"], 300);
    assert_eq!(spaces["items"][0]["bytes"], 3_000_000);
}

#[tokio::test]
async fn the_empty_file() {
    let (_data, site, space) = Site::fresh().await;
    let token = site.device("s", "editor").await;
    site.put(&token, space, "empty", b"").await;
    assert_eq!(download(&site, &token, space, "empty").await, b"");
}

#[tokio::test]
async fn a_large_file_resumes_after_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let bytes = noise(7, 3_000_000);
    let cut = cut_bytes(&bytes).unwrap();
    let whole = [(0, cut.size())];
    let (token, space, half) = {
        let site = Site::open(data.path());
        let space = site.space("s").await;
        let token = site.device("s", "editor").await;
        assert_eq!(
            needed(&site.upload(&token, space, &[open_whole(&cut)]).await),
            whole
        );
        let mut some = chunks(&cut, &bytes, &whole);
        let half = some.len() / 2;
        some.truncate(half);
        assert_eq!(
            site.upload(&token, space, &some).await.status,
            StatusCode::OK
        );
        let early = site
            .upload(&token, space, &[Frame::Finish(vec![cut.hash])])
            .await;
        early.assert_problem(409, "upload-again");
        let missing = needed(&site.upload(&token, space, &[open_whole(&cut)]).await);
        assert_eq!(missing, [(cut.map.start(half), cut.size())]);
        (token, space, half)
    };
    let site = Site::open(data.path());
    let missing = needed(&site.upload(&token, space, &[open_whole(&cut)]).await);
    assert!(
        missing
            .iter()
            .all(|(start, end)| start < end && *end <= cut.size())
    );
    assert!(!missing.is_empty());
    let mut frames = chunks(&cut, &bytes, &missing);
    assert!(frames.len() <= cut.map.chunks().len() && half > 0);
    frames.push(Frame::Finish(vec![cut.hash]));
    frames.push(site.commit(space, vec![new_file(space, "big", &bytes)]));
    let answer = site.upload(&token, space, &frames).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    assert_eq!(answer.frames()[0], Frame::Have(cut.hash));
    assert!(matches!(answer.outcomes()[..], [Outcome::Committed(_)]));
    assert_eq!(download(&site, &token, space, "big").await, bytes);
}

#[tokio::test]
async fn a_new_version_costs_only_its_new_chunks() {
    let (_data, site, space) = Site::fresh().await;
    let token = site.device("s", "editor").await;
    let old = noise(3, 2_000_000);
    let (old_cut, version) = put_large(&site, &token, space, "f", &old).await;
    let new = [b"!".as_slice(), &old].concat();
    let cut = cut_bytes(&new).unwrap();
    let runs = sync::chunk::runs(&old_cut.map, &cut.map);
    let missing = needed(
        &site
            .upload(&token, space, &[open(&cut, Some(old_cut.hash), runs)])
            .await,
    );
    let bytes: u64 = missing.iter().map(|(start, end)| end - start).sum();
    assert!(bytes < 600_000, "one byte in front costs {bytes} bytes");
    let mut frames = chunks(&cut, &new, &missing);
    frames.push(Frame::Finish(vec![cut.hash]));
    let change = Change::Put {
        base: Base::Version(version),
        metadata: file(&new),
        conflict_of: None,
    };
    frames.push(site.commit(space, vec![change]));
    let second = site.upload(&token, space, &frames).await.version();
    assert_eq!(download(&site, &token, space, "f").await, new);

    let path = format!("/api/file/download?space=s&version={second}&base={version}");
    let frames = site.get(&token, &path).await.frames();
    let (found, sent) = rebuilt(&old, &frames);
    assert!(found == new && sent < 600_000, "sent {sent}");
}

#[tokio::test]
async fn the_runs_of_one_file_are_bounded() {
    let (_data, site, space) = Site::fresh().await;
    let token = site.device("s", "editor").await;
    let cut = cut_bytes(&noise(5, 500_000)).unwrap();
    let opening = |continued| {
        Frame::Open(Open {
            file: cut.hash,
            size: cut.size(),
            base: None,
            runs: vec![],
            continued,
        })
    };
    let check = async |frames: &[Frame], expected: &str| {
        let answer = site.upload(&token, space, frames).await;
        answer.assert_problem(400, "frames");
        assert!(answer.text().contains(expected), "{}", answer.text());
    };
    check(&[opening(4097)], "4097 frames of runs").await;
    let copy = Run::Copy {
        first_chunk: 0,
        count: 1,
    };
    let mut frames = vec![opening(33)];
    frames.extend(vec![Frame::Runs(vec![copy; 65_536]); 33]);
    check(&frames, "more than 2097152 runs").await;
}

#[tokio::test]
async fn what_one_request_asks_for_is_bounded() {
    let (_data, site, space) = Site::fresh().await;
    let token = site.device("s", "editor").await;
    let check = async |frames: &[Frame], expected: &str| {
        let answer = site.upload(&token, space, frames).await;
        answer.assert_problem(400, "frames");
        assert!(answer.text().contains(expected), "{}", answer.text());
    };
    check(&[Frame::Finish(vec![])], "names no file").await;
    let (cut, _) = put_large(&site, &token, space, "f", &noise(5, 200_000)).await;
    let many = vec![Frame::Finish(vec![cut.hash]); 16_385];
    check(&many, "more than 16384 things").await;
    let many = vec![Frame::Finish(vec![cut.hash; 32_769]); 2];
    check(&many, "more than 65536 files to finish").await;

    let blobs = (0..65_537_u32).map(|number| number.to_le_bytes());
    let many: Vec<Frame> = blobs.map(|bytes| blob(&bytes)).collect();
    check(&many, "more than 65536 files").await;
}

#[tokio::test]
async fn many_commits_of_one_request_are_answered_in_order() {
    let (_data, site, space) = Site::fresh().await;
    let token = site.device("s", "editor").await;
    let commit = |number: u32| {
        let bytes = number.to_le_bytes();
        let new = new_file(space, &number.to_string(), &bytes);
        [blob(&bytes), site.commit(space, vec![new])]
    };
    let frames: Vec<Frame> = (0..30).flat_map(commit).collect();
    let expected: Vec<u64> = frames.iter().filter_map(sequence_of).collect();
    let answer = site.upload(&token, space, &frames).await;
    let answered: Vec<u64> = answer.frames().iter().filter_map(sequence_of).collect();
    assert_eq!(answered, expected, "{}", answer.text());
}

fn sequence_of(frame: &Frame) -> Option<u64> {
    match frame {
        Frame::Commit { sequence, .. } | Frame::Outcomes { sequence, .. } => Some(*sequence),
        _ => None,
    }
}

#[tokio::test]
async fn only_the_last_chunk_may_be_short() {
    let (_data, site, space) = Site::fresh().await;
    let token = site.device("s", "editor").await;
    let bytes = noise(6, 300_000);
    let opening = |chunk_bytes: usize| {
        let chunks = bytes.chunks(chunk_bytes).map(|chunk| ChunkRef {
            hash: Hash::of(chunk),
            len: chunk.len() as u32,
        });
        Frame::Open(Open {
            file: Hash::of(&bytes),
            size: bytes.len() as u64,
            base: None,
            runs: vec![Run::Insert(chunks.collect())],
            continued: 0,
        })
    };
    for chunk_bytes in [100, limits::CHUNK_MIN_BYTES - 1] {
        let answer = site.upload(&token, space, &[opening(chunk_bytes)]).await;
        answer.assert_problem(400, "frames");
        let told = format!("chunk 0 has {chunk_bytes} bytes and is not the last");
        assert!(answer.text().contains(&told), "{}", answer.text());
    }
    let least = opening(limits::CHUNK_MIN_BYTES);
    let ranges = needed(&site.upload(&token, space, &[least]).await);
    assert_eq!(ranges, [(0, 300_000)]);
}

#[tokio::test]
async fn a_base_of_another_space_is_no_base() {
    let data = tempfile::tempdir().unwrap();
    let site = Site::open(data.path());
    let (space, other) = (site.space("s").await, site.space("t").await);
    let token = site.device("s", "editor").await;
    let secret = noise(4, 500_000);
    let (secret_cut, _) = put_large(&site, &site.admin(), other, "f", &secret).await;
    let cut = cut_bytes(&noise(5, 500_000)).unwrap();
    let runs = vec![Run::Copy {
        first_chunk: 0,
        count: 1,
    }];
    let answer = site
        .upload(&token, space, &[open(&cut, Some(secret_cut.hash), runs)])
        .await;
    answer.assert_problem(409, "no-base");
}

#[tokio::test]
async fn a_hash_is_no_key() {
    let data = tempfile::tempdir().unwrap();
    let site = Site::open(data.path());
    let (space, other) = (site.space("s").await, site.space("t").await);
    let token = site.device("s", "editor").await;
    let secret = noise(4, 500_000);
    let (cut, _) = put_large(&site, &site.admin(), other, "f", &secret).await;

    // Knowing the hash is not having the bytes, and the answer does not tell.
    let claim = site.commit(space, vec![new_file(space, "stolen", &secret)]);
    site.upload(&token, space, &[claim])
        .await
        .assert_problem(409, "upload-again");
    // Nor is ending an upload that never began.
    let finish = Frame::Finish(vec![cut.hash]);
    let claim = site.commit(space, vec![new_file(space, "stolen", &secret)]);
    for frames in [vec![finish.clone()], vec![finish.clone(), claim]] {
        site.upload(&token, space, &frames)
            .await
            .assert_problem(409, "upload-again");
    }
    let claim = site.commit(space, vec![new_file(space, "stolen", &secret)]);
    site.upload(&token, space, &[claim])
        .await
        .assert_problem(409, "upload-again");
    assert_eq!(
        needed(&site.upload(&token, space, &[open_whole(&cut)]).await),
        [(0, cut.size())]
    );
    site.upload(&token, space, std::slice::from_ref(&finish))
        .await
        .assert_problem(409, "upload-again");
    let mut wrong = chunks(&cut, &noise(9, 500_000), &[(0, cut.size())]);
    wrong.truncate(1);
    site.upload(&token, space, &wrong)
        .await
        .assert_problem(400, "frames");

    // Whoever really has them sends them like everyone else, in any order.
    let mut frames = chunks(&cut, &secret, &[(0, cut.size())]);
    frames.reverse();
    frames.push(finish);
    frames.push(site.commit(space, vec![new_file(space, "owned", &secret)]));
    let outcomes = site.upload(&token, space, &frames).await.outcomes();
    assert!(
        matches!(outcomes[..], [Outcome::Committed(_)]),
        "{outcomes:?}"
    );
    assert_eq!(download(&site, &token, space, "owned").await, secret);
}

#[tokio::test]
async fn whole_files_without_frames() {
    let (_data, site, space) = Site::fresh().await;
    let token = site.device("s", "editor").await;
    let put = async |query: &str, bytes: &[u8]| {
        let path = format!("/api/file/upload?space=s&{query}");
        let request =
            request(Method::POST, &path, &token).header("content-type", "application/octet-stream");
        site.send(request.body(Body::from(bytes.to_vec())).unwrap())
            .await
    };
    let (small, large) = (noise(1, 1000), noise(2, 1_000_000));
    put("path=a/b/c", &small)
        .await
        .assert_problem(409, "refused");
    let first = put("path=a/b/c&parents=1&mode=600&mtime=2020-01-01", &small).await;
    assert_eq!(first.status, StatusCode::CREATED, "{}", first.text());
    assert_eq!(download(&site, &token, space, "a/b/c").await, small);
    let shown = site
        .get(&token, "/api/metadata?space=s&path=a/b/c")
        .await
        .json();
    assert_eq!(shown["mode"], "0600");
    assert_eq!(shown["mtime"], "2020-01-01T00:00:00Z");

    let first = first.json();
    let base = first["version"].as_str().unwrap();
    put("path=a/b/c&base=absent", &large)
        .await
        .assert_problem(409, "conflict");
    let second = put(&format!("path=a/b/c&base={base}"), &large).await;
    assert_eq!(second.status, StatusCode::CREATED, "{}", second.text());
    assert_eq!(download(&site, &token, space, "a/b/c").await, large);
    let stale = put(&format!("path=a/b/c&base={base}"), &small).await;
    stale.assert_problem(409, "conflict");
    assert_eq!(stale.json()["current"]["version"], second.json()["version"]);
    // A version that there cannot be is none for the log either, which it would stop.
    let item = base.split_once('.').unwrap().0;
    for wrong in [
        format!("{item}.0"),
        "0.1".to_owned(),
        format!("{item}.{}", 1_u64 << 63),
    ] {
        for path in ["a/b/c", "new"] {
            put(&format!("path={path}&base={wrong}"), &small)
                .await
                .assert_problem(400, "malformed");
        }
    }
    put("path=", &small).await.assert_problem(409, "refused");
    put("path=x&mode=9", &small)
        .await
        .assert_problem(400, "malformed");
    put("path=a", &small).await.assert_problem(409, "refused");
}

/// Gives a new file in chunks.
async fn put_large(
    site: &Site,
    token: &str,
    space: SpaceId,
    name: &str,
    bytes: &[u8],
) -> (Cut, VersionId) {
    let cut = cut_bytes(bytes).unwrap();
    let mut frames = vec![open_whole(&cut)];
    frames.extend(chunks(&cut, bytes, &[(0, cut.size())]));
    frames.push(Frame::Finish(vec![cut.hash]));
    frames.push(site.commit(space, vec![new_file(space, name, bytes)]));
    (cut, site.upload(token, space, &frames).await.version())
}
