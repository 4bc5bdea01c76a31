//! Real samples: those of node_exporter, which a Prometheus has scraped every 15 seconds (job
//! `node`) and every 5 (job `node5`), as JSON Lines.
//!
//! They are read from a file, fetched from a Prometheus that runs, or scraped now. What was
//! fetched stays in `target/bench-metrics-corpus.jsonl`, to be given as a file.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use harness::process::Process;

use super::client::Client;
use super::server::{System, data_folder, free_address};
use super::{Bench, now};
use crate::shell;

/// The jobs that belong to it.
pub const JOBS: &str = "{job=~\"node|node5\"}";

/// What is fetched at once, in milliseconds.
const PIECE: i64 = 3_600_000;

/// Names of labels and values of a series, its name among them.
pub type Labels = BTreeMap<String, String>;

/// Samples by time in milliseconds, as bits: of a NaN too, each is itself only.
pub type Samples = BTreeMap<i64, u64>;

/// All series.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Corpus(pub BTreeMap<Labels, Samples>);

impl Corpus {
    /// The corpus in a file, at the URL of a Prometheus, or one that is scraped for `time`.
    ///
    /// # Errors
    /// When it cannot be read, or has no samples.
    pub fn get(bench: &Bench, source: Option<&str>, time: Duration) -> anyhow::Result<Self> {
        let corpus = match source {
            Some(url) if url.starts_with("http://") => {
                let address = url.trim_start_matches("http://").trim_end_matches('/');
                Self::fetch(&Client::new(address))?
            }
            Some(path) => {
                let text = fs::read_to_string(path);
                return Self::read(&text.with_context(|| format!("cannot read {path}"))?);
            }
            None => scrape(bench, time)?,
        };
        ensure!(corpus.samples() > 0, "the corpus has no samples");
        let kept = shell::root().join("target/bench-metrics-corpus.jsonl");
        fs::write(&kept, corpus.lines().concat())?;
        eprintln!("  {} samples are in {}", corpus.samples(), kept.display());
        Ok(corpus)
    }

    /// How many samples there are.
    pub fn samples(&self) -> usize {
        self.0.values().map(BTreeMap::len).sum()
    }

    /// Reads JSON Lines as VictoriaMetrics writes them, and a node.
    ///
    /// # Errors
    /// When a line is none.
    pub fn read(text: &str) -> anyhow::Result<Self> {
        let mut corpus = Self::default();
        for line in text.lines() {
            let (labels, samples) =
                read_line(line).with_context(|| format!("no series: {line}"))?;
            corpus.0.entry(labels).or_default().extend(samples);
        }
        Ok(corpus)
    }

    /// A line for each series.
    pub fn lines(&self) -> Vec<String> {
        self.0
            .iter()
            .map(|(labels, samples)| line(labels, samples))
            .collect()
    }

    /// As OpenMetrics, which `promtool` reads.
    pub fn open_metrics(&self) -> String {
        // A metric's series come together; the map is in the order of `__name__` only where
        // no label comes before it.
        let mut series: Vec<_> = self.0.iter().collect();
        series.sort_by_key(|(labels, _)| labels.get(NAME));
        let mut text = String::new();
        for (labels, samples) in series {
            let name = labels.get(NAME).map_or("", String::as_str);
            let pairs = labels.iter().filter(|(name, _)| *name != NAME);
            let pairs: Vec<String> = pairs
                .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
                .collect();
            let pairs = pairs.join(",");
            for (time, bits) in samples {
                let value = match f64::from_bits(*bits) {
                    value if value == f64::INFINITY => "+Inf".to_owned(),
                    value if value == f64::NEG_INFINITY => "-Inf".to_owned(),
                    value => value.to_string(),
                };
                let (seconds, rest) = (time / 1000, time % 1000);
                let _ = writeln!(text, "{name}{{{pairs}}} {value} {seconds}.{rest:03}");
            }
        }
        text + "# EOF\n"
    }

    /// Everything that a Prometheus has of the jobs, from now on backwards.
    fn fetch(client: &Client) -> anyhow::Result<Self> {
        let mut corpus = Self::default();
        let mut end = now();
        loop {
            let query = format!("{JOBS}[{PIECE}ms]");
            let time = format!("{}.{:03}", end / 1000, end % 1000);
            let data = client.ask("/api/v1/query", &[("query", &query), ("time", &time)])?;
            let series = data["result"].as_array().context("no result")?;
            if series.is_empty() {
                return Ok(corpus);
            }
            for series in series {
                let labels: Labels = serde_json::from_value(series["metric"].clone())?;
                let values = series["values"].as_array().context("no values")?;
                let samples = values.iter().map(|pair| {
                    let time = (pair[0].as_f64()? * 1000.0).round() as i64;
                    let value: f64 = pair[1].as_str()?.parse().ok()?;
                    Some((time, bits(value)))
                });
                let samples: Option<Vec<_>> = samples.collect();
                let samples = samples.context("a value that is none")?;
                corpus.0.entry(labels).or_default().extend(samples);
            }
            end -= PIECE;
        }
    }
}

