//! The store: what is acknowledged is there, however it went.

mod basics;
mod concurrent;
mod crash;
mod model;
mod scene;
