//! Parts of one window into one: in the background, at a pace, with the samples of one
//! series in memory.
//!
//! Parts are merged when several neighbours are of about one size, so that each sample is
//! written a few times in all (a tiered merge; O'Neil et al., "The log-structured
//! merge-tree", Acta Informatica 33, 1996), when their window is over, when something was
//! deleted from one, and when one is to become coarser. Neighbours only, because of two
//! samples of one time the one in the newer part counts.

use super::Database;
use super::coarse::{Coarse, resolution};
use super::deletion::WithoutDeleted;
use super::error::UpkeepError;
use super::keeper::Keeper;
use super::live::LivePart;
use super::upkeep::{Pace, Paced};
use super::window::{Within, range_of};
use crate::eval::{Select, TimeRange, merge};
use std::sync::Arc;

/// How many parts of about one size are merged.
const TIER: usize = 4;

/// A part is of about one size with newer ones when it has at most so many times the bytes
/// of all of them.
const ALIKE: u64 = 2;

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

impl Database {
    /// Does the merge that is most due; tells whether there was one.
    pub(super) fn merge_once(
        &self,
        keeper: &mut Keeper,
        pace: &dyn Pace,
    ) -> Result<bool, UpkeepError> {
        let now = self.clock.now();
        let live = keeper.live();
        let candidates = live.parts().iter().map(|part| Candidate {
            number: part.line().number,
            window: part.line().window,
            resolution: part.line().resolution,
            bytes: part.bytes(),
            is_deleted_from: !live.deletions_of(part).is_empty(),
        });
        let candidates: Vec<Candidate> = candidates.collect();
        let coarse = |window| {
            let end = range_of(window).end;
            let age = i64::try_from(now).unwrap_or(i64::MAX).saturating_sub(end);
            resolution(&self.settings.downsampling, u64::try_from(age).unwrap_or(0))
        };
        let Some(plan) = plan(&candidates, i64::try_from(now).unwrap_or(i64::MAX), coarse) else {
            return Ok(false);
        };
        self.carry_out(&plan, keeper, pace)?;
        Ok(true)
    }

    fn carry_out(
        &self,
        plan: &Plan,
        keeper: &mut Keeper,
        pace: &dyn Pace,
    ) -> Result<(), UpkeepError> {
        let live = keeper.live();
        let is_merged = |part: &&Arc<LivePart>| plan.numbers.contains(&part.line().number);
        let merged: Vec<_> = live.parts().iter().filter(is_merged).cloned().collect();
        let range = range_of(plan.window);
        let range = TimeRange {
            start: range.start.max(self.oldest_kept()),
            ..range
        };
        let mut cursors = Vec::new();
        for part in merged.iter().rev() {
            let series = part.part().select(&[], range)?;
            cursors.push(WithoutDeleted::wrap(series, live.deletions_of(part)));
        }
        let series = Box::new(Within::new(merge(cursors)?, range));
        let series = Coarse::wrap(series, plan.resolution);
        let mut series = Paced::new(series, pace, self.settings.merge_bytes);
        let written = keeper.write_part(plan.window, plan.resolution, &mut series)?;
        drop(series);

        let mut parts = Vec::with_capacity(live.parts().len());
        let mut written = Some(written);
        for part in live.parts() {
            if plan.numbers.contains(&part.line().number) {
                // In the place of the first of them.
                parts.extend(written.take().flatten());
            } else {
                parts.push(Arc::clone(part));
            }
        }
        drop(live);
        keeper.commit(parts, |_| {})?;
        self.current.replace(keeper.live());
        keeper.remove_files(&merged);
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
        if is_coarser || is_over && of_window.len() > 1 {
            return Some(planned(window, &of_window));
        }
        if let Some(tier) = tier(&of_window) {
            return Some(planned(window, tier));
        }
    }
    None
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
