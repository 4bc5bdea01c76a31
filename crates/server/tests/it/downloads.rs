//! Content on its way out: whole, in ranges, many at once, as a map.

use crate::site::{NOBODY, Site, noise, request};
use axum::body::Body;
use base::{Hash, ItemId, VersionId};
use http::{Method, StatusCode};
use std::path::Path;
use sync::wire::Frame;

#[tokio::test]
async fn whole_and_in_ranges() {
    let (_data, site, space) = Site::fresh().await;
    let token = site.device("s", "reader").await;
    let bytes = noise(1, 100_000);
    let version = site.put(&site.admin(), space, "a \"ü\"", &bytes).await;
    let ask = async |method: Method, headers: &[(&str, &str)]| {
        let path = format!("/api/file/download?space=s&version={version}");
        let mut request = request(method, &path, &token);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        site.send(request.body(Body::empty()).unwrap()).await
    };
    let get = async |headers: &[(&str, &str)]| ask(Method::GET, headers).await;
    let whole = get(&[]).await;
    assert_eq!(whole.status, StatusCode::OK);
    assert!(whole.bytes == bytes);
    assert_eq!(whole.header("content-length"), "100000");
    let etag = whole.header("etag").to_owned();
    assert_eq!(etag, format!("\"{}\"", Hash::of(&bytes).to_hex()));
    let disposition = "attachment; filename*=UTF-8''a%20%22%C3%BC%22";
    assert_eq!(whole.header("content-disposition"), disposition);
    assert_eq!(
        get(&[("if-none-match", &etag)]).await.status,
        StatusCode::NOT_MODIFIED
    );

    let part = get(&[("range", "bytes=10-19")]).await;
    assert_eq!(part.status, StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.header("content-range"), "bytes 10-19/100000");
    assert_eq!(part.bytes, bytes[10..20]);
    let outside = get(&[("range", "bytes=100000-")]).await;
    outside.assert_problem(416, "range");
    assert_eq!(outside.header("content-range"), "bytes */100000");
    let changed = get(&[("range", "bytes=0-0"), ("if-range", "\"other\"")]).await;
    assert_eq!(changed.status, StatusCode::OK);

    for range in ["bytes=10-19", "bytes=100000-"] {
        let head = ask(Method::HEAD, &[("range", range)]).await;
        assert_eq!(head.status, StatusCode::OK, "a range is for GET alone");
        assert_eq!(head.header("content-length"), "100000");
        assert!(head.bytes.is_empty());
    }

    let by_hash = format!("/api/file/download?space=s&hash={}", Hash::of(&bytes));
    assert!(site.get(&token, &by_hash).await.bytes == bytes);
}

#[tokio::test]
async fn many_at_once_in_the_order_asked_for() {
    let (_data, site, space) = Site::fresh().await;
    let token = site.device("s", "reader").await;
    let mut versions = Vec::new();
    for seed in 0..20 {
        let bytes = noise(seed, 50_000);
        versions.push((
            site.put(&site.admin(), space, &seed.to_string(), &bytes)
                .await,
            bytes,
        ));
    }
    versions.reverse();
    let unknown = VersionId {
        item: ItemId::new(999, 0),
        counter: 1,
    };
    let root = VersionId {
        item: ItemId::root_of(space),
        counter: 1,
    };
    let asked: Vec<String> = versions
        .iter()
        .map(|(version, _)| *version)
        .chain([unknown, root])
        .map(|version| version.to_string())
        .collect();
    let path = format!("/api/file/download?space=s&items={}", asked.join(","));
    let mut expected: Vec<Frame> = versions
        .into_iter()
        .map(|(version, bytes)| Frame::Content {
            version,
            bytes: bytes.into(),
        })
        .collect();
    expected.extend([Frame::Missing(unknown), Frame::Missing(root), Frame::End]);
    assert!(site.get(&token, &path).await.frames() == expected);

    let too_many = vec![asked[0].clone(); 513].join(",");
    let path = format!("/api/file/download?space=s&items={too_many}");
    site.get(&token, &path)
        .await
        .assert_problem(400, "malformed");
    let device = format!("/api/file/download?space=s&items={NOBODY}");
    site.get(&token, &device)
        .await
        .assert_problem(400, "malformed");
}

