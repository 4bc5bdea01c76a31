//! From the head into parts.
//!
//! 1. A cut ends the generation: what came before it is frozen.
//! 2. Each window of time that frozen samples lie in gets a part.
//! 3. The manifest names them, and says that the log lies in them up to the cut; then the
//!    log is let go up to there.
//! 4. Queries read them. Once none is left that does not know them, the head forgets what
//!    they hold, and series that got nothing for long leave. That is looked for again and
//!    again, and not waited for: an export may take an hour.
//!
//! When a step fails, everything is as before it; the next flush takes what this one left
//! together with what came since.

use super::Database;
use super::error::UpkeepError;
use super::keeper::Keeper;
use super::live::Gone;
use super::retention::oldest_kept;
use super::window::{Within, range_of, window_of};
use super::writer::{Command, Cut, seconds};
use crate::eval::TimeRange;
use crate::head::Frozen;
use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::Ordering;

/// Series that leave in one step: requests wait for some ten milliseconds meanwhile.
const LEAVE_AT_ONCE: usize = 4096;

/// Which generations lie in parts.
#[derive(Default)]
pub(super) struct Moved {
    /// Those before this one do.
    written: u32,
    /// The generation now.
    current: u32,
    /// What the head still has of them, the first flush first.
    kept: VecDeque<Kept>,
}

/// Generations that lie in parts which not every query knows.
struct Kept {
    /// Those before this one.
    before: u32,
    /// What such queries read.
    former: Vec<Gone>,
}

impl Database {
    /// Writes what is in the head into parts.
    ///
    /// # Errors
    /// [`UpkeepError`]; nothing is lost.
    pub fn flush(&self) -> Result<(), UpkeepError> {
        self.flush_into(&mut self.keeper())
    }

    pub(super) fn flush_into(&self, keeper: &mut Keeper) -> Result<(), UpkeepError> {
        // Held over the cut: whoever has the head forget something must know the generation.
        let mut moved = self.moved();
        let Cut {
            generation,
            through,
        } = self.command(Command::Cut)?;
        moved.current = generation;
        if through > self.cut.load(Ordering::SeqCst) {
            let frozen = self.head.frozen((moved.written, generation));
            self.write_parts(frozen, through, keeper)?;
            moved.written = generation;
            moved.kept.push_back(Kept {
                before: generation,
                former: self.current.former(),
            });
            self.cut.store(through, Ordering::SeqCst);
        }
        drop(moved);
        self.cut_at.store(self.clock.now(), Ordering::SeqCst);
        self.command(|answer| Command::Purge(through, answer))?;
        self.forget_moved()
    }

    /// Has the head forget what every query finds in parts, and lets idle series go.
    pub(super) fn forget_moved(&self) -> Result<(), UpkeepError> {
        let mut moved = self.moved();
        let mut has_forgotten = false;
        while let Some(kept) = moved.kept.front()
            && kept.former.iter().all(|gone| gone.load(Ordering::Acquire))
        {
            self.head.forget(kept.before, moved.current);
            moved.kept.pop_front();
            has_forgotten = true;
        }
        drop(moved);
        if has_forgotten {
            self.are_idle.store(true, Ordering::SeqCst);
        }
        self.retire()
    }

    fn write_parts(
        &self,
        frozen: Frozen<'_>,
        through: u64,
        keeper: &mut Keeper,
    ) -> Result<(), UpkeepError> {
        let oldest = self.oldest_kept();
        let mut made = Vec::new();
        for window in windows(frozen, oldest) {
            let range = range_of(window);
            let start = range.start.max(oldest);
            let mut series = Within::new(Box::new(frozen.series()), TimeRange { start, ..range });
            let line = keeper.reserve(window, 0);
            match keeper.writer().write(line, &mut series) {
                Ok(part) => made.extend(part),
                Err(error) => {
                    keeper.remove_files(&made);
                    return Err(error);
                }
            }
        }
        let parts = keeper.parts().iter().chain(&made).cloned().collect();
        let kinds = self.kinds.all();
        keeper.commit(parts, &made, |manifest| {
            manifest.flushed = (self.log, through);
            manifest.kinds = kinds;
        })?;
        self.current.replace(keeper.live());
        Ok(())
    }

    /// Lets idle series go, if there may be some. While requests are being read none goes;
    /// then it is tried again at the next look.
    fn retire(&self) -> Result<(), UpkeepError> {
        if !self.are_idle.swap(false, Ordering::SeqCst) {
            return Ok(());
        }
        let before = seconds(&*self.clock).saturating_sub(self.settings.idle_seconds);
        for series in self.head.idle(before).chunks(LEAVE_AT_ONCE) {
            let retired =
                self.command(|answer| Command::Retire(series.to_vec(), before, answer))?;
            if retired == 0 {
                self.are_idle.store(true, Ordering::SeqCst);
                break;
            }
        }
        Ok(())
    }

    pub(super) fn oldest_kept(&self) -> i64 {
        oldest_kept(self.clock.now(), self.settings.retention.age)
    }
}

/// The windows of samples from `oldest` on.
fn windows(frozen: Frozen<'_>, oldest: i64) -> BTreeSet<i64> {
    let mut windows = BTreeSet::new();
    frozen.for_each(|samples| {
        let mut last = None;
        for sample in samples.iter().filter(|sample| sample.time >= oldest) {
            let window = window_of(sample.time);
            if last != Some(window) {
                windows.insert(window);
                last = Some(window);
            }
        }
    });
    windows
}
