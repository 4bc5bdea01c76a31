//! Parts of one window into one: in the background, at a pace, with the samples of one
//! series in memory.
//!
//! Parts are merged when several neighbours are of about one size, so that each sample is
//! written a few times in all (a tiered merge; O'Neil et al., "The log-structured
//! merge-tree", Acta Informatica 33, 1996), when their window is over, when something was
//! deleted from one, and when one is to become coarser. Neighbours only, because of two
//! samples of one time the one in the newer part counts.
//!
//! A part from which something is to be deleted is looked through first: one that has
//! nothing of it stays as it is.

use super::Database;
use super::coarse::{Coarse, resolution};
use super::deletion::{Deletion, WithoutDeleted};
use super::error::UpkeepError;
use super::keeper::{Keeper, PartWriter};
use super::live::{Live, LivePart};
use super::manifest::PartLine;
use super::upkeep::{Pace, Paced};
use super::window::{Within, range_of};
use crate::eval::{EvalError, Select, SeriesCursor, TimeRange, merge};
use crate::part::PartError;
use std::sync::Arc;
use std::time::Duration;

/// How many parts of about one size are merged.
const TIER: usize = 4;

/// A part is of about one size with newer ones when it has at most so many times the bytes
/// of all of them.
const ALIKE: u64 = 2;

/// A week is written again when what came besides has at least such a part of its bytes.
const WORTH: u64 = 8;

/// How long after its end a window gets its last late samples, most likely, in
/// milliseconds.
const OVER: i64 = 3_600_000;

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// Which of the parts, in their order.
    numbers: Vec<u64>,
    window: i64,
    resolution: u64,
}

/// What a plan is made from.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    number: u64,
    window: i64,
    resolution: u64,
    bytes: u64,
    /// Samples were deleted from it.
    is_deleted_from: bool,
}

/// A merge that is about to be done.
struct Due {
    live: Live,
    parts: Vec<Arc<LivePart>>,
    /// Of the part that is to take their place.
    line: PartLine,
    writer: PartWriter,
}

impl Due {
    fn new(plan: &Plan, keeper: &mut Keeper) -> Self {
        let live = keeper.live();
        let is_due = |part: &&Arc<LivePart>| plan.numbers.contains(&part.line().number);
        Self {
            parts: live.parts().iter().filter(is_due).cloned().collect(),
            live,
            line: keeper.reserve(plan.window, plan.resolution),
            writer: keeper.writer(),
        }
    }
}

