//! Parts: samples of many series over some time, written once and never changed.
//!
//! A part is one file that needs nothing beside it: the labels of its series, an index of
//! them, and their samples. So it can be copied, checked and read alone. The store reads
//! several through [`Merged`](crate::eval::Merged) and writes one in their place, for which
//! [`write()`] takes what [`Select`](crate::eval::Select) gives. `docs/formats/metrics.md`
//! has the bytes.
//!
//! ```text
//! header | samples … series | samples … series | … | postings … | index | footer
//! ```
//!
//! Everything stands in blocks (`block`), each compressed and checked by itself, and a
//! row of a series says in which of them its columns are: times and values of up to 8192
//! samples. What decides the size:
//! - Series that are scraped together have the same times, to the millisecond; a column of
//!   times that is there already is referred to. Times in equal steps need none.
//! - Values are integers in disguise (`values`), of which the differences are small.
//! - A column of two hours is some hundred bytes, too few for any compressor to learn from.
//!   So the columns of neighbours, which measure alike, are put into one block of 64 KiB
//!   and compressed together; whoever reads one of them decompresses them all, some ten
//!   microseconds. Longer columns are told in fewer bytes by `pco`, each by itself
//!   (`integers`).
//!
//! Read `writer` first, then `rows` and `values`; then `reader` and `select`. This module
//! does not decide what is written when, and keeps no list of parts.

mod block;
mod blocks;
mod bytes;
mod choice;
mod error;
mod footer;
mod index;
mod integers;
mod lookup;
mod output;
mod postings;
mod reader;
mod rows;
mod select;
mod values;
mod verify;
mod writer;

pub use error::PartError;
pub use footer::Summary;
pub use reader::Part;
pub use writer::write;
