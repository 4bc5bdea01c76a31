//! The scoreboard: what every worker says about itself, in memory that all share.
//!
//! A row belongs to one worker, which alone writes it; the master clears it before
//! it gives it to the next. So no lock is needed, and a worker that dies in the
//! middle of anything leaves only old numbers. Numbers of one row are read one
//! after another, and may be of different moments.
//!
//! The last row is the master's: what workers did that have ended, so that sums over
//! all rows never shrink ([`Scoreboard::sums`]).

use super::shared::{CELLS, Row, Rows, create};
use crate::models::{Counts, FIGURES, Figures};
use rustix::time::{ClockId, clock_gettime};
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::fence;
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
    /// Of the last row: odd while it changes.
    pub(super) const CHANGES: usize = 11;
    /// The first of the protocol's own.
    pub(super) const FIGURES: usize = 16;
}

const _: () = assert!(cell::FIGURES + FIGURES <= CELLS);

/// How often a sum is tried again that was changed meanwhile: changes are rare, and
/// a master that died within one is not waited for.
const TRIES: usize = 1000;

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
    /// The protocol's own numbers.
    pub figures: Figures,
}

/// What all workers have done, also those that have ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Connections and requests.
    pub counts: Counts,
    /// The protocol's own numbers.
    pub figures: Figures,
}

/// All rows.
#[derive(Debug)]
pub struct Scoreboard(Rows);

impl Scoreboard {
    /// A board for `rows` workers at the same time.
    pub(super) fn create(rows: usize) -> io::Result<Self> {
        let board = Self::open(create(rows + 1)?)?;
        board.last_row().0[cell::BEGUN_MS].store(unix_ms(), Relaxed);
        Ok(board)
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
        self.worker_rows().iter().filter_map(read)
    }

    /// How long there has been a master.
    pub fn age(&self) -> Duration {
        let begun = self.last_row().0[cell::BEGUN_MS].load(Relaxed);
        Duration::from_millis(unix_ms().saturating_sub(begun))
    }

    /// What all workers did, but `live`: what that process says of itself is newer
    /// than its row, and is added in place of it.
    pub fn sums(&self, own: u32, live: Sums) -> Sums {
        let last = &self.last_row().0;
        let mut sums = Sums::default();
        for _ in 0..TRIES {
            let before = last[cell::CHANGES].load(Acquire);
            sums = live;
            sums.add(&sums_of(self.last_row()));
            for row in self.worker_rows() {
                let pid = row.0[cell::PID].load(Acquire);
                if pid != 0 && pid != u64::from(own) {
                    sums.add(&sums_of(row));
                }
            }
            fence(Acquire);
            let is_same = last[cell::CHANGES].load(Relaxed) == before;
            if is_same && before.is_multiple_of(2) {
                break;
            }
            std::hint::spin_loop();
        }
        sums
    }

    /// The row of those that have ended; [`Self::create`] makes it.
    fn last_row(&self) -> &Row {
        let rows = self.0.rows();
        &rows[rows.len() - 1]
    }

    fn worker_rows(&self) -> &[Row] {
        let rows = self.0.rows();
        &rows[..rows.len() - 1]
    }

    /// What the worker of a row says; none if there is none.
    pub(super) fn worker(&self, row: usize) -> Option<WorkerStatus> {
        read(self.worker_rows().get(row)?)
    }

    /// Makes a row ready for the next worker. Its last one must have ended; what it
    /// did is kept in the last row. Only the master does this.
    pub(super) fn clear(&self, row: usize) {
        let (row, last) = (&self.worker_rows()[row], self.last_row());
        let changes = last.0[cell::CHANGES].load(Relaxed);
        last.0[cell::CHANGES].store(changes.wrapping_add(1), Relaxed);
        fence(Release);
        let mut sums = sums_of(last);
        sums.add(&sums_of(row));
        for cell in &row.0 {
            cell.store(0, Relaxed);
        }
        sums.counts.open = 0;
        write_sums(last, &sums);
        last.0[cell::CHANGES].store(changes.wrapping_add(2), Release);
    }

