//! One round: look at names, decide about each ([`crate::plan`]), carry it out.
//!
//! A round looks either through the whole folder or at the names that a watcher
//! and the feed brought. New directories are given to the node before what is
//! in them; deletions of either side come last, children before their parents.
//! Whatever a round could not finish is named in its [`Report`] and looked at
//! again; nothing is remembered of it but what the trees say, so a crash in the
//! middle costs only time.
//!
//! Looking is in `look`, doing in `act` and `batches`, and what comes of it in `conclude`
//! and, for modes and times of directories, in `directories`.
//! `recover` takes in what a killed process could not note.

mod act;
mod batches;
mod conclude;
mod directories;
mod look;
mod recover;
#[cfg(test)]
mod tests;

use crate::engine::Engine;
use crate::error::EngineError;
use crate::fetch::Standing;
use crate::folder::{Directory, Observation, RelativePath};
use crate::land::Want;
use crate::surroundings::Foreign;
use crate::trees::SyncedRow;
use crate::upload::Candidate;
use base::{ItemId, Name};
use meta::Metadata;
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::time::Duration;

/// What a round looks at.
#[derive(Debug)]
pub enum Scope {
    /// The whole folder.
    Everything,
    /// These names, and all news.
    Names {
        /// The names.
        names: BTreeSet<RelativePath>,
        /// Those whose insides may hold more than the names tell, if they are
        /// directories.
        begun: BTreeSet<RelativePath>,
    },
}

/// What a round did and what it left.
#[derive(Debug, Default)]
pub struct Report {
    /// Items given to the node.
    pub uploaded: u64,
    /// Items brought from it.
    pub fetched: u64,
    /// Items deleted at the node.
    pub deleted: u64,
    /// Items removed here.
    pub removed: u64,
    /// Conflict copies made.
    pub conflicts: u64,
    /// Names to look at again.
    pub again: BTreeSet<RelativePath>,
    /// Large files that keep changing, left to rest, and when the first of them
    /// is due.
    pub resting: BTreeSet<RelativePath>,
    pub(crate) rest: Option<Duration>,
    /// Whether news are left that this round did not look at.
    pub more_news: bool,
    /// What cannot be synced, and why.
    pub problems: Vec<(RelativePath, String)>,
    /// Sockets, pipes and devices.
    pub ignored: Vec<RelativePath>,
    /// The node went away or a disk is full; the rest waits for that to pass.
    pub interrupted: Option<EngineError>,
}

struct NewDirectory {
    parent: ItemId,
    path: RelativePath,
    name: Name,
    metadata: Metadata,
    seen: Observation,
}

struct Deletion {
    row: SyncedRow,
    path: RelativePath,
}

struct Removal {
    row: SyncedRow,
    path: RelativePath,
    seen: Observation,
}

/// A name as all three trees have it, with where it is.
struct Place<'a> {
    parent: ItemId,
    directory: &'a RelativePath,
    handle: &'a Directory,
    name: &'a Name,
}

/// See the module.
pub struct Round<'e> {
    engine: &'e mut Engine,
    walk: VecDeque<(ItemId, RelativePath)>,
    /// Directories that are walked through whatever is known of them: those that
    /// were looked at already are in `walk`.
    begun: BTreeSet<RelativePath>,
    new_directories: Vec<NewDirectory>,
    small: Vec<Candidate>,
    large: Vec<Candidate>,
    fetch_small: Vec<Want>,
    fetch_large: Vec<(Want, Option<Standing>)>,
    deletions: Vec<Deletion>,
    removals: Vec<Removal>,
    /// Directories in which entries were placed or removed, and the mode and
    /// time they shall have again; `None`: a person changed them, leave them.
    touched: HashMap<ItemId, (RelativePath, Option<Metadata>)>,
    paths: HashMap<ItemId, RelativePath>,
    /// Directories that were judged: whether they must not be entered.
    judged: HashMap<RelativePath, Option<Foreign>>,
    /// News looked at in this round.
    looked: HashSet<ItemId>,
    /// Files set aside or given out in this round.
    given_out: HashSet<RelativePath>,
    small_bytes: u64,
    large_bytes: u64,
    fetch_small_bytes: u64,
    fetch_large_bytes: u64,
    notes: usize,
    /// Something was done in the folder that no `fsync` has covered yet.
    unsynced: bool,
    /// Some job failed: what it placed is known from the intents alone.
    lost_track: bool,
    report: Report,
}

impl<'e> Round<'e> {
    /// A round of `engine`.
    pub fn new(engine: &'e mut Engine) -> Self {
        Self {
            engine,
            walk: VecDeque::new(),
            begun: BTreeSet::new(),
            new_directories: Vec::new(),
            small: Vec::new(),
            large: Vec::new(),
            fetch_small: Vec::new(),
            fetch_large: Vec::new(),
            deletions: Vec::new(),
            removals: Vec::new(),
            touched: HashMap::new(),
            paths: HashMap::new(),
            judged: HashMap::new(),
            looked: HashSet::new(),
            given_out: HashSet::new(),
            small_bytes: 0,
            large_bytes: 0,
            fetch_small_bytes: 0,
            fetch_large_bytes: 0,
            notes: 0,
            unsynced: false,
            lost_track: false,
            report: Report::default(),
        }
    }

    /// Does it all.
    ///
    /// # Errors
    /// [`EngineError`]: the folder or its state cannot be used.
    pub fn run(mut self, scope: Scope) -> Result<Report, EngineError> {
        self.paths.insert(self.engine.root, RelativePath::root());
        self.look_at_root()?;
        if self.engine.has_news && !self.engine.dry_run {
            self.relocate_moved()?;
        }
        match scope {
            Scope::Everything => self
                .walk
                .push_back((self.engine.root, RelativePath::root())),
            Scope::Names { names, begun } => {
                self.begun = begun;
                for path in names {
                    // Names stand behind the directories they are in.
                    if !self.is_walked(&path) {
                        self.look_at_path(&path)?;
                    }
                }
            }
        }
        self.walk_all()?;
        self.look_at_news()?;
        self.drain()?;
        self.delete_at_node()?;
        self.remove_here()?;
        self.dress_directories()?;
        self.keep_notes()?;
        Ok(self.report)
    }
}
