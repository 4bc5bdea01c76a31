//! Metrics: what agents push, kept as series and answered to those who ask.
//!
//! So far these are its pure pieces: reading what is pushed ([`ingest`]), how the last
//! samples of a series are held ([`chunk`]), the language of the questions ([`promql`])
//! and what they are answered ([`eval`]). Beside them, older samples in files ([`part`]),
//! through `store::fs`. No clock, no threads.

pub mod chunk;
pub mod eval;
pub mod ingest;
pub mod part;
pub mod promql;
