//! How far each request went, and an export held to that.

use anyhow::{Context, ensure};
use serde_json::Value;

use super::request::{NAME, Request, SAMPLES};

/// The job of a node's own metrics.
const OWN: &str = "atoll";

/// The requests of one client.
#[derive(Debug, Default)]
pub struct Notes(Vec<Note>);

/// How many versions of a request were sent, and acknowledged.
#[derive(Debug, Clone, Copy, Default)]
pub struct Note {
    sent: u8,
    acknowledged: u8,
}

impl Notes {
    /// How many requests there are.
    pub const fn requests(&self) -> usize {
        self.0.len()
    }

    /// One is about to be sent; gives what was noted of it before.
    pub fn sent(&mut self, request: &Request) -> Note {
        if request.number == self.0.len() {
            self.0.push(Note::default());
        }
        let note = &mut self.0[request.number];
        let before = *note;
        note.sent = note.sent.max(request.version + 1);
        before
    }

    /// It was answered with 2xx.
    pub fn acknowledged(&mut self, request: &Request) {
        let note = &mut self.0[request.number];
        note.acknowledged = note.acknowledged.max(request.version + 1);
    }

    /// It was answered that nothing was taken.
    pub fn not_sent(&mut self, request: &Request, before: Note) {
        self.0[request.number] = before;
    }
}

/// What an export has of what was sent.
#[derive(Debug, Default)]
pub struct Checked {
    /// Samples that were acknowledged.
    pub acknowledged: u64,
    /// Samples that are there although nobody said so: of requests that broke off.
    pub unacknowledged: u64,
    /// Samples that were acknowledged and are not there.
    pub lost: u64,
    /// Samples that are as they were before they were replaced.
    pub changed: u64,
    /// Samples that are there and were never sent, or not so, or are there twice.
    pub invented: u64,
    /// Some that should not be as they are.
    pub examples: Vec<String>,
}

impl Checked {
    /// As many examples are given.
    const EXAMPLES: usize = 5;

    /// Whether everything is as it should be.
    pub const fn holds(&self) -> bool {
        self.lost == 0 && self.changed == 0 && self.invented == 0
    }

    fn note(&mut self, example: impl FnOnce() -> String) {
        if self.examples.len() < Self::EXAMPLES {
            self.examples.push(example());
        }
    }
}

/// A check while the export comes.
pub struct Check<'n> {
    notes: Vec<&'n Notes>,
    begin: i64,
    /// Of each client, and each of its requests, a bit for every sample that was seen.
    seen: Vec<Vec<u32>>,
    checked: Checked,
}

const _: () = assert!(SAMPLES == u32::BITS as usize);

impl<'n> Check<'n> {
    pub fn new(notes: Vec<&'n Notes>, begin: i64) -> Self {
        let seen = notes.iter().map(|notes| vec![0; notes.requests()]);
        Self {
            seen: seen.collect(),
            notes,
            begin,
            checked: Checked::default(),
        }
    }

    /// A line of the export.
    ///
    /// # Errors
    /// When it is none.
    pub fn take(&mut self, line: &str) -> anyhow::Result<()> {
        let line: Value = serde_json::from_str(line).with_context(|| format!("{line:?}"))?;
        let metric = &line["metric"];
        let label = |name: &str| metric[name].as_str().and_then(|text| text.parse().ok());
        let name = metric["__name__"].as_str().unwrap_or_default();
        if metric["job"] == OWN {
            return Ok(());
        }
        let series = match (name, label("client"), label("series")) {
            (NAME, Some(client), Some(series)) => Some((client, series)),
            _ => None,
        };
        let [values, times] = ["values", "timestamps"].map(|key| line[key].as_array());
        let (values, times) = values.zip(times).context("a line without samples")?;
        ensure!(values.len() == times.len(), "a line with too few times");
        for (value, time) in values.iter().zip(times) {
            self.see(series, value, time);
        }
        Ok(())
    }

    /// A sample of the client and the number of the series.
    fn see(&mut self, series: Option<(usize, usize)>, value: &Value, time: &Value) {
        let found = series.and_then(|series| self.find(series, whole(value)?, time.as_i64()?));
        let Some((request, index, note)) = found else {
            self.checked.invented += 1;
            self.checked
                .note(|| format!("{value} at {time} of {series:?} was never sent"));
            return;
        };
        let seen = &mut self.seen[request.client][request.number];
        if *seen & (1 << index) != 0 {
            self.checked.invented += 1;
            self.checked
                .note(|| format!("sample {index} of {request:?} is there twice"));
            return;
        }
        *seen |= 1 << index;
        if request.version + 1 < note.acknowledged {
            self.checked.changed += 1;
            self.checked
                .note(|| format!("sample {index} of {request:?} was replaced ({note:?})"));
        }
    }

    /// The request that a sample is of, if it was sent so.
    fn find(
        &self,
        (client, series): (usize, usize),
        value: u64,
        time: i64,
    ) -> Option<(Request, usize, Note)> {
        let (request, index) = Request::of_value(value);
        let note = *self.notes.get(client)?.0.get(request.number)?;
        let is_sent = request.client == client
            && request.series(index) == series
            && request.time(self.begin) == time
            && request.version < note.sent;
        is_sent.then_some((request, index, note))
    }

    /// What came of it.
    pub fn end(mut self) -> Checked {
        for (client, (notes, seen)) in self.notes.iter().zip(&self.seen).enumerate() {
            for (number, (note, seen)) in notes.0.iter().zip(seen).enumerate() {
                if note.acknowledged == 0 {
                    self.checked.unacknowledged += u64::from(seen.count_ones());
                    continue;
                }
                let lost = u64::from(seen.count_zeros());
                self.checked.acknowledged += SAMPLES as u64;
                self.checked.lost += lost;
                if lost > 0 {
                    self.checked.note(|| {
                        format!("{lost} samples of request {number} of client {client} are lost")
                    });
                }
            }
        }
        self.checked
    }
}

/// A value that is a whole number; exports may write it with a fraction.
fn whole(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| {
        let value = value.as_f64()?;
        let is_whole = value >= 0.0 && value < (1_u64 << 53) as f64 && value.fract() == 0.0;
        is_whole.then_some(value as u64)
    })
}
