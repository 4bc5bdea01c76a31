//! The store: what is acknowledged is there, however it went.

mod basics;
mod crash;
mod model;
mod scene;
