//! Hearing of changes in the folder: which names to look at, or that too much
//! happened to tell and everything must be looked at.
//!
//! What an event says happened is not believed; it only names a place. A queue
//! that overflowed, in the kernel or here, means a full look (buck2 #1131). The
//! corner is not listened to.

use crate::folder::{CORNER, RelativePath};
use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Names remembered between two looks; beyond it a full look is cheaper.
const NAMES_MAX: usize = 16_384;

/// The longest path that can be listened to, from the root of the file system:
/// `PATH_MAX` counts the final zero.
const HEARD_BYTES: usize = 4095;

/// Listens until dropped.
#[derive(Debug)]
pub struct Watch {
    heard: Arc<Mutex<Heard>>,
    #[expect(dead_code, reason = "listens until dropped")]
    watcher: RecommendedWatcher,
}

/// What was heard since the last time.
#[derive(Debug, Default)]
pub struct Heard {
    /// Names to look at.
    pub names: BTreeSet<RelativePath>,
    /// Whether anything may have changed.
    pub everything: bool,
    /// Why not everything is heard from now on, if so.
    pub deaf: Option<String>,
}

/// Whether changes in the directory at `path` of `folder` can be heard of.
pub fn can_hear(folder: &Path, path: &RelativePath) -> bool {
    folder.as_os_str().len() + 1 + path.as_str().len() <= HEARD_BYTES
}

impl Heard {
    /// Whether nothing was heard.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty() && !self.everything
    }

    fn hear(&mut self, folder: &Path, event: &notify::Result<notify::Event>) {
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                self.everything = true;
                self.deaf = Some(error.to_string());
                return;
            }
        };
        let wanted = match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
            EventKind::Access(_) => false,
            EventKind::Any
            | EventKind::Create(_)
            | EventKind::Modify(_)
            | EventKind::Remove(_)
            | EventKind::Other => true,
        };
        if event.need_rescan() {
            self.everything = true;
        }
        for path in event.paths.iter().filter(|_| wanted) {
            self.add(folder, path);
        }
    }

    fn add(&mut self, folder: &Path, path: &Path) {
        let Ok(inside) = path.strip_prefix(folder) else {
            return;
        };
        // Names that cannot be synced are reported by the look that finds them.
        let Some(path) = RelativePath::from_path(inside) else {
            return;
        };
        if path.as_str().is_empty() || path.names().next() == Some(CORNER) {
            return;
        }
        if self.names.len() < NAMES_MAX {
            self.names.insert(path);
        } else {
            self.everything = true;
            self.names.clear();
        }
    }
}

impl Watch {
    /// Listens to everything beneath `folder`; `signal` is called after each
    /// event.
    ///
    /// # Errors
    /// [`WatchError`], for instance when the system's limit of watches is
    /// reached.
    pub fn new(folder: &Path, signal: impl Fn() + Send + 'static) -> Result<Self, WatchError> {
        let heard = Arc::new(Mutex::new(Heard::default()));
        let (shared, root) = (Arc::clone(&heard), folder.to_owned());
        let hear = move |event: notify::Result<notify::Event>| {
            let mut heard = shared.lock().unwrap_or_else(PoisonError::into_inner);
            let before = heard.is_empty();
            heard.hear(&root, &event);
            if before && !heard.is_empty() {
                drop(heard);
                signal();
            }
        };
        let error = |source| WatchError {
            folder: folder.to_owned(),
            source,
        };
        let mut watcher = notify::recommended_watcher(hear).map_err(error)?;
        watcher
            .watch(folder, RecursiveMode::Recursive)
            .map_err(error)?;
        Ok(Self { heard, watcher })
    }

    /// What was heard since the last time.
    pub fn take(&self) -> Heard {
        std::mem::take(&mut *self.heard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The folder cannot be listened to.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot watch {folder}: {source}; raise fs.inotify.max_user_watches, until then it is looked through every few seconds"
)]
pub struct WatchError {
    folder: PathBuf,
    source: notify::Error,
}

#[cfg(test)]
mod tests {
    use super::*;
    use notify::Event;
    use notify::event::{CreateKind, Flag, ModifyKind};

    fn heard(events: impl IntoIterator<Item = Event>) -> Heard {
        let mut heard = Heard::default();
        for event in events {
            heard.hear(Path::new("/f"), &Ok(event));
        }
        heard
    }

    fn at(kind: EventKind, path: &str) -> Event {
        Event::new(kind).add_path(path.into())
    }

    #[test]
    fn names_places_and_nothing_else() {
        let heard = heard([
            at(EventKind::Create(CreateKind::File), "/f/a/b"),
            at(EventKind::Modify(ModifyKind::Any), "/f/a/b"),
            at(EventKind::Access(AccessKind::Read), "/f/read"),
            at(EventKind::Create(CreateKind::File), "/f/.atoll/tmp/x"),
            at(EventKind::Create(CreateKind::File), "/elsewhere"),
        ]);
        assert_eq!(
            heard
                .names
                .iter()
                .map(RelativePath::as_str)
                .collect::<Vec<_>>(),
            ["a/b"]
        );
        assert!(!heard.everything);
    }

    #[test]
    fn too_much_means_everything() {
        let flagged = Event::new(EventKind::Other).set_flag(Flag::Rescan);
        assert!(heard([flagged]).everything);
        let many = (0..=NAMES_MAX).map(|n| at(EventKind::Any, &format!("/f/{n}")));
        assert!(heard(many).everything);
    }
}
