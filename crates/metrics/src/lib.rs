//! Metrics: what agents push, kept as series and answered to those who ask.
//!
//! So far these are its pure parts: reading what is pushed ([`ingest`]), how the last
//! samples of a series are held ([`chunk`]), the language of the questions ([`promql`]),
//! what they are answered ([`eval`]), and the addresses at which they are asked ([`api`]).
//! No I/O, no clock, no threads.

pub mod api;
pub mod chunk;
pub mod eval;
pub mod ingest;
mod json_text;
pub mod promql;
