//! The simplest [`Series`]: two maps, no shards, no limits.
//!
//! For tests, fuzz targets and measurements of the parsers alone; a node's series are
//! kept elsewhere.

use super::{Key, Labels, Series, SeriesRefusal, Syntax};
use std::collections::HashMap;

/// Labels with their values, in order.
type Owned = Vec<(String, String)>;

/// Series by the second part of their keys.
type Tails = HashMap<Vec<u8>, usize>;

/// Series by number, in the order in which they were admitted.
#[derive(Debug, Default)]
pub struct Plain {
    keys: HashMap<Syntax, HashMap<Vec<u8>, Tails>>,
    ids: HashMap<Owned, usize>,
    labels: Vec<Owned>,
    /// How many series it takes, if not any number.
    limit: Option<usize>,
}

impl Plain {
    /// One that takes so many series and no more.
    pub fn with_limit(limit: usize) -> Self {
        Self {
            limit: Some(limit),
            ..Self::default()
        }
    }

    /// The labels of a series that it has.
    pub fn labels(&self, id: usize) -> &[(String, String)] {
        &self.labels[id]
    }

    /// How many series it has.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    fn add(&mut self, labels: Owned) -> Result<usize, SeriesRefusal> {
        if let Some(id) = self.ids.get(&labels) {
            return Ok(*id);
        }
        let id = self.labels.len();
        if self.limit.is_some_and(|limit| id >= limit) {
            return Err(SeriesRefusal::Total { limit: id as u64 });
        }
        self.labels.push(labels.clone());
        self.ids.insert(labels, id);
        Ok(id)
    }
}

impl Series for Plain {
    type Id = usize;

    fn known(&mut self, key: Key<'_>) -> Option<usize> {
        let tails = self.keys.get(&key.syntax)?.get(key.head)?;
        tails.get(key.tail).copied()
    }

    fn admit(&mut self, key: Option<Key<'_>>, labels: &Labels) -> Result<usize, SeriesRefusal> {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let id = self.add(labels.iter().map(owned).collect())?;
        if let Some(key) = key {
            let heads = self.keys.entry(key.syntax).or_default();
            let tails = heads.entry(key.head.to_vec()).or_default();
            tails.insert(key.tail.to_vec(), id);
        }
        Ok(id)
    }
}
