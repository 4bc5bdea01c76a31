//! The atomics of the ring: the standard library's, or in its model test those of loom,
//! which tries every order in which two threads may see them.

#[cfg(all(test, loom))]
pub(crate) use loom::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};
#[cfg(not(all(test, loom)))]
pub(crate) use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};
