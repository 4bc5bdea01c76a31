//! PromQL from outside: the trees that texts have, the faults of those that have none,
//! canonical texts, and what holds for all of them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod cases;
mod evaluation;
mod faults;
mod ingest;
mod limits;
mod oracle;
mod printing;
mod properties;
mod seed;
mod shape;
mod trees;
