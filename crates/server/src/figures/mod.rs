//! The node's own figures: one list, gathered when somebody wants it, shown as text at
//! `GET /metrics` and stored every 15 seconds among the node's samples.
//!
//! What is counted lies where it happens: requests in [`crate::api`], decisions in
//! [`crate::throttle`]. Here is what they are called. Read `gather` for the list, `text` for
//! the text, `store` for the samples; `latency` counts how long requests take, `process`
//! asks the operating system. `docs/metrics-own.md` has the list for people.

mod gather;
mod latency;
mod process;
mod store;
mod text;

pub use gather::gather;
pub use latency::{Latencies, Route};
pub use store::{Keeper, StoreError, store};
pub use text::{MEDIA_TYPE, render};

/// What one figure is, and its values.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// In the grammar of Prometheus, with its unit.
    pub name: &'static str,
    /// What its values mean.
    pub kind: Kind,
    /// One sentence for people.
    pub help: &'static str,
    /// Its values.
    pub samples: Vec<Sample>,
}

/// What the values of a figure mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows while the node runs.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Buckets, sum and count.
    Histogram,
}

/// One value of a figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Behind the name: `_bucket`, `_sum` or `_count` of a histogram.
    pub suffix: &'static str,
    /// What tells it from the others.
    pub labels: Vec<(&'static str, String)>,
    /// Integers are exact up to 2^53.
    pub value: f64,
}

impl Kind {
    /// As texts and documents call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

impl Figure {
    const fn new(name: &'static str, kind: Kind, help: &'static str) -> Self {
        Self {
            name,
            kind,
            help,
            samples: Vec::new(),
        }
    }

    fn counter(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Kind::Counter, help)
    }

    fn gauge(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Kind::Gauge, help)
    }

    /// With the only value.
    fn of(self, value: u64) -> Self {
        self.with(Vec::new(), value as f64)
    }

    /// With one more value.
    fn with(mut self, labels: Vec<(&'static str, String)>, value: f64) -> Self {
        self.push("", labels, value);
        self
    }

    fn push(&mut self, suffix: &'static str, labels: Vec<(&'static str, String)>, value: f64) {
        self.samples.push(Sample {
            suffix,
            labels,
            value,
        });
    }
}
