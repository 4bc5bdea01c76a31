//! Samples in a node, as a user has them: sent, asked for, carried to another node, and still
//! there after whatever ends the node or damages a part.
//!
//! What the commands make of answers is tested in `metrics`; many kills at full speed are
//! `cargo xtask judge metrics`.

use crate::{atoll, await_that, binary, printed, refused};
use base::SeededRandom;
use harness::process::{Signal, signal};
use harness::samples::Senders;
use harness::site::Node;
use serde_json::{Value, json};
use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The kills of the small storm.
const KILLS: usize = 5;

/// The longest life in it.
const LIFE_MILLIS: u64 = 400;

/// A folder for a node's data and its log.
struct Site {
    top: tempfile::TempDir,
}

impl Site {
    /// With this configuration.
    fn new(config: &str) -> Self {
        let site = Self {
            top: tempfile::tempdir().unwrap(),
        };
        fs::create_dir(site.path("data")).unwrap();
        fs::write(site.path("data/atoll.yaml"), config).unwrap();
        site
    }

    fn start(&self) -> Node {
        Node::start(binary(), &self.path("data"), &self.path("node.log")).unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.top.path().join(name)
    }

    fn data(&self) -> String {
        self.path("data").to_str().unwrap().to_owned()
    }

    /// What `atoll metrics` with these words prints, of the node that runs here.
    fn metrics(&self, words: &[&str]) -> String {
        let data = self.data();
        printed(&[&["metrics"], words, &["--data", &data]].concat())
    }

    /// The values of the series that an expression gives, as texts.
    fn values(&self, expression: &str) -> Vec<String> {
        let answer: Value =
            serde_json::from_str(&self.metrics(&["query", expression, "--json"])).unwrap();
        let found = answer["data"]["result"].as_array().expect("a result");
        let value = |series: &Value| series["value"][1].as_str().unwrap().to_owned();
        found.iter().map(value).collect()
    }

    /// The files of the parts, the oldest first.
    fn parts(&self) -> Vec<PathBuf> {
        let listed = fs::read_dir(self.path("data/metrics/parts")).unwrap();
        let mut parts: Vec<_> = listed.map(|entry| entry.unwrap().path()).collect();
        parts.sort();
        parts
    }

    /// Two samples, one of now and one of five weeks ago, in parts of their own. Gives the
    /// file of the older one.
    fn in_two_parts(&self, node: &Node) -> PathBuf {
        self.metrics(&["push", "room", "21.5"]);
        self.metrics(&["push", "room_before", "19", "--time", "35d"]);
        let snapshot = "/api/v1/admin/tsdb/snapshot?name=first";
        node.administrator().ask("POST", snapshot).unwrap();
        let parts = self.parts();
        assert_eq!(parts.len(), 2, "{parts:?}");
        parts[0].clone()
    }
}

/// Since 1970.
fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

#[test]
fn what_is_pushed_is_found_and_carried_to_another_node() {
    let (first, second) = (Site::new(""), Site::new(""));
    let _nodes = [first.start(), second.start()];
    for (room, value) in [("kitchen", "21.5"), ("attic", "-3")] {
        let tag = format!("room={room}");
        let words = [
            "push",
            "temperature",
            value,
            "--tag",
            &tag,
            "--tag",
            "house=ours",
        ];
        assert_eq!(first.metrics(&words), "1 of 1 samples were accepted\n");
        first.metrics(&[&words[..], &["--time", "35d"]].concat());
    }
    assert_eq!(
        first.metrics(&["query", "temperature"]),
        "temperature{house=\"ours\"}\nroom     value\nattic       -3\nkitchen   21.5\n"
    );
    let mut values = first.values("temperature");
    values.sort();
    assert_eq!(values, ["-3", "21.5"]);

    let chosen = ["export", "--match", "temperature"];
    let (file, exported) = (first.path("all.jsonl"), first.metrics(&chosen));
    assert_eq!(exported.lines().count(), 2, "{exported}");
    fs::write(&file, &exported).unwrap();
    let told = second.metrics(&["import", file.to_str().unwrap()]);
    assert!(told.contains("2 lines with 4 samples were sent"), "{told}");
    assert_eq!(second.metrics(&chosen), exported);
}

