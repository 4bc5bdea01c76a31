//! JSON Lines, the format of export and import, as VictoriaMetrics has it
//! (`/api/v1/export` and `/api/v1/import`).
//!
//! ```text
//! {"metric":{"__name__":"up","job":"a"},"values":[1,null],"timestamps":[1700000000000,1700000015000]}
//! ```
//!
//! One line is samples of one series; times are whole milliseconds since 1970. What no
//! number of JSON is: an infinity is `"Infinity"` or `"-Infinity"`, and a NaN is `null`,
//! as VictoriaMetrics writes them and reads them. There are many NaNs, and one marks a
//! series as stale: a line with others than the ordinary one of Prometheus has a fourth
//! key, `"nans"`, with the bits of all its NaNs in their order as 16 hexadecimal digits
//! each. Who does not know the key still reads the line.
//!
//! Labels may be any, Prometheus' own among them, because an export must be able to come
//! back; one with an empty value is none. Keys come in any order, unknown ones are
//! skipped, and one that is known may not come twice.
//!
//! `read` is import, `write` is export.

mod read;
mod write;

pub use read::{ImportFault, parse};
pub use write::write;

/// Prometheus' `value.NormalNaN`: the NaN that `null` stands for.
pub const ORDINARY_NAN: u64 = 0x7ff8_0000_0000_0001;

const NAN_DIGITS: usize = 16;

#[cfg(test)]
mod tests;
