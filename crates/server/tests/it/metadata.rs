//! An item's metadata as JSON, as text and as bytes: what is shown, what may be changed,
//! and every way in which a document is refused.

use crate::site::{Answer, START, Site, request};
use axum::body::Body;
use base::{Hash, ItemId, Name, SpaceId, VersionId};
use http::{Method, StatusCode};
use meta::binary::{Compression, MAGIC, decode, encode_files, encode_manifest};
use meta::form::Described;
use meta::{
    AttributeName, ContentHash, FileMetadata, Manifest, Metadata, Mode, Record, RecordKind, Target,
    Timestamp,
};
use serde_json::{Value, json};
use state::{Base, Change, Parent};

const JSON: &str = "application/json";
const TEXT: &str = "text/vnd.atoll.metadata";
const BINARY: &str = "application/vnd.atoll.metadata";

/// A site with the file `a` ("one"), and an editor's token.
struct Desk {
    site: Site,
    space: SpaceId,
    token: String,
    first: VersionId,
    _data: tempfile::TempDir,
}

impl Desk {
    async fn new() -> Self {
        let (data, site, space) = Site::fresh().await;
        let token = site.device("s", "editor").await;
        let first = site.put(&token, space, "a", b"one").await;
        Self {
            site,
            space,
            token,
            first,
            _data: data,
        }
    }

    async fn get(&self, path: &str, accept: &str) -> Answer {
        let address = format!("/api/metadata?space=s&path={path}");
        let request = request(Method::GET, &address, &self.token).header("accept", accept);
        self.site.send(request.body(Body::empty()).unwrap()).await
    }

    async fn put(&self, path: &str, media_type: &str, body: impl Into<Body>) -> Answer {
        self.put_under(path, media_type, "", body).await
    }

    async fn put_under(
        &self,
        path: &str,
        media_type: &str,
        if_match: &str,
        body: impl Into<Body>,
    ) -> Answer {
        let address = format!("/api/metadata?space=s&path={path}");
        let mut request =
            request(Method::PUT, &address, &self.token).header("content-type", media_type);
        if !if_match.is_empty() {
            request = request.header("if-match", if_match);
        }
        self.site.send(request.body(body.into()).unwrap()).await
    }

    /// Puts the text of a `file_metadata` with these lines.
    async fn put_text(&self, path: &str, lines: &[&str]) -> Answer {
        let mut text = "file_metadata:\n".to_owned();
        for line in lines {
            text.push_str(&format!("  {line}\n"));
        }
        self.put(path, TEXT, text).await
    }

    async fn put_file(&self, path: &str, file: &FileMetadata) -> Answer {
        self.put(path, BINARY, encode_files([file], Compression::Zstd))
            .await
    }

    async fn shown(&self, path: &str) -> Value {
        self.get(path, "").await.json()
    }

    async fn create(&self, name: &str, metadata: Metadata) {
        let base = Base::Absent {
            parent: Parent::Item(ItemId::root_of(self.space)),
            name: Name::new(name).unwrap(),
        };
        let change = Change::Put {
            base,
            metadata,
            conflict_of: None,
        };
        let commit = self.site.commit(self.space, vec![change]);
        self.site
            .upload(&self.token, self.space, &[commit])
            .await
            .version();
    }
}

fn time(seconds: i64, nanoseconds: u32) -> Timestamp {
    Timestamp::new(seconds, nanoseconds).unwrap()
}

fn document(name: &str, record: Record) -> FileMetadata {
    FileMetadata {
        name: Name::new(name).unwrap(),
        record,
    }
}

fn file_kind() -> RecordKind {
    RecordKind::File {
        size: None,
        hash: None,
        mode: None,
    }
}

/// Checks a refusal and what its message tells to do.
fn assert_refused(answer: &Answer, status: u16, name: &str, advice: &str) {
    answer.assert_problem(status, name);
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains(advice), "{detail}");
}

