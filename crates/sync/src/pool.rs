//! Worker threads that move content, and how many of them work at once.
//!
//! The engine gives out jobs and takes back what came of them; it alone touches
//! the trees. How many jobs run at once follows the measured rate ([`Window`]):
//! a far node needs many streams, a near one is slowed by them. What a person
//! saved here goes first: what others did is brought by threads that let
//! everything else run before them.

use crate::fetch::{FetchError, Inlet, KeptMap, Standing, fetch_large, fetch_small};
use crate::folder::{Folder, RelativePath};
use crate::land::{Landed, Want};
use crate::upload::{Candidate, Outlet, Uploaded, upload};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Fewest jobs at once: one reads or writes the disk while another waits for
/// the network.
const STREAMS_MIN: usize = 2;

/// Most jobs at once: browsers hold 6 connections to a host, Xet up to 64; with
/// megabytes in each job, 8 fill a gigabit over 100 ms.
const STREAMS_MAX: usize = 8;

/// Niceness of the threads that bring what others did: on a busy machine they
/// get a tenth of what a thread of ordinary niceness gets.
const BRINGING_NICENESS: i32 = 10;

/// Jobs between two judgements of the rate.
const JOBS_PER_JUDGEMENT: u32 = 8;

/// Content to move.
#[derive(Debug)]
pub enum Job {
    /// To the node, in one commit, with the number of its offer.
    Upload(i64, Vec<Candidate>),
    /// Small files and links from the node.
    FetchSmall(Vec<Want>),
    /// Large files from the node.
    FetchLarge(Vec<(Want, Option<Standing>)>),
}

/// What came of a job.
#[derive(Debug)]
pub enum Done {
    /// Of an upload, with the number of its offer.
    Uploaded(i64, Vec<(Candidate, Uploaded)>),
    /// Of a fetch, with block maps to keep.
    Landed(Vec<(Want, Landed)>, Vec<KeptMap>),
    /// Nothing is known of these.
    Failed(Vec<RelativePath>, FetchError),
}

/// The threads.
#[derive(Debug)]
pub struct Pool {
    giving: Lane,
    bringing: Lane,
    results: Receiver<Finished>,
    report: Sender<Finished>,
    work: Work,
    window: Window,
    started: Instant,
}

/// Threads of one niceness and the jobs that wait for them. There are two,
/// because a thread that was made nice cannot be made ordinary again.
#[derive(Debug)]
struct Lane {
    jobs: Option<Sender<Job>>,
    queue: Arc<Mutex<Receiver<Job>>>,
    threads: Vec<JoinHandle<()>>,
    outstanding: usize,
    niceness: i32,
}

/// A job that ended.
#[derive(Debug)]
struct Finished {
    done: Done,
    weight: u64,
    is_upload: bool,
}

#[derive(Debug, Clone)]
struct Work {
    folder: Arc<Folder>,
    outlet: Arc<Outlet>,
    inlet: Inlet,
}

impl Pool {
    /// A pool without threads; they come with the jobs.
    pub fn new(folder: Arc<Folder>, outlet: Arc<Outlet>, inlet: Inlet) -> Self {
        let (report, results) = channel();
        Self {
            giving: Lane::new(0),
            bringing: Lane::new(BRINGING_NICENESS),
            results,
            report,
            work: Work {
                folder,
                outlet,
                inlet,
            },
            window: Window::new(),
            started: Instant::now(),
        }
    }

    /// Whether another job may be given out now.
    pub fn has_room(&self) -> bool {
        self.outstanding() < self.window.size()
    }

    /// Gives out a job.
    pub fn submit(&mut self, job: Job) {
        let threads = self.window.size();
        let lane = if job.is_upload() {
            &mut self.giving
        } else {
            &mut self.bringing
        };
        if lane.threads.len() < threads && lane.threads.len() <= lane.outstanding {
            lane.spawn(&self.work, &self.report);
        }
        lane.submit(job);
    }

    /// Waits for the next result; `None` when nothing is under way.
    pub fn next_done(&mut self) -> Option<Done> {
        if self.outstanding() == 0 {
            return None;
        }
        let Finished {
            done,
            weight,
            is_upload,
        } = self.results.recv().ok()?;
        if is_upload {
            self.giving.outstanding -= 1;
        } else {
            self.bringing.outstanding -= 1;
        }
        self.window.finished(weight, self.started.elapsed());
        Some(done)
    }

    fn outstanding(&self) -> usize {
        self.giving.outstanding + self.bringing.outstanding
    }
}

impl Lane {
    fn new(niceness: i32) -> Self {
        let (jobs, queue) = channel();
        Self {
            jobs: Some(jobs),
            queue: Arc::new(Mutex::new(queue)),
            threads: Vec::new(),
            outstanding: 0,
            niceness,
        }
    }

    fn submit(&mut self, job: Job) {
        if let Some(jobs) = &self.jobs
            && jobs.send(job).is_ok()
        {
            self.outstanding += 1;
        }
    }

