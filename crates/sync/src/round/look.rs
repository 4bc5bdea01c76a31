//! Looking at names: by a walk through directories, by the names a watcher
//! brought, and by the news of the feed. Doing is [`super::act`]'s.

use super::{Place, Round};
use crate::error::EngineError;
use crate::folder::{Observation, ObservedKind, RelativePath, is_link};
use crate::intents::Intent;
use crate::plan::{Remote, Sight, Step, decide};
use crate::printable;
use crate::surroundings::Foreign;
use crate::trees::SyncedRow;
use crate::watch;
use base::{ItemId, Name, limits};
use state::Version;
use std::io;

/// New directories in one commit.
const DIRECTORIES_PER_COMMIT: usize = 2048;
/// News looked at in one round; more are left for the next, so that local edits
/// are heard in between.
const NEWS_PER_ROUND: usize = 16_384;
/// News read from the trees at once.
const NEWS_PAGE: usize = 1024;

impl Round<'_> {
    /// The root has no name in any directory: only its mode and time travel.
    pub(super) fn look_at_root(&mut self) -> Result<(), EngineError> {
        let root = self.engine.root;
        let synced = self.engine.trees.synced_item(root)?;
        let news = self.engine.trees.news_of(root)?;
        let seen = self
            .engine
            .folder
            .directory(&RelativePath::root())?
            .observe_self()?;
        if self.engine.dry_run {
            return Ok(());
        }
        let is_own = news
            .as_ref()
            .is_some_and(|news| self.engine.trees.is_own(news));
        if let Some(remote) = news.and_then(remote_of) {
            // What moved since it was given from here is a person's, and is seen as
            // one by the next look.
            self.report.more_news = is_own;
            if !is_own {
                self.dress(&RelativePath::root(), &remote.metadata)?;
            }
            // Not looked at again: a change right after dressing would pass for
            // what was agreed, and never be sent.
            let seen = Observation {
                mode: remote.metadata.mode,
                modified: remote.metadata.modified,
                ..seen
            };
            self.agree(None, "", remote.version, remote.metadata, seen, false)?;
        } else if let Some(row) = synced {
            let remote = Remote {
                own: false,
                version: row.synced.version,
                metadata: row.synced.metadata.clone(),
            };
            let step = decide(Sight {
                local: Some(&seen),
                synced: Some(&row.synced),
                remote: Some(&remote),
            });
            match step {
                Step::Dress => self.dress(&RelativePath::root(), &remote.metadata)?,
                Step::Update => self.update_directories(&[(row, RelativePath::root())])?,
                _ => {}
            }
        }
        Ok(())
    }

    pub(super) fn look_at_path(&mut self, path: &RelativePath) -> Result<(), EngineError> {
        // A path in a directory that the node does not have yet is found by
        // looking at the nearest one above it whose parent is known.
        let mut path = path.clone();
        loop {
            let Some((directory, name)) = path.split() else {
                return Ok(());
            };
            if let Some(parent) = self.item_at(&directory)? {
                // Whatever happened to an entry may have moved its directory's time.
                self.notice(parent, &directory)?;
                return self.look_at(parent, &directory, name);
            }
            path = directory;
        }
    }

    /// The item of a synced directory.
    fn item_at(&mut self, path: &RelativePath) -> Result<Option<ItemId>, EngineError> {
        let mut item = self.engine.root;
        let mut walked = RelativePath::root();
        for name in path.names() {
            match self.engine.trees.synced_child(item, name)? {
                Some(row) if row.synced.metadata.is_directory() => item = row.synced.version.item,
                _ => return Ok(None),
            }
            walked = walked.child(name);
            self.paths.insert(item, walked.clone());
        }
        Ok(Some(item))
    }

    /// The path of a synced directory.
    pub(super) fn path_of(&mut self, item: ItemId) -> Result<Option<RelativePath>, EngineError> {
        if let Some(path) = self.paths.get(&item) {
            return Ok(Some(path.clone()));
        }
        let Some(row) = self.engine.trees.synced_item(item)? else {
            return Ok(None);
        };
        let (Some(parent), true) = (row.parent, row.synced.metadata.is_directory()) else {
            return Ok(None);
        };
        let Some(above) = self.path_of(parent)? else {
            return Ok(None);
        };
        let path = above.child(&row.name);
        self.paths.insert(item, path.clone());
        Ok(Some(path))
    }

    /// Looks at one name.
    fn look_at(
        &mut self,
        parent: ItemId,
        directory: &RelativePath,
        name: &str,
    ) -> Result<(), EngineError> {
        let Some(name) = self.syncable(directory, name.as_bytes()) else {
            return Ok(());
        };
        if self.lies_in_foreign(directory)? {
            return Ok(());
        }
        let handle = match self.engine.folder.directory(directory) {
            Ok(handle) => handle,
            Err(error) if is_gone(&error) => {
                // Its own disappearance is seen where it stood.
                if let Some((above, _)) = directory.split()
                    && self.item_at(&above)?.is_some()
                    && self.given_out.insert(directory.clone())
                {
                    return self.look_at_path(directory);
                }
                return Ok(());
            }
            Err(error) => {
                self.problem(directory.clone(), &error);
                return Ok(());
            }
        };
        let local = match handle.observe(name.as_str()) {
            Ok(local) => local,
            // Not to be seen is not to be gone.
            Err(error) => {
                self.problem(directory.child(name.as_str()), &error);
                return Ok(());
            }
        };
        let synced = self.engine.trees.synced_child(parent, name.as_str())?;
        let remote = self
            .engine
            .trees
            .remote_child(parent, name.as_str(), synced.as_ref())?;
        let place = Place {
            parent,
            directory,
            handle: &handle,
            name: &name,
        };
        let step = self.act(&place, local, synced.clone(), remote)?;
        // A directory that both sides have may hold names not heard of: when it
        // is another one, or what happened in it could not be heard yet.
        let path = directory.child(name.as_str());
        if let Some(local) = local.filter(|local| local.kind == ObservedKind::Directory)
            && let Some(row) = synced.filter(|row| row.synced.metadata.is_directory())
            && matches!(
                step,
                Step::Nothing | Step::Dress | Step::Update | Step::Fetch
            )
            && (row.synced.seen.inode != local.inode || self.begun.contains(&path))
        {
            self.walk.push_back((row.synced.version.item, path));
        } else {
            self.begun.remove(&path);
        }
        Ok(())
    }

    /// Whether a directory above `path` is walked through in this round anyway;
    /// those above it were looked at before it.
    pub(super) fn is_walked(&self, path: &RelativePath) -> bool {
        if self.begun.is_empty() {
            return false;
        }
        let mut above = path.split().map(|(directory, _)| directory);
        while let Some(directory) = above {
            if self.begun.contains(&directory) {
                return true;
            }
            above = directory.split().map(|(directory, _)| directory);
        }
        false
    }

    /// Whether `directory` lies in, or is, one that must not be entered.
    fn lies_in_foreign(&mut self, directory: &RelativePath) -> Result<bool, EngineError> {
        let mut walked = RelativePath::root();
        for name in directory.names() {
            walked = walked.child(name);
            if self.is_foreign(&walked)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether the directory at `path` is a synced folder of its own, or a node's
    /// data: told, and not entered, so that nothing in it counts as deleted.
    pub(super) fn is_foreign(&mut self, path: &RelativePath) -> Result<bool, EngineError> {
        if let Some(judged) = self.judged.get(path) {
            return Ok(judged.is_some());
        }
        let judged = match self.engine.folder.directory(path) {
            // One that cannot be looked into is told by who enters it.
            Ok(handle) => Foreign::of(&handle).unwrap_or_default(),
            Err(_) => None,
        };
        if let Some(foreign) = judged {
            let reason = foreign.reason().to_owned();
            self.report.problems.push((path.clone(), reason));
        }
        self.judged.insert(path.clone(), judged);
        Ok(judged.is_some())
    }

    pub(super) fn walk_all(&mut self) -> Result<(), EngineError> {
        loop {
            while let Some((item, path)) = self.walk.pop_front() {
                self.paths.insert(item, path.clone());
                self.walk_directory(item, &path)?;
                if self.new_directories.len() >= DIRECTORIES_PER_COMMIT {
                    self.create_directories()?;
                }
                if self.report.interrupted.is_some() {
                    return Ok(());
                }
            }
            if self.new_directories.is_empty() {
                return Ok(());
            }
            self.create_directories()?;
        }
    }

    /// Merges the three lists of one directory's names, each in byte order.
    fn walk_directory(&mut self, item: ItemId, path: &RelativePath) -> Result<(), EngineError> {
        self.engine.beyond_hearing |= !watch::can_hear(self.engine.folder.path(), path);
        let listed = self
            .engine
            .folder
            .directory(path)
            .and_then(|handle| Ok((handle.names()?, handle)));
        let (names, handle) = match listed {
            Ok(listed) => listed,
            Err(error) if is_gone(&error) => {
                self.report.again.insert(path.clone());
                return Ok(());
            }
            // Unreadable is not empty: nothing in it counts as deleted.
            Err(error) => {
                self.problem(path.clone(), &error);
                return Ok(());
            }
        };
        let mut local: Vec<Name> = names
            .iter()
            .filter_map(|name| self.syncable(path, name))
            .collect();
        local.sort_unstable();
        let mut local = local.into_iter().peekable();
        let mut synced = self
            .engine
            .trees
            .synced_children(item)?
            .into_iter()
            .peekable();
        let mut news = self
            .engine
            .trees
            .news_children(item)?
            .into_iter()
            .peekable();
        loop {
            let heads = [
                local.peek().map(Name::as_str),
                synced.peek().map(|row| row.name.as_str()),
                news.peek().map(|version| version.name.as_str()),
            ];
            let Some(least) = heads.into_iter().flatten().min() else {
                return Ok(());
            };
            let Ok(name) = Name::new(least) else {
                return Ok(());
            };
            let here = local.next_if_eq(&name).is_some();
            let row = synced.next_if(|row| row.name == name.as_str());
            let mut told = Vec::new();
            while let Some(version) = news.next_if(|version| version.name == name) {
                told.push(version);
            }
            if self.syncable(path, name.as_str().as_bytes()).is_none() {
                continue;
            }
            let look = match if here {
                handle.observe(name.as_str())
            } else {
                Ok(None)
            } {
                Ok(look) => look,
                Err(error) => {
                    self.problem(path.child(name.as_str()), &error);
                    continue;
                }
            };
            let remote = match (&row, told.is_empty(), self.engine.has_news) {
                (Some(row), true, false) => Some(Remote {
                    own: false,
                    version: row.synced.version,
                    metadata: row.synced.metadata.clone(),
                }),
                _ => self.engine.trees.overlay(row.as_ref(), &told)?,
            };
            let descend = row
                .as_ref()
                .filter(|row| row.synced.metadata.is_directory())
                .map(|row| row.synced.version.item);
            let place = Place {
                parent: item,
                directory: path,
                handle: &handle,
                name: &name,
            };
            let step = self.act(&place, look, row, remote)?;
            let directory = look.is_some_and(|look| look.kind == ObservedKind::Directory);
            if let (Some(child), true, Step::Nothing | Step::Dress | Step::Update | Step::Fetch) =
                (descend, directory, step)
            {
                self.walk.push_back((child, path.child(name.as_str())));
            }
        }
    }

    /// News of names that no walk came by. Directories made on the way make
    /// more names reachable, so it goes on until nothing new is.
    pub(super) fn look_at_news(&mut self) -> Result<(), EngineError> {
        let mut looked_at = 0;
        loop {
            let (mut after, mut progress) = (None, false);
            loop {
                let page = self.engine.trees.news_after(after, NEWS_PAGE)?;
                let Some(last) = page.last() else { break };
                after = Some(last.id.item);
                for version in page {
                    if self.report.interrupted.is_some() {
                        return Ok(());
                    }
                    if self.look_at_one_news(&version)? {
                        progress = true;
                        looked_at += 1;
                    }
                }
                if looked_at >= NEWS_PER_ROUND {
                    self.report.more_news = true;
                    return self.walk_all();
                }
            }
            self.walk_all()?;
            if !progress {
                return Ok(());
            }
            self.drain()?;
        }
    }

    /// Whether there was something to do about it.
    fn look_at_one_news(&mut self, version: &Version) -> Result<bool, EngineError> {
        if version.is_root() {
            return Ok(false);
        }
        let synced = self.engine.trees.synced_item(version.id.item)?;
        if version.state.is_none() && synced.is_none() {
            self.engine.trees.drop_news(version.id.item)?;
            return Ok(false);
        }
        if let Some(row) = &synced
            && version.state.is_some()
            && (row.parent != Some(version.parent) || row.name != version.name.as_str())
            && !self.relocate(row, version)?
        {
            return Ok(false);
        }
        // A deletion is looked at where the item stands here: its directory may have
        // been replaced by another one of the same name.
        let (parent, name) = match (&synced, &version.state) {
            (Some(row), None) => (row.parent.unwrap_or(version.parent), row.name.as_str()),
            _ => (version.parent, version.name.as_str()),
        };
        let Some(directory) = self.path_of(parent)? else {
            let is_known = self.engine.trees.synced_item(parent)?.is_some();
            if version.state.is_none() && !is_known {
                // Its directory began anew, and everything in it.
                self.engine.trees.forget(version.id.item)?;
                self.engine.trees.drop_news(version.id.item)?;
            }
            return Ok(false);
        };
        if !self.looked.insert(version.id.item) || self.given_out.contains(&directory.child(name)) {
            return Ok(false);
        }
        self.look_at(parent, &directory, name)?;
        Ok(true)
    }

    /// Moves what the node moved, before names are looked at: each place then
    /// shows the item that belongs there.
    pub(super) fn relocate_moved(&mut self) -> Result<(), EngineError> {
        for (row, version) in self.engine.trees.moved()? {
            self.relocate(&row, &version)?;
        }
        Ok(())
    }

    /// Moves the local entry of a synced item to where the node says it is.
    /// `false` when it cannot be moved yet.
    fn relocate(&mut self, row: &SyncedRow, version: &Version) -> Result<bool, EngineError> {
        let (Some(parent), Some(target)) = (row.parent, self.path_of(version.parent)?) else {
            return Ok(false);
        };
        let Some(source) = self.path_of(parent)? else {
            return Ok(false);
        };
        if self.lies_in_foreign(&source)? || self.lies_in_foreign(&target)? {
            return Ok(false);
        }
        let (Ok(from), Ok(to)) = (
            self.engine.folder.directory(&source),
            self.engine.folder.directory(&target),
        ) else {
            return Ok(false);
        };
        self.touch(parent, &source)?;
        self.touch(version.parent, &target)?;
        self.intend(&Intent::land(
            version.parent,
            &version.name,
            row.synced.version,
            &row.synced.metadata,
        ));
        self.engine.intents.keep()?;
        match from.rename(&row.name, &to, version.name.as_str()) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // Deleted here meanwhile: an edit there brings it back.
                self.engine.trees.forget(row.synced.version.item)?;
                return Ok(true);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.report
                    .again
                    .insert(target.child(version.name.as_str()));
                return Ok(false);
            }
            Err(error) => {
                self.problem(target.child(version.name.as_str()), &error);
                return Ok(false);
            }
        }
        self.unsynced = true;
        self.paths
            .retain(|_, path| !path.names().any(|name| name == row.name));
        self.paths.insert(self.engine.root, RelativePath::root());
        let mut moved = row.clone();
        moved.parent = Some(version.parent);
        version.name.as_str().clone_into(&mut moved.name);
        if let Ok(Some(now)) = to.observe(version.name.as_str())
            && now.modified == moved.synced.seen.modified
            && now.size == moved.synced.seen.size
        {
            moved.synced.seen = now;
        }
        let news = version.clone();
        self.engine.trees.agree(&moved)?;
        self.engine.trees.learn(&news)?;
        Ok(true)
    }

    /// The name, unless it is none that can be synced.
    fn syncable(&mut self, directory: &RelativePath, name: &[u8]) -> Option<Name> {
        if name == crate::folder::CORNER.as_bytes() {
            return None;
        }
        let checked = Name::from_bytes(name)
            .map_err(|error| error.to_string())
            .and_then(|name| {
                let above = directory.as_str().len();
                let bytes = above + usize::from(above > 0) + name.as_str().len();
                if bytes <= limits::PATH_BYTES {
                    Ok(name)
                } else {
                    Err(format!(
                        "its path has {bytes} bytes; the limit is {}",
                        limits::PATH_BYTES
                    ))
                }
            });
        match checked {
            Ok(name) => Some(name),
            Err(reason) => {
                self.report
                    .problems
                    .push((directory.child(&printable::name(name)), reason));
                None
            }
        }
    }
}

fn remote_of(version: Version) -> Option<Remote> {
    Some(Remote {
        own: false,
        version: version.id,
        metadata: version.state?,
    })
}

pub(super) fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    ) || is_link(error)
}
