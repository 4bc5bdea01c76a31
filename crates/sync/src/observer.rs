//! What a client tells whoever started it, as it happens.

use crate::folder::RelativePath;
use crate::plan::Step;

/// Something that happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// Joined to a space; the first round begins.
    Started {
        /// The space's slug.
        space: &'a str,
    },
    /// Content of so many bytes is set aside to be moved.
    Queued {
        /// How many.
        bytes: u64,
    },
    /// Content of so many bytes was moved, or turned out not to need it.
    Moved {
        /// How many.
        bytes: u64,
    },
    /// The node has it durably.
    Uploaded {
        /// What.
        path: &'a RelativePath,
    },
    /// It stands here durably.
    Fetched {
        /// What.
        path: &'a RelativePath,
    },
    /// Deleted at the node.
    Deleted {
        /// What.
        path: &'a RelativePath,
    },
    /// Removed here.
    Removed {
        /// What.
        path: &'a RelativePath,
    },
    /// Two sides changed it differently; the local one was kept as `copy`.
    Conflict {
        /// What.
        path: &'a RelativePath,
        /// Its copy.
        copy: &'a RelativePath,
    },
    /// A dry run would do this.
    Planned {
        /// To what.
        path: &'a RelativePath,
        /// What.
        step: Step,
    },
    /// It cannot be synced as it is.
    Problem {
        /// What.
        path: &'a RelativePath,
        /// Why.
        reason: &'a str,
    },
    /// Everything known is on both sides.
    Quiet,
    /// The node is away; trying again.
    Waiting {
        /// Why.
        reason: &'a str,
    },
}

/// Is told what happens. Called on the engine's thread: be quick.
pub trait Observer: Send + Sync {
    /// Something happened.
    fn event(&self, event: &Event<'_>);
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn event(&self, _: &Event<'_>) {}
}
