//! What a client refuses, what it leaves alone, and how it says so: folders in
//! the wrong place, readers, lost access, hot files, hostile names.

use crate::{LIMIT, await_that, binary, printed, refused};
use harness::process::Process;
use harness::site::{Folder, Node};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A node with one space, and a folder that follows it.
struct Site {
    top: tempfile::TempDir,
    node: Node,
    first: Folder,
}

impl Site {
    fn start() -> Self {
        let top = tempfile::tempdir().unwrap();
        let at = |name: &str| top.path().join(name);
        let node = Node::start(binary(), &at("data"), &at("node.log")).unwrap();
        let space = node.create_space("kept").unwrap();
        fs::create_dir(at("first")).unwrap();
        let first = node.folder("first", &at("first"), &space, &at("first.log"));
        first.once(LIMIT).unwrap();
        Self { top, node, first }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.top.path().join(name)
    }

    fn url(&self) -> String {
        format!("http://{}", self.node.address())
    }

    /// A token that joins the space in `role`.
    fn invite(&self, role: &str) -> String {
        let data = self.at("data");
        let words = ["invite", "--data", text(&data), "--space", "kept"];
        let answer = printed(&[&words[..], &["--role", role, "--json"]].concat());
        let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
        answer["token"].as_str().unwrap().to_owned()
    }

    /// Runs `atoll sync` on the folder `name` with `options`.
    fn sync(&self, name: &str, options: &[&str]) -> Output {
        let folder = self.at(name);
        crate::atoll(&[&["sync", text(&folder)], options].concat())
    }

    /// Joins the folder `name` in `role`.
    fn join(&self, name: &str, role: &str, options: &[&str]) {
        let (url, token) = (self.url(), self.invite(role));
        let words = ["--once", "--server", &url, "--token", &token];
        let output = self.sync(name, &[&words[..], options].concat());
        assert!(output.status.success(), "{output:?}");
    }

    /// Gives every member `role`, or none.
    fn give_all(&self, role: Option<&str>) {
        let token = fs::read_to_string(self.at("data/admin-token")).unwrap();
        let members = format!("{}/api/spaces/kept/members", self.url());
        let authorization = format!("Bearer {}", token.trim());
        let answer = ureq::get(&members)
            .header("authorization", &authorization)
            .call()
            .unwrap();
        let listed: serde_json::Value =
            serde_json::from_reader(answer.into_body().into_reader()).unwrap();
        for member in listed["items"].as_array().unwrap() {
            let change = serde_json::json!({ "member": member["member"], "role": role });
            ureq::post(&members)
                .header("authorization", &authorization)
                .header("content-type", "application/json")
                .send(change.to_string())
                .unwrap();
        }
    }

