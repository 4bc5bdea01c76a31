//! Who serves which connection: the concurrency models.
//!
//! [`events`] is the one that a node runs on: one loop per core, each with a
//! listener of its own. How one connection is driven is [`crate::serve`]'s.

pub mod events;
