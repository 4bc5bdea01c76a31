//! A web server for directories: from a configuration to a server that runs.
//!
//! [`Config`] is what may be said about it, as plain values that are checked before
//! anything is opened. [`Server`] opens, listens and serves; `handler` answers each
//! request from the site that it is for, under the limits of its client, and tells
//! the log. How files become answers is [`crate::files`]'s, how connections are
//! driven [`crate::serve`]'s; signals and the command line belong to the program.

mod config;
mod handler;
mod journal;
mod loaded;
mod server;

pub use config::{AccessLog, Config, ConfigError, SiteConfig};
pub use server::{Server, WebError};
