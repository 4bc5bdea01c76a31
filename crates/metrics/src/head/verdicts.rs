//! What matchers say of the values of labels, for one query.
//!
//! To try a pattern may take long, and whoever holds a shard holds up the thread that writes
//! samples. So the values that slow matchers are about are copied out of a shard, and tried,
//! each once for all shards, while nobody holds it.

use super::read;
use super::shard::Shard;
use crate::eval::{EvalError, Watch};
use crate::promql::LabelMatcher;
use hashbrown::HashMap;
use std::sync::RwLock;

/// Matchers, and what the slow ones said of the values that they met.
pub(super) struct Verdicts<'m>(Vec<Verdict<'m>>);

/// A matcher.
pub(super) struct Verdict<'m> {
    pub(super) matcher: &'m LabelMatcher,
    /// Empty if the matcher is quick.
    known: HashMap<Box<str>, bool>,
}

impl<'m> Verdicts<'m> {
    pub(super) fn new(matchers: &'m [LabelMatcher]) -> Self {
        let verdict = |matcher: &'m LabelMatcher| {
            // Of series without the label, of which no list knows.
            let empty = matcher.is_slow().then(|| ("".into(), matcher.matches("")));
            let known = empty.into_iter().collect();
            Verdict { matcher, known }
        };
        Self(matchers.iter().map(verdict).collect())
    }

    /// Tries the values that this shard has now.
    ///
    /// # Errors
    /// [`EvalError::Canceled`] when `watch` says so.
    pub(super) fn learn(
        &mut self,
        shard: &RwLock<Shard>,
        watch: &mut Watch<'_>,
    ) -> Result<(), EvalError> {
        let slow = self.0.iter_mut().filter(|one| one.matcher.is_slow());
        for Verdict { matcher, known } in slow {
            let new: Vec<Box<str>> = {
                let shard = read(shard);
                let values = shard.postings().values(matcher.name());
                let new = values.filter(|value| !known.contains_key(*value));
                new.map(Box::from).collect()
            };
            for value in new {
                watch.look_now()?;
                let is_match = matcher.matches(&value);
                known.insert(value, is_match);
            }
        }
        Ok(())
    }

    pub(super) fn all(&self) -> &[Verdict<'m>] {
        &self.0
    }
}

impl Verdict<'_> {
    /// Whether a label may have this value. One that came since it was asked for is tried.
    pub(super) fn matches(&self, value: &str) -> bool {
        let known = self.known.get(value).copied();
        known.unwrap_or_else(|| self.matcher.matches(value))
    }
}
