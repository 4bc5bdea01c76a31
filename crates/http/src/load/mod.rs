//! The other side of a web server: many clients that ask for one thing, and how long
//! they waited for it.
//!
//! When the next request is due is decided in [`schedule`], what the bytes of an answer
//! mean in [`answer`], what came of all of them is kept in [`tally`]: pure, without
//! sockets and clocks. A `connection` carries one client's requests, a `worker` runs the
//! clients of one thread over one epoll. What a person sees of it is not known here.

pub mod answer;
mod connection;
mod course;
pub mod latencies;
pub mod request;
pub mod schedule;
mod stream;
pub mod tally;
mod target;
mod worker;

pub use course::Course;
pub use schedule::{Amount, Pace};
pub use target::{Target, TargetError};

use self::request::Request;
use self::tally::Tally;
use self::worker::Worker;
use crate::models::raise_descriptors;
use rustls::ClientConfig;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// What a loop waits with.
const LOOP_DESCRIPTORS: usize = 2;

/// What a process has open beside: its standard streams, signals, and room for a lookup.
const OWN_DESCRIPTORS: usize = 16;

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    /// Each has a connection and a request at a time; 1 or more.
    pub clients: usize,
    /// Threads that run them, each a loop of its own; 1 to as many as there are clients.
    pub threads: usize,
    /// When requests are due.
    pub pace: Pace,
    /// When it is over.
    pub amount: Amount,
    /// How long an answer may take, the making of its connection with it.
    pub timeout: Duration,
    /// Whether a connection is used for more than one request.
    pub keeps_connections: bool,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Report {
    /// What became of the requests.
    pub tally: Tally,
    /// From the first request to the last answer.
    pub elapsed: Duration,
    /// The server answered nothing any more, so it was left alone before the plan was done.
    pub gave_up: bool,
}

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The machine has no room for the plan.
    #[error("cannot start thread {number} of the clients: {source}; use fewer threads")]
    Thread {
        /// Which one.
        number: usize,
        /// Why.
        source: io::Error,
    },
    /// The system lets a process have fewer connections than there are clients.
    #[error(
        "{needed} files have to be open at once, and no more than {there} may be: allow more \
         (`ulimit -n`), or use fewer clients"
    )]
    Descriptors {
        /// How many may be.
        there: u64,
        /// How many have to be.
        needed: u64,
    },
    /// The system does not say what happens to connections.
    #[error("cannot wait for connections: {0}")]
    Events(#[source] io::Error),
}

/// Asks `target` as `plan` says, in turn for each of `requests` (one or more), until it is
/// done or `course` is stopped. `trust` says whom to believe where the target is encrypted.
///
/// Where requests are repeated, each client takes one after another, beginning at different
/// ones. Where each is sent once ([`Amount::Once`]), they are dealt: of N clients, the first
/// sends the first request, the one after N more and so on, in that order.
///
/// # Errors
/// The plan cannot be carried out at all. What goes wrong with requests is in the report.
///
/// # Panics
/// When there is no request, client or thread, or the plan counts other requests.
pub fn run(
    plan: &Plan,
    target: &Target,
    requests: &[Request],
    trust: &Arc<ClientConfig>,
    course: &Course,
) -> Result<Report, LoadError> {
    assert!(!requests.is_empty() && plan.clients > 0 && plan.threads > 0);
    if let Amount::Once(count) = plan.amount {
        assert_eq!(count, requests.len() as u64, "each request is sent once");
    }
    let needed = (plan.clients + plan.threads * LOOP_DESCRIPTORS + OWN_DESCRIPTORS) as u64;
    let there = raise_descriptors(needed);
    if there < needed {
        return Err(LoadError::Descriptors { there, needed });
    }
    let begun = Instant::now();
    let done = thread::scope(|scope| {
        let mut running = Vec::with_capacity(plan.threads);
        for number in 0..plan.threads {
            let work = move || {
                let worker = Worker::new(number, plan, target, requests, trust, course, begun)?;
                worker.run()
            };
            let thread = thread::Builder::new().name(format!("load-{number}"));
            match thread.spawn_scoped(scope, work) {
                Ok(thread) => running.push(thread),
                Err(source) => {
                    course.stop();
                    return Err(LoadError::Thread { number, source });
                }
            }
        }
        let parts = running.into_iter().map(|thread| {
            let part = thread.join().expect("a worker does not panic");
            part.map_err(LoadError::Events)
        });
        parts.collect::<Result<Vec<_>, _>>()
    })?;
    let mut report = Report {
        tally: Tally::default(),
        elapsed: begun.elapsed(),
        gave_up: false,
    };
    for part in done {
        report.tally.append(&part.tally);
        report.gave_up |= part.gave_up;
    }
    Ok(report)
}
