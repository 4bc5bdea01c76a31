//! The HTTP interface as clients see it, through the router of a node in a
//! temporary directory: no port, no timing. [`site`] has the tools.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod access;
mod downloads;
mod edits;
mod feed;
mod figures;
mod folders;
mod frames;
mod limits;
mod metadata;
mod middle;
mod page;
mod problems;
mod recovery;
mod restore;
mod samples;
mod site;
mod slow;
mod uploads;
mod whole;