    /// Writes what is counted in a row; only its worker does.
    pub(super) fn count(&self, row: usize, counts: Counts) {
        write_counts(&self.worker_rows()[row], counts);
    }

    /// Writes all of a row; only its worker does.
    pub(super) fn write(&self, index: usize, status: &WorkerStatus) {
        let row = &self.worker_rows()[index].0;
        let set = |cell: usize, value: u64| row[cell].store(value, Relaxed);
        set(cell::SEAT, status.seat as u64);
        set(cell::GENERATION, status.generation);
        set(cell::STATE, status.state as u64);
        set(cell::BEGUN_MS, status.begun_ms);
        set(cell::ALIVE_MS, status.alive_ms);
        set(cell::RESIDENT_BYTES, status.resident_bytes);
        set(cell::COMPUTED_NS, status.computed.as_nanos() as u64);
        let WorkerStatus {
            counts, figures, ..
        } = *status;
        write_sums(&self.worker_rows()[index], &Sums { counts, figures });
        // Last: a row without a process is empty.
        row[cell::PID].store(u64::from(status.pid), Release);
    }
}

impl Sums {
    fn add(&mut self, other: &Self) {
        self.counts.open += other.counts.open;
        self.counts.connections += other.counts.connections;
        self.counts.requests += other.counts.requests;
        for (sum, figure) in self.figures.iter_mut().zip(other.figures) {
            *sum += figure;
        }
    }
}

fn write_counts(row: &Row, counts: Counts) {
    row.0[cell::REQUESTS].store(counts.requests, Relaxed);
    row.0[cell::CONNECTIONS].store(counts.connections, Relaxed);
    row.0[cell::OPEN].store(counts.open, Relaxed);
}

fn write_sums(row: &Row, sums: &Sums) {
    write_counts(row, sums.counts);
    for (cell, figure) in row.0[cell::FIGURES..].iter().zip(sums.figures) {
        cell.store(figure, Relaxed);
    }
}

fn sums_of(row: &Row) -> Sums {
    let get = |cell: usize| row.0[cell].load(Relaxed);
    Sums {
        counts: Counts {
            open: get(cell::OPEN),
            connections: get(cell::CONNECTIONS),
            requests: get(cell::REQUESTS),
        },
        figures: std::array::from_fn(|index| get(cell::FIGURES + index)),
    }
}

fn read(row: &Row) -> Option<WorkerStatus> {
    let pid = row.0[cell::PID].load(Acquire);
    let get = |cell: usize| row.0[cell].load(Relaxed);
    let Sums { counts, figures } = sums_of(row);
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
        counts,
        figures,
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
            figures: [3; FIGURES],
        };
        board.write(1, &status);
        assert_eq!(other.workers().collect::<Vec<_>>(), [status]);
        assert_eq!((other.worker(1), other.worker(0)), (Some(status), None));
        assert_eq!(other.worker(3), None);
        other.clear(1);
        assert_eq!(board.worker(1), None);
    }

    #[test]
    fn sums_keep_what_the_dead_did() {
        let board = Scoreboard::create(2).unwrap();
        let worker = |pid, requests| WorkerStatus {
            pid,
            counts: Counts {
                open: 1,
                connections: 1,
                requests,
            },
            figures: [requests; FIGURES],
            ..WorkerStatus::default()
        };
        let check = |open, connections, requests| {
            let counts = Counts {
                open,
                connections,
                requests,
            };
            let figures = [requests; FIGURES];
            let live = Sums {
                counts: Counts {
                    open: 0,
                    connections: 0,
                    requests: 100,
                },
                figures: [100; FIGURES],
            };
            assert_eq!(board.sums(7, live), Sums { counts, figures });
        };
        board.write(0, &worker(7, 90));
        board.write(1, &worker(8, 5));
        check(1, 1, 105);
        board.clear(1);
        check(0, 1, 105);
        board.write(1, &worker(9, 2));
        check(1, 2, 107);
        board.clear(1);
        check(0, 2, 107);
    }

    #[test]
    fn another_file_is_no_scoreboard() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(512).unwrap();
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
