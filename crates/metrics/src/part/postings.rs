//! Postings: for each label that any series has, the numbers of the series that have it.
//!
//! Series are numbered by their order, in which those of one name lie together, so the
//! numbers are told in runs: all series of a name are one, and so are all of a part whose
//! `job` is the same everywhere. A list that is long is cut into pieces, each an entry.
//!
//! ```text
//! each entry:
//!   label     name FF value FF, as `put_behind` writes it behind the one before
//!   length    varint, of what follows
//!   runs      varints: series between this run and the one before it, series in it less 1
//! ```
//!
//! Entries are ordered by the bytes of their labels.

use super::bytes::{Input, Malformed, put_behind, put_number, take_behind};
use super::error::PartError;
use super::rows::MOST_LABEL_BYTES;
use std::collections::HashMap;
use std::ops::Range;

/// Behind the name of a label and behind its value; it stands in neither.
pub(super) const END: u8 = 0xff;

/// The most bytes of runs in an entry, so that no block is long.
const PIECE_BYTES: usize = 16 << 10;

/// What a run takes at most.
const RUN_BYTES: usize = 10;

/// Numbers of series in ascending order, as runs.
pub(super) type Runs = Vec<Range<u32>>;

/// Collects postings.
#[derive(Debug, Default)]
pub(super) struct PostingsWriter(HashMap<Box<[u8]>, List>);

/// The series of a label, so far.
#[derive(Debug)]
struct List {
    /// All runs but the last.
    runs: Vec<u8>,
    /// Where the last of those ends.
    told: u32,
    last: Range<u32>,
}

impl PostingsWriter {
    /// Adds a series, which has a higher number than those before, with its labels as
    /// `Labels` holds them.
    pub(super) fn add(&mut self, series: u32, labels: &[u8]) {
        for label in each_label(labels) {
            match self.0.get_mut(label) {
                Some(list) => list.add(series),
                None => {
                    self.0.insert(label.into(), List::of(series));
                }
            }
        }
    }

    /// The entries by the order of their labels: a label and runs of it.
    pub(super) fn finish(
        self,
        mut entry: impl FnMut(&[u8], &[u8]) -> Result<(), PartError>,
    ) -> Result<(), PartError> {
        let mut lists: Vec<_> = self.0.into_iter().collect();
        lists.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        for (label, list) in lists {
            for piece in list.pieces() {
                entry(&label, &piece)?;
            }
        }
        Ok(())
    }
}

impl List {
    fn of(series: u32) -> Self {
        Self {
            runs: Vec::new(),
            told: 0,
            last: series..series + 1,
        }
    }

    fn add(&mut self, series: u32) {
        if self.last.end == series {
            self.last.end += 1;
        } else {
            put_run(&mut self.runs, &mut self.told, &self.last);
            self.last = series..series + 1;
        }
    }

    fn pieces(mut self) -> Vec<Vec<u8>> {
        put_run(&mut self.runs, &mut self.told, &self.last);
        if self.runs.len() <= PIECE_BYTES {
            return vec![self.runs];
        }
        let mut runs = Runs::new();
        take_runs(&self.runs, u32::MAX, &mut runs).expect("they were just written");
        let pieces = runs.chunks(PIECE_BYTES / RUN_BYTES);
        let piece = |runs: &[Range<u32>]| {
            let (mut bytes, mut told) = (Vec::new(), 0);
            for run in runs {
                put_run(&mut bytes, &mut told, run);
            }
            bytes
        };
        pieces.map(piece).collect()
    }
}

/// An entry behind one with another label.
pub(super) fn put_entry(bytes: &mut Vec<u8>, before: &[u8], label: &[u8], runs: &[u8]) {
    put_behind(bytes, before, label);
    put_number(bytes, runs.len() as u64);
    bytes.extend_from_slice(runs);
}

/// Turns the label of the entry before into that of the next one, and gives its runs.
pub(super) fn take_entry<'a>(
    input: &mut Input<'a>,
    label: &mut Vec<u8>,
) -> Result<&'a [u8], Malformed> {
    take_behind(input, label, MOST_LABEL_BYTES)?;
    let length = input.count(PIECE_BYTES)?;
    input.take(length)
}

/// Adds the runs of an entry of a part that has `series` series.
pub(super) fn take_runs(bytes: &[u8], series: u32, runs: &mut Runs) -> Result<(), Malformed> {
    let mut input = Input(bytes);
    let mut end = 0_u32;
    while !input.is_empty() {
        let begin = end + input.count((series - end) as usize)? as u32;
        let beyond = input.count((series - begin) as usize)? as u32;
        if beyond == series - begin {
            return Err(Malformed("postings name series that are not there"));
        }
        end = begin + beyond + 1;
        runs.push(begin..end);
    }
    Ok(())
}

