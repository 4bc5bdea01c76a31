//! What `atoll.yaml` says about metrics: who may send them from this machine, how many there
//! may be and how long they are kept.

use super::super::api::Loopback;
use httpd::yaml::{Wrong, at};
use metrics::database::{Downsampling, Retention, Settings, Synced, Written};
use metrics::head::SeriesLimits;
use serde::Deserialize;
use serde_saphyr::Spanned;

/// What a node is told about metrics.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metrics {
    /// What a client on this machine needs no token for. Read anew like the limits.
    pub loopback: Loopback,
    /// How many series there may be. Read anew like the limits.
    pub series: SeriesLimits,
    /// How samples are kept. In force from the next start on.
    pub retention: Retention,
    /// How coarse old samples become. In force from the next start on.
    pub downsampling: Vec<Downsampling>,
    /// What an acknowledgement waits for. In force from the next start on.
    pub acknowledge: Acknowledge,
    /// Whether samples are also appended to `metrics.jsonl`. In force from the next start on.
    pub live_copy: bool,
}

/// What an acknowledgement waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Acknowledge {
    /// The disk has the samples.
    #[default]
    Sync,
    /// The operating system has them.
    Write,
}

/// The texts of the section.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Texts {
    loopback: Loopback,
    series: Option<u64>,
    client_series: Option<u64>,
    retention: Option<Spanned<String>>,
    retention_bytes: Option<Spanned<String>>,
    downsampling: Vec<Rule>,
    acknowledge: Acknowledge,
    live_copy: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    after: Spanned<String>,
    every: Spanned<String>,
}

/// What cannot be said.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("{0:?} is no length of time like 400d, 12h or 5m")]
    Time(String),
    #[error("{0:?} is no number of bytes like 500MiB, 20GiB or 1TiB")]
    Bytes(String),
}

impl Metrics {
    /// The keys of what `other` says otherwise and what is in force from the next start on.
    pub fn waiting_for_a_start(&self, other: &Self) -> Vec<&'static str> {
        let Self {
            // Read anew.
            loopback: _,
            series: _,
            retention,
            downsampling,
            acknowledge,
            live_copy,
        } = self;
        let changed = [
            ("metrics.retention", retention.age != other.retention.age),
            (
                "metrics.retention_bytes",
                retention.bytes != other.retention.bytes,
            ),
            ("metrics.downsampling", *downsampling != other.downsampling),
            ("metrics.acknowledge", *acknowledge != other.acknowledge),
            ("metrics.live_copy", *live_copy != other.live_copy),
        ];
        let changed = changed.into_iter().filter(|(_, is_changed)| *is_changed);
        changed.map(|(key, _)| key).collect()
    }

    /// As the store takes them.
    pub fn settings(&self) -> Settings {
        Settings {
            series: self.series,
            retention: self.retention,
            downsampling: self.downsampling.clone(),
            durability: match self.acknowledge {
                Acknowledge::Sync => || Box::new(Synced),
                Acknowledge::Write => || Box::new(Written),
            },
            ..Settings::default()
        }
    }

    /// What the texts say.
    pub(super) fn read(texts: &Texts) -> Result<Self, Wrong> {
        let defaults = Self::default();
        let rules = texts.downsampling.iter().map(|rule| {
            Ok(Downsampling {
                after: read(&rule.after, time)?,
                every: read(&rule.every, time)?,
            })
        });
        let bytes = texts.retention_bytes.as_ref();
        Ok(Self {
            loopback: texts.loopback,
            series: SeriesLimits {
                total: texts.series.unwrap_or(defaults.series.total),
                client: texts.client_series.unwrap_or(defaults.series.client),
            },
            retention: Retention {
                age: match &texts.retention {
                    Some(text) => read(text, time)?,
                    None => defaults.retention.age,
                },
                bytes: bytes.map(|text| read(text, self::bytes)).transpose()?,
            },
            downsampling: rules.collect::<Result<_, Wrong>>()?,
            acknowledge: texts.acknowledge,
            live_copy: texts.live_copy,
        })
    }
}

fn read(text: &Spanned<String>, parse: fn(&str) -> Result<u64, Fault>) -> Result<u64, Wrong> {
    at(text.referenced, parse(&text.value))
}

/// Milliseconds of one or more of a unit of time; at least one second.
fn time(text: &str) -> Result<u64, Fault> {
    const UNITS: [(&str, u64); 6] = [
        ("y", 365 * 86_400_000),
        ("w", 7 * 86_400_000),
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1000),
    ];
    let milliseconds = product(text, &UNITS);
    milliseconds.ok_or_else(|| Fault::Time(text.to_owned()))
}

fn bytes(text: &str) -> Result<u64, Fault> {
    const UNITS: [(&str, u64); 3] = [("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];
    product(text, &UNITS).ok_or_else(|| Fault::Bytes(text.to_owned()))
}

/// A whole number above 0 and a unit.
fn product(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim())?;
    let product = number.parse::<u64>().ok()?.checked_mul(*factor)?;
    (product > 0).then_some(product)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_for_a_start_is_named_by_its_key() {
        type Change = fn(&mut Metrics);
        let changes: [(Change, &[&str]); 7] = [
            (|_| (), &[]),
            (
                |metrics| {
                    metrics.loopback = Loopback::Open;
                    metrics.series.total = 1;
                },
                &[],
            ),
            (|metrics| metrics.retention.age = 1, &["metrics.retention"]),
            (
                |metrics| metrics.retention.bytes = Some(1),
                &["metrics.retention_bytes"],
            ),
            (
                |metrics| metrics.downsampling = vec![Downsampling { after: 2, every: 1 }],
                &["metrics.downsampling"],
            ),
            (
                |metrics| metrics.acknowledge = Acknowledge::Write,
                &["metrics.acknowledge"],
            ),
            (
                |metrics| {
                    metrics.live_copy = true;
                    metrics.retention.age = 1;
                },
                &["metrics.retention", "metrics.live_copy"],
            ),
        ];
        for (change, expected) in changes {
            let mut changed = Metrics::default();
            change(&mut changed);
            let found = Metrics::default().waiting_for_a_start(&changed);
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn times_and_bytes() {
        for (text, expected) in [
            ("400d", Some(400 * 86_400_000)),
            ("1y", Some(365 * 86_400_000)),
            ("90s", Some(90_000)),
            ("0d", None),
            ("d", None),
            ("5", None),
            ("1 h", Some(3_600_000)),
            ("99999999999999999y", None),
        ] {
            assert_eq!(time(text).ok(), expected, "{text}");
        }
        assert_eq!(bytes("20GiB").ok(), Some(20 << 30));
        let said = bytes("20GB").unwrap_err().to_string();
        assert_eq!(
            said,
            "\"20GB\" is no number of bytes like 500MiB, 20GiB or 1TiB"
        );
    }
}
