//! What is let go: samples beyond their age, and the oldest when there are too many.
//!
//! Whole windows go with their files. Samples of a window that is not yet over its age go
//! when its parts are merged. Queries pass over them as soon as they are too old.

use super::Database;
use super::error::UpkeepError;
use super::keeper::Keeper;
use super::live::LivePart;
use super::window::{range_of, window_of};
use std::sync::Arc;

/// The first time that is kept, in milliseconds since 1970.
pub(super) fn oldest_kept(now: u64, age: u64) -> i64 {
    let signed = |time: u64| i64::try_from(time).unwrap_or(i64::MAX);
    signed(now).saturating_sub(signed(age))
}

impl Database {
    /// Lets go what is beyond the bounds; gives how many parts that were.
    pub(super) fn let_go(&self, keeper: &mut Keeper) -> Result<usize, UpkeepError> {
        let oldest = self.oldest_kept();
        keeper.let_go_damaged(oldest)?;
        let most = self.settings.retention.bytes;
        let now = i64::try_from(self.clock.now()).unwrap_or(i64::MAX);
        let (kept, gone) = divide(keeper.parts(), oldest, window_of(now), most);
        if gone.is_empty() {
            return Ok(0);
        }
        keeper.commit(kept, &[], |_| {})?;
        // Whoever reads them holds their files open.
        self.current.replace(keeper.live());
        keeper.remove_files(&gone);
        Ok(gone.len())
    }
}

type Parts = Vec<Arc<LivePart>>;

/// Parts that are kept and parts that go.
fn divide(parts: &[Arc<LivePart>], oldest: i64, current: i64, most: Option<u64>) -> (Parts, Parts) {
    let is_young = |part: &&Arc<LivePart>| range_of(part.line().window).end >= oldest;
    let young = parts.iter().filter(is_young);
    let mut windows: Vec<i64> = young.map(|part| part.line().window).collect();
    windows.sort_unstable();
    windows.dedup();
    let bytes = |windows: &[i64]| -> u64 {
        let counted = parts
            .iter()
            .filter(|part| windows.contains(&part.line().window));
        counted.map(|part| part.bytes()).sum()
    };
    let is_over = |windows: &[i64]| most.is_some_and(|most| bytes(windows) > most);
    let mut kept = windows.as_slice();
    // This week is kept whatever its size: it is being written.
    while let [first, rest @ ..] = kept
        && *first < current
        && is_over(kept)
    {
        kept = rest;
    }
    parts
        .iter()
        .cloned()
        .partition(|part| kept.contains(&part.line().window))
}