#[test]
fn a_range_is_a_plot() {
    let site = Site::new("");
    let _node = site.start();
    for (minutes, value) in [(30, "1"), (20, "4"), (10, "2")] {
        let time = format!("{minutes}m");
        site.metrics(&["push", "load", value, "--tag", "host=a", "--time", &time]);
    }
    let plot = site.metrics(&["query", "load", "--range", "1h"]);
    for part in ["load", "host=\"a\"", "└", "┬", "every 15 s"] {
        assert!(plot.contains(part), "no {part} in\n{plot}");
    }
}

#[test]
fn samples_outlive_a_kill_and_a_stop() {
    let site = Site::new("");
    let node = site.start();
    site.metrics(&["push", "first", "1"]);
    let node = node.kill().restart().unwrap();
    assert_eq!(site.values("first"), ["1"]);

    site.metrics(&["push", "second", "2"]);
    let mut node = node;
    signal(node.process.id(), Signal::TERM).unwrap();
    await_that("the end of the node", || !node.process.is_running());
    let node = node.kill().restart().unwrap();
    assert_eq!(site.values("first"), ["1"]);
    assert_eq!(site.values("second"), ["2"]);
    node.stop().unwrap();
}

#[test]
fn many_kills_lose_nothing_that_was_acknowledged() {
    let seed = std::env::var("ATOLL_SEED").map_or(1, |text| text.parse().expect("a number"));
    println!("seed {seed}");
    let random = SeededRandom::new(seed);
    let site = Site::new("");
    let begin = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_millis();
    let mut senders = Senders::new(3, i64::try_from(begin).unwrap());
    let mut node = site.start();
    for _ in 0..KILLS {
        let life = Duration::from_millis(random.below(LIFE_MILLIS));
        let ended = senders.push_while(node, |node| {
            std::thread::sleep(life);
            Ok(node.kill())
        });
        node = ended.unwrap().restart().unwrap();
        let checked = senders.check(&node).unwrap();
        assert!(checked.holds(), "{checked:?}");
    }
    assert!(senders.check(&node).unwrap().acknowledged > 0);
}

#[test]
fn scrub_names_the_part_with_a_flipped_byte() {
    let site = Site::new("");
    let node = site.start();
    let part = site.in_two_parts(&node);
    let data = site.data();
    let alone = ["scrub", "--data", &data];
    let told = printed(&alone);
    assert!(told.contains("and 2 parts of metrics"), "{told}");
    let ended = node.stop().unwrap();
    let told = printed(&alone);
    assert!(told.contains("and 2 parts of metrics"), "{told}");

    flip_a_bit_in_the_middle(&part);
    expect_named(&alone, &part);
    let _node = ended.restart().unwrap();
    expect_named(&alone, &part);
    assert_eq!(site.values("room"), ["21.5"]);
    // What needs the part fails as a whole: nobody takes what is left for everything.
    let words = [
        "metrics",
        "export",
        "--match",
        "room_before",
        "--data",
        &data,
    ];
    refused(&words, 1, "broke off after 0 bytes");
    let old = "last_over_time(room_before[60d])";
    refused(
        &["metrics", "query", old, "--data", &data],
        1,
        "is damaged at byte",
    );
}

#[test]
fn a_fault_that_comes_again_and_again_does_not_fill_the_log() {
    const ASKED: usize = 20;
    let site = Site::new("");
    let node = site.start();
    fs::write(site.path("data/metrics/snapshots"), "no folder").unwrap();
    for _ in 0..ASKED {
        let snapshot = "/api/v1/admin/tsdb/snapshot?name=first";
        let refused = node.administrator().ask("POST", snapshot).unwrap_err();
        assert!(format!("{refused:#}").contains("500"), "{refused:#}");
    }
    let log = fs::read_to_string(site.path("node.log")).unwrap();
    let lines = log.matches("metrics/snapshots").count();
    // More than a few only where they took longer than the period that is looked at.
    assert!((1..ASKED).contains(&lines), "{log}");
}

