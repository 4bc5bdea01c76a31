//! How many samples came in each format, and what became of them.

use std::sync::atomic::{AtomicU64, Ordering};

/// How samples come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Our own JSON.
    Json,
    /// JSON Lines.
    JsonLines,
    /// Prometheus' remote write.
    RemoteWrite,
    /// Influx' line protocol.
    LineProtocol,
}

/// All formats with their names in figures, in the order of their numbers.
const FORMATS: [(Format, &str); 4] = [
    (Format::Json, "json"),
    (Format::JsonLines, "json_lines"),
    (Format::RemoteWrite, "remote_write"),
    (Format::LineProtocol, "line_protocol"),
];

/// Samples of each format.
#[derive(Debug, Default)]
pub struct Tallies([Tally; FORMATS.len()]);

/// Samples of one format.
#[derive(Debug, Default)]
pub struct Tally {
    accepted: AtomicU64,
    refused: AtomicU64,
}

impl Tallies {
    /// Counts the samples of one request.
    pub fn count(&self, format: Format, accepted: usize, refused: usize) {
        let tally = &self.0[format as usize];
        tally.accepted.fetch_add(accepted as u64, Ordering::Relaxed);
        tally.refused.fetch_add(refused as u64, Ordering::Relaxed);
    }

    /// Each by the name of its format.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Tally)> {
        FORMATS
            .iter()
            .map(|(format, name)| (*name, &self.0[*format as usize]))
    }
}

impl Tally {
    /// Samples that are kept.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Those that were refused.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}
