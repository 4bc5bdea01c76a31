//! When what is done in the background: one look after the other, by one thread, which is
//! told to stop and does at once.

use super::Database;
use super::error::UpkeepError;
use crate::chunk::Sample;
use crate::eval::{EvalError, Labels, SeriesCursor};
use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often it looks whether something is due.
const LOOK: Duration = Duration::from_secs(1);

/// How long it waits after something failed: a full disk does not get free at once, and each
/// try tells the log all series anew.
const AFTER_FAILURE: Duration = Duration::from_secs(30);

/// How many times the bytes of samples after which the head is flushed a log may have,
/// labels included: those of two million series, and series that come and go do not make it
/// grow without end.
const WITH_LABELS: u64 = 4;

/// Bytes that a merge reads between two pauses.
const STRETCH_BYTES: u64 = 4 << 20;

/// How a merge waits.
pub trait Pace {
    /// Waits so long; tells whether to go on.
    fn pause(&self, time: Duration) -> bool;
}

/// Does not wait.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unpaced;

impl Pace for Unpaced {
    fn pause(&self, _: Duration) -> bool {
        true
    }
}

/// What was done in one look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Upkept {
    /// Whether the head was flushed.
    pub flushed: bool,
    /// How many parts were let go.
    pub let_go: usize,
    /// How many merges there were.
    pub merges: usize,
}

/// The thread that keeps house; it ends when this is dropped.
pub struct Upkeep {
    stop: Arc<Stop>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Stop {
    asked: Mutex<bool>,
    news: Condvar,
}

impl Pace for Stop {
    fn pause(&self, time: Duration) -> bool {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.news.wait_timeout_while(asked, time, |asked| !*asked);
        let (asked, _) = waited.unwrap_or_else(PoisonError::into_inner);
        !*asked
    }
}

impl Upkeep {
    /// Keeps house in the background.
    ///
    /// # Errors
    /// The operating system's, when it gives no thread.
    pub fn start(database: Arc<Database>) -> io::Result<Self> {
        let stop = Arc::new(Stop::default());
        let pace = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("metrics upkeep".to_owned());
        let thread = thread.spawn(move || {
            let mut next = LOOK;
            while pace.pause(next) {
                next = match database.keep_house(&*pace) {
                    Ok(_) => LOOK,
                    Err(UpkeepError::Stopped) => return,
                    Err(error) => {
                        tracing::error!("metrics: {error}");
                        AFTER_FAILURE
                    }
                };
            }
        })?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Upkeep {
    fn drop(&mut self) {
        *self
            .stop
            .asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = true;
        self.stop.news.notify_all();
        if let Some(thread) = self.thread.take() {
            // If it panicked, that was told where it happened.
            let _ = thread.join();
        }
    }
}

impl Database {
    /// Does what is due: flushes, lets go, merges.
    ///
    /// # Errors
    /// [`UpkeepError`]; nothing is lost, and it is due again.
    pub fn keep_house(&self, pace: &dyn Pace) -> Result<Upkept, UpkeepError> {
        let mut upkept = Upkept {
            flushed: self.flush_if_due()?,
            ..Upkept::default()
        };
        self.forget_moved()?;
        upkept.let_go = self.let_go(&mut self.keeper())?;
        while self.merge_once(pace)? {
            upkept.merges += 1;
            if !pace.pause(Duration::ZERO) {
                return Err(UpkeepError::Stopped);
            }
        }
        Ok(upkept)
    }

    /// Flushes if that is due; tells whether it was.
    pub(super) fn flush_if_due(&self) -> Result<bool, UpkeepError> {
        if !self.flush_is_due() {
            return Ok(false);
        }
        self.flush()?;
        Ok(true)
    }

    fn flush_is_due(&self) -> bool {
        let acknowledged = self.acknowledged();
        let cut = self.cut.load(Ordering::SeqCst);
        if acknowledged <= cut {
            return false;
        }
        let age = self
            .clock
            .now()
            .abs_diff(self.cut_at.load(Ordering::SeqCst));
        let bytes = self.reader.bytes_between(cut, acknowledged);
        let label_bytes = self.label_bytes.load(Ordering::Relaxed);
        is_large(bytes, label_bytes, self.settings.flush_bytes) || age >= self.settings.flush_age
    }
}

/// Whether a log is to be flushed that has so many bytes, of which some are labels.
///
/// The labels of a million series alone can be more than a log should have. Each generation
/// tells them anew, so if they counted, the next flush would be due before all series had a
/// sample, and parts would have one of each.
const fn is_large(bytes: u64, label_bytes: u64, flush_bytes: u64) -> bool {
    bytes.saturating_sub(label_bytes) >= flush_bytes
        || bytes >= flush_bytes.saturating_mul(WITH_LABELS)
}

/// Series that are read at a pace, with a look at each pause whether a flush is due.
pub(super) struct Paced<'s> {
    series: Box<dyn SeriesCursor + 's>,
    pace: &'s dyn Pace,
    database: &'s Database,
    /// Bytes since the last pause.
    read: u64,
}

impl<'s> Paced<'s> {
    pub(super) const fn new(
        series: Box<dyn SeriesCursor + 's>,
        pace: &'s dyn Pace,
        database: &'s Database,
    ) -> Self {
        let read = 0;
        Self {
            series,
            pace,
            database,
            read,
        }
    }

    fn pause(&mut self) -> Result<(), EvalError> {
        let rate = self.database.settings.merge_bytes.max(1);
        let mut time = Duration::from_millis(self.read * 1000 / rate);
        self.read = 0;
        if let Err(error) = self.database.flush_if_due() {
            tracing::error!("metrics: {error}");
            time = AFTER_FAILURE;
        }
        match self.pace.pause(time) {
            true => Ok(()),
            false => Err(EvalError::Canceled),
        }
    }
}

impl SeriesCursor for Paced<'_> {
    fn advance(&mut self) -> Result<bool, EvalError> {
        if self.read >= STRETCH_BYTES {
            self.pause()?;
        }
        self.series.advance()
    }

    fn labels(&self) -> &Labels {
        self.series.labels()
    }

    fn samples(&mut self) -> Result<&[Sample], EvalError> {
        let samples = self.series.samples()?;
        self.read += size_of_val(samples) as u64;
        Ok(samples)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_alone_make_no_flush_due_until_they_are_many() {
        let check = |bytes, label_bytes, expected| {
            assert_eq!(
                is_large(bytes, label_bytes, 100),
                expected,
                "{bytes} {label_bytes}"
            );
        };
        check(99, 0, false);
        check(100, 0, true);
        check(199, 100, false);
        check(200, 100, true);
        check(399, 390, false);
        check(400, 390, true);
        // A moment after a cut both may be of another generation.
        check(0, 10, false);
    }
}
