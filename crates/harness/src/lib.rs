//! Development only: what end-to-end tests, benchmarks and the judge share.
//!
//! [`process`] runs and measures programs, [`site`] knows Atoll's commands,
//! [`tree`] makes and edits folders from a seed, [`compare`] tells how two
//! folders differ, [`scene`] is one node with two folders, any of which may be
//! killed, [`load`] asks a web server without a break, [`samples`] pushes samples to a node
//! and knows what must be there. Everything goes through the binary and the file system, as
//! a user does; nothing here calls Atoll's crates.

pub mod compare;
pub mod load;
pub mod process;
pub mod samples;
pub mod scene;
pub mod site;
pub mod tree;
