//! Every durable change that can be asked of a site.
//!
//! These are the checked types; their bytes are in `wire`, their effect in
//! `apply`. A value of these types can break two bounds that types do not
//! carry, the number of changes and the encoded size: [`Command::encode`] and
//! [`Command::decode`] check those.

use crate::label::{Label, LabelError};
use crate::wire;
use base::{
    DeviceId, Hash, ItemId, MemberId, Millis, Name, NameError, Slug, SpaceId, VersionId, limits,
};
use meta::binary::DecodeError;
use meta::{Metadata, MetadataError};
use std::fmt;

/// One request to change the site's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Who asks; [`DeviceId::ADMIN`] for the node itself and its administrator.
    pub device: DeviceId,
    /// A random number drawn at each start of a client, under which its
    /// sequence counts. 0 means "do not deduplicate": for one-shot commands
    /// whose repetition is harmless.
    pub stream: u64,
    /// Counts the commands of the stream, upwards from 1, below 2^63.
    pub sequence: u64,
    /// The proposer's clock. Below 2^63.
    pub time: Millis,
    /// What is asked.
    pub body: Body,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// Makes a space with an empty root directory. Its maker becomes owner.
    CreateSpace {
        /// Wanted address; `-2`, `-3`… is appended when it is taken.
        slug: Slug,
        /// Mode and time of the root. Must be a directory.
        root: Metadata,
    },
    /// Gives a space another address. Asks for [`Role::Owner`].
    RenameSpace {
        /// Which.
        space: SpaceId,
        /// Wanted address, numbered like that of a new space.
        slug: Slug,
    },
    /// Changes the tree of a space. Asks for [`Role::Editor`].
    Commit(Commit),
    /// Makes an invite. Asks for [`Role::Owner`], for every space at once of
    /// the administrator.
    Invite {
        /// Hash of the invite's token.
        token: TokenHash,
        /// How often it works.
        kind: InviteKind,
        /// The space it opens; `None` for all, those to come included.
        space: Option<SpaceId>,
        /// The role it gives there.
        role: Role,
        /// Entry time from which it works no more.
        expires: Millis,
    },
    /// Registers a device with an invite: makes a member, a device, and the
    /// invite's grant. Proposed by the node (as [`DeviceId::ADMIN`]) for a
    /// client that has no id yet. A device token that is registered already
    /// keeps its device and gains the grant.
    Register {
        /// Hash of the invite's token.
        invite: TokenHash,
        /// Hash of the token that the device will use.
        device_token: TokenHash,
        /// What it calls itself.
        name: Label,
    },
    /// Registers a device of the node's own, without an invite. Only from
    /// [`DeviceId::ADMIN`]. A token that is registered keeps its device.
    RegisterLocal {
        /// Hash of the token that the device will use.
        device_token: TokenHash,
        /// What it calls itself.
        name: Label,
        /// What it may do.
        grants: Vec<(SpaceId, Role)>,
    },
    /// Gives a member a role on a space, or takes it away. Asks for
    /// [`Role::Owner`].
    Grant {
        /// Where.
        space: SpaceId,
        /// Who.
        member: MemberId,
        /// The only role the member has there from now on; `None` for none.
        role: Option<Role>,
    },
    /// Makes a device's token worthless. For the device itself, another of the
    /// same member, or the administrator.
    RevokeDevice {
        /// Which.
        device: DeviceId,
    },
    /// Closes a conflict. Asks for [`Role::Editor`]. It records what the user
    /// chose; the choice itself is carried out by ordinary commits.
    ResolveConflict {
        /// Its id.
        conflict: u64,
        /// What was chosen.
        kept: Kept,
    },
    /// Lets `apply` work by another version of its rules from the next entry
    /// on. Only from [`DeviceId::ADMIN`]. A node that does not know the version
    /// stops.
    SetApplyVersion {
        /// The version, higher than the present one.
        version: u32,
    },
}

/// BLAKE3 of a token's text. The log never holds a token.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenHash([u8; 32]);

/// What an invite is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InviteKind {
    /// Registers any number of devices until it expires.
    Join,
    /// Is redeemed once, for a browser session.
    Link,
}

/// What a member may do in a space; each includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Sees everything.
    Reader,
    /// Changes files.
    Editor,
    /// Invites, grants and renames.
    Owner,
}

/// What a user kept of a conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// The loser's bytes: those of the device that had the conflict.
    Local,
    /// What stood in the space.
    Remote,
    /// Both, under two names, or merged.
    Both,
}

/// Changes of one space's tree, applied in order; each succeeds or fails alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// The space.
    pub space: SpaceId,
    /// At most [`limits::CHANGES_PER_COMMAND`].
    pub changes: Vec<Change>,
}

/// A directory, as a change names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parent {
    /// An existing item.
    Item(ItemId),
    /// The item that an earlier change of this command made or found.
    Change(u16),
}

/// What the client believes to stand where it writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Base {
    /// This version.
    Version(VersionId),
    /// Nothing.
    Absent {
        /// In this directory.
        parent: Parent,
        /// Under this name.
        name: Name,
    },
}

/// One change of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Creates an item or replaces its state.
    Put {
        /// What is replaced.
        base: Base,
        /// The new state.
        metadata: Metadata,
        /// This is a conflict copy, kept beside that version: it is noted in
        /// the record of the device's conflict with it.
        conflict_of: Option<VersionId>,
    },
    /// Gives an item another name or directory.
    Move {
        /// Its current version.
        base: VersionId,
        /// Where to.
        parent: Parent,
        /// Under which name.
        name: Name,
    },
    /// Deletes a file, a link or an empty directory.
    Delete {
        /// Its current version.
        base: VersionId,
    },
}

