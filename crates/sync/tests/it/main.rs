//! What holds between a folder and a node, tried from outside: its pure parts, and
//! transfers with a node that says what it is told. Whole nodes and folders are
//! tested end to end, on the real binary.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod convergence;
mod inventory;
mod node;
mod transfer;