/// The series that are in both.
pub(super) fn intersection(one: &[Range<u32>], other: &[Range<u32>]) -> Runs {
    let (mut one, mut other) = (one.iter().peekable(), other.iter().peekable());
    let mut both = Runs::new();
    while let (Some(first), Some(second)) = (one.peek(), other.peek()) {
        let run = first.start.max(second.start)..first.end.min(second.end);
        let first_ends = first.end <= second.end;
        if !run.is_empty() {
            both.push(run);
        }
        if first_ends {
            one.next();
        } else {
            other.next();
        }
    }
    both
}

/// The series that are in any of the runs, which may be in any order.
pub(super) fn union(mut runs: Runs) -> Runs {
    runs.sort_unstable_by_key(|run| run.start);
    runs.dedup_by(|next, run| {
        let touches = next.start <= run.end;
        if touches {
            run.end = run.end.max(next.end);
        }
        touches
    });
    runs
}

/// The labels of a series one by one, each `name FF value FF`.
pub(super) fn each_label(mut labels: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let mut ends = labels.iter().enumerate().filter(|(_, byte)| **byte == END);
        let (end, _) = ends.nth(1)?;
        let (label, rest) = labels.split_at(end + 1);
        labels = rest;
        Some(label)
    })
}

/// The name and the value of a label that is written `name FF value FF`; `None` if it is
/// none. Of a label that has them, `name FF FF` is behind it.
pub(super) fn name_and_value(label: &[u8]) -> Option<(&str, &str)> {
    let mut parts = label.strip_suffix(&[END])?.splitn(2, |byte| *byte == END);
    let mut next = || std::str::from_utf8(parts.next()?).ok();
    let (name, value) = (next()?, next()?);
    (!value.is_empty()).then_some((name, value))
}

/// A run behind the one that ended at `told`.
fn put_run(bytes: &mut Vec<u8>, told: &mut u32, run: &Range<u32>) {
    put_number(bytes, u64::from(run.start - *told));
    put_number(bytes, run.len() as u64 - 1);
    *told = run.end;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(series: &[u32]) -> Runs {
        union(series.iter().map(|series| *series..series + 1).collect())
    }

    #[test]
    fn lists_come_back() {
        let check = |series: &[u32], bytes: usize, pieces: usize| {
            let mut list = List::of(series[0]);
            for series in &series[1..] {
                list.add(*series);
            }
            let told = list.pieces();
            assert_eq!(told.len(), pieces);
            assert_eq!(told.iter().map(Vec::len).sum::<usize>(), bytes);
            let mut read = Runs::new();
            for piece in told {
                take_runs(&piece, series[series.len() - 1] + 1, &mut read).unwrap();
            }
            assert_eq!(read, runs(series));
        };
        check(&[0], 2, 1);
        check(&[7, 8, 9], 2, 1);
        check(&[0, 1, 3, 4, 5, 100], 6, 1);
        let even: Vec<_> = (0..100_000).map(|n| 2 * n).collect();
        check(&even, 200_117, 62);
    }

    #[test]
    fn sets_of_series() {
        let check = |one: &[u32], other: &[u32], both: &[u32], either: &[u32]| {
            assert_eq!(intersection(&runs(one), &runs(other)), runs(both));
            assert_eq!(union([runs(one), runs(other)].concat()), runs(either));
        };
        check(&[], &[1], &[], &[1]);
        check(&[1, 2, 3], &[2, 3, 4], &[2, 3], &[1, 2, 3, 4]);
        check(&[1, 3, 5, 6], &[2, 3, 4, 6], &[3, 6], &[1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn labels_have_a_name_and_a_value() {
        let check = |label: &[u8], expected| assert_eq!(name_and_value(label), expected);
        check(b"a\xffb\xff", Some(("a", "b")));
        check(b"\xffb\xff", Some(("", "b")));
        check(b"a\xff\xff", None);
        check(b"a\xffb", None);
        check(b"a\xff", None);
        check(b"", None);
        check(b"\xff\xff\xff", None);
        check(b"a\xffb\xffc\xff", None);
    }

    #[test]
    fn damage_is_told() {
        let check = |bytes: &[u8]| assert!(take_runs(bytes, 10, &mut Runs::new()).is_err());
        check(&[10, 0]);
        check(&[0, 10]);
        check(&[5, 5]);
        check(&[0, 0, 9]);
        check(&[0, 9, 0, 0]);
    }
}
