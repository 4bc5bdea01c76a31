//! The crate from outside: the trees that texts have, the faults of those that have none,
//! canonical texts, and what holds for all of them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod api;
mod cases;
mod database;
mod evaluation;
mod faults;
mod ingest;
mod limits;
mod oracle;
mod part;
mod printing;
mod properties;
mod seed;
mod shape;
mod trees;
