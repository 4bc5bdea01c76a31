//! How durable samples are before they are acknowledged.

use store::log::{LogError, Segments};

/// What an acknowledgement waits for, once samples are in the log's file: a small trait, so
/// that a cluster can wait for another node beside the own disk.
pub trait Durability: Send {
    /// Returns when what was appended up to the entry `through` is as durable as it should
    /// be. One call serves all requests that wait.
    ///
    /// # Errors
    /// When it cannot be made so; nothing is acknowledged then.
    fn settle(&mut self, log: &mut Segments, through: u64) -> Result<(), LogError>;
}

/// The own disk has it: no power cut takes it away. The default.
#[derive(Debug, Clone, Copy, Default)]
pub struct Synced;

/// The operating system has it: it survives the end of the process, and a power cut takes
/// at most what came within [`UNSYNCED`](super::UNSYNCED).
#[derive(Debug, Clone, Copy, Default)]
pub struct Written;

impl Durability for Synced {
    fn settle(&mut self, log: &mut Segments, _: u64) -> Result<(), LogError> {
        log.sync()
    }
}

impl Durability for Written {
    fn settle(&mut self, _: &mut Segments, _: u64) -> Result<(), LogError> {
        Ok(())
    }
}
