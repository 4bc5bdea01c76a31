//! Names by number: of series in the head, and of the clients that brought them.

/// Shards of the head, a power of two: as many as the cores of a large machine, twice.
pub(crate) const SHARDS: usize = 32;

const SHARD_BITS: u32 = SHARDS.trailing_zeros();

/// The most series of one shard, as many as a number has room for.
pub(super) const SLOTS: u32 = 1 << (u32::BITS - SHARD_BITS);

/// A series of the head, for as long as it stays there. Another may have its number
/// after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeriesId(u32);

/// Whose series are counted together: a device, or whoever sends the same credential. What
/// it is made of is decided by the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Client(pub u128);

impl SeriesId {
    pub(crate) const fn new(shard: usize, slot: u32) -> Self {
        Self(slot << SHARD_BITS | shard as u32)
    }

    /// The shard it is in.
    pub(crate) const fn shard(self) -> usize {
        self.0 as usize % SHARDS
    }

    /// Its place there.
    pub(crate) const fn slot(self) -> u32 {
        self.0 >> SHARD_BITS
    }

    /// Its number, as the log has it.
    pub(crate) const fn to_u32(self) -> u32 {
        self.0
    }
}
