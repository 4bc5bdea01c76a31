//! `atoll up`, the line it prints, and what it refuses.

use crate::{LIMIT, await_that, binary, printed, refused};
use harness::process::Process;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A running `atoll up` and the line of JSON that it printed.
pub(crate) struct Up {
    pub(crate) process: Process,
    pub(crate) line: serde_json::Value,
}

impl Up {
    fn start(top: &Path, data: &str, folder: &str) -> Self {
        Self::start_with(top, data, folder, &["--listen", "127.0.0.1:0"])
    }

    /// With further `options`.
    pub(crate) fn start_with(top: &Path, data: &str, folder: &str, options: &[&str]) -> Self {
        let log = top.join(format!("{data}.log"));
        let mut command = Command::new(binary());
        command
            .arg("up")
            .arg(top.join(folder))
            .arg("--data")
            .arg(top.join(data));
        command.args(["--json", "--name", data]).args(options);
        // What an earlier one printed is not its line.
        let _ = fs::remove_file(&log);
        let process = Process::start(data, &mut command, &log).unwrap();
        let mut line = serde_json::Value::Null;
        await_that("the line of `atoll up`", || {
            let text = fs::read_to_string(&log).unwrap_or_default();
            let found = text
                .lines()
                .find_map(|line| serde_json::from_str(line).ok());
            line = found.unwrap_or_default();
            !line.is_null()
        });
        Self { process, line }
    }

    pub(crate) fn text(&self, field: &str) -> &str {
        self.line[field]
            .as_str()
            .unwrap_or_else(|| panic!("no {field} in {}", self.line))
    }
}

fn path(top: &tempfile::TempDir, name: &str) -> PathBuf {
    top.path().join(name)
}

/// The whole first minute of a user: `up` makes the folder and prints a line;
/// the line joins another folder; edits travel both ways.
#[test]
fn the_printed_line_joins_another_folder() {
    let top = tempfile::tempdir().unwrap();
    let up = Up::start(top.path(), "node", "shared");
    assert_eq!(up.text("space"), "shared");
    fs::write(path(&top, "shared/first"), "from the node's folder").unwrap();

    let words: Vec<&str> = up.text("join").split(' ').collect();
    assert_eq!(&words[1..3], ["sync", "./shared"], "{words:?}");
    let joined = path(&top, "joined");
    fs::create_dir(&joined).unwrap();
    let mut join = Command::new(binary());
    join.args(&words[1..]).current_dir(&joined);
    let client = Process::start("client", &mut join, &path(&top, "client.log")).unwrap();

    let (here, there) = (joined.join("shared"), path(&top, "shared"));
    await_that("the first file to arrive", || {
        fs::read(here.join("first")).is_ok_and(|text| text == b"from the node's folder")
    });
    fs::write(here.join("second"), "from the joined folder").unwrap();
    await_that("the second file to arrive", || {
        fs::read(there.join("second")).is_ok_and(|text| text == b"from the joined folder")
    });
    drop(client);
    up.process.stop(LIMIT).unwrap();
}

#[test]
fn a_second_up_adds_its_folder_to_the_running_node() {
    let top = tempfile::tempdir().unwrap();
    let up = Up::start(top.path(), "node", "one");
    let data = path(&top, "node");
    let text = printed(&[
        "up".as_ref(),
        path(&top, "two").as_os_str(),
        "--data".as_ref(),
        data.as_os_str(),
        "--json".as_ref(),
    ]);
    let line: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&line["space"], &line["url"]),
        (&"two".into(), &up.line["url"])
    );
}

#[test]
fn a_folder_of_another_node_is_refused_with_its_name() {
    let top = tempfile::tempdir().unwrap();
    let _first = Up::start(top.path(), "harbour", "folder");
    await_that("the folder's marker", || {
        path(&top, "folder/.atoll/marker.json").exists()
    });
    refused(
        &[
            "up".as_ref(),
            path(&top, "folder").as_os_str(),
            "--data".as_ref(),
            path(&top, "other").as_os_str(),
            "--listen".as_ref(),
            "127.0.0.1:0".as_ref(),
        ],
        1,
        "harbour",
    );
}

#[test]
fn what_cannot_work_says_so() {
    let top = tempfile::tempdir().unwrap();
    let up = Up::start(top.path(), "node", "folder");
    let joined = path(&top, "joined");
    let joined = joined.to_str().unwrap();
    let sync = |url: &str, token: &str, code: i32, part: &str| {
        let words = [
            "sync", joined, "--once", "--server", url, "--space", "folder",
        ];
        refused(&[&words[..], &["--token", token]].concat(), code, part);
    };
    sync(up.text("url"), "join_wrong", 1, "token");
    refused(&["sync", joined, "--once", "--nonsense"], 2, "--nonsense");
    refused(
        &["status", "--server", "http://127.0.0.1:1"],
        1,
        "127.0.0.1:1",
    );
}
