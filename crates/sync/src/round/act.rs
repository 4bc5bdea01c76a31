//! Doing what was decided about a name: at once where that is cheap, else set
//! aside into batches for the worker threads. What comes of them is taken in by
//! [`super::conclude`].

use super::{Deletion, NewDirectory, Place, Removal, Round};
use crate::RemoteError;
use crate::conflict;
use crate::engine::Strategy;
use crate::error::EngineError;
use crate::fetch::Standing;
use crate::folder::{Observation, ObservedKind, RelativePath, dress, observe_open};
use crate::intents::Intent;
use crate::land::{self, Removed, Want};
use crate::observer::Event;
use crate::plan::{Remote, Settlement, Sight, Step, Synced, decide, settle};
use crate::trees::SyncedRow;
use crate::upload::{Candidate, DeltaBase, examine};
use base::{VersionId, limits};
use meta::{Kind, Metadata};
use std::io;

/// Small files in one commit.
const SMALL_BATCH_FILES: usize = 512;
/// Bytes of small files in one request.
const SMALL_BATCH_BYTES: u64 = 4 << 20;
/// Bytes of large files in one job, unless one alone is larger: what is landed,
/// or committed, together.
const LARGE_BATCH_BYTES: u64 = 8 << 20;

/// What a reader's own changes are told with.
const CHANGED_BY_READER: &str = "changed here, but this device may only read the space; the \
    change stays here";
const DELETED_BY_READER: &str = "deleted here, but this device may only read the space; it \
    stays there";

