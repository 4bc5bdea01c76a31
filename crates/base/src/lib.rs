//! The ground every other crate stands on: identifiers, content hashes, names,
//! clock and randomness traits, and the limits that bound every input.
//!
//! Nothing here does I/O except [`SystemClock`] and [`SystemRandom`], the two
//! doors through which time and chance enter; everything else receives them as
//! traits so that tests and simulations can replay them. What a file *is* lives
//! in `meta`; what a site *does* lives in `state`.

pub mod calendar;
mod fingerprint;
mod hash;
mod id;
pub mod limits;
mod name;
mod world;

pub use fingerprint::{Fingerprint, FingerprintError};
pub use hash::{Hash, Hasher, ParseHashError};
pub use id::{Cursor, DeviceId, ItemId, LogId, MemberId, ParseIdError, SpaceId, VersionId};
pub use name::{Name, NameError, Slug};
pub use world::{
    Clock, ManualClock, Millis, Random, SeededRandom, SystemClock, SystemRandom, hex, unhex,
};
