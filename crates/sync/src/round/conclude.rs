//! Taking in what came of jobs and commits, and the end of a round: deletions
//! on both sides, and the notes in the trees. What becomes of directories that something
//! was placed in is in `directories`.

use super::act::is_full;
use super::look::is_gone;
use super::{Deletion, Removal, Round};
use crate::error::EngineError;
use crate::fetch::{FetchError, MAP_KEPT_FROM};
use crate::folder::{Observation, ObservedKind, RelativePath};
use crate::intents::Intent;
use crate::land::{self, Landed, Removed, Want};
use crate::observer::Event;
use crate::plan::Synced;
use crate::pool::{Done, Job};
use crate::trees::SyncedRow;
use crate::upload::{Agreement, Candidate, Uploaded};
use crate::{RemoteError, conflict};
use base::{DeviceId, ItemId, Name, VersionId, limits};
use meta::Metadata;
use state::{Change, Outcome, Refusal, Version};
use std::collections::HashSet;
use std::io;

/// Notes kept in one transaction of the trees.
const NOTES_PER_COMMIT: usize = 4096;

impl Round<'_> {
    /// Gives out a job as soon as there is room for it.
    pub(super) fn give_out(&mut self, job: Job) -> Result<(), EngineError> {
        if job.is_empty() {
            return Ok(());
        }
        while !self.engine.pool.has_room() {
            let Some(done) = self.engine.pool.next_done() else {
                break;
            };
            self.conclude(done)?;
        }
        if let Err(error) = self.engine.intents.keep() {
            return self.unwritable(error);
        }
        if self.report.interrupted.is_none() {
            self.engine.pool.submit(job);
        }
        Ok(())
    }

    /// Gives out an upload, noted before it is sent: a process that is killed
    /// before the answer leaves the next one that note.
    pub(super) fn give_out_offers(&mut self, batch: Vec<Candidate>) -> Result<(), EngineError> {
        if batch.is_empty() {
            return Ok(());
        }
        if self.engine.outlet.known.is_unfilled() && batch.iter().any(|new| new.base.is_none()) {
            let contents = self.engine.trees.contents()?;
            self.engine.outlet.known.fill(contents);
        }
        let places: Vec<(ItemId, &str)> = batch
            .iter()
            .map(|candidate| (candidate.parent, candidate.name.as_str()))
            .collect();
        let now = self.engine.clock.now();
        let offer = self.engine.trees.offer(&places, now)?;
        self.checkpoint()?;
        self.give_out(Job::Upload(offer, batch))
    }

    /// Sends what is set aside and waits for everything under way.
    pub(super) fn drain(&mut self) -> Result<(), EngineError> {
        self.send_small()?;
        self.send_large()?;
        self.request_small()?;
        self.request_large()?;
        while let Some(done) = self.engine.pool.next_done() {
            self.conclude(done)?;
        }
        Ok(())
    }

    fn conclude(&mut self, done: Done) -> Result<(), EngineError> {
        match done {
            Done::Uploaded(offer, results) => {
                for (candidate, uploaded) in results {
                    self.uploaded(&candidate, uploaded)?;
                }
                Ok(self.engine.trees.heard(offer)?)
            }
            Done::Landed(results, maps) => {
                for (hash, map) in maps {
                    self.engine.trees.keep_map(&hash, &map)?;
                }
                results
                    .into_iter()
                    .try_for_each(|(want, landed)| self.landed(&want, landed))
            }
            Done::Failed(paths, error) => {
                self.lost_track = true;
                self.report.again.extend(paths);
                match error {
                    FetchError::Remote(error) => self.failed(error),
                    FetchError::Local(error) => self.unwritable(error),
                    FetchError::Damaged { .. } => {
                        let root = RelativePath::root();
                        self.report.problems.push((root, error.to_string()));
                        Ok(())
                    }
                }
            }
        }
    }

    /// The node did not do it: later, when that can help, else the end.
    pub(super) fn failed(&mut self, error: RemoteError) -> Result<(), EngineError> {
        match error {
            error if error.is_passing() => {
                self.report.interrupted = Some(error.into());
                Ok(())
            }
            error if error.is_status(401) || error.is_status(404) => {
                self.report.interrupted = Some(self.engine.without_access(error));
                Ok(())
            }
            error if error.is_status(403) => {
                // May read, but no longer write: what was given out is looked at
                // again, and told.
                self.engine.may_write = false;
                Ok(())
            }
            // A chunk that does not hash to its name, or content that is gone
            // again: what was sent changed meanwhile, and the next look sees how.
            error if error.is_kind("frames") || error.is_status(409) => Ok(()),
            error => Err(error.into()),
        }
    }

    /// A full disk waits for room; anything else is the end.
    pub(super) fn unwritable(&mut self, error: io::Error) -> Result<(), EngineError> {
        if is_full(&error) {
            self.report.interrupted = Some(EngineError::Full {
                folder: self.engine.folder.path().to_owned(),
                source: error,
            });
            return Ok(());
        }
        Err(EngineError::NotDurable(error))
    }

    /// Commits `changes` to the entries at `places`, noted before it is sent as
    /// [`Round::give_out_offers`] does. The caller notes the outcomes and then that
    /// the offer was [`heard`](crate::trees::Trees::heard); `None` when the node is
    /// away.
    pub(super) fn commit(
        &mut self,
        places: &[(ItemId, &str)],
        changes: Vec<Change>,
    ) -> Result<Option<(i64, Vec<Outcome>)>, EngineError> {
        if self.report.interrupted.is_some() {
            return Ok(None);
        }
        let now = self.engine.clock.now();
        let offer = self.engine.trees.offer(places, now)?;
        self.checkpoint()?;
        let count = changes.len();
        match self.engine.outlet.commit(Vec::new(), changes) {
            Ok(outcomes) if outcomes.len() == count => Ok(Some((offer, outcomes))),
            Ok(_) => Err(EngineError::Outcomes),
            Err(error) => self.failed(error).map(|()| None),
        }
    }

    fn uploaded(&mut self, candidate: &Candidate, uploaded: Uploaded) -> Result<(), EngineError> {
        let path = candidate.directory.child(candidate.name.as_str());
        self.engine.observer.event(&Event::Moved {
            bytes: candidate.seen.size,
        });
        match uploaded {
            Uploaded::Committed(agreement) => {
                self.report.uploaded += 1;
                let now = self.engine.started.elapsed();
                if let Some(rests) = &mut self.engine.rests {
                    rests.taken(&path, agreement.seen.size, now);
                }
                self.engine.observer.event(&Event::Uploaded { path: &path });
                self.agreed(candidate, *agreement)?;
            }
            Uploaded::Unchanged(agreement) => self.agreed(candidate, *agreement)?,
            Uploaded::Changing | Uploaded::Gone => {
                self.report.again.insert(path);
            }
            Uploaded::Conflict(current) => {
                if let Some(current) = current {
                    self.engine.trees.learn(&current)?;
                }
                self.report.again.insert(path);
            }
            Uploaded::Refused(refusal) => self.refused(&path, refusal),
            Uploaded::Unreadable(error) => self.problem(path, &error),
        }
        Ok(())
    }

    fn agreed(&mut self, candidate: &Candidate, agreement: Agreement) -> Result<(), EngineError> {
        let Agreement {
            version,
            metadata,
            seen,
            racy,
            map,
        } = agreement;
        if let (Some(map), Some((hash, size))) = (map, metadata.content())
            && size >= MAP_KEPT_FROM
        {
            self.engine.trees.keep_map(&hash, &map)?;
        }
        self.agree(
            Some(candidate.parent),
            candidate.name.as_str(),
            version,
            metadata,
            seen,
            racy,
        )
    }

    fn landed(&mut self, want: &Want, landed: Landed) -> Result<(), EngineError> {
        let path = want.directory.child(want.name.as_str());
        self.engine.observer.event(&Event::Moved {
            bytes: want.metadata.content().map_or(0, |(_, size)| size),
        });
        match landed {
            Landed::Placed(seen) => {
                self.report.fetched += 1;
                self.engine.observer.event(&Event::Fetched { path: &path });
                if let Some(rests) = &mut self.engine.rests {
                    rests.forget(&path);
                }
                self.agree(
                    Some(want.parent),
                    want.name.as_str(),
                    want.version,
                    want.metadata.clone(),
                    seen,
                    false,
                )?;
            }
            Landed::Raced | Landed::Superseded => {
                self.report.again.insert(path);
            }
            Landed::Failed(error) if is_full(&error) => {
                self.report.again.insert(path);
                return self.unwritable(error);
            }
            Landed::Failed(error) => self.problem(path, &error),
        }
        Ok(())
    }

    /// Notes an agreement, and forgets the map of content that is gone.
    pub(super) fn agree(
        &mut self,
        parent: Option<ItemId>,
        name: &str,
        version: VersionId,
        metadata: Metadata,
        seen: Observation,
        racy: bool,
    ) -> Result<(), EngineError> {
        if let Some(old) = self.engine.trees.synced_item(version.item)?
            && let Some((hash, size)) = old.synced.metadata.content()
            && size >= MAP_KEPT_FROM
            && metadata.content().map(|(hash, _)| hash) != Some(hash)
        {
            self.engine.trees.drop_map(&hash)?;
        }
        if let Some((hash, _)) = metadata.content() {
            self.engine.outlet.known.add(&hash);
        }
        if metadata.is_directory()
            && let Some(parent) = parent
            && let Some(old) = self.engine.trees.synced_child(parent, name)?
            && old.synced.version.item != version.item
        {
            let old = old.synced.version.item;
            self.engine.trees.refile(old, version.item)?;
        }
        let synced = Synced {
            version,
            metadata,
            seen,
            racy,
        };
        self.engine.trees.agree(&SyncedRow {
            parent,
            name: name.to_owned(),
            synced,
        })?;
        self.note()
    }

    /// Counts a note; keeps them from time to time.
    pub(super) fn note(&mut self) -> Result<(), EngineError> {
        self.notes += 1;
        if self.notes >= NOTES_PER_COMMIT {
            self.checkpoint()
        } else {
            Ok(())
        }
    }

    /// Notes what is about to be done, for the process after a kill.
    pub(super) fn intend(&mut self, intent: &Intent) {
        if !self.engine.dry_run {
            self.engine.intents.note(intent);
        }
    }

    /// At the end of a round: what was intended is done and noted.
    pub(super) fn keep_notes(&mut self) -> Result<(), EngineError> {
        if self.engine.intents.is_empty() {
            return self.checkpoint();
        }
        if self.lost_track {
            // Now, before the feed says more.
            for intent in self.engine.intents.kept()? {
                if let Intent::Land(version) = intent? {
                    self.recover_landing(&version)?;
                }
            }
            self.lost_track = false;
        }
        self.conclude_intents()
    }

    /// Ends the generation of intents when their journal is long: waits for what is
    /// under way, notes what came of it, and goes on.
    pub(super) fn bound_intents(&mut self) -> Result<(), EngineError> {
        if !self.engine.intents.is_long(self.engine.journal_bytes) {
            return Ok(());
        }
        self.drain()?;
        self.keep_notes()
    }

    /// Makes the folder durable, then the notes about it.
    pub(super) fn checkpoint(&mut self) -> Result<(), EngineError> {
        if self.engine.dry_run {
            // Whoever looks only must not take part of the feed for known.
            return Ok(());
        }
        if self.unsynced {
            self.engine
                .folder
                .sync_all()
                .map_err(EngineError::NotDurable)?;
            self.unsynced = false;
        }
        self.notes = 0;
        Ok(self.engine.trees.commit()?)
    }

    // ---- the end of a round --------------------------------------------

    /// Deletes at the node what was deleted here, children first.
    pub(super) fn delete_at_node(&mut self) -> Result<(), EngineError> {
        let deletions = std::mem::take(&mut self.deletions);
        let mut deletions = self.with_children(deletions)?;
        // A row for each file of a large tree is moved once, not compared often.
        deletions.sort_by_cached_key(|deletion| std::cmp::Reverse(deletion.path.depth()));
        deletions.retain(|deletion| self.is_still_gone(deletion));
        if deletions.is_empty() {
            return Ok(());
        }
        self.engine.check_marker()?;
        for batch in deletions.chunks(limits::CHANGES_PER_COMMAND) {
            let changes = batch.iter().map(|deletion| Change::Delete {
                base: deletion.row.synced.version,
            });
            let places: Vec<_> = batch.iter().map(|d| place_of(&d.row)).collect();
            let Some((offer, outcomes)) = self.commit(&places, changes.collect())? else {
                let left = deletions.iter().map(|deletion| deletion.path.clone());
                self.report.again.extend(left);
                return Ok(());
            };
            for (deletion, outcome) in batch.iter().zip(outcomes) {
                self.deleted(deletion, outcome)?;
            }
            self.engine.trees.heard(offer)?;
        }
        Ok(())
    }

    /// Adds what is in deleted directories. Only now, when everything given out
    /// has been answered: an entry whose answer came in this round would else
    /// stay behind, look like news, and bring its directory back.
    fn with_children(&self, deletions: Vec<Deletion>) -> Result<Vec<Deletion>, EngineError> {
        let mut waiting = deletions;
        let mut seen = HashSet::new();
        let mut all = Vec::with_capacity(waiting.len());
        while let Some(deletion) = waiting.pop() {
            if !seen.insert(deletion.row.synced.version.item) {
                continue;
            }
            if deletion.row.synced.metadata.is_directory() {
                for row in self.deletable_children(&deletion.row)? {
                    let path = deletion.path.child(&row.name);
                    waiting.push(Deletion { row, path });
                }
            }
            all.push(deletion);
        }
        Ok(all)
    }

    /// Editors delete and write anew within a moment.
    fn is_still_gone(&mut self, deletion: &Deletion) -> bool {
        let Some((directory, name)) = deletion.path.split() else {
            return false;
        };
        let directory_kind = deletion.row.synced.metadata.is_directory();
        let now = self
            .engine
            .folder
            .directory(&directory)
            .and_then(|handle| handle.observe(name));
        match now {
            Ok(None) => true,
            Err(error) => is_gone(&error),
            // Replaced by another kind: that is why it is deleted.
            Ok(Some(now)) if (now.kind == ObservedKind::Directory) != directory_kind => true,
            Ok(Some(_)) => {
                self.report.again.insert(deletion.path.clone());
                false
            }
        }
    }

    fn deleted(&mut self, deletion: &Deletion, outcome: Outcome) -> Result<(), EngineError> {
        let Synced {
            version, metadata, ..
        } = &deletion.row.synced;
        match outcome {
            Outcome::Committed(_) | Outcome::Same(_) | Outcome::Conflict { current: None } => {
                self.report.deleted += 1;
                self.engine.observer.event(&Event::Deleted {
                    path: &deletion.path,
                });
                self.engine.trees.forget(version.item)?;
                self.engine.trees.drop_news(version.item)?;
            }
            // Edited at the node meanwhile: it comes back.
            Outcome::Conflict {
                current: Some(current),
            } => {
                self.engine.trees.learn(&current)?;
                self.report.more_news = true;
            }
            Outcome::Refused(Refusal::NotEmpty) => {
                // Something new is in it at the node, so it comes back.
                self.engine.trees.forget(version.item)?;
                if let (Some(parent), Ok(name)) =
                    (deletion.row.parent, Name::new(&deletion.row.name))
                {
                    let state = Some(metadata.clone());
                    self.engine.trees.learn(&Version {
                        id: *version,
                        parent,
                        name,
                        state,
                        device: DeviceId::ADMIN,
                        time: 0,
                        index: 0,
                        ordinal: 0,
                    })?;
                }
                self.report.more_news = true;
            }
            Outcome::Refused(Refusal::NoSuchItem) => self.engine.trees.forget(version.item)?,
            Outcome::Refused(refusal) => self.refused(&deletion.path, refusal),
        }
        self.note()
    }

    /// Removes here what was deleted at the node, children first.
    pub(super) fn remove_here(&mut self) -> Result<(), EngineError> {
        let mut removals = std::mem::take(&mut self.removals);
        removals.sort_by_cached_key(|removal| std::cmp::Reverse(removal.path.depth()));
        for removal in removals {
            self.remove_one(&removal)?;
        }
        Ok(())
    }

    fn remove_one(&mut self, removal: &Removal) -> Result<(), EngineError> {
        let item = removal.row.synced.version.item;
        let (Some((directory, _)), Ok(name), Some(parent)) = (
            removal.path.split(),
            Name::new(&removal.row.name),
            removal.row.parent,
        ) else {
            return Ok(());
        };
        self.touch(parent, &directory)?;
        let removed = self.engine.folder.directory(&directory).and_then(|handle| {
            if removal.seen.kind == ObservedKind::Directory {
                handle
                    .remove_directory(name.as_str())
                    .map(|()| Removed::Done)
            } else {
                let kept = conflict::conflict_name(
                    &name,
                    &self.engine.device_name,
                    self.engine.clock.now(),
                );
                land::remove(&self.engine.folder, &handle, &name, &removal.seen, &kept)
            }
        });
        match removed {
            Ok(Removed::Done) => {
                self.unsynced = true;
                self.report.removed += 1;
                self.engine.observer.event(&Event::Removed {
                    path: &removal.path,
                });
            }
            Ok(Removed::Absent) => {}
            Ok(Removed::Other) => {
                self.report.again.insert(removal.path.clone());
                return Ok(());
            }
            Err(error) if is_gone(&error) => {}
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
                self.report.again.insert(removal.path.clone());
                // Entries that both sides agreed on leave by their own news, in
                // this round or a later one, and the directory after them.
                if !self.engine.trees.synced_children(item)?.is_empty() {
                    return Ok(());
                }
                // Something in it is only here: it begins anew at the node.
            }
            Err(error) => {
                self.problem(removal.path.clone(), &error);
                return Ok(());
            }
        }
        self.touched.remove(&item);
        self.engine.trees.forget(item)?;
        self.engine.trees.drop_news(item)?;
        self.note()
    }

    pub(super) fn refused(&mut self, path: &RelativePath, refusal: Refusal) {
        match refusal {
            // The feed is about to say so.
            Refusal::ParentMissing | Refusal::NotADirectory | Refusal::NoSuchItem => {
                self.report.again.insert(path.clone());
            }
            _ => self
                .report
                .problems
                .push((path.clone(), refusal.to_string())),
        }
    }

    pub(super) fn problem(&mut self, path: RelativePath, error: &io::Error) {
        self.report.problems.push((path, error.to_string()));
    }
}

/// Where the versions of a synced item are filed.
pub(super) fn place_of(row: &SyncedRow) -> (ItemId, &str) {
    match row.parent {
        Some(parent) => (parent, &row.name),
        None => (row.synced.version.item, Version::ROOT_NAME),
    }
}
