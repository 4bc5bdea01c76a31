//! The store: what is acknowledged is there, however it went.

mod basics;
mod concurrent;
mod crash;
mod follow;
mod model;
mod scene;
mod snapshots;
mod tapped;
mod upkeep;
