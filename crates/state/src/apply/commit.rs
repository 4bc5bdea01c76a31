//! The changes of a commit, one after another, each against the tree that the
//! one before left behind. Whether a base is current is decided here and
//! nowhere else.
//!
//! | change | base current | what stands is already so | otherwise |
//! |---|---|---|---|
//! | put on nothing | nothing has the name: new item | equal state, or both directories: `Same` | `Conflict` with what stands |
//! | put on a version | counters equal: next version | equal state: `Same` | `Conflict` |
//! | move | counters equal, name free | at that place: `Same` | `Conflict`, with the occupant if the name is taken |
//! | delete | counters equal, no children | deleted: `Same` | `Conflict` |
//!
//! A deleted item never comes back: its successor is a new item. A conflict is
//! recorded when bytes are at stake: a file or link was put where other content
//! stands, or where it was deleted.

use super::access::barred;
use super::conflict::{self, Lost};
use super::trees::Trees;
use super::{Effect, Entry};
use crate::command::{Base, Change, Commit, Parent, Role};
use crate::error::StateError;
use crate::outcome::{Outcome, Refusal, Reply};
use crate::rows;
use crate::version::Version;
use base::{ItemId, Name, SpaceId, VersionId};
use meta::Metadata;
use rusqlite::Connection;

pub(super) fn apply(
    db: &Connection,
    trees: &mut Trees<'_>,
    entry: Entry,
    commit: &Commit,
) -> Result<Effect, StateError> {
    if let Some(denial) = barred(db, entry.device, commit.space, Role::Editor)? {
        return Ok(denial.into());
    }
    let mut work = Work {
        db,
        trees,
        entry,
        space: commit.space,
        outcomes: Vec::with_capacity(commit.changes.len()),
    };
    for change in &commit.changes {
        let outcome = match work.change(change) {
            Ok(outcome) => outcome,
            Err(Stop::Refused(refusal)) => Outcome::Refused(refusal),
            Err(Stop::Failed(error)) => return Err(error),
        };
        work.outcomes.push(outcome);
    }
    let grew = work
        .outcomes
        .iter()
        .any(|outcome| matches!(outcome, Outcome::Committed(_)));
    Ok(Effect {
        space: grew.then_some(commit.space),
        reply: Reply::Commit(work.outcomes),
    })
}

/// A commit under way.
struct Work<'w, 't> {
    db: &'w Connection,
    trees: &'w mut Trees<'t>,
    entry: Entry,
    space: SpaceId,
    /// Of the changes before this one.
    outcomes: Vec<Outcome>,
}

/// Why a change goes no further.
enum Stop {
    Refused(Refusal),
    Failed(StateError),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<StateError> for Stop {
    fn from(error: StateError) -> Self {
        Self::Failed(error)
    }
}

/// A put, without its base.
#[derive(Clone, Copy)]
struct Put<'c> {
    metadata: &'c Metadata,
    conflict_of: Option<VersionId>,
}

impl Work<'_, '_> {
    fn change(&mut self, change: &Change) -> Result<Outcome, Stop> {
        match change {
            Change::Put {
                base,
                metadata,
                conflict_of,
            } => {
                if let Some(original) = conflict_of {
                    self.standing(original.item)?;
                }
                let put = Put {
                    metadata,
                    conflict_of: *conflict_of,
                };
                match base {
                    Base::Absent { parent, name } => self.put_new(*parent, name, put),
                    Base::Version(base) => self.put_over(*base, put),
                }
            }
            Change::Move { base, parent, name } => self.move_to(*base, *parent, name),
            Change::Delete { base } => self.delete(*base),
        }
    }

    fn put_new(&mut self, parent: Parent, name: &Name, put: Put<'_>) -> Result<Outcome, Stop> {
        let parent = self.directory(parent)?;
        if let Some(placed) = rows::child(self.db, parent, name.as_str())? {
            let standing = placed.version;
            let both_directories = standing.is_directory() && put.metadata.is_directory();
            if both_directories || standing.state.as_ref() == Some(put.metadata) {
                return self.same(&standing, put);
            }
            return self.lost(standing, 0, put);
        }
        if !self.trees.path_fits(self.space, parent, name)? {
            return Err(Refusal::PathTooLong.into());
        }
        let id = VersionId {
            item: ItemId::new(self.entry.index, self.ordinal()),
            counter: 1,
        };
        let version = self.version(id, parent, name.clone(), Some(put.metadata.clone()));
        self.trees.write(self.space, None, version)?;
        self.note_copy(id.item, put)?;
        Ok(Outcome::Committed(id))
    }

    fn put_over(&mut self, base: VersionId, put: Put<'_>) -> Result<Outcome, Stop> {
        let standing = self.standing(base.item)?;
        let Some(state) = &standing.state else {
            return self.lost(standing, base.counter, put);
        };
        if state == put.metadata {
            return self.same(&standing, put);
        }
        if standing.id != base {
            return self.lost(standing, base.counter, put);
        }
        if state.is_directory() != put.metadata.is_directory() {
            return Err(Refusal::KindChange.into());
        }
        let version = self.version(
            next(base),
            standing.parent,
            standing.name.clone(),
            Some(put.metadata.clone()),
        );
        let id = self.replace(&standing, version)?;
        conflict::settle(self.db, self.entry.device, base.item)?;
        self.note_copy(base.item, put)?;
        Ok(Outcome::Committed(id))
    }

