//! What the client of one of the node's own folders tells: kept for the status,
//! and logged, since nobody sits at its terminal. What it tells is `sync`'s; who
//! runs it is [`crate::folders`].

use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use sync::{Event, Observer};

/// Paths whose problems are told apart: beyond it they are counted and not
/// logged, for a tree may have a million of them.
const PROBLEMS: usize = 1000;

/// What a folder's client last told.
pub struct Told {
    path: PathBuf,
    now: Mutex<Now>,
}

#[derive(Default)]
struct Now {
    state: String,
    /// Paths with their reasons, each told once.
    problems: BTreeSet<(String, String)>,
    /// Whether there were more.
    more: bool,
    last_problem: Option<String>,
    conflicts: u64,
}

impl Told {
    /// Of the client of the folder at `path`, which has told nothing yet.
    pub fn new(path: PathBuf) -> Self {
        let now = Now {
            state: "starting".to_owned(),
            ..Now::default()
        };
        Self {
            path,
            now: Mutex::new(now),
        }
    }

    /// Says how the client is, in words.
    pub fn set(&self, state: String) {
        self.lock().state = state;
    }

    /// All of it, for the status. `skipped` counts at most [`PROBLEMS`].
    pub fn status(&self) -> Value {
        let now = self.lock();
        json!({
            "path": self.path.display().to_string(),
            "state": now.state,
            "skipped": now.problems.len(),
            "more_skipped": now.more,
            "last_problem": now.last_problem,
            "conflicts": now.conflicts,
        })
    }

    fn note_problem(&self, path: &str, reason: &str) {
        let mut now = self.lock();
        let problem = (path.to_owned(), reason.to_owned());
        if now.problems.contains(&problem) {
            return;
        }
        now.last_problem = Some(format!("{path}: {reason}"));
        if now.problems.len() >= PROBLEMS {
            now.more = true;
            return;
        }
        now.problems.insert(problem);
        tracing::warn!(folder = %self.path.display(), path, "not synced: {reason}");
    }

    fn lock(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Told {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::Watching { .. } => self.set("watching".to_owned()),
            Event::Problem { path, reason } => self.note_problem(path.as_str(), reason),
            Event::Conflict { path, copy } => {
                self.lock().conflicts += 1;
                tracing::warn!(
                    folder = %self.path.display(),
                    path = path.as_str(),
                    copy = copy.as_str(),
                    "two sides changed this differently; this side's is the copy"
                );
            }
            Event::Waiting { reason } => {
                self.set(format!("waiting: {reason}"));
                tracing::warn!(folder = %self.path.display(), "waiting: {reason}");
            }
            Event::Quiet => {
                let mut now = self.lock();
                if now.state.starts_with("waiting: ") {
                    now.state = "watching".to_owned();
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sync::folder::RelativePath;

    #[test]
    fn each_problem_counts_once_and_memory_is_bounded() {
        let told = Told::new("/f".into());
        for round in 0..2 {
            for number in 0..PROBLEMS + 10 {
                told.note_problem(&format!("a{number}"), "it is a socket");
            }
            assert_eq!(told.status()["skipped"], PROBLEMS, "round {round}");
        }
        let status = told.status();
        assert_eq!(status["more_skipped"], true);
        let last = format!("a{}: it is a socket", PROBLEMS + 9);
        assert_eq!(status["last_problem"], last);
    }

    #[test]
    fn waiting_ends_when_all_is_quiet() {
        let told = Told::new("/f".into());
        told.event(&Event::Waiting {
            reason: "the node is away",
        });
        assert_eq!(told.status()["state"], "waiting: the node is away");
        told.event(&Event::Quiet);
        assert_eq!(told.status()["state"], "watching");
        let root = RelativePath::default();
        told.event(&Event::Conflict {
            path: &root,
            copy: &root,
        });
        assert_eq!(told.status()["conflicts"], 1);
    }
}
