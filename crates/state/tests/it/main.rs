//! What the state machine promises, tested through its public interface: one
//! binary for all of it. Start with `site`, the harness; `model` is the random
//! test against a plain in-memory tree, the others tell single stories.

// `clippy.toml` allows it inside test functions, but not in what they share.
#![allow(clippy::unwrap_used)]

mod access;
mod codec;
mod conflicts;
mod limits;
mod model;
mod once;
mod past;
mod random;
mod reader;
mod site;
mod snapshot;
mod tree;
