//! The criterion benchmarks of `benches/`, and the table that comes of them.

use anyhow::{Context, ensure};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::super::report::Row;
use super::Bench;
use crate::shell;

/// What reading a text must reach, in bytes a second.
const READ_BAR: f64 = 100e6;

/// What decoding must reach, in records a second.
const DECODE_BAR: f64 = 1e6;

/// One core, which no other work of this run has.
const CORE: &str = "1";

/// Runs them, one after another.
pub(super) fn measure(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let build = ["bench", "--no-run", "--quiet"];
    shell::run(shell::cargo(&build).current_dir(folder()))?;
    let cargo = shell::cargo(&["bench", "--quiet", "--bench", "metadata", "--"]);
    let mut pinned = Command::new("taskset");
    pinned.args(["--cpu-list", CORE]).arg(cargo.get_program());
    pinned.args(cargo.get_args()).arg("--noplot");
    if bench.quick {
        pinned.arg("--quick");
    }
    shell::run(pinned.current_dir(folder()))?;
    rows()
}

fn folder() -> PathBuf {
    shell::root().join("benches")
}

fn rows() -> anyhow::Result<Vec<Row>> {
    let saphyr = rate("text", "serde-saphyr")?;
    let yaml = rate("text", "serde_yaml_ng")?;
    let rivals = format!(
        "serde-saphyr {}, serde_yaml_ng {}",
        megabytes(saphyr),
        megabytes(yaml)
    );
    let read = |work: &str, name: &str| -> anyhow::Result<Row> {
        let rate = rate("text", name)?;
        let bar = format!("≥ {}", megabytes(READ_BAR));
        Ok(Row::figure(
            work,
            megabytes(rate),
            rivals.clone(),
            bar,
            rate >= READ_BAR,
        ))
    };
    let decode = |work: &str, name: &str| -> anyhow::Result<Row> {
        let rate = rate("binary", name)?;
        let bar = format!("≥ {}", records(DECODE_BAR));
        Ok(Row::figure(
            work,
            records(rate),
            String::new(),
            bar,
            rate >= DECODE_BAR,
        ))
    };
    let note = |work: &str, figure: String| Row::note(work, figure, String::new());
    Ok(vec![
        read("text of a manifest, read into a tree", "tree")?,
        read(
            "text of a manifest, read and checked entry by entry",
            "entries",
        )?,
        note(
            "tree of a manifest, validated against its schema",
            megabytes(rate("text", "validate")?),
        ),
        note(
            "text of a manifest, written from a tree",
            megabytes(rate("text", "print")?),
        ),
        decode(
            "bytes of a manifest, read and checked entry by entry",
            "decode",
        )?,
        decode("the same, compressed", "decode-zstd")?,
        note(
            "bytes of a manifest, written",
            records(rate("binary", "encode")?),
        ),
        note(
            "the same, compressed",
            records(rate("binary", "encode-zstd")?),
        ),
    ])
}

/// How much of what the group counts a second has, by criterion's median.
fn rate(group: &str, name: &str) -> anyhow::Result<f64> {
    let folder = folder()
        .join("target/criterion")
        .join(group)
        .join(name)
        .join("new");
    let read = |file: &str| -> anyhow::Result<Value> {
        let path = folder.join(file);
        let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(serde_json::from_slice(&text)?)
    };
    let nanoseconds = &read("estimates.json")?["median"]["point_estimate"];
    let nanoseconds = nanoseconds.as_f64().context("criterion tells no median")?;
    let throughput = &read("benchmark.json")?["throughput"];
    let amount = throughput["Bytes"]
        .as_f64()
        .or(throughput["Elements"].as_f64());
    let amount = amount.context("criterion tells no throughput")?;
    ensure!(nanoseconds > 0.0, "{group}/{name} took no time");
    Ok(amount / nanoseconds * 1e9)
}

fn megabytes(rate: f64) -> String {
    format!("{:.0} MB/s", rate / 1e6)
}

fn records(rate: f64) -> String {
    format!("{:.2} million records/s", rate / 1e6)
}
