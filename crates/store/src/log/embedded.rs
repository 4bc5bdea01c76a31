//! stub
use super::{Done, Follow, Log, LogError};
use crate::fs::FileSystem;
use base::{LogId, Random};
use std::path::Path;
use std::sync::Arc;

/// Sizes.
pub struct Settings;

/// The log of a site with one node.
pub struct EmbeddedLog;

impl EmbeddedLog {
    /// Opens or creates the log in `dir`.
    ///
    /// # Errors
    /// Damage, or as the operating system says.
    pub fn open(
        _fs: Arc<dyn FileSystem>,
        _dir: &Path,
        _random: &dyn Random,
    ) -> Result<Self, LogError> {
        Err(LogError::Closed)
    }
}

impl Log for EmbeddedLog {
    fn id(&self) -> LogId {
        LogId::from_u64(0)
    }
    fn propose(&self, _batch: Vec<Vec<u8>>, done: Done) {
        done(Err(LogError::Closed));
    }
    fn follow(&self, _after: u64) -> Result<Box<dyn Follow>, LogError> {
        Err(LogError::Closed)
    }
    fn compact(&self, _through: u64) -> Result<(), LogError> {
        Ok(())
    }
    fn committed(&self) -> u64 {
        0
    }
    fn first(&self) -> u64 {
        1
    }
    fn shutdown(&self) {}
}