    fn move_to(&mut self, base: VersionId, parent: Parent, name: &Name) -> Result<Outcome, Stop> {
        let standing = self.standing(base.item)?;
        if standing.is_root() {
            return Err(Refusal::Root.into());
        }
        let parent = self.directory(parent)?;
        if standing.state.is_none() {
            return Ok(Outcome::Conflict { current: None });
        }
        if standing.parent == parent && standing.name == *name {
            return Ok(Outcome::Same(standing.id));
        }
        if standing.id != base {
            return Ok(Outcome::Conflict {
                current: Some(standing),
            });
        }
        if let Some(occupant) = rows::child(self.db, parent, name.as_str())? {
            return Ok(Outcome::Conflict {
                current: Some(occupant.version),
            });
        }
        let fits = if standing.is_directory() {
            if self.trees.holds(base.item, parent)? {
                return Err(Refusal::Cycle.into());
            }
            self.trees
                .subtree_fits(self.space, base.item, parent, name)?
        } else {
            self.trees.path_fits(self.space, parent, name)?
        };
        if !fits {
            return Err(Refusal::PathTooLong.into());
        }
        let version = self.version(next(base), parent, name.clone(), standing.state.clone());
        Ok(Outcome::Committed(self.replace(&standing, version)?))
    }

    fn delete(&mut self, base: VersionId) -> Result<Outcome, Stop> {
        let standing = self.standing(base.item)?;
        if standing.is_root() {
            return Err(Refusal::Root.into());
        }
        if standing.state.is_none() {
            return Ok(Outcome::Same(standing.id));
        }
        if standing.id != base {
            return Ok(Outcome::Conflict {
                current: Some(standing),
            });
        }
        if standing.is_directory() && rows::has_children(self.db, base.item)? {
            return Err(Refusal::NotEmpty.into());
        }
        let version = self.version(next(base), standing.parent, standing.name.clone(), None);
        Ok(Outcome::Committed(self.replace(&standing, version)?))
    }

    /// What was to be put stands there already.
    fn same(&self, standing: &Version, put: Put<'_>) -> Result<Outcome, Stop> {
        conflict::settle(self.db, self.entry.device, standing.id.item)?;
        self.note_copy(standing.id.item, put)?;
        Ok(Outcome::Same(standing.id))
    }

    /// Something else stands there, or stood there and was deleted.
    fn lost(&self, standing: Version, base: u64, put: Put<'_>) -> Result<Outcome, Stop> {
        let same_bytes = standing
            .state
            .as_ref()
            .is_some_and(|state| state.same_content(put.metadata));
        // A conflict copy that finds its name taken tries another name.
        if !same_bytes && !put.metadata.is_directory() && put.conflict_of.is_none() {
            let lost = Lost {
                space: self.space,
                item: standing.id.item,
                base,
                current: standing.id.counter,
                loser: put.metadata,
                copy: None,
            };
            conflict::record(self.db, self.entry, self.ordinal(), &lost)?;
        }
        Ok(Outcome::Conflict {
            current: standing.state.is_some().then_some(standing),
        })
    }

    /// Notes that `copy` holds what lost against the version that it names.
    fn note_copy(&self, copy: ItemId, put: Put<'_>) -> Result<(), StateError> {
        let Some(original) = put.conflict_of else {
            return Ok(());
        };
        let lost = Lost {
            space: self.space,
            item: original.item,
            base: 0,
            current: original.counter,
            loser: put.metadata,
            copy: Some(copy),
        };
        conflict::record(self.db, self.entry, self.ordinal(), &lost)
    }

    /// The current version of an item of this space, its deletion included.
    fn standing(&self, item: ItemId) -> Result<Version, Stop> {
        match rows::current(self.db, item)? {
            Some(placed) if placed.space == self.space => Ok(placed.version),
            _ => Err(Refusal::NoSuchItem.into()),
        }
    }

    /// The existing directory of this space that a change names.
    fn directory(&mut self, parent: Parent) -> Result<ItemId, Stop> {
        let item = match parent {
            Parent::Item(item) => item,
            Parent::Change(ordinal) => match self.outcomes.get(usize::from(ordinal)) {
                Some(Outcome::Committed(id) | Outcome::Same(id)) => id.item,
                _ => return Err(Refusal::ParentMissing.into()),
            },
        };
        if self.trees.is_directory(self.space, item)? {
            return Ok(item);
        }
        match self.standing(item) {
            Ok(standing) if standing.state.is_some() => Err(Refusal::NotADirectory.into()),
            Ok(_) | Err(Stop::Refused(_)) => Err(Refusal::ParentMissing.into()),
            Err(failed) => Err(failed),
        }
    }

    fn replace(&mut self, old: &Version, new: Version) -> Result<VersionId, StateError> {
        let id = new.id;
        self.trees.write(self.space, Some(old), new)?;
        Ok(id)
    }

    fn version(
        &self,
        id: VersionId,
        parent: ItemId,
        name: Name,
        state: Option<Metadata>,
    ) -> Version {
        Version {
            id,
            parent,
            name,
            state,
            device: self.entry.device,
            time: self.entry.time,
            index: self.entry.index,
            ordinal: self.ordinal(),
        }
    }

    /// The number of the change under way, within the commit.
    fn ordinal(&self) -> u16 {
        // Decoding bounds the changes of a command far below 2^16.
        self.outcomes.len() as u16
    }
}

fn next(base: VersionId) -> VersionId {
    VersionId {
        item: base.item,
        counter: base.counter + 1,
    }
}
