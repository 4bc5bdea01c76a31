//! The messages of a commit and its changes, which clients send as well.
//! Numbers and tags are for ever; see the rules in the parent module.

use super::item::{VersionIdMessage, metadata_bytes, ordinal, required_metadata, version_id};
use super::{check_length, decode_run, encode_run, required};
use crate::command::{Base, Change, CommandError, Commit, Parent};
use base::{ItemId, Name, SpaceId};
use prost::Message;

const PUT: u32 = 1;
const MOVE: u32 = 2;
const DELETE: u32 = 3;

#[derive(Clone, PartialEq, Message)]
struct CommitMessage {
    #[prost(uint64, tag = "1")]
    space: u64,
    /// A run of [`ChangeMessage`].
    #[prost(bytes = "vec", tag = "2")]
    changes: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct ChangeMessage {
    #[prost(uint32, tag = "1")]
    kind: u32,
    #[prost(message, optional, tag = "2")]
    base: Option<VersionIdMessage>,
    #[prost(uint64, tag = "3")]
    parent_item: u64,
    #[prost(uint32, optional, tag = "4")]
    parent_change: Option<u32>,
    #[prost(string, tag = "5")]
    name: String,
    #[prost(bytes = "vec", optional, tag = "6")]
    metadata: Option<Vec<u8>>,
    #[prost(message, optional, tag = "7")]
    conflict_of: Option<VersionIdMessage>,
}

pub(crate) fn encode_commit(commit: &Commit) -> Vec<u8> {
    CommitMessage {
        space: commit.space.to_u64(),
        changes: encode_run(commit.changes.iter().map(ChangeMessage::from)),
    }
    .encode_to_vec()
}

pub(crate) fn decode_commit(bytes: &[u8]) -> Result<Commit, CommandError> {
    check_length(bytes)?;
    let message = CommitMessage::decode(bytes)?;
    Ok(Commit {
        space: required("space", message.space, SpaceId::from_u64)?,
        changes: decode_run::<ChangeMessage, _>("changes", &message.changes, Change::try_from)?,
    })
}

impl From<&Change> for ChangeMessage {
    fn from(change: &Change) -> Self {
        let mut message = Self::default();
        match change {
            Change::Put {
                base,
                metadata,
                conflict_of,
            } => {
                message.kind = PUT;
                match base {
                    Base::Version(version) => message.base = Some((*version).into()),
                    Base::Absent { parent, name } => message.set_place(*parent, name),
                }
                message.metadata = Some(metadata_bytes(metadata));
                message.conflict_of = conflict_of.map(VersionIdMessage::from);
            }
            Change::Move { base, parent, name } => {
                message.kind = MOVE;
                message.base = Some((*base).into());
                message.set_place(*parent, name);
            }
            Change::Delete { base } => {
                message.kind = DELETE;
                message.base = Some((*base).into());
            }
        }
        message
    }
}

impl TryFrom<ChangeMessage> for Change {
    type Error = CommandError;

    fn try_from(message: ChangeMessage) -> Result<Self, CommandError> {
        match message.kind {
            PUT => Ok(Self::Put {
                base: match message.base {
                    Some(base) => Base::Version(base.try_into()?),
                    None => Base::Absent {
                        parent: message.parent()?,
                        name: Name::new(&message.name)?,
                    },
                },
                metadata: required_metadata("metadata", message.metadata.as_deref())?,
                conflict_of: message.conflict_of.map(TryInto::try_into).transpose()?,
            }),
            MOVE => Ok(Self::Move {
                parent: message.parent()?,
                name: Name::new(&message.name)?,
                base: version_id("base", message.base)?,
            }),
            DELETE => Ok(Self::Delete {
                base: version_id("base", message.base)?,
            }),
            kind => Err(CommandError::UnknownKind {
                what: "change",
                kind,
            }),
        }
    }
}

impl ChangeMessage {
    fn set_place(&mut self, parent: Parent, name: &Name) {
        match parent {
            Parent::Item(item) => self.parent_item = item.to_u64(),
            Parent::Change(ordinal) => self.parent_change = Some(u32::from(ordinal)),
        }
        name.as_str().clone_into(&mut self.name);
    }

    fn parent(&self) -> Result<Parent, CommandError> {
        match self.parent_change {
            Some(number) => Ok(Parent::Change(ordinal(number)?)),
            None => required("parent", self.parent_item, ItemId::from_u64).map(Parent::Item),
        }
    }
}
