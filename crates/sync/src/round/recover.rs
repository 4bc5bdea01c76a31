//! Taking in what a killed process did and could not note ([`crate::intents`]).
//!
//! Done before anything of the feed is read: an entry that is deleted elsewhere
//! is removed here only if it is known to be the version that was deleted.

use super::Round;
use super::directories::OWNER_MAY_CHANGE;
use crate::error::EngineError;
use crate::folder::{MADE_WITH, Observation, ObservedKind, RelativePath};
use crate::intents::{Intent, Left};
use crate::plan::Synced;
use crate::trees::SyncedRow;
use crate::upload::examine;
use base::{ItemId, Random, SystemRandom};
use meta::{Metadata, Mode};
use state::Version;

impl Round<'_> {
    /// Takes in `intents` in the order in which they were noted, so that a
    /// directory is known before what is in it.
    ///
    /// # Errors
    /// [`EngineError`]: the trees cannot be used. What cannot be looked at in the
    /// folder is judged by the next look.
    pub fn recover(mut self, intents: Left) -> Result<(), EngineError> {
        self.paths.insert(self.engine.root, RelativePath::root());
        for (number, intent) in intents.enumerate() {
            // What the killed process placed is durable before any note of it.
            self.unsynced |= number == 0;
            match intent? {
                Intent::Land(version) => self.recover_landing(&version)?,
                Intent::Touch(item) => self.recover_touched(item)?,
            }
        }
        self.conclude_intents()
    }

    /// What came of all intents is noted: a new generation of them begins, with
    /// the directories that have yet to get their time back.
    pub(super) fn conclude_intents(&mut self) -> Result<(), EngineError> {
        let generation = SystemRandom.next_u64();
        let open = self
            .touched
            .iter()
            .filter(|(_, (_, wanted))| wanted.is_some());
        let open = open.map(|(item, _)| Intent::Touch(*item));
        if let Err(error) = self.engine.intents.prepare(generation, open) {
            return self.unwritable(error);
        }
        self.engine.trees.begin_generation(generation)?;
        self.checkpoint()?;
        Ok(self.engine.intents.begin(generation)?)
    }

    /// Agrees on a version that stands at its place byte for byte.
    pub(super) fn recover_landing(&mut self, version: &Version) -> Result<(), EngineError> {
        let Some(metadata) = &version.state else {
            return Ok(());
        };
        if !self.could_land(version)? {
            return Ok(());
        }
        let Some(directory) = self.path_of(version.parent)? else {
            return Ok(());
        };
        let name = version.name.as_str();
        if !self.may_be(&directory, name, metadata) {
            return Ok(());
        }
        let Ok((local, seen, racy)) = examine(&self.engine.folder, &directory, name) else {
            return Ok(());
        };
        if !local.same_content(metadata) {
            return Ok(());
        }
        let (id, state) = (version.id, metadata.clone());
        if metadata.is_directory() {
            // It gets its mode and time last: those of the look count as found, not
            // as changed (`Look::Undressed`), unless the mode is a person's.
            let is_own = is_own_mode(seen.mode, metadata.mode);
            let mode = if is_own { seen.mode } else { metadata.mode };
            let seen = Observation { mode, ..seen };
            return self.agree(Some(version.parent), name, id, state, seen, false);
        }
        // Another mode or time than it landed with is a person's.
        let racy = racy || local != *metadata;
        self.agree(Some(version.parent), name, id, state, seen, racy)
    }

    /// Whether nothing was agreed since that would speak against it.
    fn could_land(&mut self, version: &Version) -> Result<bool, EngineError> {
        let (id, name) = (version.id, version.name.as_str());
        if let Some(row) = self.engine.trees.synced_item(id.item)? {
            let moved = row.parent != Some(version.parent) || row.name != name;
            return match row.synced.version.counter {
                counter if counter == id.counter && moved => self.has_left(&row),
                counter => Ok(counter < id.counter),
            };
        }
        // Another item that was agreed to stand here was to be replaced.
        Ok(true)
    }

    /// Whether nothing stands any more where an item was agreed to be.
    fn has_left(&mut self, row: &SyncedRow) -> Result<bool, EngineError> {
        let Some(parent) = row.parent else {
            return Ok(false);
        };
        let Some(directory) = self.path_of(parent)? else {
            return Ok(true);
        };
        let handle = self.engine.folder.directory(&directory);
        let seen = handle.and_then(|handle| handle.observe(&row.name));
        Ok(matches!(seen, Ok(None)))
    }

    /// Spares reading what cannot have the right bytes.
    fn may_be(&self, directory: &RelativePath, name: &str, metadata: &Metadata) -> bool {
        let seen = self
            .engine
            .folder
            .directory(directory)
            .and_then(|handle| handle.observe(name));
        match seen {
            Ok(Some(seen)) if seen.kind == ObservedKind::File => metadata
                .content()
                .is_some_and(|(_, size)| size == seen.size),
            Ok(Some(_)) => metadata.content().is_none(),
            Ok(None) | Err(_) => false,
        }
    }

    /// Takes the look of a directory as found by this process, not as changed by
    /// a person: it gets its agreed mode and time back. A mode that the killed
    /// process did not give it is a person's, and is kept; the time is not told apart.
    fn recover_touched(&mut self, item: ItemId) -> Result<(), EngineError> {
        let Some(row) = self.engine.trees.synced_item(item)? else {
            return Ok(());
        };
        let path = match row.parent {
            None => Some(RelativePath::root()),
            Some(_) => self.path_of(item)?,
        };
        let handle = path.and_then(|path| self.engine.folder.directory(&path).ok());
        let (Some(handle), true) = (handle, row.synced.metadata.is_directory()) else {
            return Ok(());
        };
        let Ok(seen) = handle.observe_self() else {
            return Ok(());
        };
        let agreed = &row.synced.metadata;
        if !is_own_mode(seen.mode, agreed.mode) && seen.mode != row.synced.seen.mode {
            // With the agreed time, it looks changed by its mode alone; where it may
            // not be set, the time counts as changed too.
            let _ = handle.dress(seen.mode, agreed.modified);
            let (mode, modified) = (agreed.mode, agreed.modified);
            let seen = Observation {
                mode,
                modified,
                ..seen
            };
            let synced = Synced { seen, ..row.synced };
            return Ok(self.engine.trees.agree(&SyncedRow { synced, ..row })?);
        }
        let synced = Synced { seen, ..row.synced };
        Ok(self.engine.trees.agree(&SyncedRow { synced, ..row })?)
    }
}

/// Whether a directory that shall have the mode `wanted` may have `mode` from a
/// process that was not done with it.
fn is_own_mode(mode: Mode, wanted: Mode) -> bool {
    [0, OWNER_MAY_CHANGE, MADE_WITH]
        .into_iter()
        .any(|bits| mode == wanted.with(bits))
}
