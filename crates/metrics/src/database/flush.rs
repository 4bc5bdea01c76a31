//! From the head into parts.
//!
//! 1. A cut ends the generation: what came before it is frozen.
//! 2. Each window of time that frozen samples lie in gets a part.
//! 3. The manifest names them, and says that the log lies in them up to the cut.
//! 4. Queries read them. Once none is left that does not, the head forgets what they hold.
//! 5. The log is let go up to the cut, and series that got nothing for long leave.
//!
//! When a step fails, everything is as before it; the next flush takes what this one left
//! together with what came since.

use super::error::UpkeepError;
use super::retention::oldest_kept;
use super::window::{Within, range_of, window_of};
use super::writer::{Command, Cut, seconds};
use super::{Database, keeper::Keeper};
use crate::eval::TimeRange;
use crate::head::Frozen;
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

/// Series that leave in one step: requests wait so long.
const LEAVE_AT_ONCE: usize = 1024;

impl Database {
    /// Writes what is in the head into parts.
    ///
    /// # Errors
    /// [`UpkeepError`]; nothing is lost.
    pub fn flush(&self) -> Result<(), UpkeepError> {
        self.flush_into(&mut self.keeper())
    }

    pub(super) fn flush_into(&self, keeper: &mut Keeper) -> Result<(), UpkeepError> {
        let Cut {
            generation,
            through,
        } = self.command(Command::Cut)?;
        self.cut_at.store(self.clock.now(), Ordering::SeqCst);
        if through == self.cut.load(Ordering::SeqCst) {
            return Ok(());
        }
        let frozen = self.head.frozen(generation);
        let mut parts = keeper.parts().to_vec();
        for window in windows(frozen, self.oldest_kept()) {
            let series = Box::new(frozen.series());
            let range = range_of(window);
            let start = range.start.max(self.oldest_kept());
            let mut series = Within::new(series, TimeRange { start, ..range });
            parts.extend(keeper.write_part(window, 0, &mut series)?);
        }
        let kinds = self.kinds.all();
        keeper.commit(parts, |manifest| {
            manifest.flushed = (self.log, through);
            manifest.kinds = kinds;
        })?;
        // Queries have a bound of time, so this ends.
        self.current.replace(keeper.live()).wait();
        self.head.forget_frozen(generation);
        self.cut.store(through, Ordering::SeqCst);
        self.command(|answer| Command::Purge(through, answer))?;
        self.retire()
    }

    fn retire(&self) -> Result<(), UpkeepError> {
        let before = seconds(&*self.clock).saturating_sub(self.settings.idle_seconds);
        for series in self.head.idle(before).chunks(LEAVE_AT_ONCE) {
            self.command(|answer| Command::Retire(series.to_vec(), before, answer))?;
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
