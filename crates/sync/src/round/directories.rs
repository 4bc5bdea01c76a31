//! Modes and times of directories: remembered before something is placed in one or
//! removed, given back at the end of a round, and told to the node where a person changed
//! them.

use super::Round;
use super::conclude::place_of;
use crate::error::EngineError;
use crate::folder::{Observation, RelativePath};
use crate::intents::Intent;
use crate::plan::{Remote, Sight, Step, decide};
use crate::trees::SyncedRow;
use base::{ItemId, limits};
use meta::Metadata;
use state::{Base, Change, Outcome};
use std::io;

/// What a directory's mode must allow to place and remove entries in it.
pub(super) const OWNER_MAY_CHANGE: u32 = 0o300;

impl Round<'_> {
    /// Remembers, before the first entry of a directory is placed or removed,
    /// which mode and time it shall have again afterwards.
    pub(super) fn touch(&mut self, item: ItemId, path: &RelativePath) -> Result<(), EngineError> {
        if self.touched.contains_key(&item) {
            return Ok(());
        }
        let wanted = match self.engine.trees.synced_item(item)? {
            Some(row) if self.looks_as_agreed(path, &row) => Some(row.synced.metadata),
            _ => None,
        };
        match wanted {
            Some(metadata) => {
                self.touch_with(item, path.clone(), metadata.clone());
                self.engine.intents.keep()?;
                self.open_for_changes(path, &metadata)
            }
            None => {
                self.touched.insert(item, (path.clone(), None));
                Ok(())
            }
        }
    }

    /// As [`Round::touch`], with the mode and time that are known to be right.
    pub(super) fn touch_with(&mut self, item: ItemId, path: RelativePath, wanted: Metadata) {
        self.intend(&Intent::Touch(item));
        self.touched.insert(item, (path, Some(wanted)));
    }

    /// Remembers a directory whose mode or time a person moved, to give them to
    /// the node. One that looks as agreed is left alone: it was not this round
    /// that put something there, so a time that moves after this look is a
    /// person's, and must not be set back.
    pub(super) fn notice(&mut self, item: ItemId, path: &RelativePath) -> Result<(), EngineError> {
        let row = self.engine.trees.synced_item(item)?;
        let is_agreed = row.is_some_and(|row| self.looks_as_agreed(path, &row));
        if !is_agreed && !self.touched.contains_key(&item) {
            self.touched.insert(item, (path.clone(), None));
        }
        Ok(())
    }

    /// Lets entries be placed in a directory whose mode forbids it; it gets that
    /// mode back with its time, at the end of the round.
    pub(super) fn open_for_changes(
        &mut self,
        path: &RelativePath,
        metadata: &Metadata,
    ) -> Result<(), EngineError> {
        if metadata.mode.bits() & OWNER_MAY_CHANGE == OWNER_MAY_CHANGE {
            return Ok(());
        }
        self.engine.intents.keep()?;
        let mode = metadata.mode.with(OWNER_MAY_CHANGE);
        self.dress(path, &Metadata::directory(mode, metadata.modified))
    }

    fn looks_as_agreed(&self, path: &RelativePath, row: &SyncedRow) -> bool {
        let seen = self
            .engine
            .folder
            .directory(path)
            .and_then(|handle| handle.observe_self());
        let remote = Remote {
            own: false,
            version: row.synced.version,
            metadata: row.synced.metadata.clone(),
        };
        seen.is_ok_and(|seen| {
            let sight = Sight {
                local: Some(&seen),
                synced: Some(&row.synced),
                remote: Some(&remote),
            };
            matches!(decide(sight), Step::Nothing | Step::Dress)
        })
    }

    /// Gives touched directories their mode and time back; those that a person
    /// changed go to the node.
    pub(super) fn dress_directories(&mut self) -> Result<(), EngineError> {
        let mut changed = Vec::new();
        for (item, (path, wanted)) in std::mem::take(&mut self.touched) {
            let Some(row) = self.engine.trees.synced_item(item)? else {
                continue;
            };
            match wanted {
                Some(metadata) => self.dress(&path, &metadata)?,
                None if self.looks_as_agreed(&path, &row) => {}
                None => changed.push((row, path)),
            }
        }
        self.update_directories(&changed)
    }

    /// Gives the node the modes and times of directories that a person changed.
    pub(super) fn update_directories(
        &mut self,
        changed: &[(SyncedRow, RelativePath)],
    ) -> Result<(), EngineError> {
        if !self.engine.may_write {
            // Its time moved with what a reader did in it, which is told by name.
            return Ok(());
        }
        for batch in changed.chunks(limits::CHANGES_PER_COMMAND) {
            let mut looks = Vec::with_capacity(batch.len());
            for (row, path) in batch {
                let seen = self
                    .engine
                    .folder
                    .directory(path)
                    .and_then(|handle| handle.observe_self());
                // One that is gone is dealt with where it stood.
                looks.extend(seen.ok().map(|seen| (row, seen)));
            }
            let changes = looks.iter().map(|(row, seen)| Change::Put {
                base: Base::Version(row.synced.version),
                metadata: Metadata::directory(seen.mode, seen.modified),
                conflict_of: None,
            });
            let places: Vec<_> = looks.iter().map(|(row, _)| place_of(row)).collect();
            let Some((offer, outcomes)) = self.commit(&places, changes.collect())? else {
                let left = changed.iter().map(|(_, path)| path.clone());
                self.report.again.extend(left);
                return Ok(());
            };
            for ((row, seen), outcome) in looks.into_iter().zip(outcomes) {
                self.directory_updated(row, seen, outcome)?;
            }
            self.engine.trees.heard(offer)?;
        }
        Ok(())
    }

    fn directory_updated(
        &mut self,
        row: &SyncedRow,
        seen: Observation,
        outcome: Outcome,
    ) -> Result<(), EngineError> {
        match outcome {
            Outcome::Committed(version) | Outcome::Same(version) => {
                let metadata = Metadata::directory(seen.mode, seen.modified);
                self.agree(row.parent, &row.name, version, metadata, seen, false)
            }
            Outcome::Conflict {
                current: Some(current),
            } => {
                self.engine.trees.learn(&current)?;
                self.report.more_news = true;
                Ok(())
            }
            Outcome::Conflict { current: None } | Outcome::Refused(_) => Ok(()),
        }
    }

    pub(super) fn dress(
        &mut self,
        path: &RelativePath,
        metadata: &Metadata,
    ) -> Result<(), EngineError> {
        let dressed = self.engine.folder.directory(path).and_then(|handle| {
            let seen = handle.observe_self()?;
            // Dressing what is dressed would be heard as a change.
            if (seen.mode, seen.modified) == (metadata.mode, metadata.modified) {
                return Ok(());
            }
            handle.dress(metadata.mode, metadata.modified)
        });
        match dressed {
            Err(error)
                if !matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                self.problem(path.clone(), &error);
            }
            _ => {}
        }
        Ok(())
    }
}