/// The label that is the name of a metric.
const NAME: &str = "__name__";

/// A Prometheus that scrapes a node_exporter for so long.
fn scrape(bench: &Bench, time: Duration) -> anyhow::Result<Corpus> {
    let exporter = free_address()?;
    let log = bench.folder.join("node_exporter.log");
    let mut command = Command::new(&bench.programs.node_exporter);
    command.arg(format!("--web.listen-address={exporter}"));
    let _exporter = Process::start("node_exporter", &mut command, &log)?;
    let data = data_folder(bench, "scraped")?;
    let jobs = [("node", 15), ("node5", 5)].map(|(name, seconds)| {
        format!(
            "  - job_name: {name}\n    scrape_interval: {seconds}s\n    \
             static_configs: [{{targets: ['{exporter}']}}]\n"
        )
    });
    let settings = format!("scrape_configs:\n{}", jobs.concat());
    let server = System::Prometheus.start_with(bench, &data, &settings)?;
    eprintln!("  scraping node_exporter for {time:?}");
    std::thread::sleep(time);
    let corpus = Corpus::fetch(&server.client())?;
    server.stop()?;
    Ok(corpus)
}

/// The bits of a value; NaNs that are not told apart by the format are one.
fn bits(value: f64) -> u64 {
    /// Prometheus' ordinary NaN.
    const NAN: u64 = 0x7ff8_0000_0000_0001;
    if value.is_nan() { NAN } else { value.to_bits() }
}

fn line(labels: &Labels, samples: &Samples) -> String {
    let metric = serde_json::to_string(labels).expect("texts are JSON");
    let values = samples.values().map(|bits| match f64::from_bits(*bits) {
        value if value.is_nan() => "null".to_owned(),
        value if value == f64::INFINITY => "\"Infinity\"".to_owned(),
        value if value == f64::NEG_INFINITY => "\"-Infinity\"".to_owned(),
        value => value.to_string(),
    });
    let values = values.collect::<Vec<_>>().join(",");
    let times = samples.keys().map(i64::to_string);
    let times = times.collect::<Vec<_>>().join(",");
    format!("{{\"metric\":{metric},\"values\":[{values}],\"timestamps\":[{times}]}}\n")
}

/// Numbers are read by hand, because `serde_json` may be off by the last bit.
fn read_line(line: &str) -> Option<(Labels, Samples)> {
    let line = line.strip_prefix("{\"metric\":")?;
    let (metric, rest) = line.rsplit_once(",\"values\":[")?;
    let (values, rest) = rest.split_once("],\"timestamps\":[")?;
    let (times, _) = rest.split_once(']')?;
    let labels = serde_json::from_str(metric).ok()?;
    let values = values.split(',').map(|text| match text {
        "null" => Some(bits(f64::NAN)),
        text => text.trim_matches('"').parse().ok().map(bits),
    });
    let times = times.split(',').map(|text| text.parse().ok());
    let pairs = times.zip(values).map(|(time, bits)| Some((time?, bits?)));
    Some((labels, pairs.collect::<Option<_>>()?))
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

/// A Prometheus' folder of blocks with these samples in `data`.
///
/// # Errors
/// When `promtool` fails.
pub fn make_blocks(bench: &Bench, open_metrics: &str, data: &Path) -> anyhow::Result<()> {
    /// It reads the text once for each two hours of samples.
    const LIMIT: Duration = Duration::from_secs(1800);
    let text = bench.folder.join("openmetrics.txt");
    fs::write(&text, open_metrics)?;
    let mut command = Command::new(&bench.programs.promtool);
    command.args(["tsdb", "create-blocks-from", "openmetrics", "--quiet"]);
    command.arg(&text).arg(data);
    let log = bench.folder.join("promtool.log");
    Process::start("promtool", &mut command, &log)?.succeed(LIMIT)?;
    Ok(fs::remove_file(text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "{\"metric\":{\"__name__\":\"up\",\"path\":\"],\\\"values\\\":[\"},\
        \"values\":[1.5,null,\"Infinity\"],\"timestamps\":[1000,2007,3000]}\n";

    #[test]
    fn lines_are_read_and_written() {
        let corpus = Corpus::read(LINE).unwrap();
        assert_eq!(corpus.samples(), 3);
        assert_eq!(corpus.lines(), [LINE]);
        assert!(Corpus::read("{}").is_err());
    }

    #[test]
    fn open_metrics_has_seconds() {
        let text = Corpus::read(LINE).unwrap().open_metrics();
        let expected = "up{path=\"],\\\"values\\\":[\"} 1.5 1.000\n\
            up{path=\"],\\\"values\\\":[\"} NaN 2.007\n\
            up{path=\"],\\\"values\\\":[\"} +Inf 3.000\n# EOF\n";
        assert_eq!(text, expected);
    }
}