    fn spawn(&mut self, work: &Work, report: &Sender<Finished>) {
        let (queue, report, work) = (Arc::clone(&self.queue), report.clone(), work.clone());
        let niceness = self.niceness;
        self.threads.push(std::thread::spawn(move || {
            be_nice(niceness);
            loop {
                let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
                let Ok(job) = job else { return };
                let (paths, is_upload) = (job.paths(), job.is_upload());
                // A worker that dies silently would be waited for without end.
                let (done, weight) = catch_unwind(AssertUnwindSafe(|| work.run(job)))
                    .unwrap_or_else(|_| (Done::Failed(paths, panicked()), 0));
                let finished = Finished {
                    done,
                    weight,
                    is_upload,
                };
                if report.send(finished).is_err() {
                    return;
                }
            }
        }));
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            // A panicked worker has printed its message already.
            let _ = thread.join();
        }
    }
}

/// Makes the calling thread nicer; where that means the whole process, nothing.
fn be_nice(niceness: i32) {
    #[cfg(target_os = "linux")]
    if niceness > 0 {
        // Not allowed to: then it runs as everything else does.
        let _ = rustix::process::setpriority_process(None, niceness);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = niceness;
}

impl Work {
    fn run(&self, job: Job) -> (Done, u64) {
        let (weight, paths) = (job.weight(), job.paths());
        let done = match job {
            Job::Upload(offer, candidates) => upload(&self.folder, &self.outlet, candidates)
                .map(|uploaded| Done::Uploaded(offer, uploaded))
                .map_err(FetchError::from),
            Job::FetchSmall(wants) => fetch_small(&self.folder, &self.inlet, wants)
                .map(|landed| Done::Landed(landed, Vec::new())),
            Job::FetchLarge(wants) => fetch_large(&self.folder, &self.inlet, wants)
                .map(|(landed, maps)| Done::Landed(landed, maps)),
        };
        (
            done.unwrap_or_else(|error| Done::Failed(paths, error)),
            weight,
        )
    }
}

impl Job {
    /// Whether there is nothing to move.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Upload(_, candidates) => candidates.is_empty(),
            Self::FetchSmall(wants) => wants.is_empty(),
            Self::FetchLarge(wants) => wants.is_empty(),
        }
    }

    fn is_upload(&self) -> bool {
        matches!(self, Self::Upload(..))
    }

    fn paths(&self) -> Vec<RelativePath> {
        let path = |directory: &RelativePath, name: &base::Name| directory.child(name.as_str());
        match self {
            Self::Upload(_, candidates) => candidates
                .iter()
                .map(|c| path(&c.directory, &c.name))
                .collect(),
            Self::FetchSmall(wants) => wants
                .iter()
                .map(|want| path(&want.directory, &want.name))
                .collect(),
            Self::FetchLarge(wants) => wants
                .iter()
                .map(|(want, _)| path(&want.directory, &want.name))
                .collect(),
        }
    }

    /// Bytes to move, with what each file costs beside them.
    fn weight(&self) -> u64 {
        const PER_FILE: u64 = 4096;
        match self {
            Self::Upload(_, candidates) => candidates.iter().map(|c| c.seen.size + PER_FILE).sum(),
            Self::FetchSmall(wants) => wants.iter().map(|want| weight_of(want) + PER_FILE).sum(),
            Self::FetchLarge(wants) => wants
                .iter()
                .map(|(want, _)| weight_of(want) + PER_FILE)
                .sum(),
        }
    }
}

fn panicked() -> FetchError {
    FetchError::Local(std::io::Error::other(
        "a worker thread panicked; its message is above",
    ))
}

fn weight_of(want: &Want) -> u64 {
    want.metadata.content().map_or(0, |(_, size)| size)
}

/// How many jobs run at once: climbs while the rate climbs with it, steps back
/// when it falls. Pure: time comes in as an argument.
#[derive(Debug)]
pub struct Window {
    size: usize,
    best: f64,
    moved: u64,
    jobs: u32,
    since: Duration,
}

impl Window {
    fn new() -> Self {
        Self {
            size: STREAMS_MIN + 1,
            best: 0.0,
            moved: 0,
            jobs: 0,
            since: Duration::ZERO,
        }
    }

    fn size(&self) -> usize {
        self.size
    }

    fn finished(&mut self, weight: u64, now: Duration) {
        self.moved += weight;
        self.jobs += 1;
        let elapsed = now.saturating_sub(self.since).as_secs_f64();
        if self.jobs < JOBS_PER_JUDGEMENT || elapsed <= 0.0 {
            return;
        }
        let rate = self.moved as f64 / elapsed;
        if rate > self.best * 1.05 {
            self.size = (self.size + 1).min(STREAMS_MAX);
            self.best = rate;
        } else if rate < self.best * 0.8 {
            self.size = (self.size - 1).max(STREAMS_MIN);
            self.best = rate;
        }
        (self.moved, self.jobs, self.since) = (0, 0, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs jobs of one megabyte on a path where each stream carries at most
    /// `stream` MB/s and all together `path`.
    fn settled(stream: f64, path: f64) -> usize {
        let mut window = Window::new();
        let mut now = Duration::ZERO;
        for _ in 0..400 {
            let rate = (stream * window.size() as f64).min(path);
            now += Duration::from_secs_f64(1.0 / rate);
            window.finished(1_000_000, now);
        }
        window.size()
    }

    #[test]
    fn far_nodes_get_many_streams_near_ones_few() {
        assert_eq!(settled(1.0, 100.0), STREAMS_MAX);
        assert!(settled(100.0, 100.0) <= STREAMS_MIN + 2);
    }
}
