//! What comes of a command: one [`Reply`] for all of it and, for a commit, one
//! [`Outcome`] for each change. Replies are kept for repeated commands, so they
//! have an encoding of their own (`wire`).

use crate::command::Role;
use crate::version::Version;
use base::{DeviceId, Slug, SpaceId, VersionId};

/// What came of one change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A new version was written.
    Committed(VersionId),
    /// It is already exactly so; nothing was written. This version stands: the
    /// same metadata at the same place, an existing directory where one was to
    /// be made (whatever its mode and time), or a deletion that already was.
    Same(VersionId),
    /// The base is not current, so nothing was written. When bytes are at stake
    /// (a `Put` whose content differs) the conflict is recorded.
    Conflict {
        /// What stands there now; `None` when the item was deleted.
        current: Option<Version>,
    },
    /// The change makes no sense in this tree; nothing was written.
    Refused(Refusal),
}

/// Why a change cannot be made, however current its base.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The parent is not an existing item of this space, or the change that
    /// was to make it failed.
    #[error("the parent directory does not exist")]
    ParentMissing,
    /// The parent is a file or link.
    #[error("the parent is not a directory")]
    NotADirectory,
    /// The directory to delete has children.
    #[error("the directory is not empty")]
    NotEmpty,
    /// The directory would come to stand beneath itself.
    #[error("a directory cannot move beneath itself")]
    Cycle,
    /// A directory cannot become a file or link under its own id, nor they a
    /// directory: delete it and make another.
    #[error("an item cannot change between directory and file")]
    KindChange,
    /// The path, or the path of something beneath it, would pass
    /// [`base::limits::PATH_BYTES`] (and with it [`base::limits::PATH_DEPTH`]).
    #[error("the path would be longer than {limit} bytes", limit = base::limits::PATH_BYTES)]
    PathTooLong,
    /// No item of this space has the id.
    #[error("the space has no such item")]
    NoSuchItem,
    /// The root directory neither moves nor dies.
    #[error("the root of a space cannot be moved or deleted")]
    Root,
}

/// What came of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Of a `Commit`: one outcome per change, in order.
    Commit(Vec<Outcome>),
    /// Of a `CreateSpace` or `RenameSpace`.
    Space {
        /// The space.
        id: SpaceId,
        /// The slug that it got: numbered when the wanted one was taken.
        slug: Slug,
    },
    /// Of a `Register` or `RegisterLocal`.
    Registered {
        /// The device that holds the token now.
        device: DeviceId,
    },
    /// Done, with nothing to tell.
    Done,
    /// Not done; nothing changed.
    Denied(Denial),
}

/// Why a whole command was not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// The device is not registered.
    #[error("this device is not registered: join with an invite first")]
    UnknownDevice,
    /// The device was revoked.
    #[error("this device was revoked")]
    RevokedDevice,
    /// Only the node's administrator may do this.
    #[error("this needs the node's admin token")]
    AdminOnly,
    /// The member lacks a role on the space.
    #[error("this needs the role {needed} on the space")]
    RoleMissing {
        /// The least role that may.
        needed: Role,
    },
    /// No such space.
    #[error("there is no such space")]
    UnknownSpace,
    /// No such member.
    #[error("there is no such member")]
    UnknownMember,
    /// No invite has this token.
    #[error("the invite is not known: ask for a new one")]
    UnknownInvite,
    /// The invite's time is over.
    #[error("the invite has expired: ask for a new one")]
    ExpiredInvite,
    /// The link was redeemed before, by another.
    #[error("the link was used already: ask for a new one")]
    UsedInvite,
    /// The token of an invite or device exists already.
    #[error("the token is in use: draw another")]
    TokenInUse,
    /// The (device, stream, sequence) was used for another command.
    #[error("the sequence number was used for another command")]
    SequenceReused,
    /// The sequence number lies before the remembered window, so nobody can
    /// tell whether the command was done.
    #[error("the sequence number is too old to tell whether the command was done")]
    SequenceTooOld,
    /// No such conflict.
    #[error("there is no such conflict")]
    UnknownConflict,
    /// The state machine already works by this version or a newer one.
    #[error("the apply version can only rise")]
    ApplyVersion,
}
