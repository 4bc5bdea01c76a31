//! Why a node cannot go on, once it cannot: whoever finds out says so here, and
//! the server ends with the first reason that was given.
//!
//! A restart repairs: it reads what the disk really holds.

use store::blob::BlobError;
use tokio::sync::watch;

/// The reason, shared by all who may find one.
#[derive(Clone)]
pub struct Failure(watch::Sender<Option<String>>);

impl Default for Failure {
    fn default() -> Self {
        Self(watch::channel(None).0)
    }
}

impl Failure {
    /// Notes that the node cannot go on, because of `why`. The first reason stays.
    pub fn set(&self, why: &str) {
        let is_first = self.0.send_if_modified(|reason| {
            let is_first = reason.is_none();
            reason.get_or_insert_with(|| why.to_owned());
            is_first
        });
        if is_first {
            tracing::error!("the node stops: {why}");
        }
    }

    /// Notes an error of the blob store, if it takes nothing more after it.
    pub fn note(&self, error: &BlobError) {
        if matches!(error, BlobError::Poisoned { .. }) {
            self.set(&error.to_string());
        }
    }

    /// Follows it.
    pub fn watch(&self) -> watch::Receiver<Option<String>> {
        self.0.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{DeviceId, Hash};
    use std::sync::Arc;

    #[test]
    fn only_a_store_that_takes_no_more_ends_the_node() {
        let failure = Failure::default();
        let reason = failure.watch();
        let (hash, owner) = (Hash::of(b"x"), DeviceId::new(1, 0));
        failure.note(&BlobError::NotBegun { hash, owner });
        assert_eq!(*reason.borrow(), None);
        let source = Arc::new(std::io::Error::other("the disk is gone"));
        let path = "segments/1".into();
        failure.note(&BlobError::Poisoned { path, source });
        failure.set("later");
        let why = reason.borrow().clone().unwrap();
        assert!(why.contains("the disk is gone"), "{why}");
    }
}
