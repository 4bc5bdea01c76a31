//! Metrics: what agents push, kept as series and answered to those who ask.
//!
//! So far this is the language of the questions, [`promql`], and how the last samples of
//! a series are held, [`chunk`]. Both are pure: no I/O, no clock, no threads.

pub mod chunk;
pub mod eval;
pub mod ingest;
pub mod promql;
