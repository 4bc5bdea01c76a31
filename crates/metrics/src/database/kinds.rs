//! What the values of each metric mean, as far as somebody said.

use crate::api::MetadataSource;
use crate::ingest::Kind;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{PoisonError, RwLock};

/// The most metrics of which it is known: names of many more are a mistake of whoever puts
/// ids in them, and their samples are kept all the same.
const METRICS: usize = 100_000;

/// Kinds by the names of metrics.
#[derive(Debug, Default)]
pub struct Kinds(RwLock<BTreeMap<Box<str>, Kind>>);

impl Kinds {
    /// What was said last counts.
    pub fn set(&self, name: &str, kind: Kind) {
        let mut kinds = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if kinds.contains_key(name) || kinds.len() < METRICS {
            kinds.insert(name.into(), kind);
        }
    }

    /// All that are known, by name.
    pub fn all(&self) -> Vec<(Box<str>, Kind)> {
        let kinds = self.0.read().unwrap_or_else(PoisonError::into_inner);
        kinds
            .iter()
            .map(|(name, kind)| (name.clone(), *kind))
            .collect()
    }
}

impl MetadataSource for Kinds {
    fn kind(&self, metric: &str) -> Option<Kind> {
        let kinds = self.0.read().unwrap_or_else(PoisonError::into_inner);
        kinds.get(metric).copied()
    }

    fn for_each(&self, tell: &mut dyn FnMut(&str, Kind) -> ControlFlow<()>) {
        // Not under the lock: whoever is told may take its time.
        let _ = self
            .all()
            .iter()
            .try_for_each(|(name, kind)| tell(name, *kind));
    }
}