#[tokio::test]
async fn a_file_is_shown_as_text_and_as_bytes() {
    let desk = Desk::new().await;
    let text = desk.get("a", TEXT).await;
    assert_eq!(text.status, StatusCode::OK, "{}", text.text());
    assert_eq!(
        text.header("content-type"),
        "text/vnd.atoll.metadata; charset=utf-8"
    );
    let seconds = START / 1000;
    assert_eq!(seconds, 1_800_000_000);
    let expected = format!(
        "file_metadata:\n  name: \"a\"\n  version: 1\n  size: 3\n  hash: \"{}\"\n  \
         permissions:\n    owner: \"rw\"\n    group: \"r\"\n    other: \"r\"\n  \
         mtime: 2023-11-14T22:13:20.000000005Z\n  sync_state:\n    status: \"synced\"\n    \
         last_modified: 2027-01-15T08:00:00Z\n    replicas:\n      - node: \"reef\"\n        \
         version: 1\n",
        Hash::of(b"one")
    );
    assert_eq!(text.text(), expected);
    let bytes = desk.get("a", BINARY).await;
    assert_eq!(bytes.header("content-type"), BINARY);
    assert!(bytes.bytes.starts_with(&MAGIC));
    let [Described::File(file)] = &decode(&bytes.bytes).unwrap()[..] else {
        panic!("not one file");
    };
    assert_eq!(
        file.record.to_metadata().unwrap(),
        crate::site::file(b"one")
    );
    for answer in [text, bytes, desk.get("a", "").await] {
        assert_eq!(answer.header("vary"), "Accept");
    }
}

#[tokio::test]
async fn the_form_is_the_one_that_is_liked_best() {
    let desk = Desk::new().await;
    for (accept, expected) in [
        ("*/*", "application/json"),
        ("text/html, */*;q=0.1", "application/json"),
        ("text/*;q=0.5, application/json;q=0.4", TEXT),
        ("application/*, application/json;q=0", BINARY),
    ] {
        let answer = desk.get("a", accept).await;
        assert_eq!(answer.status, StatusCode::OK);
        let media_type = answer.header("content-type");
        assert_eq!(media_type.split(';').next(), Some(expected), "{accept}");
    }
    let none = desk.get("a", "image/png, text/*;q=0").await;
    assert_refused(&none, 406, "not-acceptable", TEXT);
    assert_eq!(
        none.json()["available"],
        json!(["application/json", TEXT, BINARY])
    );
    assert_eq!(none.header("vary"), "Accept");
}

#[tokio::test]
async fn the_root_is_called_as_its_space() {
    let desk = Desk::new().await;
    let shown = desk.get("", TEXT).await.text();
    let begin = "file_metadata:\n  name: \"s\"\n  version: 1\n  kind: \"directory\"\n";
    assert!(shown.starts_with(begin), "{shown}");
    let changed = desk
        .put("", TEXT, shown.replacen("other: \"rx\"", "other: \"-\"", 1))
        .await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text());
    assert_eq!(desk.shown("").await["mode"], "0750");
}

#[tokio::test]
async fn what_is_shown_can_be_edited_and_put_back() {
    let desk = Desk::new().await;
    let shown = desk.get("a", TEXT).await.text();
    // Everything else of it is as it is, and of the sync state nothing is believed.
    let edited = shown
        .replacen("group: \"r\"", "group: \"-\" # mine", 1)
        .replace("reef", "elsewhere");
    let answer = desk
        .put("a", "Text/Vnd.Atoll.Metadata; charset=utf-8", edited)
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let version = answer.json()["version"].as_str().unwrap().to_owned();
    assert_eq!(version, format!("{}.2", desk.first.item));
    let shown = desk.shown("a").await;
    assert_eq!(
        (&shown["mode"], &shown["version"]),
        (&json!("0604"), &json!(version))
    );

    let mut record = Record::new(2, file_kind());
    record.mtime = Some(time(-1, 5));
    let answer = desk.put_file("a", &document("a", record)).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let shown = desk.shown("a").await;
    assert_eq!(shown["mtime"], "1969-12-31T23:59:59.000000005Z");
    assert_eq!(shown["mode"], "0604", "what is not given stays");
    assert_eq!(shown["hash"], Hash::of(b"one").to_string());
}

#[tokio::test]
async fn a_link_gets_another_target() {
    let desk = Desk::new().await;
    let old = Metadata::symlink(Target::new("old").unwrap(), time(1, 0));
    desk.create("link", old).await;
    let lines = [
        "name: \"link\"",
        "version: 1",
        "kind: \"symlink\"",
        "target: \"../new\"",
    ];
    let answer = desk.put_text("link", &lines).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let shown = desk.shown("link").await;
    assert_eq!(shown["target"], "../new");
    assert_eq!(shown["mtime"], "1970-01-01T00:00:01Z");
}

#[tokio::test]
async fn a_document_of_something_else_is_refused() {
    let desk = Desk::new().await;
    let directory = Metadata::directory(Mode::DIRECTORY, time(1, 0));
    desk.create("d", directory).await;
    let other = format!("hash: \"{}\"", Hash::of(b"two"));
    for (path, lines, advice) in [
        ("a", &["name: \"b\"", "version: 1"][..], "a move"),
        ("d", &["name: \"d\"", "version: 1"], "delete it"),
        (
            "a",
            &["name: \"a\"", "version: 1", "kind: \"directory\""],
            "delete it",
        ),
        (
            "a",
            &["name: \"a\"", "version: 1", "size: 4"],
            "/api/file/upload",
        ),
        (
            "a",
            &["name: \"a\"", "version: 1", &other],
            "/api/file/upload",
        ),
    ] {
        let answer = desk.put_text(path, lines).await;
        assert_refused(&answer, 409, "refused", advice);
    }
    assert_eq!(desk.shown("a").await["version"], desk.first.to_string());
}

