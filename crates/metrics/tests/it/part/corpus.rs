//! How many bytes a sample of a real corpus takes, and how fast it is read.
//!
//! `ATOLL_CORPUS` names a file with the answer of Prometheus to a range selector such as
//! `{job="node"}[2h]`; without it nothing is measured.

use super::series::{ALWAYS, PATH, Series, naive, open, read, write};
use metrics::chunk::Sample;
use metrics::eval::{Labels, Select};
use metrics::part::Part;
use metrics::promql::LabelMatcher;
use std::collections::BTreeMap;
use std::time::Instant;
use store::fs::SimulatedFileSystem;

#[derive(serde::Deserialize)]
struct Answer {
    data: Data,
}

#[derive(serde::Deserialize)]
struct Data {
    result: Vec<Matrix>,
}

#[derive(serde::Deserialize)]
struct Matrix {
    metric: BTreeMap<String, String>,
    values: Vec<(f64, String)>,
}

fn corpus() -> Option<Series> {
    let path = std::env::var_os("ATOLL_CORPUS")?;
    let answer: Answer = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let series = answer.data.result.into_iter().map(|series| {
        let samples = series.values.into_iter().map(|(seconds, value)| Sample {
            time: (seconds * 1000.0).round() as i64,
            value: value.parse().unwrap(),
        });
        (Labels::new(series.metric), samples.collect())
    });
    Some(series.collect())
}

#[test]
#[ignore = "measures; needs a corpus in ATOLL_CORPUS"]
fn bytes_of_a_sample() {
    let Some(series) = corpus() else {
        println!("no corpus in ATOLL_CORPUS");
        return;
    };
    let begin = Instant::now();
    let fs = SimulatedFileSystem::new();
    let summary = write(&fs, &series).unwrap().unwrap();
    let written = begin.elapsed();
    let part = open(&fs).unwrap();
    assert!(read(&part, &[], ALWAYS).unwrap() == naive(&series, &[], ALWAYS));
    let per_sample = |bytes: u64| bytes as f64 / summary.samples as f64;
    println!(
        "{} series, {} samples, {} bytes: {:.4} bytes per sample, written in {written:?}",
        summary.series,
        summary.samples,
        summary.bytes,
        per_sample(summary.bytes),
    );
    for (what, bytes) in part_bytes(&fs) {
        println!(
            "  {what}: {bytes} bytes, {:.4} per sample",
            per_sample(bytes)
        );
    }
    let changed = |change: &dyn Fn(&Sample) -> Sample| {
        let samples = |samples: &Vec<Sample>| samples.iter().map(change).collect();
        let series = series
            .iter()
            .map(|(labels, all)| (labels.clone(), samples(all)));
        let fs = SimulatedFileSystem::new();
        write(&fs, &series.collect()).unwrap().unwrap().bytes
    };
    let without_values = changed(&|sample| Sample {
        value: 0.0,
        ..*sample
    });
    println!(
        "  without values: {:.4} per sample",
        per_sample(without_values)
    );
    time_reading(&part, &[]);
    time_reading(&part, &[LabelMatcher::of_name("node_cpu_seconds_total")]);
}

/// Bytes of the blocks by their kinds.
fn part_bytes(fs: &SimulatedFileSystem) -> BTreeMap<&'static str, u64> {
    use store::fs::{FileSystem, Open};
    let file = fs.open(std::path::Path::new(PATH), Open::Read).unwrap();
    let mut found = BTreeMap::new();
    let (mut offset, end) = (16, file.length().unwrap() - 56);
    while offset < end {
        let mut header = [0; 20];
        file.read_exact_at(&mut header, offset).unwrap();
        let number = |place: usize| {
            u64::from(u32::from_le_bytes(
                header[place..place + 4].try_into().unwrap(),
            ))
        };
        let kind = ["", "samples", "series", "postings", "index"][number(4) as usize];
        let length = 20 + number(8) + number(16);
        *found.entry(kind).or_default() += length;
        if kind == "samples" {
            *found.entry("samples, by pco").or_default() += number(16);
        }
        offset += length;
    }
    found
}

fn time_reading(part: &Part, matchers: &[LabelMatcher]) {
    let begin = Instant::now();
    let mut cursor = part.select(matchers, ALWAYS).unwrap();
    let (mut series, mut samples) = (0, 0);
    while cursor.advance().unwrap() {
        series += 1;
        samples += cursor.samples().unwrap().len();
    }
    let taken = begin.elapsed();
    println!("  read {series} series, {samples} samples in {taken:?}");
}
