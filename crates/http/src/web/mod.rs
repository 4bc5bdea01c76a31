//! A web server for directories: from a configuration to a server that runs.
//!
//! [`Config`] is what may be said about it, as plain values that are checked before
//! anything is opened; [`read()`] makes one of a file. [`Server`] opens, listens and
//! serves; `handler` answers each request from the site that it is for, under the
//! limits of its client, and tells the log. [`run()`] is all that a program does, with
//! signals and workers. How files become answers is [`crate::files`]'s, how
//! connections are driven [`crate::serve`]'s; the command line is the program's.

mod check;
mod config;
mod cors;
mod counts;
mod file;
mod handler;
mod journal;
mod limits;
mod lines;
mod loaded;
mod papers;
mod proof;
mod redirect;
mod run;
mod server;
mod source;
mod users;

pub use check::ConfigError;
pub use config::{AccessLog, Config, Model, Monitoring, PathLimit, Pool, SiteConfig, parse_bytes};
pub use cors::{Cors, CorsError};
pub use file::{parse, read};
pub use lines::Lines;
pub use proof::{Pair, Proof, Tls};
pub use redirect::{Redirect, RedirectError};
pub use run::{Announcement, check, run};
pub use server::{Server, WebError};
pub use source::Source;
pub use users::{UserError, Users};
