//! Brings back everything that was beneath a directory, commit by commit. What
//! is newer is never removed: another version of a file is replaced and said to
//! be, and where a file stands in a directory's place, or the other way round,
//! what is there stays and is named.
//!
//! Which tree it was is found by `state`; [`super::restore`] asks for this.

use super::Service;
use super::access::Caller;
use super::tree_edit;
use crate::problem::Problem;
use base::{ItemId, SpaceId};
use state::{Base, Change, Outcome, Parent, PastEntry, Reader, Version};
use std::collections::HashMap;

/// Changes of one commit: links with longest targets still fit a command, and
/// others wait a few milliseconds for it.
const CHANGES: usize = 512;

/// Entries looked at in one go: a read thread serves others in between.
const LOOKED_AT: usize = 4096;

/// Paths in the way that an answer names.
const NAMED: usize = 20;

/// What came of it.
#[derive(Debug, Default)]
pub struct Report {
    /// Entries that are there again.
    pub created: u64,
    /// Files that were there in another version.
    pub replaced: u64,
    /// Entries that were as they had been.
    pub unchanged: u64,
    /// Entries that did not come back.
    pub blocked: u64,
    /// Paths of what stands where some of them would, at most [`NAMED`].
    pub in_the_way: Vec<String>,
}

/// Where the children of a directory of the old tree go.
#[derive(Clone, Copy)]
enum Place {
    There(ItemId),
    /// Made by this change of the batch.
    Coming(u16),
    Nowhere,
}

struct Restoring {
    space: SpaceId,
    entries: Vec<PastEntry>,
    /// The first entry that no batch has seen.
    next: usize,
    places: HashMap<ItemId, Place>,
    /// The changes under way, and the entry and whether it replaces for each.
    changes: Vec<Change>,
    made_of: Vec<(usize, bool)>,
    report: Report,
}

/// Restores `entries`, directories first, beneath `target`.
///
/// # Errors
/// What a commit says as a whole; single entries that cannot be are counted.
pub async fn run(
    service: &Service,
    caller: Caller,
    space: SpaceId,
    target: ItemId,
    entries: Vec<PastEntry>,
) -> Result<Report, Problem> {
    // The old directory itself is the parent of the first entry.
    let places = entries
        .first()
        .map(|first| (first.parent, Place::There(target)));
    let mut restoring = Restoring {
        space,
        next: 0,
        places: places.into_iter().collect(),
        changes: Vec::new(),
        made_of: Vec::new(),
        report: Report::default(),
        entries,
    };
    while restoring.next < restoring.entries.len() {
        restoring = service
            .node
            .read(move |reader| {
                restoring.look(reader)?;
                Ok(restoring)
            })
            .await?;
        let changes = std::mem::take(&mut restoring.changes);
        if !changes.is_empty() {
            let outcomes = tree_edit::commit(service, caller, space, changes).await?;
            restoring.conclude(&outcomes);
        }
    }
    Ok(restoring.report)
}

impl Restoring {
    /// Decides on the next entries, until a commit is full.
    fn look(&mut self, reader: &Reader) -> Result<(), Problem> {
        let end = self.entries.len().min(self.next + LOOKED_AT);
        while self.next < end && self.changes.len() < CHANGES {
            let number = self.next;
            self.next += 1;
            self.decide(reader, number)?;
        }
        Ok(())
    }

    fn decide(&mut self, reader: &Reader, number: usize) -> Result<(), Problem> {
        let entry = self.entries[number];
        let old = reader.past_version(self.space, entry)?;
        let old = old.ok_or_else(|| Problem::Internal("a version is missing".to_owned()))?;
        let (parent, current) = match self.place(entry.parent) {
            Place::Nowhere => {
                self.block(entry.item);
                return Ok(());
            }
            Place::Coming(change) => (Parent::Change(change), None),
            Place::There(item) => (Parent::Item(item), reader.child(item, &old.name)?),
        };
        match current {
            None => {
                let base = Base::Absent {
                    parent,
                    name: old.name.clone(),
                };
                self.put(number, base, old, false);
            }
            Some(current) if current.is_directory() && old.is_directory() => {
                self.report.unchanged += 1;
                self.places
                    .insert(entry.item, Place::There(current.id.item));
            }
            Some(current) if current.is_directory() != old.is_directory() => {
                if self.report.in_the_way.len() < NAMED {
                    let path = reader.path_of(current.id.item)?;
                    self.report.in_the_way.extend(path);
                }
                self.block(entry.item);
            }
            Some(current) if current.state == old.state => self.report.unchanged += 1,
            Some(current) => self.put(number, Base::Version(current.id), old, true),
        }
        Ok(())
    }

    fn place(&self, directory: ItemId) -> Place {
        self.places
            .get(&directory)
            .copied()
            .unwrap_or(Place::Nowhere)
    }

    fn block(&mut self, item: ItemId) {
        self.report.blocked += 1;
        self.places.insert(item, Place::Nowhere);
    }

    fn put(&mut self, number: usize, base: Base, old: Version, replaces: bool) {
        let is_directory = old.is_directory();
        let Some(metadata) = old.state else {
            return;
        };
        if is_directory {
            // A batch has few changes, so their numbers fit.
            let place = Place::Coming(self.changes.len() as u16);
            self.places.insert(self.entries[number].item, place);
        }
        self.made_of.push((number, replaces));
        self.changes.push(Change::Put {
            base,
            metadata,
            conflict_of: None,
        });
    }

    /// Learns what became of the batch.
    fn conclude(&mut self, outcomes: &[Outcome]) {
        for ((number, replaces), outcome) in
            std::mem::take(&mut self.made_of).into_iter().zip(outcomes)
        {
            let item = self.entries[number].item;
            match outcome {
                Outcome::Committed(id) | Outcome::Same(id) => {
                    let counted = match (outcome, replaces) {
                        (Outcome::Same(_), _) => &mut self.report.unchanged,
                        (_, true) => &mut self.report.replaced,
                        (_, false) => &mut self.report.created,
                    };
                    *counted += 1;
                    if let Some(place @ Place::Coming(_)) = self.places.get_mut(&item) {
                        *place = Place::There(id.item);
                    }
                }
                // Someone was faster; what they wrote stays.
                Outcome::Conflict { .. } | Outcome::Refused(_) => self.block(item),
            }
        }
    }
}
