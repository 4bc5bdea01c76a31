//! The evaluator from outside: Prometheus' own cases, what it costs and refuses, and what
//! holds for every query.

mod limits;
pub(crate) mod memory;
mod merging;
mod notation;
mod pinned;
mod prometheus;
mod refusals;
mod script;
mod steps;
