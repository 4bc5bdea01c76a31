//! The scoreboard: what every worker says about itself, in memory that all share.
//!
//! A row belongs to one worker, which alone writes it; the master clears it before
//! it gives it to the next. So no lock is needed, and a worker that dies in the
//! middle of anything leaves only old numbers. Numbers of one row are read one
//! after another, and may be of different moments.

use super::shared::{Row, Rows, create};
use crate::models::Counts;
use rustix::time::{ClockId, clock_gettime};
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Where each number has its place in a row.
mod cell {
    pub(super) const PID: usize = 0;
    pub(super) const SEAT: usize = 1;
    pub(super) const GENERATION: usize = 2;
    pub(super) const STATE: usize = 3;
    pub(super) const BEGUN_MS: usize = 4;
    pub(super) const ALIVE_MS: usize = 5;
    pub(super) const REQUESTS: usize = 6;
    pub(super) const CONNECTIONS: usize = 7;
    pub(super) const OPEN: usize = 8;
    pub(super) const RESIDENT_BYTES: usize = 9;
    pub(super) const COMPUTED_NS: usize = 10;
}

/// What a worker is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WorkerState {
    /// It prepares.
    #[default]
    Starting,
    /// It serves.
    Ready,
    /// It lets its connections end.
    Draining,
}

/// What a worker says about itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkerStatus {
    /// Its process.
    pub pid: u32,
    /// Its place in the pool.
    pub seat: usize,
    /// How many reloads there were before it.
    pub generation: u64,
    /// What it is doing.
    pub state: WorkerState,
    /// When it began, in milliseconds of Unix time.
    pub begun_ms: u64,
    /// Its last sign of life, in milliseconds of the machine's monotonic clock.
    pub alive_ms: u64,
    /// Connections and requests.
    pub counts: Counts,
    /// Memory that it holds.
    pub resident_bytes: u64,
    /// Processor time that it used.
    pub computed: Duration,
}

/// All rows.
#[derive(Debug)]
pub struct Scoreboard(Rows);

impl Scoreboard {
    /// A board for `rows` workers at the same time.
    pub(super) fn create(rows: usize) -> io::Result<Self> {
        Self::open(create(rows)?)
    }

    /// The board that somebody else created.
    pub(super) fn open(file: OwnedFd) -> io::Result<Self> {
        Rows::map(file).map(Self)
    }

    pub(super) fn file(&self) -> BorrowedFd<'_> {
        self.0.file()
    }

    /// The workers that there are.
    pub fn workers(&self) -> impl Iterator<Item = WorkerStatus> {
        self.0.rows().iter().filter_map(read)
    }

    /// What the worker of a row says; none if there is none.
    pub(super) fn worker(&self, row: usize) -> Option<WorkerStatus> {
        read(self.0.rows().get(row)?)
    }

    /// Makes a row ready for the next worker. Its last one must have ended.
    pub(super) fn clear(&self, row: usize) {
        for cell in &self.0.rows()[row].0 {
            cell.store(0, Relaxed);
        }
    }

    /// Writes what is counted in a row; only its worker does.
    pub(super) fn count(&self, row: usize, counts: Counts) {
        let row = &self.0.rows()[row].0;
        row[cell::REQUESTS].store(counts.requests, Relaxed);
        row[cell::CONNECTIONS].store(counts.connections, Relaxed);
        row[cell::OPEN].store(counts.open, Relaxed);
    }

    /// Writes all of a row; only its worker does.
    pub(super) fn write(&self, index: usize, status: &WorkerStatus) {
        let row = &self.0.rows()[index].0;
        let set = |cell: usize, value: u64| row[cell].store(value, Relaxed);
        set(cell::SEAT, status.seat as u64);
        set(cell::GENERATION, status.generation);
        set(cell::STATE, status.state as u64);
        set(cell::BEGUN_MS, status.begun_ms);
        set(cell::ALIVE_MS, status.alive_ms);
        set(cell::RESIDENT_BYTES, status.resident_bytes);
        set(cell::COMPUTED_NS, status.computed.as_nanos() as u64);
        self.count(index, status.counts);
        // Last: a row without a process is empty.
        row[cell::PID].store(u64::from(status.pid), Release);
    }
}

fn read(row: &Row) -> Option<WorkerStatus> {
    let pid = row.0[cell::PID].load(Acquire);
    let get = |cell: usize| row.0[cell].load(Relaxed);
    let status = WorkerStatus {
        pid: pid as u32,
        seat: get(cell::SEAT) as usize,
        generation: get(cell::GENERATION),
        state: match get(cell::STATE) {
            0 => WorkerState::Starting,
            1 => WorkerState::Ready,
            _ => WorkerState::Draining,
        },
        begun_ms: get(cell::BEGUN_MS),
        alive_ms: get(cell::ALIVE_MS),
        counts: Counts {
            open: get(cell::OPEN),
            connections: get(cell::CONNECTIONS),
            requests: get(cell::REQUESTS),
        },
        resident_bytes: get(cell::RESIDENT_BYTES),
        computed: Duration::from_nanos(get(cell::COMPUTED_NS)),
    };
    (pid != 0).then_some(status)
}

/// Milliseconds of the clock that all processes of a machine share.
pub(super) fn monotonic_ms() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1000 + now.tv_nsec as u64 / 1_000_000
}

/// Milliseconds of Unix time.
pub(super) fn unix_ms() -> u64 {
    // Before 1970 the clock is wrong.
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().as_millis() as u64
}

/// Processor time that this process has used.
pub(super) fn computed() -> Duration {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(used.tv_sec as u64, used.tv_nsec as u32)
}

/// Memory that this process holds; 0 where the kernel does not say.
pub(super) fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = text
        .split_ascii_whitespace()
        .nth(1)
        .and_then(|pages| pages.parse().ok())
        .unwrap_or(0);
    pages * rustix::param::page_size() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_writes_the_others_read() {
        let board = Scoreboard::create(3).unwrap();
        let other = Scoreboard::open(board.file().try_clone_to_owned().unwrap()).unwrap();
        assert_eq!(other.workers().count(), 0);
        let status = WorkerStatus {
            pid: 7,
            seat: 2,
            generation: 3,
            state: WorkerState::Draining,
            begun_ms: 4,
            alive_ms: 5,
            counts: Counts {
                open: 6,
                connections: 7,
                requests: 8,
            },
            resident_bytes: 9,
            computed: Duration::from_nanos(10),
        };
        board.write(1, &status);
        assert_eq!(other.workers().collect::<Vec<_>>(), [status]);
        assert_eq!((other.worker(1), other.worker(0)), (Some(status), None));
        assert_eq!(other.worker(3), None);
        other.clear(1);
        assert_eq!(board.worker(1), None);
    }

    #[test]
    fn another_file_is_no_scoreboard() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(256).unwrap();
        assert!(Scoreboard::open(file.into()).is_err());
    }

    #[test]
    fn a_process_knows_itself() {
        assert!(resident_bytes() > 100_000);
        assert!(computed() > Duration::ZERO);
        assert!(monotonic_ms() > 0);
        assert!(unix_ms() > 1_700_000_000_000);
    }
}