/// `atoll scrub` fails, and says where.
#[track_caller]
fn expect_named(words: &[&str], part: &Path) {
    refused(words, 1, "1 place is damaged");
    let name = part.file_name().unwrap().to_str().unwrap();
    let told = String::from_utf8(atoll(words).stdout).unwrap();
    let line = told.lines().find(|line| line.starts_with("damaged: "));
    assert!(line.is_some_and(|line| line.contains(name)), "{told}");
}

fn flip_a_bit_in_the_middle(path: &Path) {
    let mut file = fs::File::options()
        .read(true)
        .write(true)
        .open(path)
        .unwrap();
    let middle = file.metadata().unwrap().len() / 2;
    let mut byte = [0];
    file.seek(SeekFrom::Start(middle)).unwrap();
    file.read_exact(&mut byte).unwrap();
    file.seek(SeekFrom::Start(middle)).unwrap();
    file.write_all(&[byte[0] ^ 1]).unwrap();
}

#[test]
fn a_node_goes_on_without_a_damaged_part() {
    let site = Site::new("");
    let node = site.start();
    let part = site.in_two_parts(&node);
    let ended = node.kill();
    let file = fs::File::options().write(true).open(&part).unwrap();
    file.set_len(file.metadata().unwrap().len() / 2).unwrap();
    let _node = ended.restart().unwrap();
    assert_eq!(site.values("room"), ["21.5"]);
    assert_eq!(site.values("last_over_time(room_before[60d])"), [""; 0]);
    site.metrics(&["push", "room_before", "18", "--time", "35d"]);
    assert_eq!(site.values("last_over_time(room_before[60d])"), ["18"]);
    let log = fs::read_to_string(site.path("node.log")).unwrap();
    let name = part.file_name().unwrap().to_str().unwrap();
    assert!(log.contains(name), "{log}");
    assert!(part.exists());
}

/// What someone on this machine without a token is answered who sends, and who asks.
fn without_a_token(config: &str) -> [u16; 2] {
    let site = Site::new(config);
    let node = site.start();
    let url = node.administrator().url;
    let agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .new_agent();
    let body = json!({"metrics": [{"name": "a", "value": 1}]}).to_string();
    let sent = agent.post(format!("{url}/metrics")).send(body).unwrap();
    let asked = agent.get(format!("{url}/api/v1/query?query=a"));
    [sent, asked.call().unwrap()].map(|answer| answer.status().as_u16())
}

#[test]
fn who_needs_no_token_is_told_by_the_configuration() {
    assert_eq!(without_a_token(""), [401, 401]);
    assert_eq!(without_a_token("metrics: {loopback: closed}\n"), [401, 401]);
    assert_eq!(without_a_token("metrics: {loopback: write}\n"), [200, 401]);
    assert_eq!(without_a_token("metrics: {loopback: open}\n"), [200, 200]);
}

/// A line of the live copy.
fn line(value: f64, seconds: u64) -> Value {
    let metric = json!({"__name__": "room", "side": "north"});
    json!({"metric": metric, "values": [value], "timestamps": [seconds * 1000]})
}

#[test]
fn a_live_copy_has_each_sample_on_a_line() {
    let site = Site::new("metrics: {live_copy: true}\n");
    let node = site.start();
    let now = now().as_secs();
    let push = |value: f64, seconds: u64| {
        let (value, time) = (value.to_string(), seconds.to_string());
        let words = [
            "push",
            "room",
            &value,
            "--tag",
            "side=north",
            "--time",
            &time,
        ];
        site.metrics(&words);
    };
    let copies = |value: f64, seconds: u64| {
        let text = fs::read_to_string(site.path("data/metrics.jsonl")).unwrap_or_default();
        // The last line may not be whole yet.
        let lines = text.lines().flat_map(serde_json::from_str::<Value>);
        lines.filter(|found| *found == line(value, seconds)).count()
    };
    push(21.5, now - 1);
    await_that("the sample in the live copy", || copies(21.5, now - 1) == 1);

    let _node = node.kill().restart().unwrap();
    push(22.25, now);
    await_that("the next sample in the live copy", || {
        copies(22.25, now) == 1
    });
    assert_eq!(copies(21.5, now - 1), 1);
}