#[tokio::test]
async fn what_no_item_has_is_refused() {
    let desk = Desk::new().await;
    let mut with_attributes = Record::new(1, file_kind());
    with_attributes
        .attributes
        .add(AttributeName::new("user.x").unwrap(), b"1")
        .unwrap();
    let mut of_tomorrow = Record::new(1, file_kind());
    of_tomorrow.unrecognized = [0x78, 1].into();
    let sha256 = RecordKind::File {
        size: None,
        hash: Some(ContentHash::Sha256([7; 32])),
        mode: None,
    };
    for (record, advice) in [
        (with_attributes, "leave `attributes` out"),
        (of_tomorrow, "newer atoll"),
        (Record::new(1, sha256), "leave the SHA-256 out"),
    ] {
        let answer = desk.put_file("a", &document("a", record)).await;
        assert_refused(&answer, 400, "malformed", advice);
    }
}

#[tokio::test]
async fn a_document_is_based_on_the_current_version() {
    let desk = Desk::new().await;
    let at = |version: u64| {
        format!("file_metadata:\n  name: \"a\"\n  version: {version}\n  mode: \"0600\"\n")
    };
    for version in [0, 2] {
        let stale = desk.put("a", TEXT, at(version)).await;
        assert_refused(&stale, 409, "conflict", "at version 1");
        assert_eq!(stale.json()["current"]["version"], desk.first.to_string());
    }
    let first = desk.first.to_string();
    let other = desk.put_under("a", TEXT, &first, at(2)).await;
    assert_refused(&other, 400, "malformed", "If-Match");
    let elsewhere = format!("{}.1", ItemId::root_of(desk.space));
    let stale = desk.put_under("a", TEXT, &elsewhere, at(1)).await;
    assert_refused(&stale, 409, "conflict", "another item");
    let unread = desk.put_under("a", TEXT, "latest", at(1)).await;
    assert_refused(&unread, 400, "malformed", "If-Match");
    let whichever = desk.put_under("a", TEXT, "*", at(2)).await;
    assert_refused(&whichever, 409, "conflict", "at version 1");
    let quoted = format!("\"{first}\"");
    let answer = desk.put_under("a", TEXT, &quoted, at(1)).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    assert_eq!(desk.shown("a").await["mode"], "0600");
}

#[tokio::test]
async fn a_change_of_an_item_that_was_replaced_is_a_conflict() {
    let desk = Desk::new().await;
    let gone = format!("{}.1", ItemId::root_of(desk.space));
    let put = desk.put_under("a", JSON, &gone, "{}").await;
    let address = "/api/metadata?space=s&path=a";
    let delete = request(Method::DELETE, address, &desk.token).header("if-match", gone);
    let delete = desk.site.send(delete.body(Body::empty()).unwrap()).await;
    for answer in [put, delete] {
        assert_refused(&answer, 409, "conflict", "another item");
        assert_eq!(answer.json()["current"]["version"], desk.first.to_string());
    }
    assert_eq!(desk.shown("a").await["version"], desk.first.to_string());
}

#[tokio::test]
async fn what_no_log_can_hold_is_refused_before_it() {
    let desk = Desk::new().await;
    for counter in [0, 1_u64 << 63] {
        let wrong = format!("{}.{counter}", desk.first.item);
        let put = desk
            .put_under("a", JSON, &wrong, "{\"mode\": \"0600\"}")
            .await;
        assert_refused(&put, 400, "malformed", "is not a version");
        let address = "/api/metadata?space=s&path=a";
        let delete = request(Method::DELETE, address, &desk.token).header("if-match", wrong);
        let delete = desk.site.send(delete.body(Body::empty()).unwrap()).await;
        assert_refused(&delete, 400, "malformed", "is not a version");
    }
    let nobody = json!({ "member": "0", "role": "reader" });
    let admin = desk.site.admin();
    let answer = desk
        .site
        .post(&admin, "/api/spaces/s/members", nobody)
        .await;
    assert_refused(&answer, 400, "malformed", "member");
    // The node goes on.
    let first = desk.first.to_string();
    let answer = desk
        .put_under("a", JSON, &first, "{\"mode\": \"0600\"}")
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
}

