//! The apply thread: follows the log, applies what it brings in one database
//! transaction per batch, publishes how far it is, and answers who waits.
//!
//! Answers are sent only for what is applied. When applying fails the node
//! stops: it would answer from a state that the log has left behind.

use super::failure::Failure;
use crate::problem::Problem;
use state::{Projection, Reply};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use store::log::{Entry, Follow, Followed};
use tokio::sync::{oneshot, watch};

/// Where a waiting command's answer goes.
pub type Answer = oneshot::Sender<Result<Reply, Problem>>;

/// Who waits for which log index, and whether anyone will still answer.
#[derive(Default)]
pub struct Waiters(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    answers: HashMap<u64, Answer>,
    stopped: Option<String>,
}

/// What the apply thread tells the rest of the node.
pub struct Progress {
    /// Index of the last applied entry.
    pub applied: watch::Sender<u64>,
    /// Why the node cannot go on, once it cannot.
    pub failure: Failure,
    /// Entries and bytes applied since the thread began, for snapshots.
    pub grown: watch::Sender<Growth>,
}

/// How much was applied since the thread began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Growth {
    /// Entries.
    pub entries: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Drop for Progress {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.failure
                .set("a fault of the node while it applied a command: see its log");
        }
    }
}

impl Waiters {
    /// Notes that `answer` awaits the entry at `index`.
    pub fn register(&self, index: u64, answer: Answer) {
        let mut waiting = self.lock();
        match &waiting.stopped {
            // Nobody listens any more when this send fails.
            Some(why) => drop(answer.send(Err(Problem::Unavailable(why.clone())))),
            None => drop(waiting.answers.insert(index, answer)),
        }
    }

    fn answer(&self, index: u64, reply: Reply) {
        if let Some(answer) = self.lock().answers.remove(&index) {
            // The client may have gone; its command is applied all the same.
            let _ = answer.send(Ok(reply));
        }
    }

    fn stop(&self, why: &str) {
        let mut waiting = self.lock();
        waiting.stopped = Some(why.to_owned());
        for (_, answer) in waiting.answers.drain() {
            let _ = answer.send(Err(Problem::Unavailable(why.to_owned())));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Applies entries until the log closes or something fails.
pub fn run(
    mut projection: Projection,
    mut follow: Box<dyn Follow>,
    waiters: &Arc<Waiters>,
    progress: &Progress,
) {
    let ended = loop {
        match follow.next() {
            Ok(Followed::Entries(entries)) => {
                if let Err(why) = apply(&mut projection, &entries, waiters, progress) {
                    break Some(why);
                }
            }
            Ok(Followed::Closed) => break None,
            Ok(Followed::Compacted { first }) => {
                break Some(format!(
                    "the log now starts at entry {first} but the database has applied only {}",
                    projection.applied()
                ));
            }
            Err(error) => break Some(error.to_string()),
        }
    };
    waiters.stop(ended.as_deref().unwrap_or("the node is stopping"));
    if let Some(why) = ended {
        progress.failure.set(&why);
    }
}

fn apply(
    projection: &mut Projection,
    entries: &[Entry],
    waiters: &Waiters,
    progress: &Progress,
) -> Result<(), String> {
    let commands = entries
        .iter()
        .filter(|entry| entry.kind == Entry::COMMAND)
        .map(|entry| (entry.index, &*entry.bytes));
    let applied = projection
        .apply(commands)
        .map_err(|error| error.to_string())?;
    progress.applied.send_replace(projection.applied());
    for one in applied {
        waiters.answer(one.index, one.reply);
    }
    progress.grown.send_modify(|growth| {
        growth.entries += entries.len() as u64;
        growth.bytes += entries
            .iter()
            .map(|entry| entry.bytes.len() as u64)
            .sum::<u64>();
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::LogId;
    use store::log::LogError;

    /// A log that brings what it was given, then closes.
    struct Script(Vec<Result<Followed, LogError>>);

    impl Follow for Script {
        fn next(&mut self) -> Result<Followed, LogError> {
            if self.0.is_empty() {
                Ok(Followed::Closed)
            } else {
                self.0.remove(0)
            }
        }
    }

    fn entry(index: u64, bytes: &[u8]) -> Followed {
        let bytes = Arc::from(bytes);
        Followed::Entries(vec![Entry {
            index,
            term: 1,
            kind: Entry::COMMAND,
            bytes,
        }])
    }

    /// Runs a script with someone waiting for index 1; what they and the node got.
    fn check(script: Vec<Result<Followed, LogError>>) -> (Problem, Option<String>) {
        let folder = tempfile::tempdir().unwrap();
        let log = LogId::from_u64(1);
        let projection = Projection::create(&folder.path().join("state.db"), log).unwrap();
        let waiters = Arc::new(Waiters::default());
        let (answer, reply) = oneshot::channel();
        waiters.register(1, answer);
        let failure = Failure::default();
        let failed = failure.watch();
        let progress = Progress {
            applied: watch::channel(0).0,
            failure,
            grown: watch::channel(Growth::default()).0,
        };
        run(projection, Box::new(Script(script)), &waiters, &progress);
        let late = oneshot::channel();
        waiters.register(2, late.0);
        assert!(
            late.1.blocking_recv().unwrap().is_err(),
            "nobody waits for ever"
        );
        let failure = failed.borrow().clone();
        (reply.blocking_recv().unwrap().unwrap_err(), failure)
    }

    #[test]
    fn an_entry_that_cannot_be_applied_stops_the_node() {
        let (problem, failure) = check(vec![Ok(entry(1, b"no command"))]);
        assert!(matches!(problem, Problem::Unavailable(_)));
        assert!(failure.unwrap().contains("entry 1"));
    }

    #[test]
    fn a_log_that_fails_or_was_cut_stops_the_node() {
        let (_, failure) = check(vec![Ok(Followed::Compacted { first: 9 })]);
        assert!(failure.unwrap().contains("starts at entry 9"));
        let source = Arc::new(std::io::Error::other("the disk is gone"));
        let path = "log/1".into();
        let (_, failure) = check(vec![Err(LogError::Poisoned { path, source })]);
        assert!(failure.unwrap().contains("the disk is gone"));
    }

    #[test]
    fn a_log_that_closes_is_no_failure() {
        let (problem, failure) = check(vec![]);
        assert!(matches!(problem, Problem::Unavailable(_)));
        assert_eq!(failure, None);
    }
}
