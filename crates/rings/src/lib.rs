//! Events from the thread where they happen to the one that counts them: a bounded ring
//! with one producer and one consumer, without a lock and without `unsafe`.
//!
//! A crate of its own because it is tested with [loom](https://docs.rs/loom), and what is
//! built for that (`--cfg loom`) must not have tokio in it, which changes by the same flag:
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test --package rings --lib --release --target-dir target/loom
//! ```
//!
//! `cargo xtask test` does the same. What events mean is the caller's business:
//! `httpd::limit` sends decisions of its limiter through these. Everything is in [`ring()`].

mod ring;
mod sync;

pub use ring::{Consumer, Producer, ring};
