//! JSON as our own agents push it.
//!
//! ```text
//! {"metrics":[{"name":"cpu","value":0.5,"type":"gauge","tags":{"host":"a"},"timestamp":1700000000000}]}
//! ```
//!
//! `name` and `value` are required; `type` is a gauge if it is not given, `timestamp`
//! (whole milliseconds since 1970, or a text as in RFC 3339) is now. For those that need
//! not be given, `null` says that they are not. Keys come in any order; one that we know
//! and that is given twice is refused, because parsers differ on which of the two counts
//! (RFC 8259, section 4); others are skipped, whatever they hold. A tag with an empty value is no
//! tag, as in Prometheus.
//!
//! This file is the document; `item` is one of its items; `cursor` is JSON itself.

mod cursor;
mod item;

pub use cursor::{Malformed, Problem, SKIPPED_DEPTH};
pub use item::{Field, ItemFault};

pub(super) use cursor::Cursor;

use super::{Batch, Series};

/// The most items of a document, by the contract of `POST /metrics`.
pub const ITEMS: usize = 1000;

/// Why a document gave nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// It is no JSON.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It is JSON, but not with this at the top.
    #[error("expected an object like {{\"metrics\":[...]}} at byte {offset}")]
    Shape {
        /// Where something else stands, counted from 0.
        offset: usize,
    },
    /// `metrics` is not there.
    #[error("the key \"metrics\" is missing")]
    Missing,
    /// `metrics` comes twice.
    #[error("the key \"metrics\" is given twice, at byte {offset} again")]
    Twice {
        /// Behind the second, counted from 0.
        offset: usize,
    },
    /// `metrics` is empty.
    #[error("\"metrics\" has no items; send 1 to {ITEMS}")]
    Empty,
    /// `metrics` is too long.
    #[error("\"metrics\" has more than {ITEMS} items; send 1 to {ITEMS} at once")]
    TooMany,
}

/// Reads a document: adds to the batch a point for each item that is right, and a refusal
/// for each that is not. `now` is the time of those that give none, in milliseconds since
/// 1970.
///
/// # Errors
///
/// Where the document is no JSON to its end, or not of this shape; the batch is then
/// empty.
pub fn parse<S: Series>(
    body: &[u8],
    now: i64,
    series: &mut S,
    batch: &mut Batch<S::Id>,
) -> Result<(), DocumentError> {
    let read = Document { now, series, batch }.read(body);
    if read.is_err() {
        batch.clear();
    }
    read
}

struct Document<'b, S: Series> {
    now: i64,
    series: &'b mut S,
    batch: &'b mut Batch<S::Id>,
}

impl<S: Series> Document<'_, S> {
    fn read(&mut self, body: &[u8]) -> Result<(), DocumentError> {
        let mut cursor = Cursor::new(body)?;
        enter(&mut cursor, b'{')?;
        let mut buffer = String::new();
        let mut first = true;
        let mut was_read = false;
        while let Some(key) = cursor.next_key(&mut first)? {
            if cursor.unescape(&key, &mut buffer) != "metrics" {
                cursor.skip_value()?;
            } else if was_read {
                let offset = key.span.end;
                return Err(DocumentError::Twice { offset });
            } else {
                self.read_items(&mut cursor)?;
                was_read = true;
            }
        }
        cursor.expect_end()?;
        was_read.then_some(()).ok_or(DocumentError::Missing)
    }

    fn read_items(&mut self, cursor: &mut Cursor<'_>) -> Result<(), DocumentError> {
        enter(cursor, b'[')?;
        let mut first = true;
        let mut count = 0;
        while cursor.next_element(&mut first)? {
            if count == ITEMS {
                return Err(DocumentError::TooMany);
            }
            item::read(cursor, self.now, count, self.series, self.batch)?;
            count += 1;
        }
        if count == 0 {
            return Err(DocumentError::Empty);
        }
        Ok(())
    }
}

/// Passes a bracket, or says what stands there: another value, or no JSON.
fn enter(cursor: &mut Cursor<'_>, bracket: u8) -> Result<(), DocumentError> {
    if cursor.peek() == Some(bracket) {
        return Ok(cursor.expect(bracket, "a bracket")?);
    }
    let offset = cursor.offset();
    cursor.skip_value()?;
    Err(DocumentError::Shape { offset })
}

#[cfg(test)]
mod tests;
