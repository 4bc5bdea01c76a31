//! The store: what is acknowledged is there, however it went.

mod basics;
mod concurrent;
mod crash;
mod deletions;
mod follow;
mod model;
mod scene;
mod snapshots;
mod tapped;
mod upkeep;
