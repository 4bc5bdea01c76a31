//! Metrics: what agents push, kept as series and answered to those who ask.
//!
//! Pure are: reading what is pushed ([`ingest`]), how the last samples of a series are held
//! ([`chunk`]), the language of the questions ([`promql`]), what they are answered
//! ([`eval`]), and the addresses at which they are asked ([`api`]). [`database`] keeps
//! samples on a disk and in memory, by a log ([`log`]), a head ([`head`]) and parts
//! ([`part`]), over the file system of `store`; it has threads of its own and no `tokio`.

pub mod api;
pub mod chunk;
pub mod database;
pub mod eval;
pub mod head;
pub mod ingest;
mod json_text;
pub mod log;
pub mod part;
pub mod promql;