    /// Starts `atoll sync` on the folder `name`, as its own log tells.
    fn watch(&self, name: &str) -> (Process, PathBuf) {
        let log = self.at(&format!("{name}.watch.log"));
        let mut command = Command::new(binary());
        command.arg("sync").arg(self.at(name));
        (Process::start(name, &mut command, &log).unwrap(), log)
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn log_says(log: &Path, part: &str) {
    await_that(part, || {
        fs::read_to_string(log).unwrap_or_default().contains(part)
    });
}

#[test]
fn a_folder_in_the_wrong_place_is_refused_before_it_is_made() {
    let site = Site::start();
    let (url, token) = (site.url(), site.invite("editor"));
    let options = ["--once", "--server", &url, "--token", &token];
    for (place, part) in [
        ("data", "where a node keeps its data"),
        ("data/blobs/new", "where a node keeps its data"),
        ("first/new", "lies in the synced folder"),
    ] {
        let folder = site.at(place);
        refused(&[&["sync", text(&folder)], &options[..]].concat(), 1, part);
    }
    assert!(!site.at("first/new").exists() && !site.at("data/blobs/new").exists());
    assert!(!site.at("data/.atoll").exists());
}

/// A directory that turns into a synced folder of its own is left, and nothing in
/// it counts as deleted; the same holds for a node's data.
#[test]
fn foreign_directories_are_not_entered() {
    let site = Site::start();
    for name in ["inner/f", "data/node.yaml", "data/log/1", "data/blobs/1"] {
        let path = site.first.path.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, name).unwrap();
    }
    let summary = site.first.once_json().unwrap_err().to_string();
    assert!(summary.contains("it holds a node's data"), "{summary}");
    fs::create_dir(site.first.path.join("inner/.atoll")).unwrap();
    fs::remove_file(site.first.path.join("inner/f")).unwrap();
    let summary = site.first.once_json().unwrap_err().to_string();
    assert!(summary.contains("a synced folder of its own"), "{summary}");
    site.join("second", "editor", &[]);
    assert!(site.at("second/inner/f").exists());
    assert!(!site.at("second/data").exists());
}

/// A reader's own changes are told and stay; what others do still arrives, and a
/// file that both edited keeps both versions.
#[test]
fn a_reader_follows_on_after_its_own_changes() {
    let site = Site::start();
    for name in ["edited", "deleted", "both"] {
        fs::write(site.first.path.join(name), "from the editor").unwrap();
    }
    site.first.once(LIMIT).unwrap();
    site.join("mirror", "reader", &[]);
    let (mirror, log) = site.watch("mirror");
    log_says(&log, "syncing ");
    fs::write(site.at("mirror/edited"), "mine").unwrap();
    fs::write(site.at("mirror/new"), "mine").unwrap();
    fs::write(site.at("mirror/both"), "mine").unwrap();
    fs::remove_file(site.at("mirror/deleted")).unwrap();
    for name in ["edited", "new", "both", "deleted"] {
        log_says(&log, &format!("skipped  {name}: "));
    }
    fs::write(site.first.path.join("both"), "from the editor again").unwrap();
    fs::write(site.first.path.join("later"), "from the editor").unwrap();
    site.first.once(LIMIT).unwrap();
    await_that("the later file", || site.at("mirror/later").exists());
    await_that("the edit of both", || {
        fs::read(site.at("mirror/both")).is_ok_and(|text| text == b"from the editor again")
    });
    drop(mirror);
    let mine = fs::read_dir(site.at("mirror"))
        .unwrap()
        .filter_map(|entry| fs::read(entry.unwrap().path()).ok())
        .filter(|text| text == b"mine");
    assert_eq!(mine.count(), 3);
    site.first.once(LIMIT).unwrap();
    assert_eq!(
        fs::read(site.first.path.join("edited")).unwrap(),
        b"from the editor"
    );
    assert!(site.first.path.join("deleted").exists());
    assert!(!site.first.path.join("new").exists());
}

/// A reader that becomes an editor while it watches gives what it had left; one that
/// becomes a reader again is told so.
#[test]
fn a_change_of_role_is_noticed_while_watching() {
    let site = Site::start();
    fs::write(site.first.path.join("deleted"), "from the editor").unwrap();
    site.first.once(LIMIT).unwrap();
    site.join("mirror", "reader", &[]);
    let (mirror, log) = site.watch("mirror");
    log_says(&log, "syncing ");
    fs::write(site.at("mirror/mine"), "mine").unwrap();
    fs::remove_file(site.at("mirror/deleted")).unwrap();
    for name in ["mine", "deleted"] {
        log_says(&log, &format!("skipped  {name}: "));
    }
    site.give_all(Some("editor"));
    // A quiet reader asks no one: this begins the round that does.
    fs::write(site.at("mirror/next"), "mine").unwrap();
    await_that("what the reader had changed", || {
        site.first.once(LIMIT).unwrap();
        site.first.path.join("mine").exists() && !site.first.path.join("deleted").exists()
    });
    site.give_all(Some("reader"));
    fs::write(site.at("mirror/later"), "mine").unwrap();
    log_says(&log, "skipped  later: ");
    drop(mirror);
}

/// Each way to say a wrong address is answered with a right one.
#[test]
fn a_wrong_address_is_answered_with_a_right_one() {
    let site = Site::start();
    let (taken, data) = (site.node.address().to_owned(), site.at("other"));
    let port = taken.rsplit(':').next().unwrap();
    for command in ["up", "serve"] {
        for (address, code, part) in [
            (taken.as_str(), 1, "--listen 127.0.0.1:0"),
            ("localhost:9000", 2, "such as 127.0.0.1:9000"),
            (port, 2, &format!("such as 127.0.0.1:{port}")),
        ] {
            let mut words = vec![command, "--data", text(&data), "--listen", address];
            let folder = site.at("shared");
            words.extend((command == "up").then_some(text(&folder)));
            refused(&words, code, part);
        }
        let elsewhere = ["--listen", "192.0.2.1:8080"];
        let words = [&[command, "--data", text(&data)], &elsewhere[..]].concat();
        refused(&words, 1, "--listen 0.0.0.0:8080");
    }
}

/// A large file that grows all the time costs a few versions, and ends up whole.
#[test]
fn a_growing_file_costs_few_versions() {
    let site = Site::start();
    let (watcher, log) = site.watch("first");
    log_says(&log, "syncing ");
    let path = site.first.path.join("log");
    fs::write(&path, vec![7; 2 << 20]).unwrap();
    let mut file = File::options().append(true).open(&path).unwrap();
    for number in 0..100 {
        writeln!(file, "line {number}").unwrap();
        // Not for order: a log grows over time.
        std::thread::sleep(std::time::Duration::from_millis(30));
    }
    let size = fs::metadata(&path).unwrap().len();
    let versions = || {
        let lines = printed(&["history", text(&path)]);
        (
            lines.lines().count(),
            lines.contains(&format!("{size} bytes")),
        )
    };
    await_that("the last line", || versions().1);
    assert!(versions().0 <= 8, "{} versions", versions().0);
    drop(watcher);
}

#[test]
fn set_user_id_stays_where_it_was_set() {
    let site = Site::start();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    let (file, directory) = (site.first.path.join("tool"), site.first.path.join("shared"));
    fs::write(&file, "text").unwrap();
    fs::create_dir(&directory).unwrap();
    fs::set_permissions(&file, PermissionsExt::from_mode(0o4755)).unwrap();
    fs::set_permissions(&directory, PermissionsExt::from_mode(0o3770)).unwrap();
    site.first.once(LIMIT).unwrap();
    site.join("second", "editor", &[]);
    assert_eq!(mode(&site.at("second/tool")), 0o755);
    assert_eq!(mode(&site.at("second/shared")), 0o1770);
    assert_eq!((mode(&file), mode(&directory)), (0o4755, 0o3770));
    for name in ["first", "second"] {
        let output = self_json(&site, name);
        assert_eq!(
            (&output["uploaded"], &output["fetched"]),
            (&0.into(), &0.into())
        );
    }
}

fn self_json(site: &Site, name: &str) -> serde_json::Value {
    let output = site.sync(name, &["--once", "--json"]);
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_joined_folder_keeps_its_space_and_its_name() {
    let site = Site::start();
    site.join("second", "editor", &["--name", "harbour"]);
    let other = site.sync("second", &["--once", "--space", "other"]);
    assert_eq!(other.status.code(), Some(1));
    assert!(
        said(&other).contains("belongs to space `kept`"),
        "{other:?}"
    );
    fs::write(site.first.path.join("f"), "one").unwrap();
    fs::write(site.at("second/f"), "two").unwrap();
    site.first.once(LIMIT).unwrap();
    assert!(site.sync("second", &["--once"]).status.success());
    let copies = fs::read_dir(site.at("second")).unwrap();
    let names = copies.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.filter(|name| name.contains("-harbour")).count(), 1);
}

#[test]
fn damaged_files_and_strangers_are_named() {
    let site = Site::start();
    let again = |name: &str, part: &str| {
        let output = site.sync(name, &["--once"]);
        assert_eq!(output.status.code(), Some(1));
        assert!(said(&output).contains(part), "`{part}`: {output:?}");
    };
    let elsewhere = ["--once", "--server", "http://127.0.0.1:9"];
    let folder = text(&site.first.path);
    let words = [&["sync", folder], &elsewhere[..]].concat();
    refused(&words, 1, "its token is not sent to http://127.0.0.1:9");
    fs::write(site.first.path.join(".atoll/token"), "").unwrap();
    again("first", ".atoll/token cannot be used");
    fs::write(site.first.path.join(".atoll/marker.json"), "{").unwrap();
    again("first", ".atoll/marker.json cannot be used");
    let url = site.url();
    let empty = site.sync("new", &["--once", "--server", &url, "--token", ""]);
    assert!(said(&empty).contains("token"), "{empty:?}");
    let full = File::options().write(true).open("/dev/full").unwrap();
    let data = site.at("data");
    let status = Command::new(binary())
        .args(["status", "--data", text(&data)])
        .stdout(full)
        .output()
        .unwrap();
    assert!(said(&status).contains("standard output"), "{status:?}");
}

/// Names are shown, not obeyed, and a dry run speaks to people.
#[test]
fn hostile_names_are_printed_harmless() {
    let site = Site::start();
    fs::write(site.first.path.join("a\x1b[2Jb"), "text").unwrap();
    for options in [&["--dry-run"][..], &["--once", "--verbose"]] {
        let output = site.sync("first", options);
        assert!(said(&output).contains("a\\u001b[2Jb"), "{output:?}");
        assert!(!said(&output).contains('\x1b'), "{output:?}");
        let dry = options[0] == "--dry-run";
        assert!(!dry || said(&output).contains("send as new"), "{output:?}");
    }
}

/// A watching client that is asked to end says what it did.
#[test]
fn a_watching_client_ends_in_order() {
    let site = Site::start();
    let (watcher, log) = site.watch("first");
    log_says(&log, "syncing ");
    watcher.stop(LIMIT).unwrap();
    assert!(fs::read_to_string(&log).unwrap().contains("space kept: "));
    let Site { node, first, top } = site;
    node.stop().unwrap();
    let mut command = Command::new(binary());
    command.arg("sync").arg(&first.path);
    let log = top.path().join("away.log");
    let waiting = Process::start("waiting", &mut command, &log).unwrap();
    log_says(&log, "waiting  ");
    waiting.stop(LIMIT).unwrap();
    log_says(&log, "ended before the node answered");
}

/// A member whose role was taken away is told so once, and ends a single sync.
#[test]
fn lost_access_is_said_once() {
    let site = Site::start();
    let (watcher, log) = site.watch("first");
    let path = site.first.path.join("before");
    fs::write(&path, "given while it may").unwrap();
    await_that("the first file at the node", || {
        !crate::atoll(&["history", text(&path)]).stdout.is_empty()
    });
    site.give_all(None);
    log_says(&log, "no access to space `kept`");
    for name in ["a", "b"] {
        fs::write(site.first.path.join(name), name).unwrap();
    }
    watcher.stop(LIMIT).unwrap();
    let told = fs::read_to_string(&log).unwrap();
    assert_eq!(told.matches("no access").count(), 1, "{told}");
    let once = site.sync("first", &["--once"]);
    assert_eq!(once.status.code(), Some(1));
    assert!(
        said(&once).contains("no access to space `kept`"),
        "{once:?}"
    );
}
