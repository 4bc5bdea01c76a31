//! Everything that `store` promises, tried from outside: one binary, a module
//! per part.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod blob_crash;
mod blob_uploads;
mod blob_whole;
mod blobs;
mod file_system;
mod log_crash;
mod log_damage;
mod log_model;
mod log_spare;
