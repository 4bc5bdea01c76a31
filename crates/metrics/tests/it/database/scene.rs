//! A store on a simulated disk, and how samples get in and out of it.

use base::{ManualClock, SeededRandom};
use metrics::chunk::Sample;
use metrics::database::{Database, OpenError, Settings, WriteError};
use metrics::eval::{Select, TimeRange};
use metrics::head::Client;
use metrics::ingest::{Batch, json};
use metrics::promql::parse_selector;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use store::fs::{FileSystem, SimulatedFileSystem};

/// When it is, unless told otherwise.
pub const NOW: u64 = 1_790_000_000_000;

/// Samples by series and time, as bits.
pub type Samples = BTreeMap<String, BTreeMap<i64, u64>>;

/// A disk, a clock, and settings.
pub struct Scene {
    pub disk: SimulatedFileSystem,
    pub clock: Arc<ManualClock>,
    pub settings: Settings,
    pub directory: PathBuf,
}

impl Scene {
    pub fn new() -> Self {
        Self::on(SimulatedFileSystem::new())
    }

    pub fn on(disk: SimulatedFileSystem) -> Self {
        let settings = Settings {
            segment_bytes: 4000,
            // At once, so that every run does the same with the disk.
            write_zeros: |mut zeros| while zeros.write_some() {},
            ..Settings::default()
        };
        Self {
            disk,
            clock: Arc::new(ManualClock::new(NOW)),
            settings,
            directory: PathBuf::from("node/metrics"),
        }
    }

    pub fn open(&self) -> Result<Arc<Database>, OpenError> {
        self.open_on(Arc::new(self.disk.clone()))
    }

    /// Opens the store on another disk than its own.
    pub fn open_on(&self, disk: Arc<dyn FileSystem>) -> Result<Arc<Database>, OpenError> {
        Database::open(
            disk,
            &self.directory,
            self.settings.clone(),
            self.clock.clone(),
            &SeededRandom::new(1),
        )
    }
}

/// Sends samples of `name{n="…"}`; what became of them comes later.
pub fn send(
    database: &Database,
    samples: &[(u32, i64, f64)],
) -> Result<Receiver<Result<(), WriteError>>, WriteError> {
    let items: Vec<String> = samples
        .iter()
        .map(|(n, time, value)| {
            format!(r#"{{"name":"m","value":{value},"tags":{{"n":"{n}"}},"timestamp":{time}}}"#)
        })
        .collect();
    send_json(database, &format!(r#"{{"metrics":[{}]}}"#, items.join(",")))
}

fn send_json(
    database: &Database,
    body: &str,
) -> Result<Receiver<Result<(), WriteError>>, WriteError> {
    let mut intake = database.intake(Client(7));
    let mut batch = Batch::default();
    batch.times = intake.times;
    json::parse(body.as_bytes(), intake.now, &mut intake.series, &mut batch).unwrap();
    assert_eq!(batch.listed(), &[]);
    let (sender, receiver) = channel();
    let done = Box::new(move |result| drop(sender.send(result)));
    intake.write(batch.points, done)?;
    Ok(receiver)
}

/// Sends samples and waits for the acknowledgement.
pub fn put(database: &Database, samples: &[(u32, i64, f64)]) -> Result<(), WriteError> {
    send(database, samples)?.recv().unwrap()
}

/// Why a sample is refused.
pub fn refused(database: &Database, n: u32, time: i64) -> String {
    let item = format!(r#"{{"name":"m","value":1,"tags":{{"n":"{n}"}},"timestamp":{time}}}"#);
    let body = format!(r#"{{"metrics":[{item}]}}"#);
    let mut intake = database.intake(Client(7));
    let mut batch = Batch::default();
    batch.times = intake.times;
    json::parse(body.as_bytes(), intake.now, &mut intake.series, &mut batch).unwrap();
    batch.listed()[0].reason.to_string()
}

/// Sends a document and waits for the acknowledgement.
pub fn put_json(database: &Database, body: &str) -> Result<(), WriteError> {
    send_json(database, body)?.recv().unwrap()
}

/// All samples that a selector gives.
pub fn read(source: &dyn Select, selector: &str) -> Samples {
    let selector = parse_selector(selector).unwrap();
    let ever = TimeRange {
        start: i64::MIN / 2,
        end: i64::MAX / 2,
    };
    let mut found = Samples::new();
    let mut series = source.select(selector.matchers(), ever).unwrap();
    while series.advance().unwrap() {
        let labels = series.labels().to_string();
        let told = |sample: &Sample| (sample.time, sample.value.to_bits());
        let samples: BTreeMap<_, _> = series.samples().unwrap().iter().map(told).collect();
        if !samples.is_empty() {
            found.insert(labels, samples);
        }
    }
    found
}

/// What a store should give for samples that were put in this order.
pub fn expected(samples: &[(u32, i64, f64)]) -> Samples {
    let mut expected = Samples::new();
    for (n, time, value) in samples {
        let labels = format!(r#"{{__name__="m", n="{n}"}}"#);
        let series = expected.entry(labels).or_default();
        series.insert(*time, value.to_bits());
    }
    expected
}
