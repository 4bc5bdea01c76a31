//! Taking in what a killed process did and could not note ([`crate::intents`]).
//!
//! Done before anything of the feed is read: an entry that is deleted elsewhere
//! is removed here only if it is known to be the version that was deleted.

use super::Round;
use crate::error::EngineError;
use crate::folder::{ObservedKind, RelativePath};
use crate::intents::Intent;
use crate::plan::Synced;
use crate::trees::SyncedRow;
use crate::upload::examine;
use base::ItemId;
use meta::Metadata;
use state::Version;

impl Round<'_> {
    /// Takes in `intents` in the order in which they were noted, so that a
    /// directory is known before what is in it.
    ///
    /// # Errors
    /// [`EngineError`]: the trees cannot be used. What cannot be looked at in the
    /// folder is judged by the next look.
    pub fn recover(mut self, intents: &[Intent]) -> Result<(), EngineError> {
        self.paths.insert(self.engine.root, RelativePath::root());
        for intent in intents {
            match intent {
                Intent::Land(version) => self.recover_landing(version)?,
                Intent::Touch(item) => self.recover_touched(*item)?,
            }
        }
        self.unsynced = !intents.is_empty();
        self.conclude_intents()
    }

    /// What came of all intents is noted: a new generation of them begins.
    pub(super) fn conclude_intents(&mut self) -> Result<(), EngineError> {
        let generation = self.engine.begin_generation()?;
        self.checkpoint()?;
        self.engine.intents.begin(generation);
        Ok(())
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
        if local.same_content(metadata) {
            // Another mode or time than it landed with is a person's, unless it
            // is a directory's, which gets its own last: those of the look count
            // as found, not as changed (`Look::Undressed`).
            let moved = !metadata.is_directory() && local != *metadata;
            let id = version.id;
            let state = metadata.clone();
            self.agree(Some(version.parent), name, id, state, seen, racy || moved)?;
        }
        Ok(())
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
    /// a person: it gets its agreed mode and time back.
    fn recover_touched(&mut self, item: ItemId) -> Result<(), EngineError> {
        let Some(row) = self.engine.trees.synced_item(item)? else {
            return Ok(());
        };
        let path = match row.parent {
            None => Some(RelativePath::root()),
            Some(_) => self.path_of(item)?,
        };
        let seen = path.and_then(|path| {
            let handle = self.engine.folder.directory(&path).ok()?;
            handle.observe_self().ok()
        });
        if let Some(seen) = seen
            && row.synced.metadata.is_directory()
        {
            let synced = Synced { seen, ..row.synced };
            self.engine.trees.agree(&SyncedRow { synced, ..row })?;
        }
        Ok(())
    }
}
