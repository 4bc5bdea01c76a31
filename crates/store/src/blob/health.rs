//! Whether the disk can still be believed. One sync that failed is enough to
//! end it: what of the bytes is on the disk is not known then, and a later sync
//! may succeed without having written them. A restart reads what is there.
//!
//! The parts of a store share one; each asks it before it takes anything.

use super::BlobError;
use crate::lock::lock;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// The first failure of a store, if there was one.
#[derive(Clone, Default)]
pub(super) struct Health(Arc<Mutex<Option<BlobError>>>);

impl Health {
    /// Refuses once a sync has failed.
    pub(super) fn check(&self) -> Result<(), BlobError> {
        lock(&self.0).clone().map_or(Ok(()), Err)
    }

    /// Notes that syncing `path` failed; returns the first failure, which stays.
    pub(super) fn fail(&self, path: &Path, error: impl Into<Arc<io::Error>>) -> BlobError {
        let poisoned = BlobError::Poisoned {
            path: path.to_owned(),
            source: error.into(),
        };
        lock(&self.0).get_or_insert(poisoned).clone()
    }
}
