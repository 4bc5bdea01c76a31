//! The subcommands, one file each: arguments, a `run`, and what it prints.

pub mod conflicts;
pub mod echo;
pub mod history;
pub mod invite;
pub mod load;
pub mod meta;
pub mod metrics;
pub mod ping;
pub mod restore;
pub mod scrub;
pub mod serve;
pub mod status;
pub mod sync;
pub mod up;
pub mod web;
