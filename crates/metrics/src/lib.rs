//! Metrics: what agents push, kept as series and answered to those who ask.
//!
//! So far this is the language of the questions, [`promql`]. It is pure: no I/O, no
//! clock, no threads.

pub mod promql;
