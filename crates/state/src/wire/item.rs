//! The messages that describe items: ids of versions, metadata, versions.

use super::{below_2_63, required};
use crate::command::CommandError;
use crate::version::Version;
use base::{DeviceId, Hash, ItemId, Name, VersionId};
use meta::{Kind, Metadata, Mode, Target, Timestamp};
use prost::Message;

/// Kinds of [`StateMessage`], also used in the projection's rows.
pub(crate) const FILE: u32 = 1;
/// See [`FILE`].
pub(crate) const DIRECTORY: u32 = 2;
/// See [`FILE`].
pub(crate) const SYMLINK: u32 = 3;

#[derive(Clone, PartialEq, Message)]
pub(super) struct VersionIdMessage {
    #[prost(uint64, tag = "1")]
    item: u64,
    #[prost(uint64, tag = "2")]
    counter: u64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct StateMessage {
    #[prost(uint32, tag = "1")]
    kind: u32,
    #[prost(uint32, tag = "2")]
    mode: u32,
    #[prost(sint64, tag = "3")]
    seconds: i64,
    #[prost(fixed32, tag = "4")]
    nanoseconds: u32,
    #[prost(bytes = "vec", tag = "5")]
    hash: Vec<u8>,
    #[prost(uint64, tag = "6")]
    size: u64,
    #[prost(string, tag = "7")]
    target: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct VersionMessage {
    #[prost(message, optional, tag = "1")]
    id: Option<VersionIdMessage>,
    #[prost(uint64, tag = "2")]
    parent: u64,
    #[prost(string, tag = "3")]
    name: String,
    #[prost(message, optional, tag = "4")]
    state: Option<StateMessage>,
    #[prost(uint64, tag = "5")]
    device: u64,
    #[prost(uint64, tag = "6")]
    time: u64,
    #[prost(uint64, tag = "7")]
    index: u64,
    #[prost(uint32, tag = "8")]
    ordinal: u32,
}

pub(crate) fn encode_version(version: &Version) -> Vec<u8> {
    VersionMessage::from(version).encode_to_vec()
}

pub(crate) fn decode_version(bytes: &[u8]) -> Result<Version, CommandError> {
    VersionMessage::decode(bytes)?.try_into()
}

impl From<VersionId> for VersionIdMessage {
    fn from(id: VersionId) -> Self {
        Self {
            item: id.item.to_u64(),
            counter: id.counter,
        }
    }
}

impl TryFrom<VersionIdMessage> for VersionId {
    type Error = CommandError;

    fn try_from(message: VersionIdMessage) -> Result<Self, CommandError> {
        Ok(Self {
            item: required("item", message.item, ItemId::from_u64)?,
            counter: required("counter", message.counter, |n| (n >> 63 == 0).then_some(n))?,
        })
    }
}

impl From<&Metadata> for StateMessage {
    fn from(metadata: &Metadata) -> Self {
        let mut message = Self {
            mode: metadata.mode.bits(),
            seconds: metadata.modified.seconds(),
            nanoseconds: metadata.modified.nanoseconds(),
            ..Self::default()
        };
        match &metadata.kind {
            Kind::File { hash, size } => {
                message.kind = FILE;
                message.hash = hash.as_bytes().to_vec();
                message.size = *size;
            }
            Kind::Directory => message.kind = DIRECTORY,
            Kind::Symlink(target) => {
                message.kind = SYMLINK;
                message.target = target.as_str().to_owned();
            }
        }
        message
    }
}

impl TryFrom<StateMessage> for Metadata {
    type Error = CommandError;

    fn try_from(message: StateMessage) -> Result<Self, CommandError> {
        let mode = Mode::new(message.mode)?;
        let modified = Timestamp::new(message.seconds, message.nanoseconds)?;
        match message.kind {
            FILE => {
                let hash = Hash::from_slice(&message.hash).ok_or(CommandError::Missing("hash"))?;
                Ok(Self::file(hash, message.size, mode, modified)?)
            }
            DIRECTORY => Ok(Self::directory(mode, modified)),
            // A link's mode is fixed, whatever a client says.
            SYMLINK => Ok(Self::symlink(Target::new(&message.target)?, modified)),
            kind => Err(CommandError::UnknownKind { what: "item", kind }),
        }
    }
}

impl From<&Version> for VersionMessage {
    fn from(version: &Version) -> Self {
        Self {
            id: Some(version.id.into()),
            parent: version.parent.to_u64(),
            name: version.name.as_str().to_owned(),
            state: version.state.as_ref().map(StateMessage::from),
            device: version.device.to_u64(),
            time: version.time,
            index: version.index,
            ordinal: u32::from(version.ordinal),
        }
    }
}

impl TryFrom<VersionMessage> for Version {
    type Error = CommandError;

    fn try_from(message: VersionMessage) -> Result<Self, CommandError> {
        Ok(Self {
            id: version_id("version", message.id)?,
            parent: required("parent", message.parent, ItemId::from_u64)?,
            name: Name::new(&message.name)?,
            state: message.state.map(Metadata::try_from).transpose()?,
            device: DeviceId::from_u64(message.device).ok_or(CommandError::Range {
                what: "device",
                value: message.device,
            })?,
            time: below_2_63("time", message.time)?,
            index: below_2_63("index", message.index)?,
            ordinal: ordinal(message.ordinal)?,
        })
    }
}

pub(super) fn version_id(
    what: &'static str,
    message: Option<VersionIdMessage>,
) -> Result<VersionId, CommandError> {
    message.ok_or(CommandError::Missing(what))?.try_into()
}

pub(super) fn ordinal(number: u32) -> Result<u16, CommandError> {
    u16::try_from(number).map_err(|_| CommandError::Range {
        what: "ordinal",
        value: u64::from(number),
    })
}