impl Round<'_> {
    /// Decides about one name and does it, or sets it aside to be done. What the
    /// operating system refuses about this one name is told, not the end.
    pub(super) fn act(
        &mut self,
        place: &Place<'_>,
        local: Option<Observation>,
        synced: Option<SyncedRow>,
        remote: Option<Remote>,
    ) -> Result<Step, EngineError> {
        self.bound_intents()?;
        match self.act_now(place, local, synced, remote) {
            Err(EngineError::Folder(error)) if is_full(&error) => {
                self.unwritable(error)?;
                Ok(Step::Ignore)
            }
            Err(EngineError::Folder(error)) => {
                self.problem(place.directory.child(place.name.as_str()), &error);
                Ok(Step::Ignore)
            }
            result => result,
        }
    }

    /// See [`Round::act`].
    fn act_now(
        &mut self,
        place: &Place<'_>,
        local: Option<Observation>,
        synced: Option<SyncedRow>,
        remote: Option<Remote>,
    ) -> Result<Step, EngineError> {
        let mut step = decide(Sight {
            local: local.as_ref(),
            synced: synced.as_ref().map(|row| &row.synced),
            remote: remote.as_ref(),
        });
        if local.is_some_and(|local| local.kind == ObservedKind::Directory)
            && self.is_foreign(&place.directory.child(place.name.as_str()))?
        {
            return Ok(Step::Ignore);
        }
        if step == Step::Nothing {
            return Ok(step);
        }
        if let (Step::RemoveLocal | Step::Prove, Some(row)) = (step, &synced)
            && self
                .engine
                .trees
                .was_deleted_here(row.synced.version.item)?
        {
            // Deleted here, which the node was told and nobody heard back; what
            // stands here came again.
            step = Step::Create;
        }
        if self.engine.has_news && self.is_elsewhere(place, synced.as_ref(), remote.as_ref())? {
            self.report
                .again
                .insert(place.directory.child(place.name.as_str()));
            return Ok(Step::Ignore);
        }
        if self.engine.dry_run {
            self.plan_only(place, step);
            return Ok(step);
        }
        match (step, local, synced, remote) {
            (Step::Create, Some(local), synced, _) => self.create(place, local, synced)?,
            (Step::Update, Some(local), Some(row), _) if local.kind == ObservedKind::Directory => {
                // Its time moves while entries are placed in it: judged last.
                let path = place.directory.child(place.name.as_str());
                self.touched
                    .entry(row.synced.version.item)
                    .or_insert((path, None));
            }
            (Step::Dress, Some(_), Some(row), _) => {
                let path = place.directory.child(place.name.as_str());
                self.touch_with(row.synced.version.item, path, row.synced.metadata);
            }
            (Step::Update, Some(local), Some(row), _) => {
                self.offer(
                    place,
                    local,
                    Some(row.synced.version),
                    Some(&row.synced),
                    None,
                )?;
            }
            (Step::Fetch, local, synced, Some(remote)) => {
                self.fetch(place, local, synced, remote)?;
            }
            (Step::AdoptDirectory, Some(local), _, Some(remote)) => {
                self.adopt_directory(place, local, &remote)?;
            }
            (Step::Compare, Some(_), synced, Some(remote)) => {
                self.compare(place, synced, &remote)?;
            }
            (Step::Prove, Some(_), Some(row), _) => self.prove(place, row)?,
            (Step::DeleteRemote, _, synced, remote) => {
                self.delete_remote(place, synced, remote)?;
            }
            (Step::ReplaceRemote, _, Some(row), _) => {
                self.report
                    .again
                    .insert(place.directory.child(place.name.as_str()));
                self.set_aside_deletion(place, row)?;
            }
            (Step::RemoveLocal, Some(local), Some(row), _) => {
                let path = place.directory.child(place.name.as_str());
                self.removals.push(Removal {
                    row,
                    path,
                    seen: local,
                });
            }
            (Step::Forget, _, Some(row), _) => {
                self.engine.trees.forget(row.synced.version.item)?;
                self.engine.trees.drop_news(row.synced.version.item)?;
                self.note()?;
            }
            (Step::Ignore, ..) => {
                let path = place.directory.child(place.name.as_str());
                self.report.ignored.push(path);
            }
            _ => {}
        }
        Ok(step)
    }

    /// Says, once, what would be done, and counts it.
    fn plan_only(&mut self, place: &Place<'_>, step: Step) {
        let path = place.directory.child(place.name.as_str());
        if !self.given_out.insert(path.clone()) {
            return;
        }
        match step {
            Step::Create | Step::Update => self.report.uploaded += 1,
            Step::Fetch => self.report.fetched += 1,
            Step::DeleteRemote | Step::ReplaceRemote => self.report.deleted += 1,
            Step::RemoveLocal => self.report.removed += 1,
            _ => {}
        }
        self.engine
            .observer
            .event(&Event::Planned { path: &path, step });
    }

    /// Whether the item that was or shall be here has its other end at a place
    /// it could not be moved to or from yet ([`Round::relocate_moved`]).
    fn is_elsewhere(
        &self,
        place: &Place<'_>,
        synced: Option<&SyncedRow>,
        remote: Option<&Remote>,
    ) -> Result<bool, EngineError> {
        if let (Some(row), None) = (synced, remote)
            && let Some(news) = self.engine.trees.news_of(row.synced.version.item)?
            && news.state.is_some()
        {
            return Ok(true);
        }
        let Some(remote) = remote.filter(|_| synced.is_none()) else {
            return Ok(false);
        };
        let row = self.engine.trees.synced_item(remote.version.item)?;
        Ok(row
            .is_some_and(|row| row.parent != Some(place.parent) || row.name != place.name.as_str()))
    }

    fn create(
        &mut self,
        place: &Place<'_>,
        local: Observation,
        synced: Option<SyncedRow>,
    ) -> Result<(), EngineError> {
        if !self.engine.may_write {
            return self.leave_here(place, local, synced.as_ref().map(|row| &row.synced));
        }
        if let Some(row) = synced {
            // Edited here, deleted there: it begins anew.
            self.engine.trees.forget(row.synced.version.item)?;
            self.engine.trees.drop_news(row.synced.version.item)?;
        }
        if local.kind != ObservedKind::Directory {
            return self.offer(place, local, None, None, None);
        }
        let path = place.directory.child(place.name.as_str());
        if !self.given_out.insert(path.clone()) {
            return Ok(());
        }
        self.new_directories.push(NewDirectory {
            parent: place.parent,
            path,
            name: place.name.clone(),
            metadata: Metadata::directory(local.mode, local.modified),
            seen: local,
        });
        Ok(())
    }

    /// Sets a file or link aside for upload.
    fn offer(
        &mut self,
        place: &Place<'_>,
        local: Observation,
        base: Option<VersionId>,
        synced: Option<&Synced>,
        rebase: Option<&Remote>,
    ) -> Result<(), EngineError> {
        if !self.engine.may_write {
            return self.leave_here(place, local, synced);
        }
        let path = place.directory.child(place.name.as_str());
        if self.rests(&path, &local) || !self.given_out.insert(path) {
            return Ok(());
        }
        let large = local.size > limits::SMALL_FILE_BYTES;
        let delta = match rebase
            .map(|remote| (remote.version, &remote.metadata))
            .or(synced.map(|s| (s.version, &s.metadata)))
        {
            Some((version, metadata)) if large => self.delta_base(version, metadata)?,
            _ => None,
        };
        let candidate = Candidate {
            parent: place.parent,
            directory: place.directory.clone(),
            name: place.name.clone(),
            seen: local,
            base,
            synced: rebase.map_or_else(
                || synced.map(|synced| synced.metadata.clone()),
                |remote| Some(remote.metadata.clone()),
            ),
            conflict_of: if base.is_none() {
                self.engine
                    .trees
                    .copy_of(place.parent, place.name.as_str())?
            } else {
                None
            },
            delta,
        };
        self.engine
            .observer
            .event(&Event::Queued { bytes: local.size });
        if large {
            self.large.push(candidate);
            self.large_bytes += local.size;
            if self.large_bytes >= LARGE_BATCH_BYTES {
                self.send_large()?;
            }
        } else {
            self.small.push(candidate);
            self.small_bytes += local.size;
            if self.small.len() >= SMALL_BATCH_FILES || self.small_bytes >= SMALL_BATCH_BYTES {
                self.send_small()?;
            }
        }
        Ok(())
    }

    /// Whether a large file that keeps changing is left for later.
    fn rests(&mut self, path: &RelativePath, local: &Observation) -> bool {
        let now = self.engine.started.elapsed();
        let rests = self.engine.rests.as_mut();
        let Some(wait) = rests.and_then(|rests| rests.wait(path, local, now)) else {
            return false;
        };
        self.report.resting.insert(path.clone());
        self.report.rest = Some(self.report.rest.map_or(wait, |least| least.min(wait)));
        true
    }

    /// What a reader changed stays here and is told, unless only its look is new.
    fn leave_here(
        &mut self,
        place: &Place<'_>,
        local: Observation,
        synced: Option<&Synced>,
    ) -> Result<(), EngineError> {
        let path = place.directory.child(place.name.as_str());
        if let Some(synced) = synced
            && local.kind != ObservedKind::Directory
            && synced
                .metadata
                .content()
                .is_none_or(|(_, size)| size == local.size)
        {
            match examine(&self.engine.folder, place.directory, place.name.as_str()) {
                Ok((metadata, seen, racy)) if metadata == synced.metadata => {
                    let (parent, name) = (Some(place.parent), place.name.as_str());
                    return self.agree(parent, name, synced.version, metadata, seen, racy);
                }
                Ok(_) => {}
                Err(error) => return self.unexamined(path, error),
            }
        }
        self.report.problems.push((path, CHANGED_BY_READER.into()));
        Ok(())
    }

    /// Brings the remote version over what stands here.
    fn fetch(
        &mut self,
        place: &Place<'_>,
        local: Option<Observation>,
        synced: Option<SyncedRow>,
        remote: Remote,
    ) -> Result<(), EngineError> {
        if remote.metadata.is_directory() {
            return self.fetch_directory(place, local, &remote);
        }
        let path = place.directory.child(place.name.as_str());
        if self.given_out.contains(&path) {
            return Ok(());
        }
        if let (Some(local), Some(row)) = (local, &synced)
            && row.synced.metadata.same_content(&remote.metadata)
            && self.dress_in_place(place, &local, &remote)?
        {
            return Ok(());
        }
        self.given_out.insert(path);
        self.touch(place.parent, place.directory)?;
        self.intend(&Intent::land(
            place.parent,
            place.name,
            remote.version,
            &remote.metadata,
        ));
        let size = remote.metadata.content().map_or(0, |(_, size)| size);
        self.engine.observer.event(&Event::Queued { bytes: size });
        let want = Want {
            parent: place.parent,
            directory: place.directory.clone(),
            name: place.name.clone(),
            version: remote.version,
            metadata: remote.metadata,
            over: local,
            conflict_name: self.conflict_name(place),
        };
        if size > limits::SMALL_FILE_BYTES {
            let standing = local.zip(synced).and_then(|(seen, row)| {
                row.synced
                    .metadata
                    .content()
                    .filter(|(_, size)| *size > limits::SMALL_FILE_BYTES)?;
                Some(Standing {
                    version: row.synced.version,
                    seen,
                })
            });
            self.fetch_large.push((want, standing));
            self.fetch_large_bytes += size;
            if self.fetch_large_bytes >= LARGE_BATCH_BYTES {
                self.request_large()?;
            }
        } else {
            self.fetch_small.push(want);
            self.fetch_small_bytes += size;
            if self.fetch_small.len() >= SMALL_BATCH_FILES
                || self.fetch_small_bytes >= SMALL_BATCH_BYTES
            {
                self.request_small()?;
            }
        }
        Ok(())
    }

    fn fetch_directory(
        &mut self,
        place: &Place<'_>,
        local: Option<Observation>,
        remote: &Remote,
    ) -> Result<(), EngineError> {
        let name = place.name.as_str();
        match local {
            Some(local) if local.kind == ObservedKind::Directory => {
                return self.adopt_directory(place, local, remote);
            }
            Some(local) => {
                // A synced file made way for a directory.
                self.touch(place.parent, place.directory)?;
                let kept = self.conflict_name(place);
                let folder = &self.engine.folder;
                let removed = land::remove(folder, place.handle, place.name, &local, &kept)?;
                if removed == Removed::Other {
                    self.report.again.insert(place.directory.child(name));
                    return Ok(());
                }
            }
            None => {}
        }
        self.touch(place.parent, place.directory)?;
        self.intend(&Intent::land(
            place.parent,
            place.name,
            remote.version,
            &remote.metadata,
        ));
        self.engine.intents.keep()?;
        match place.handle.make(name, remote.metadata.mode) {
            Ok(()) => self.unsynced = true,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.report.again.insert(place.directory.child(name));
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        }
        self.report.fetched += 1;
        match place.handle.observe(name)? {
            Some(local) => self.adopt_directory(place, local, remote),
            None => Ok(()),
        }
    }

    /// Agrees that a local directory is the remote one, and goes into it.
    fn adopt_directory(
        &mut self,
        place: &Place<'_>,
        local: Observation,
        remote: &Remote,
    ) -> Result<(), EngineError> {
        let (item, metadata) = (remote.version.item, remote.metadata.clone());
        let path = place.directory.child(place.name.as_str());
        // One that this client gave itself has the local mode and time: it has
        // agreed on what it gave, and what moved since is given at the end.
        let (seen, wanted) = match remote.own {
            true => (
                Observation {
                    mode: metadata.mode,
                    modified: metadata.modified,
                    ..local
                },
                None,
            ),
            false => (local, Some(metadata.clone())),
        };
        self.agree(
            Some(place.parent),
            place.name.as_str(),
            remote.version,
            metadata,
            seen,
            false,
        )?;
        match wanted {
            Some(metadata) => {
                self.touch_with(item, path.clone(), metadata.clone());
                self.open_for_changes(&path, &metadata)?;
            }
            None => drop(self.touched.insert(item, (path.clone(), None))),
        }
        self.paths.insert(item, path.clone());
        self.walk.push_back((item, path));
        Ok(())
    }

    /// Gives an entry whose content is right the remote's mode and time.
    /// `false` when it changed meanwhile, or is no file.
    fn dress_in_place(
        &mut self,
        place: &Place<'_>,
        local: &Observation,
        remote: &Remote,
    ) -> Result<bool, EngineError> {
        let (name, metadata) = (place.name.as_str(), &remote.metadata);
        match metadata.kind {
            Kind::File { .. } => {
                let Ok(file) = place.handle.open(name) else {
                    return Ok(false);
                };
                if observe_open(&file)? != *local {
                    return Ok(false);
                }
                dress(&file, metadata.mode, metadata.modified)?;
            }
            Kind::Symlink(_) => place.handle.set_time(name, metadata.modified)?,
            Kind::Directory => return Ok(false),
        }
        let Some(seen) = place.handle.observe(name)? else {
            return Ok(false);
        };
        // An edit in the same instant would bear the time just set.
        self.agree(
            Some(place.parent),
            name,
            remote.version,
            metadata.clone(),
            seen,
            seen.kind == ObservedKind::File,
        )?;
        self.report.fetched += 1;
        Ok(true)
    }

    /// Both sides changed: read the local bytes, and settle.
    fn compare(
        &mut self,
        place: &Place<'_>,
        synced: Option<SyncedRow>,
        remote: &Remote,
    ) -> Result<(), EngineError> {
        let path = place.directory.child(place.name.as_str());
        if self.given_out.contains(&path) {
            return Ok(());
        }
        let (local, seen, racy) =
            match examine(&self.engine.folder, place.directory, place.name.as_str()) {
                Ok(examined) => examined,
                Err(error) => return self.unexamined(path, error),
            };
        let agreed = synced.as_ref().map(|row| &row.synced.metadata);
        let settlement = match settle(&local, agreed, remote) {
            Settlement::Conflict => match self.was_landed(&local, synced.as_ref(), remote) {
                Ok(true) => Settlement::Fetch,
                Ok(false) => Settlement::Conflict,
                Err(error) => {
                    self.report.again.insert(path);
                    return self.failed(error);
                }
            },
            settlement => settlement,
        };
        match settlement {
            Settlement::Adopt if local == remote.metadata => {
                self.agree(
                    Some(place.parent),
                    place.name.as_str(),
                    remote.version,
                    local,
                    seen,
                    racy,
                )?;
            }
            Settlement::Adopt => {
                if !self.dress_in_place(place, &seen, remote)? {
                    self.report.again.insert(path);
                }
            }
            Settlement::Fetch => self.fetch(place, Some(seen), synced, remote.clone())?,
            Settlement::UpdateOnRemote
                if local.is_directory() != remote.metadata.is_directory() =>
            {
                // Its kind changed after it was given: the node takes that as another
                // item, once this one is gone.
                self.report.again.insert(path);
                self.delete_remote(place, synced, Some(remote.clone()))?;
            }
            Settlement::UpdateOnRemote => {
                self.offer(
                    place,
                    seen,
                    Some(remote.version),
                    synced.as_ref().map(|row| &row.synced),
                    Some(remote),
                )?;
            }
            Settlement::Conflict => self.conflict(place, seen, remote)?,
        }
        Ok(())
    }

    /// Deleted at the node, and by its look perhaps edited here: the bytes decide.
    fn prove(&mut self, place: &Place<'_>, row: SyncedRow) -> Result<(), EngineError> {
        let path = place.directory.child(place.name.as_str());
        match examine(&self.engine.folder, place.directory, place.name.as_str()) {
            Ok((local, seen, _)) if local.same_content(&row.synced.metadata) => {
                self.removals.push(Removal { row, path, seen });
                Ok(())
            }
            Ok((_, seen, _)) => self.create(place, seen, Some(row)),
            Err(error) => self.unexamined(path, error),
        }
    }

    /// What changed or went while it was read is looked at again.
    fn unexamined(&mut self, path: RelativePath, error: io::Error) -> Result<(), EngineError> {
        match error.kind() {
            io::ErrorKind::Interrupted | io::ErrorKind::NotFound => {
                self.report.again.insert(path);
                Ok(())
            }
            _ => Err(error.into()),
        }
    }

    /// Whether the local bytes are a later version than the agreed one: brought
    /// here by a process that died before it noted so, and nobody's edit.
    fn was_landed(
        &self,
        local: &Metadata,
        synced: Option<&SyncedRow>,
        remote: &Remote,
    ) -> Result<bool, RemoteError> {
        let Kind::File { hash, .. } = &local.kind else {
            return Ok(false);
        };
        let item = remote.version.item;
        let after = synced
            .filter(|row| row.synced.version.item == item)
            .map_or(0, |row| row.synced.version.counter);
        let engine = &self.engine;
        engine.node.has_had(engine.space, item, after, hash)
    }

    /// Different bytes on both sides: nothing is dropped. By default the local
    /// file steps aside under a conflict name and the remote one comes.
    fn conflict(
        &mut self,
        place: &Place<'_>,
        seen: Observation,
        remote: &Remote,
    ) -> Result<(), EngineError> {
        let same_kind = (seen.kind == ObservedKind::Directory) == remote.metadata.is_directory();
        let wins = self.engine.strategy == Strategy::LastWriteWins && self.engine.may_write;
        if wins && same_kind {
            // The replaced version stays in the item's history.
            return self.offer(place, seen, Some(remote.version), None, Some(remote));
        }
        self.touch(place.parent, place.directory)?;
        let mut copy = self.conflict_name(place);
        let mut number = 2;
        loop {
            // Noted first: without the note the copy is still synced, only not
            // known as one.
            self.engine
                .trees
                .note_copy(place.parent, copy.as_str(), remote.version)?;
            match place
                .handle
                .rename(place.name.as_str(), place.handle, copy.as_str())
            {
                Ok(()) => break,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    copy = conflict::numbered(&self.conflict_name(place), number);
                    number += 1;
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        self.unsynced = true;
        self.report.conflicts += 1;
        let path = place.directory.child(place.name.as_str());
        let kept = place.directory.child(copy.as_str());
        self.engine.observer.event(&Event::Conflict {
            path: &path,
            copy: &kept,
        });
        self.report.again.insert(kept);
        let synced = self
            .engine
            .trees
            .synced_child(place.parent, place.name.as_str())?;
        self.fetch(place, None, synced, remote.clone())
    }

    fn conflict_name(&self, place: &Place<'_>) -> base::Name {
        conflict::conflict_name(
            place.name,
            &self.engine.device_name,
            self.engine.clock.now(),
        )
    }

    /// Content that the node has and the new one may resemble.
    fn delta_base(
        &self,
        version: VersionId,
        metadata: &Metadata,
    ) -> Result<Option<DeltaBase>, EngineError> {
        let Some((hash, size)) = metadata.content() else {
            return Ok(None);
        };
        if size <= limits::SMALL_FILE_BYTES {
            return Ok(None);
        }
        Ok(Some(DeltaBase {
            version,
            hash,
            map: self.engine.trees.map(&hash)?,
        }))
    }

    /// Deletes the synced item, or the own version that was never noted.
    fn delete_remote(
        &mut self,
        place: &Place<'_>,
        synced: Option<SyncedRow>,
        remote: Option<Remote>,
    ) -> Result<(), EngineError> {
        let row = match (synced, remote) {
            (Some(row), Some(remote)) => on_top_of(row, &remote),
            (Some(row), None) => row,
            (None, Some(remote)) => SyncedRow {
                parent: Some(place.parent),
                name: place.name.as_str().to_owned(),
                synced: Synced {
                    version: remote.version,
                    metadata: remote.metadata,
                    seen: place.handle.observe_self()?,
                    racy: true,
                },
            },
            (None, None) => return Ok(()),
        };
        self.set_aside_deletion(place, row)
    }

    /// Sets aside the deletion of an item; what is in it follows at the end.
    fn set_aside_deletion(&mut self, place: &Place<'_>, row: SyncedRow) -> Result<(), EngineError> {
        let path = place.directory.child(place.name.as_str());
        if !self.engine.may_write {
            self.report.problems.push((path, DELETED_BY_READER.into()));
            return Ok(());
        }
        if self.given_out.insert(path.clone()) {
            self.deletions.push(Deletion { row, path });
        }
        Ok(())
    }

    /// What goes with a directory that is deleted: its entries that are deleted
    /// at the node when they are absent here, each on its newest version.
    pub(super) fn deletable_children(
        &self,
        directory: &SyncedRow,
    ) -> Result<Vec<SyncedRow>, EngineError> {
        let trees = &self.engine.trees;
        let parent = directory.synced.version.item;
        let mut children = Vec::new();
        for child in trees.synced_children(parent)? {
            let news = Vec::from_iter(trees.news_of(child.synced.version.item)?);
            let remote = trees.overlay(Some(&child), &news)?;
            let step = decide(Sight {
                local: None,
                synced: Some(&child.synced),
                remote: remote.as_ref(),
            });
            if step == Step::DeleteRemote {
                children.push(match &remote {
                    Some(remote) => on_top_of(child, remote),
                    None => child,
                });
            }
        }
        // What this client gave without hearing the answer has no synced row.
        for version in trees.news_children(parent)? {
            let is_synced = trees.synced_item(version.id.item)?.is_some();
            let remote = trees.overlay(None, std::slice::from_ref(&version))?;
            if let Some(remote) = remote.filter(|remote| remote.own && !is_synced) {
                children.push(SyncedRow {
                    parent: Some(parent),
                    name: version.name.as_str().to_owned(),
                    synced: Synced {
                        version: remote.version,
                        metadata: remote.metadata,
                        seen: directory.synced.seen,
                        racy: true,
                    },
                });
            }
        }
        Ok(children)
    }
}

/// The synced row as what a deletion stands on: the node's newest version, once
/// `decide` found that what is new there does not outweigh the deletion.
fn on_top_of(mut row: SyncedRow, remote: &Remote) -> SyncedRow {
    row.synced.version = remote.version;
    row
}

/// Room may come: it is waited for, not told as a problem of one name.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}