#[tokio::test]
async fn changes_are_an_object_and_documents_utf8() {
    let desk = Desk::new().await;
    for body in ["[\"0604\", null]", "\"0604\"", "null", ""] {
        let answer = desk.put("a", JSON, body).await;
        assert_refused(&answer, 400, "malformed", "expected an object");
    }
    let text = "file_metadata:\n  name: \"a\"\n  version: 1\n";
    let latin = format!("{TEXT}; charset=latin1");
    let answer = desk.put("a", &latin, text).await;
    assert_refused(&answer, 415, "media-type", "`latin1` is not read");
    let packed = request(Method::PUT, "/api/metadata?space=s&path=a", &desk.token);
    let packed = packed
        .header("content-encoding", "gzip")
        .body(Body::from(text));
    let answer = desk.site.send(packed.unwrap()).await;
    assert_refused(
        &answer,
        415,
        "media-type",
        "`Content-Encoding: gzip` is not read",
    );
    let answer = desk
        .put("a", &format!("{TEXT};charset=\"UTF-8\""), text)
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
}

#[tokio::test]
async fn problems_of_a_text_are_told_one_by_one() {
    let desk = Desk::new().await;
    let answer = desk
        .put_text("a", &["name: a", "version: 1", "mode: \"99\""])
        .await;
    assert_refused(&answer, 400, "malformed", "2:9: text needs quotes");
    let problems = answer.json()["problems"].clone();
    assert_eq!(
        (&problems[0]["code"], &problems[0]["line"]),
        (&json!("unquoted-text"), &json!(2))
    );
    let answer = desk
        .put_text("a", &["name: \"a\"", "mode: \"99\"", "colour: 1"])
        .await;
    assert_refused(&answer, 400, "malformed", "");
    let codes: Vec<_> = answer.json()["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|problem| problem["code"].as_str().unwrap().to_owned())
        .collect();
    for code in ["missing-key", "illegal", "unknown-key"] {
        assert!(codes.iter().any(|found| found == code), "{codes:?}");
    }
    let answer = desk
        .put("a", TEXT, &b"file_metadata:\n  name: \"\xff\"\n"[..])
        .await;
    assert_refused(&answer, 400, "malformed", "not UTF-8");
    assert_eq!(answer.json()["problems"][0]["code"], "not-utf8");
}

#[tokio::test]
async fn there_is_one_document_of_a_file() {
    let desk = Desk::new().await;
    let one = "file_metadata:\n  name: \"a\"\n  version: 1\n";
    let manifest = "manifest:\n  entries: []\n";
    for text in ["", "# nothing\n", &[one, "---\n", one].concat(), manifest] {
        let answer = desk.put("a", TEXT, text.to_owned()).await;
        assert_refused(&answer, 400, "malformed", "expected one document");
    }
    let file = document("a", Record::new(1, file_kind()));
    let whole = encode_files([&file], Compression::None);
    for bytes in [
        encode_files([], Compression::None),
        encode_files([&file, &file], Compression::Zstd),
        encode_manifest(&Manifest::default(), Compression::None),
    ] {
        let answer = desk.put("a", BINARY, bytes).await;
        assert_refused(&answer, 400, "malformed", "expected one document");
    }
    for bytes in [
        b"text".to_vec(),
        Vec::new(),
        whole[..whole.len() - 1].to_vec(),
        [&whole[..], b"x"].concat(),
    ] {
        let answer = desk.put("a", BINARY, bytes).await;
        assert_refused(&answer, 400, "malformed", "the document is wrong");
    }
}

#[tokio::test]
async fn documents_are_bounded_and_of_a_known_form() {
    let desk = Desk::new().await;
    for media_type in [TEXT, BINARY] {
        let answer = desk.put("a", media_type, vec![b' '; (64 << 10) + 1]).await;
        answer.assert_problem(413, "too-long");
        assert_eq!(answer.json()["limit"], 64 << 10);
    }
    for media_type in ["text/plain", "application/octet-stream", ""] {
        let answer = desk.put("a", media_type, "x").await;
        assert_refused(&answer, 415, "media-type", TEXT);
    }
}

#[tokio::test]
async fn a_reader_changes_nothing() {
    let desk = Desk::new().await;
    let reader = desk.site.device("s", "reader").await;
    let desk = Desk {
        token: reader,
        ..desk
    };
    assert_eq!(desk.get("a", TEXT).await.status, StatusCode::OK);
    let answer = desk
        .put_text("a", &["name: \"a\"", "version: 1", "mode: \"0600\""])
        .await;
    answer.assert_problem(403, "forbidden");
}
