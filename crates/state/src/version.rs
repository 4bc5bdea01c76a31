//! One state of one item, as the feed, the history and the wire carry it.
//! How versions come to be is `apply`'s job; how they are stored, `rows`'.

use base::{DeviceId, ItemId, Millis, Name, VersionId};
use meta::Metadata;

/// One state of an item and its place in the feed.
///
/// The root directory of a space is an item too: it is its own parent, and its
/// name, always [`Version::ROOT_NAME`], means nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The item and how often it has changed.
    pub id: VersionId,
    /// The directory that holds it; itself for a root.
    pub parent: ItemId,
    /// Its name there.
    pub name: Name,
    /// What it is; `None` when this version is its deletion.
    pub state: Option<Metadata>,
    /// Who made this version.
    pub device: DeviceId,
    /// When, in the log's time, which never runs backwards.
    pub time: Millis,
    /// The entry that made it.
    pub index: u64,
    /// Its change within that entry.
    pub ordinal: u16,
}

impl Version {
    /// The name that root directories carry.
    pub const ROOT_NAME: &'static str = "root";

    /// Whether the item is the root directory of its space.
    pub fn is_root(&self) -> bool {
        self.parent == self.id.item
    }

    /// Whether it is a directory that exists.
    pub fn is_directory(&self) -> bool {
        self.state.as_ref().is_some_and(Metadata::is_directory)
    }

    /// Its place in the feed.
    pub const fn place(&self) -> (u64, u16) {
        (self.index, self.ordinal)
    }
}
