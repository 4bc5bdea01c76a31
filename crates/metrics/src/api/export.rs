//! Export: series as JSON Lines, one after the other, so that a whole store takes no more
//! memory than its longest series.

use super::selection::Selectors;
use crate::chunk::Sample;
use crate::eval::{EvalError, Select, TimeRange};
use crate::ingest::jsonl;
use std::ops::ControlFlow;

/// Samples of a line: some 40 KiB, so that a reader, too, holds little at once. A longer
/// series has several lines.
const LINE_SAMPLES: usize = 1024;

/// Bytes that are handed on at once, and those of a line more: enough for a write to cost
/// little beside them.
const CHUNK_BYTES: usize = 64 * 1024;

/// Writes the samples of all chosen series in the range, both ends included, as lines of
/// [`jsonl`]: by the order of their labels, and by time. What marks a series as stale is
/// among them. Hands whole lines to `sink` until that breaks; whether it did not.
///
/// # Errors
/// What the source lacks. What was handed on until then are whole lines.
pub fn export(
    source: &dyn Select,
    selectors: &Selectors,
    range: TimeRange,
    mut sink: impl FnMut(&[u8]) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, EvalError> {
    let mut text = String::with_capacity(2 * CHUNK_BYTES);
    let mut flow = ControlFlow::Continue(());
    selectors.for_each(source, range, |series| {
        let labels = series.labels().clone();
        let samples = within(series.samples()?, range);
        for line in samples.chunks(LINE_SAMPLES) {
            jsonl::write(&mut text, labels.iter(), line);
            if text.len() >= CHUNK_BYTES {
                flow = sink(text.as_bytes());
                text.clear();
            }
            if flow.is_break() {
                break;
            }
        }
        Ok::<bool, EvalError>(flow.is_continue())
    })?;
    if flow.is_continue() && !text.is_empty() {
        flow = sink(text.as_bytes());
    }
    Ok(flow)
}

/// A source may give more than it was asked for.
fn within(samples: &[Sample], range: TimeRange) -> &[Sample] {
    let start = samples.partition_point(|sample| sample.time < range.start);
    let end = samples.partition_point(|sample| sample.time <= range.end);
    samples.get(start..end).unwrap_or_default()
}
