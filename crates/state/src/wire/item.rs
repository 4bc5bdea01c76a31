//! The messages that describe items: ids of versions, and versions. Metadata within
//! them is [`meta::binary`]'s; here it is a field of bytes.

use super::{below_2_63, required};
use crate::command::CommandError;
use crate::version::Version;
use base::{DeviceId, ItemId, Name, VersionId};
use meta::Metadata;
use meta::binary;
use prost::Message;

#[derive(Clone, PartialEq, Message)]
pub(super) struct VersionIdMessage {
    #[prost(uint64, tag = "1")]
    item: u64,
    #[prost(uint64, tag = "2")]
    counter: u64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct VersionMessage {
    #[prost(message, optional, tag = "1")]
    id: Option<VersionIdMessage>,
    #[prost(uint64, tag = "2")]
    parent: u64,
    #[prost(string, tag = "3")]
    name: String,
    /// [`metadata_bytes`]; absent of a deletion.
    #[prost(bytes = "vec", optional, tag = "4")]
    state: Option<Vec<u8>>,
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

impl From<&Version> for VersionMessage {
    fn from(version: &Version) -> Self {
        Self {
            id: Some(version.id.into()),
            parent: version.parent.to_u64(),
            name: version.name.as_str().to_owned(),
            state: version.state.as_ref().map(metadata_bytes),
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
            state: message.state.as_deref().map(metadata).transpose()?,
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

pub(super) fn metadata_bytes(metadata: &Metadata) -> Vec<u8> {
    let mut bytes = Vec::new();
    binary::encode_metadata(metadata, &mut bytes);
    bytes
}

/// Metadata that must be there.
pub(super) fn required_metadata(
    what: &'static str,
    bytes: Option<&[u8]>,
) -> Result<Metadata, CommandError> {
    metadata(bytes.ok_or(CommandError::Missing(what))?)
}

fn metadata(bytes: &[u8]) -> Result<Metadata, CommandError> {
    Ok(binary::decode_metadata(bytes)?)
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