#[tokio::test]
async fn what_cannot_be_read_is_counted_and_the_rest_goes_through() {
    let (data, site, space) = Site::fresh().await;
    let mut versions = Vec::new();
    for seed in 0..2 {
        let bytes = noise(seed, 50_000);
        versions.push(
            site.put(&site.admin(), space, &seed.to_string(), &bytes)
                .await,
        );
    }
    // The end of the only segment is lost, and the second file with it.
    let mut segments = std::fs::read_dir(data.path().join("blobs/segments")).unwrap();
    let segment = segments.next().unwrap().unwrap().path();
    let segment = std::fs::File::options().write(true).open(segment).unwrap();
    segment.set_len(60_000).unwrap();
    let path = format!(
        "/api/file/download?space=s&items={},{}",
        versions[1], versions[0]
    );
    let expected = [
        Frame::Missing(versions[1]),
        Frame::Content {
            version: versions[0],
            bytes: noise(0, 50_000).into(),
        },
        Frame::End,
    ];
    assert!(site.get(&site.admin(), &path).await.frames() == expected);
    let metrics = site.get("", "/metrics").await.text();
    assert!(
        metrics.contains("\natoll_unreadable_contents_total 1\n"),
        "{metrics}"
    );
}

/// Flips a bit of the first place in `file` that holds `bytes`.
fn rot(file: &Path, bytes: &[u8]) {
    let mut whole = std::fs::read(file).unwrap();
    let mut places = whole.windows(bytes.len());
    let place = places.position(|found| found == bytes).unwrap();
    whole[place] ^= 1;
    std::fs::write(file, whole).unwrap();
}

#[tokio::test]
async fn bytes_that_rotted_are_not_sent() {
    let (data, site, space) = Site::fresh().await;
    let contents = [noise(0, 5000), noise(1, 5000)];
    let mut versions = Vec::new();
    for (name, bytes) in ["a", "b"].into_iter().zip(&contents) {
        versions.push(site.put(&site.admin(), space, name, bytes).await);
    }
    let segments = data.path().join("blobs/segments");
    rot(&segments.join("0000000000000001.blobs"), &contents[1]);
    let path = format!(
        "/api/file/download?space=s&items={},{}",
        versions[1], versions[0]
    );
    let expected = [
        Frame::Missing(versions[1]),
        Frame::Content {
            version: versions[0],
            bytes: contents[0].clone().into(),
        },
        Frame::End,
    ];
    assert!(site.get(&site.admin(), &path).await.frames() == expected);
    let metrics = site.get("", "/metrics").await.text();
    assert!(
        metrics.contains("\natoll_unreadable_contents_total 1\n"),
        "{metrics}"
    );
}

#[tokio::test]
async fn the_map_of_a_file() {
    let (_data, site, space) = Site::fresh().await;
    let bytes = noise(1, 1000);
    let version = site.put(&site.admin(), space, "a", &bytes).await;
    let path = format!("/api/file/download?space=s&version={version}&map=1");
    let frames = site.get(&site.admin(), &path).await.frames();
    let [Frame::Map(chunks), Frame::End] = frames.as_slice() else {
        panic!("{frames:?}")
    };
    assert_eq!(chunks.len(), 1);
    assert_eq!((chunks[0].hash, chunks[0].len), (Hash::of(&bytes), 1000));
    let root = format!(
        "/api/file/download?space=s&version={}.1",
        ItemId::root_of(space)
    );
    site.get(&site.admin(), &root)
        .await
        .assert_problem(404, "not-found");
}
