//! The crate through its public interface, in one test binary.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod files;
mod floods;
mod h1;
mod leaving;
mod limit_clients;
mod load;
mod log_writer;
mod models;
mod secure;
mod serve;
mod upgrade;
mod web;
mod websocket;
