//! What is said about a node in `atoll.yaml`, and where that file is.
//!
//! It is read at the start and whenever the node is told to (`HUP`); what it leaves out
//! is as without it. Today it says how often clients may ask ([`crate::throttle`]). Where
//! the node listens is said by flags, who it is in `node.yaml`
//! ([`crate::node`]). docs/protocol.md describes every key.

mod metrics;

use crate::throttle::{Class, Limits};
use httpd::limit::{Limit, Rules};
use httpd::yaml::{self, ReadError, Wrong, at};
use serde::Deserialize;
use serde_saphyr::Spanned;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

pub use metrics::{Acknowledge, Metrics};

/// Its name in the data directory.
const NAME: &str = "atoll.yaml";

/// What a node is told beyond its flags.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// How often clients may ask.
    pub limits: Limits,
    /// Metrics.
    pub metrics: Metrics,
}

/// Where that is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// In this file, which must be there.
    Named(PathBuf),
    /// In `atoll.yaml` in the data directory, if there is one.
    Data(PathBuf),
}

impl Source {
    /// The file that was `named`, or the one in the data directory `data`.
    pub fn new(named: Option<&Path>, data: &Path) -> Self {
        match named {
            Some(path) => Self::Named(path.to_owned()),
            None => Self::Data(data.join(NAME)),
        }
    }

    /// What the file says now.
    ///
    /// # Errors
    /// It cannot be read, or says something that cannot be: the line and the reason.
    pub fn read(&self) -> Result<Config, ReadError> {
        match self {
            Self::Named(path) => yaml::read(path, parse),
            Self::Data(path) => match yaml::read(path, parse) {
                Err(ReadError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                    Ok(Config::default())
                }
                read => read,
            },
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    limits: LimitTexts,
    #[serde(default)]
    metrics: metrics::Texts,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct LimitTexts {
    addresses: BTreeMap<Class, Spanned<String>>,
    devices: BTreeMap<Class, Spanned<String>>,
    failed: Option<Spanned<String>>,
    samples: Option<Spanned<String>>,
}

/// What `text` says.
///
/// # Errors
/// The first thing that is wrong, with its line.
fn parse(text: &str) -> Result<Config, Wrong> {
    // One that says nothing, as when all of it is comments, is null.
    let file: Option<File> = yaml::parse(text)?;
    let File {
        limits: texts,
        metrics,
    } = file.unwrap_or_default();
    let mut limits = Limits::default();
    replace(&mut limits.addresses, &texts.addresses)?;
    replace(&mut limits.devices, &texts.devices)?;
    if let Some(text) = &texts.failed {
        limits.failures = read_limit(text)?;
    }
    if let Some(text) = &texts.samples {
        limits.samples = read_limit(text)?;
    }
    let metrics = Metrics::read(&metrics)?;
    Ok(Config { limits, metrics })
}

/// Puts the limits that `texts` say in the place of those that `rules` have.
fn replace(rules: &mut Rules, texts: &BTreeMap<Class, Spanned<String>>) -> Result<(), Wrong> {
    for (class, text) in texts {
        rules
            .routes
            .insert(class.name().to_owned(), read_limit(text)?);
    }
    Ok(())
}

fn read_limit(text: &Spanned<String>) -> Result<Option<Limit>, Wrong> {
    at(text.referenced, Limit::parse(&text.value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::throttle::Throttle;
    use std::fs;

    #[test]
    fn what_is_left_out_is_as_without_it() {
        let defaults = Config::default();
        for text in [
            "",
            "# nothing\n",
            "{}",
            "limits: {}",
            "limits: {devices: {}}",
        ] {
            assert_eq!(parse(text).unwrap(), defaults, "{text:?}");
        }
        let config = parse(
            "limits:\n  addresses: {join: 1 per 1h, open: none}\n  \
             devices:\n    read: 20 per 1s burst 50\n  failed: none\n",
        )
        .unwrap();
        let limit = |rules: &Rules, class: Class| rules.routes[class.name()];
        let Limits {
            addresses,
            devices,
            failures,
            samples,
        } = &config.limits;
        assert_eq!(
            limit(addresses, Class::Join),
            Limit::parse("1 per 1h").unwrap()
        );
        assert_eq!(limit(addresses, Class::Open), None);
        assert_eq!(
            limit(devices, Class::Read),
            Limit::parse("20 per 1s burst 50").unwrap()
        );
        assert_eq!((*failures, *samples), (None, None));
        for class in [Class::Write, Class::Feed, Class::Read] {
            let default = limit(&defaults.limits.addresses, class);
            assert_eq!(limit(addresses, class), default);
        }
        Throttle::default().adopt(&config.limits).unwrap();
    }

    #[test]
    fn metrics_are_told_how() {
        let config = parse(
            "metrics:\n  loopback: write\n  series: 10\n  retention: 30d\n  retention_bytes: 1GiB\n  \
             downsampling: [{after: 7d, every: 5m}]\n  acknowledge: write\n",
        );
        let metrics = config.unwrap().metrics;
        assert_eq!(metrics.loopback, crate::api::Loopback::Write);
        assert_eq!(
            (metrics.series.total, metrics.series.client),
            (10, 1_000_000)
        );
        assert_eq!(metrics.retention.age, 30 * 86_400_000);
        assert_eq!(metrics.retention.bytes, Some(1 << 30));
        assert_eq!(metrics.downsampling[0].every, 300_000);
        assert_eq!(metrics.acknowledge, Acknowledge::Write);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let check = |text: &str, line, reason: &str| {
            let wrong = parse(text).unwrap_err();
            assert_eq!(wrong.line, line, "{text}: {wrong}");
            assert!(wrong.reason.contains(reason), "{text}: {wrong}");
        };
        check("limit: 1", 1, "no key `limit`");
        check(
            "limits:\n  devices:\n    read: often\n",
            3,
            "\"often\" is not understood",
        );
        check(
            "limits:\n  devices: {reads: 1 per 1s}\n",
            2,
            "\"reads\" is none of",
        );
        check(
            "limits:\n  addresses: {join: 1 per 2d}\n",
            2,
            "periods from 1ms to 1d",
        );
        check("\nlimits: {failed: 0 per 1s}\n", 2, "counts go from 1");
        check(
            "limits:\n  devices: {read: 1 per 1s, read: none}\n",
            2,
            "is there twice",
        );
        check("limits: [", 1, "");
        check("metrics:\n  retention: 3x\n", 2, "no length of time");
        check("metrics: {loopback: always}\n", 1, "always");
        check(
            "metrics:\n  downsampling:\n    - {after: 30d}\n",
            3,
            "every",
        );
    }

    #[test]
    fn only_a_file_that_was_named_must_be_there() {
        let data = tempfile::tempdir().unwrap();
        let path = data.path().join(NAME);
        let (found, named) = (Source::new(None, data.path()), Source::Named(path.clone()));
        assert_eq!(found.read().unwrap(), Config::default());
        assert!(matches!(named.read(), Err(ReadError::Read { .. })));
        fs::write(&path, "limits: {failed: none}\n").unwrap();
        assert_eq!(found.read().unwrap().limits.failures, None);
        fs::write(&path, "\nlimits: no\n").unwrap();
        let said = found.read().unwrap_err().to_string();
        assert!(said.contains("atoll.yaml: line 2: "), "{said}");
        assert_eq!(named.read().unwrap_err().to_string(), said);
    }
}
