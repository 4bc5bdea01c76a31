//! Hearing of changes in the folder: which names to look at, or that too much
//! happened to tell and everything must be looked at.
//!
//! What an event says happened is not believed; it only names a place. A queue
//! that overflowed, in the kernel or here, means a full look (buck2 #1131). The
//! corner is not listened to.
//!
//! A new directory is heard of before anyone listens inside it, and what is put
//! there meanwhile is not heard at all. So such a directory is named apart, to be
//! looked through, and [`Watch::take`] names it only once its inside is listened to.

use crate::folder::{CORNER, RelativePath};
use notify::event::{AccessKind, AccessMode, CreateKind, EventKind, ModifyKind};
use notify::{Config, RecommendedWatcher, RecursiveMode, Watcher};
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
    watcher: RecommendedWatcher,
}

/// What was heard since the last time.
#[derive(Debug, Default)]
pub struct Heard {
    /// Names to look at.
    pub names: BTreeSet<RelativePath>,
    /// Those of `names` that are directories, if anything, inside which listening
    /// began only now: what is in them may never have been heard of.
    pub begun: BTreeSet<RelativePath>,
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
        // Of what a rename brings, the system does not say what it is.
        let begins = matches!(
            event.kind,
            EventKind::Create(CreateKind::Folder | CreateKind::Any | CreateKind::Other)
                | EventKind::Modify(ModifyKind::Name(_))
        );
        for path in event.paths.iter().filter(|_| wanted) {
            self.add(folder, path, begins);
        }
    }

    /// Takes in what was heard after `self`.
    pub fn append(&mut self, mut later: Self) {
        self.names.append(&mut later.names);
        self.begun.append(&mut later.begun);
        self.everything |= later.everything;
        self.deaf = self.deaf.take().or(later.deaf);
    }

    fn add(&mut self, folder: &Path, path: &Path, begins: bool) {
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
        if self.names.len() >= NAMES_MAX {
            self.everything = true;
            self.names.clear();
            self.begun.clear();
            return;
        }
        if begins {
            self.begun.insert(path.clone());
        }
        self.names.insert(path);
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

    /// What was heard since the last time. Whoever looks through the directories
    /// in [`Heard::begun`] now sees everything that was put there unheard.
    pub fn take(&mut self) -> Heard {
        let heard = std::mem::take(&mut *self.heard.lock().unwrap_or_else(PoisonError::into_inner));
        if heard.everything || !heard.begun.is_empty() {
            // The watcher's thread tells of all events that it read, then begins
            // to listen inside what they made, and only then answers a question:
            // when it has, what was told above is listened to. What the question
            // is does not matter, nor the answer.
            let _ = self.watcher.configure(Config::default());
        }
        heard
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

    #[test]
    fn new_directories_are_told_apart() {
        let heard = heard([
            at(EventKind::Create(CreateKind::Folder), "/f/made"),
            at(EventKind::Create(CreateKind::File), "/f/file"),
            at(
                EventKind::Modify(ModifyKind::Name(notify::event::RenameMode::To)),
                "/f/renamed",
            ),
            at(EventKind::Modify(ModifyKind::Any), "/f/changed"),
        ]);
        let begun: Vec<_> = heard.begun.iter().map(RelativePath::as_str).collect();
        assert_eq!(begun, ["made", "renamed"]);
        assert_eq!(heard.names.len(), 4);
    }

    /// A copier makes directories and fills them at once; whoever takes what was
    /// heard and looks through what is named as begun must see every file.
    #[test]
    fn nothing_in_a_new_directory_escapes() {
        const DIRECTORIES: usize = 120;
        const FILES: usize = 20;
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let (sender, signals) = std::sync::mpsc::channel();
        let mut watch = Watch::new(&root, move || sender.send(()).unwrap()).unwrap();
        let copier = std::thread::spawn({
            let root = root.clone();
            move || {
                for directory in 0..DIRECTORIES {
                    let path = root.join(format!("d{directory}/e"));
                    std::fs::create_dir_all(&path).unwrap();
                    for file in 0..FILES {
                        std::fs::write(path.join(file.to_string()), "").unwrap();
                    }
                }
                std::fs::write(root.join("end"), "").unwrap();
            }
        });
        let mut seen = BTreeSet::new();
        while !seen.contains(&root.join("end")) {
            signals.recv().unwrap();
            let heard = watch.take();
            assert!(heard.deaf.is_none());
            if heard.everything {
                see_all(&root, &mut seen);
            }
            seen.extend(heard.names.iter().map(|name| root.join(name.as_str())));
            for name in &heard.begun {
                see_all(&root.join(name.as_str()), &mut seen);
            }
        }
        copier.join().unwrap();
        let missed: Vec<_> = (0..DIRECTORIES)
            .flat_map(|d| (0..FILES).map(move |f| format!("d{d}/e/{f}")))
            .filter(|name| !seen.contains(&root.join(name)))
            .collect();
        assert!(missed.is_empty(), "not seen: {missed:?}");
    }

    fn see_all(directory: &Path, seen: &mut BTreeSet<PathBuf>) {
        let Ok(entries) = std::fs::read_dir(directory) else {
            return;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            see_all(&path, seen);
            seen.insert(path);
        }
    }
}