/// Bytes that are no command, or a command that must not become bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// A kind of command, change or record that this version does not know. A
    /// node that meets one in its log must stop: skipping it would fork it from
    /// the others.
    #[error("{what} kind {kind} is unknown to this version of atoll: update this node")]
    UnknownKind {
        /// What has the kind.
        what: &'static str,
        /// The number found.
        kind: u32,
    },
    /// Not the message it should be.
    #[error("not a valid message: {0}")]
    Malformed(#[from] prost::DecodeError),
    /// A field that must be there is not.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A number beyond its range.
    #[error("{what} {value} is out of range")]
    Range {
        /// Which field.
        what: &'static str,
        /// What it held.
        value: u64,
    },
    /// More elements than the limit.
    #[error("{count} {what} are more than the limit of {limit}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
    /// More bytes than a command may have.
    #[error("a command of {0} bytes is beyond the limit of {limit}: split it", limit = limits::COMMAND_BYTES)]
    TooLong(usize),
    /// A root that is not a directory.
    #[error("the root of a space must be a directory")]
    RootKind,
    /// A bad item name or slug.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A bad device name.
    #[error(transparent)]
    Label(#[from] LabelError),
    /// Bad metadata.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// A field of metadata that this version does not know: a node that ignored it
    /// would part from those that do not.
    #[error("field {0} of metadata is unknown to this version of atoll: update this node")]
    UnknownField(u64),
    /// Bytes that are no metadata.
    #[error("not valid metadata: {0}")]
    Encoding(DecodeError),
}

impl From<DecodeError> for CommandError {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::Metadata(error) => Self::Metadata(error),
            DecodeError::Missing(what) => Self::Missing(what),
            DecodeError::UnknownField(tag) => Self::UnknownField(tag),
            DecodeError::Unknown { number, .. } => Self::UnknownKind {
                what: "item",
                kind: u32::try_from(number).unwrap_or(u32::MAX),
            },
            error => Self::Encoding(error),
        }
    }
}

impl Command {
    /// The bytes of a log entry.
    ///
    /// # Errors
    /// [`CommandError::TooMany`], [`CommandError::TooLong`],
    /// [`CommandError::Range`] or [`CommandError::RootKind`]: exactly what
    /// [`Command::decode`] would refuse, since a refused entry stops every node.
    pub fn encode(&self) -> Result<Vec<u8>, CommandError> {
        wire::encode_command(self)
    }

    /// Reads a log entry.
    ///
    /// # Errors
    /// [`CommandError`] says what is wrong; [`CommandError::UnknownKind`] is
    /// the one that a newer node's entry gives.
    pub fn decode(bytes: &[u8]) -> Result<Self, CommandError> {
        wire::decode_command(bytes)
    }
}

impl Commit {
    /// The bytes that stand in a command and in a client's request.
    pub fn encode(&self) -> Vec<u8> {
        wire::encode_commit(self)
    }

    /// Reads a commit.
    ///
    /// # Errors
    /// As [`Command::decode`].
    pub fn decode(bytes: &[u8]) -> Result<Self, CommandError> {
        wire::decode_commit(bytes)
    }
}

impl crate::Version {
    /// The bytes of one version.
    pub fn encode(&self) -> Vec<u8> {
        wire::encode_version(self)
    }

    /// Reads one version.
    ///
    /// # Errors
    /// As [`Command::decode`].
    pub fn decode(bytes: &[u8]) -> Result<Self, CommandError> {
        wire::decode_version(bytes)
    }
}

impl crate::Reply {
    /// The bytes that are kept to answer a repeated command.
    pub fn encode(&self) -> Vec<u8> {
        wire::encode_reply(self)
    }

    /// Reads a reply.
    ///
    /// # Errors
    /// As [`Command::decode`].
    pub fn decode(bytes: &[u8]) -> Result<Self, CommandError> {
        wire::decode_reply(bytes)
    }
}

impl TokenHash {
    /// The hash of a token's text.
    pub fn of(token: &str) -> Self {
        Self(*Hash::of(token.as_bytes()).as_bytes())
    }

    /// Takes a hash computed elsewhere.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The raw bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for TokenHash {
    /// Its first bytes: enough to tell tokens apart in a trace.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "token:{}", base::hex(&self.0[..4]))
    }
}

impl Role {
    /// The number it is stored as; higher may do more.
    pub(crate) const fn number(self) -> u32 {
        match self {
            Self::Reader => 1,
            Self::Editor => 2,
            Self::Owner => 3,
        }
    }

    /// The role of a stored number.
    pub(crate) const fn from_number(number: u32) -> Option<Self> {
        match number {
            1 => Some(Self::Reader),
            2 => Some(Self::Editor),
            3 => Some(Self::Owner),
            _ => None,
        }
    }
}

impl Kept {
    /// The number it is stored as.
    pub(crate) const fn number(self) -> u32 {
        match self {
            Self::Local => 1,
            Self::Remote => 2,
            Self::Both => 3,
        }
    }

    /// The choice of a stored number.
    pub(crate) const fn from_number(number: u32) -> Option<Self> {
        match number {
            1 => Some(Self::Local),
            2 => Some(Self::Remote),
            3 => Some(Self::Both),
            _ => None,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reader => "reader",
            Self::Editor => "editor",
            Self::Owner => "owner",
        })
    }
}