impl Database {
    /// Does the merge that is most due; tells whether there was one. The parts are let go
    /// while it runs: others come, and a flush that becomes due is done in between.
    pub(super) fn merge_once(&self, pace: &dyn Pace) -> Result<bool, UpkeepError> {
        let Some(due) = self.due(pace)? else {
            return Ok(false);
        };
        let written = self
            .merged(&due, pace)
            .and_then(|mut series| due.writer.write(due.line, &mut series));
        let mut keeper = self.keeper();
        match written {
            Ok(part) => self.put_in_place(&mut keeper, &due.parts, part)?,
            Err(UpkeepError::Part(PartError::Source(EvalError::Canceled))) => {
                return Err(UpkeepError::Stopped);
            }
            Err(error @ (UpkeepError::Read(_) | UpkeepError::Part(PartError::Source(_)))) => {
                // It would fail again. What can be read of the parts is still answered.
                tracing::error!("metrics: these parts are not merged any more: {error}");
                keeper.spoil(due.line.window);
            }
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    /// What is to be merged next. Parts that have nothing of what is to be deleted from them
    /// are passed over.
    fn due(&self, pace: &dyn Pace) -> Result<Option<Due>, UpkeepError> {
        loop {
            let mut keeper = self.keeper();
            let Some(plan) = self.plan(&keeper) else {
                return Ok(None);
            };
            let due = Due::new(&plan, &mut keeper);
            drop(keeper);
            if !self.is_spared(&due, pace)? {
                return Ok(Some(due));
            }
            self.pass_over(&due)?;
            self.flush_if_due()?;
            if !pace.pause(Duration::ZERO) {
                return Err(UpkeepError::Stopped);
            }
        }
    }

    /// Whether something is to be deleted from these parts, but they have nothing of it.
    fn is_spared(&self, due: &Due, pace: &dyn Pace) -> Result<bool, UpkeepError> {
        let mut is_spared = false;
        for part in &due.parts {
            for deletion in due.live.deletions_of(part) {
                match self.has_some(part, &deletion, pace) {
                    Ok(false) => is_spared = true,
                    Err(EvalError::Canceled) => return Err(UpkeepError::Stopped),
                    // A merge does not need all that a look does, and says what is wrong.
                    Ok(true) | Err(_) => return Ok(false),
                }
            }
        }
        Ok(is_spared)
    }

    /// Whether a part has any sample of a deletion. Most have none of its series, which the
    /// postings tell.
    fn has_some(
        &self,
        part: &LivePart,
        deletion: &Deletion,
        pace: &dyn Pace,
    ) -> Result<bool, EvalError> {
        let range = deletion.range();
        let is_over = || !pace.pause(Duration::ZERO);
        let matchers = deletion.matchers();
        let series = part.part().select_until(matchers, range, &is_over)?;
        let mut series = Within::new(Box::new(Paced::new(series, pace, self)), range);
        while series.advance()? {
            if !series.samples()?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The parts stay as they are, and nothing of what was noted is to be deleted from them.
    fn pass_over(&self, due: &Due) -> Result<(), UpkeepError> {
        let mut keeper = self.keeper();
        // What was noted since then comes before a higher number.
        due.parts
            .iter()
            .for_each(|part| part.settle(due.line.number));
        let parts = keeper.parts().to_vec();
        keeper.commit(parts, &[], |_| {})?;
        self.current.replace(keeper.live());
        Ok(())
    }

    fn plan(&self, keeper: &Keeper) -> Option<Plan> {
        let now = i64::try_from(self.clock.now()).unwrap_or(i64::MAX);
        let live = keeper.live();
        let parts = live.parts().iter();
        let parts = parts.filter(|part| !keeper.spoiled().contains(&part.line().window));
        let candidates = parts.map(|part| Candidate {
            number: part.line().number,
            window: part.line().window,
            resolution: part.line().resolution,
            bytes: part.bytes(),
            is_deleted_from: !live.deletions_of(part).is_empty(),
        });
        let candidates: Vec<Candidate> = candidates.collect();
        let coarse = |window| {
            let age = now.saturating_sub(range_of(window).end);
            resolution(&self.settings.downsampling, u64::try_from(age).unwrap_or(0))
        };
        plan(&candidates, now, coarse)
    }

    /// The series of these parts as they are to be.
    fn merged<'s>(&'s self, due: &'s Due, pace: &'s dyn Pace) -> Result<Paced<'s>, UpkeepError> {
        let range = range_of(due.line.window);
        let range = TimeRange {
            start: range.start.max(self.oldest_kept()),
            ..range
        };
        let mut cursors = Vec::new();
        for part in due.parts.iter().rev() {
            let series = part.part().select(&[], range)?;
            cursors.push(WithoutDeleted::wrap(series, due.live.deletions_of(part)));
        }
        let series = Box::new(Within::new(merge(cursors)?, range));
        let series = Coarse::wrap(series, due.line.resolution);
        Ok(Paced::new(series, pace, self))
    }

    /// Puts a part in the place of those that it was made from, if they are all still there.
    fn put_in_place(
        &self,
        keeper: &mut Keeper,
        merged: &[Arc<LivePart>],
        part: Option<Arc<LivePart>>,
    ) -> Result<(), UpkeepError> {
        let is_merged = |one: &Arc<LivePart>| merged.iter().any(|other| Arc::ptr_eq(one, other));
        let there = keeper.parts().iter().filter(|one| is_merged(one)).count();
        if there < merged.len() {
            part.iter()
                .for_each(|part| keeper.remove_files(&[Arc::clone(part)]));
            return Ok(());
        }
        let mut parts = Vec::with_capacity(keeper.parts().len());
        let made: Vec<_> = part.iter().cloned().collect();
        let mut part = Some(part);
        for one in keeper.parts() {
            if is_merged(one) {
                // In the place of the first of them.
                parts.extend(part.take().flatten());
            } else {
                parts.push(Arc::clone(one));
            }
        }
        keeper.commit(parts, &made, |_| {})?;
        self.current.replace(keeper.live());
        keeper.remove_files(merged);
        Ok(())
    }
}

/// What is most due: what was deleted, then windows that are over, then tiers, then what is
/// to be coarser.
fn plan(parts: &[Candidate], now: i64, coarse: impl Fn(i64) -> u64) -> Option<Plan> {
    let mut windows: Vec<i64> = parts.iter().map(|part| part.window).collect();
    windows.sort_unstable();
    windows.dedup();
    let of = |window: i64| -> Vec<Candidate> {
        parts
            .iter()
            .filter(|part| part.window == window)
            .copied()
            .collect()
    };
    let planned = |window: i64, chosen: &[Candidate]| {
        let finest = chosen.iter().map(|part| part.resolution).min();
        Plan {
            numbers: chosen.iter().map(|part| part.number).collect(),
            window,
            resolution: coarse(window).max(finest.unwrap_or(0)),
        }
    };
    if let Some(part) = parts.iter().find(|part| part.is_deleted_from) {
        return Some(planned(part.window, &[*part]));
    }
    for window in windows {
        let of_window = of(window);
        let is_over = range_of(window).end.saturating_add(OVER) < now;
        let is_coarser = of_window
            .iter()
            .any(|part| part.resolution < coarse(window));
        if is_coarser || is_over && are_worth_it(&of_window) {
            return Some(planned(window, &of_window));
        }
        if let Some(tier) = tier(&of_window) {
            return Some(planned(window, tier));
        }
    }
    None
}

/// Whether a week is to be written again for what came besides: a few late samples are left
/// in parts of their own.
fn are_worth_it(parts: &[Candidate]) -> bool {
    let largest = parts.iter().map(|part| part.bytes).max().unwrap_or(0);
    let all: u64 = parts.iter().map(|part| part.bytes).sum();
    parts.len() > 1 && (all - largest) * WORTH >= largest
}

/// The newest parts of a window that are of about one size, if they are enough.
fn tier(parts: &[Candidate]) -> Option<&[Candidate]> {
    let mut bytes = 0;
    let mut first = parts.len();
    for (index, part) in parts.iter().enumerate().rev() {
        let newer = parts.len() - 1 - index;
        if newer > 0 && part.bytes > ALIKE * bytes {
            break;
        }
        bytes += part.bytes;
        first = index;
    }
    let tier = &parts[first..];
    (tier.len() >= TIER).then_some(tier)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 100;

    fn candidate(number: u64, window: i64, bytes: u64) -> Candidate {
        Candidate {
            number,
            window,
            resolution: 0,
            bytes,
            is_deleted_from: false,
        }
    }

    #[track_caller]
    fn check(parts: &[Candidate], expected: Option<(&[u64], i64, u64)>) {
        let coarse = |window| if window < -50 { 60_000 } else { 0 };
        let expected = expected.map(|(numbers, window, resolution)| Plan {
            numbers: numbers.to_vec(),
            window,
            resolution,
        });
        assert_eq!(plan(parts, NOW, coarse), expected);
    }

    #[test]
    fn tiers_of_the_window_that_is_written() {
        let parts = |sizes: &[u64]| -> Vec<Candidate> {
            let numbered = (1..).zip(sizes);
            numbered
                .map(|(number, bytes)| candidate(number, 0, *bytes))
                .collect()
        };
        check(&parts(&[]), None);
        check(&parts(&[9, 9, 9]), None);
        check(&parts(&[9, 9, 9, 9]), Some((&[1, 2, 3, 4], 0, 0)));
        check(&parts(&[900, 9, 9, 9]), None);
        check(&parts(&[900, 9, 9, 9, 9]), Some((&[2, 3, 4, 5], 0, 0)));
        check(&parts(&[40, 9, 9, 9, 9]), Some((&[1, 2, 3, 4, 5], 0, 0)));
    }

    #[test]
    fn windows_that_are_over_become_one_part() {
        check(&[candidate(1, -2, 9), candidate(2, 0, 9)], None);
        let parts = [
            candidate(1, -2, 900),
            candidate(2, 0, 9),
            candidate(3, -2, 9),
        ];
        check(&parts, None);
        let parts = [
            candidate(1, -2, 900),
            candidate(2, 0, 9),
            candidate(3, -2, 200),
        ];
        check(&parts, Some((&[1, 3], -2, 0)));
    }

    #[test]
    fn old_windows_become_coarser_once() {
        let mut old = candidate(1, -60, 9);
        check(&[old], Some((&[1], -60, 60_000)));
        old.resolution = 60_000;
        check(&[old], None);
    }

    #[test]
    fn what_was_deleted_goes_first() {
        let mut part = candidate(7, 0, 9);
        part.is_deleted_from = true;
        check(
            &[candidate(1, -2, 9), candidate(2, -2, 9), part],
            Some((&[7], 0, 0)),
        );
    }
}
