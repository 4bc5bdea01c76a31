//! Contents hashed on every core at once, and given back in the order in which they were
//! met.
//!
//! One thread walks and says what it wants to know, some read, and the caller's takes the
//! answers. Both queues are bounded: whoever is too quick waits, and whoever ends early
//! (the caller, by an error) ends all.

use super::content::{self, Algorithm, Reading};
use super::{Met, Walked};
use crate::observer::{Event, Observer};
use std::fs::File;
use std::num::NonZeroUsize;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// One place of a directory, before its content is known.
pub struct Turn<T> {
    /// What the caller knows of it.
    pub known: T,
    /// What stands there.
    pub walked: Option<Walked>,
    /// The hash that is wanted of its content, if that is a file.
    pub wanted: Option<Algorithm>,
}

/// A file to be read, and who waits for it.
struct Job {
    met: Met,
    file: File,
    algorithm: Algorithm,
    answer: SyncSender<Walked>,
}

/// One place, in its turn.
struct Place<T> {
    known: T,
    /// What stands there, unless it is still to be read.
    walked: Option<Walked>,
    coming: Option<Receiver<Walked>>,
}

/// Files that are open and wait to be read: a fraction of the 1024 that a process may
/// open by default.
const WAITING: usize = 64;

/// Places that are known behind one whose file is still being read: while a large file is
/// read by one core, so many small ones are by the others.
const AHEAD: usize = 1024;

/// Hashes what is wanted of `turns`, and gives all of them to `each` in their order.
///
/// # Errors
/// The first of `turns` or `each`.
pub fn in_order<T: Send, E: Send>(
    turns: impl Iterator<Item = Result<Turn<T>, E>> + Send,
    observer: &dyn Observer,
    mut each: impl FnMut(T, Option<Walked>) -> Result<(), E>,
) -> Result<(), E> {
    let (jobs, waiting) = mpsc::sync_channel(WAITING);
    let (places, ordered) = mpsc::sync_channel(AHEAD);
    let (waiting, reading) = (Mutex::new(waiting), Reading::new(observer));
    thread::scope(|scope| {
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        for _ in 0..cores {
            scope.spawn(|| read_all(&waiting, &reading));
        }
        scope.spawn(move || feed(turns, &jobs, &places, observer));
        let result = ordered.into_iter().try_for_each(|place| {
            let place = place?;
            let answer = |coming: Receiver<Walked>| coming.recv().expect("every job is answered");
            each(place.known, place.coming.map(answer).or(place.walked))
        });
        reading.end();
        result
    })
}

/// Passes on what is met until nobody takes it any more.
fn feed<T, E>(
    turns: impl Iterator<Item = Result<Turn<T>, E>>,
    jobs: &SyncSender<Job>,
    places: &SyncSender<Result<Place<T>, E>>,
    observer: &dyn Observer,
) {
    for turn in turns {
        let (place, job) = match turn.map(split) {
            Ok((place, job)) => (Ok(place), job),
            Err(error) => (Err(error), None),
        };
        if let Some(job) = job {
            let bytes = job.met.look.seen.size;
            observer.event(&Event::Queued { bytes });
            if jobs.send(job).is_err() {
                return;
            }
        }
        if places.send(place).is_err() {
            return;
        }
    }
}

/// What is told in its turn, and what is to be read for it.
fn split<T>(turn: Turn<T>) -> (Place<T>, Option<Job>) {
    let Turn {
        known,
        mut walked,
        wanted,
    } = turn;
    // A file whose content nobody wants is closed here.
    let content = match &mut walked {
        Some(Walked::Entry(met)) => met.content.take(),
        _ => None,
    };
    let (walked, coming, job) = match (walked, content, wanted) {
        (Some(Walked::Entry(met)), Some(file), Some(algorithm)) => {
            let (answer, coming) = mpsc::sync_channel(1);
            let job = Job {
                met,
                file,
                algorithm,
                answer,
            };
            (None, Some(coming), Some(job))
        }
        (walked, ..) => (walked, None, None),
    };
    let place = Place {
        known,
        walked,
        coming,
    };
    (place, job)
}

fn read_all(waiting: &Mutex<Receiver<Job>>, reading: &Reading<'_>) {
    loop {
        let job = waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .recv();
        let Ok(Job {
            mut met,
            file,
            algorithm,
            answer,
        }) = job
        else {
            return;
        };
        let walked = match content::hash(&mut met, &file, algorithm, reading) {
            Ok(()) => Walked::Entry(met),
            Err(reason) => met.left_out(reason),
        };
        // Whoever waited may have ended.
        let _ = answer.send(walked);
    }
}
