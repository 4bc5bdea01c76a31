//! Versions are written here, and with each the sums, counts and path limits
//! that hang together with the tree.
//!
//! Directories that a transaction touches are held in memory. A change adjusts
//! its parent's sum at once; that the parent's own node hash changed with it is
//! settled once at the end, deepest directories first, so a batch of changes in
//! one directory costs one walk to the root.
//!
//! Invariant: a directory's sum counts each child's node hash as it is, but for
//! a child directory what that child's `included` says.

use crate::error::StateError;
use crate::merkle::{Sum, node_hash};
use crate::rows::{
    self, DIRECTORY, VERSION_COLUMNS, damaged, id, items_with_versions, sql, sum, text, version,
    version_columns,
};
use crate::version::Version;
use base::{Hash, ItemId, Name, SpaceId, limits};
use meta::{Kind, Metadata};
use rusqlite::Connection;
use std::collections::{BTreeSet, HashMap};

/// The trees of all spaces, as one transaction sees and changes them.
pub(super) struct Trees<'t> {
    db: &'t Connection,
    directories: HashMap<ItemId, Directory>,
    spaces: HashMap<SpaceId, Totals>,
}

/// An existing directory.
struct Directory {
    space: SpaceId,
    /// `None` for a root.
    parent: Option<ItemId>,
    name: Name,
    state: Metadata,
    sum: Sum,
    /// Its node hash as its parent's sum counts it now.
    included: Hash,
    /// Whether `sum` differs from the stored one.
    changed: bool,
    /// Where it stands, once somebody asked.
    place: Option<Place>,
}

/// How far below the root a directory stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Place {
    depth: usize,
    /// Length of its path; 0 for a root.
    bytes: usize,
}

/// What changed in a space.
#[derive(Default)]
struct Totals {
    files: i64,
    directories: i64,
    bytes: i64,
    /// No path of the space is longer than this. It never shrinks.
    longest_path: usize,
}

impl Place {
    /// Length of the path of a child.
    fn child_bytes(self, name: &Name) -> usize {
        let separator = usize::from(self.bytes > 0);
        self.bytes + separator + name.as_str().len()
    }
}

impl<'t> Trees<'t> {
    pub(super) fn new(db: &'t Connection) -> Self {
        Self {
            db,
            directories: HashMap::new(),
            spaces: HashMap::new(),
        }
    }

    /// Whether the item is an existing directory of the space.
    pub(super) fn is_directory(
        &mut self,
        space: SpaceId,
        item: ItemId,
    ) -> Result<bool, StateError> {
        Ok(self.find(item)?.is_some_and(|found| found.space == space))
    }

    /// Whether `item` is `beneath` or one of the directories that hold it.
    pub(super) fn holds(&mut self, item: ItemId, beneath: ItemId) -> Result<bool, StateError> {
        let mut next = Some(beneath);
        while let Some(directory) = next {
            if directory == item {
                return Ok(true);
            }
            next = self.known(directory)?.parent;
        }
        Ok(false)
    }

    /// Whether a new child's path is short enough; notes its length.
    pub(super) fn path_fits(
        &mut self,
        space: SpaceId,
        parent: ItemId,
        name: &Name,
    ) -> Result<bool, StateError> {
        let bytes = self.place(parent)?.child_bytes(name);
        if bytes > limits::PATH_BYTES {
            return Ok(false);
        }
        let totals = self.totals(space)?;
        totals.longest_path = totals.longest_path.max(bytes);
        Ok(true)
    }

    /// Whether a directory's new path leaves all paths beneath it short enough.
    ///
    /// The space's longest path bounds them, so only in a space that has had
    /// paths near the limit does a move look at what it moves.
    pub(super) fn subtree_fits(
        &mut self,
        space: SpaceId,
        directory: ItemId,
        parent: ItemId,
        name: &Name,
    ) -> Result<bool, StateError> {
        let old = self.place(directory)?.bytes;
        let new = self.place(parent)?.child_bytes(name);
        let moved = |path: usize| (path + new).saturating_sub(old);
        let bound = self.totals(space)?.longest_path;
        if new <= old {
            return Ok(true);
        }
        let longest = if moved(bound) <= limits::PATH_BYTES {
            moved(bound)
        } else {
            moved(self.longest_beneath(directory, old)?)
        };
        if longest > limits::PATH_BYTES {
            return Ok(false);
        }
        let totals = self.totals(space)?;
        totals.longest_path = totals.longest_path.max(longest);
        Ok(true)
    }

    /// Writes a version after the current one of its item, or as its first.
    /// The caller has checked that the tree stays one.
    pub(super) fn write(
        &mut self,
        space: SpaceId,
        old: Option<&Version>,
        new: Version,
    ) -> Result<(), StateError> {
        self.count(space, old, -1)?;
        self.count(space, Some(&new), 1)?;
        // Before the rows change: a directory is loaded as its parent counts it.
        if let Some(old) = old {
            self.detach(old)?;
        }
        rows::insert_version(self.db, space, &new)?;
        rows::store_item(self.db, space, &new)?;
        self.attach(space, old, new)
    }

    /// Settles node hashes and writes sums and counts.
    pub(super) fn finish(mut self) -> Result<(), StateError> {
        self.settle()?;
        let mut store = self
            .db
            .prepare_cached("INSERT OR REPLACE INTO directories (item, sum) VALUES (?, ?)")?;
        for (item, directory) in &self.directories {
            if directory.changed {
                store.execute((sql(item.to_u64()), directory.sum.to_bytes()))?;
            }
        }
        let mut add = self.db.prepare_cached(
            "UPDATE spaces SET files = files + ?, directories = directories + ?,
             bytes = bytes + ?, longest_path = ? WHERE space = ?",
        )?;
        for (space, totals) in &self.spaces {
            add.execute((
                totals.files,
                totals.directories,
                totals.bytes,
                totals.longest_path as i64,
                sql(space.to_u64()),
            ))?;
        }
        Ok(())
    }

    /// Takes an item's node hash out of the sum of the directory it leaves.
    fn detach(&mut self, old: &Version) -> Result<(), StateError> {
        let Some(state) = &old.state else {
            return Ok(());
        };
        let node = if state.is_directory() {
            self.known(old.id.item)?.included
        } else {
            node_hash(old.name.as_str(), state, Sum::EMPTY)
        };
        self.adjust(old, |sum| sum.subtract(&node))
    }

    /// Adds an item's node hash to the sum of the directory that holds it now,
    /// and keeps what is known of directories true.
    fn attach(
        &mut self,
        space: SpaceId,
        old: Option<&Version>,
        new: Version,
    ) -> Result<(), StateError> {
        let item = new.id.item;
        let Some(state) = new.state.clone() else {
            return self.forget(item);
        };
        if !state.is_directory() {
            let node = node_hash(new.name.as_str(), &state, Sum::EMPTY);
            return self.adjust(&new, |sum| sum.add(&node));
        }
        let moves = old.is_some_and(|old| old.parent != new.parent || old.name != new.name);
        if moves {
            self.directories
                .values_mut()
                .for_each(|directory| directory.place = None);
        }
        let sum = match old {
            Some(_) => self.known(item)?.sum,
            None => Sum::EMPTY,
        };
        let node = node_hash(new.name.as_str(), &state, sum);
        self.adjust(&new, |sum| sum.add(&node))?;
        let before = self.directories.remove(&item);
        let directory = Directory {
            space,
            parent: (!new.is_root()).then_some(new.parent),
            name: new.name,
            state,
            sum,
            included: node,
            changed: before.as_ref().is_none_or(|before| before.changed),
            place: before.and_then(|before| before.place),
        };
        self.directories.insert(item, directory);
        Ok(())
    }

    /// Drops a deleted item, which a directory was only when it was empty.
    fn forget(&mut self, item: ItemId) -> Result<(), StateError> {
        if self.directories.remove(&item).is_some() {
            self.db
                .prepare_cached("DELETE FROM directories WHERE item = ?")?
                .execute([sql(item.to_u64())])?;
        }
        Ok(())
    }

    fn adjust(&mut self, child: &Version, change: impl FnOnce(&mut Sum)) -> Result<(), StateError> {
        if !child.is_root() {
            let parent = self.known(child.parent)?;
            change(&mut parent.sum);
            parent.changed = true;
        }
        Ok(())
    }

    /// Carries changed sums up: each directory is done after all beneath it.
    fn settle(&mut self) -> Result<(), StateError> {
        let changed: Vec<ItemId> = self
            .directories
            .iter()
            .filter_map(|(item, directory)| directory.changed.then_some(*item))
            .collect();
        let mut waiting = BTreeSet::new();
        for item in changed {
            waiting.insert((self.place(item)?.depth, item));
        }
        while let Some((depth, item)) = waiting.pop_last() {
            let directory = self.known(item)?;
            let node = node_hash(directory.name.as_str(), &directory.state, directory.sum);
            let counted = std::mem::replace(&mut directory.included, node);
            let Some(parent) = directory.parent else {
                continue;
            };
            if counted != node {
                let holder = self.known(parent)?;
                holder.sum.subtract(&counted);
                holder.sum.add(&node);
                holder.changed = true;
                waiting.insert((depth - 1, parent));
            }
        }
        Ok(())
    }

    fn place(&mut self, item: ItemId) -> Result<Place, StateError> {
        let mut above = Vec::new();
        let mut next = Some(item);
        let mut place = loop {
            let Some(directory) = next else {
                break None;
            };
            let known = self.known(directory)?;
            if known.place.is_some() {
                break known.place;
            }
            above.push(directory);
            next = known.parent;
        };
        for directory in above.into_iter().rev() {
            let known = self.known(directory)?;
            let here = place.map_or_else(Place::default, |holder: Place| Place {
                depth: holder.depth + 1,
                bytes: holder.child_bytes(&known.name),
            });
            known.place = Some(here);
            place = Some(here);
        }
        place.ok_or_else(|| damaged("a directory without a place"))
    }

    /// Length of the longest path of what stands beneath a directory whose own
    /// path has `bytes`, itself included.
    fn longest_beneath(&self, directory: ItemId, bytes: usize) -> Result<usize, StateError> {
        let mut statement = self
            .db
            .prepare_cached("SELECT item, name, kind FROM items WHERE parent = ? AND kind <> 0")?;
        let mut longest = bytes;
        let mut waiting = vec![(directory, bytes)];
        while let Some((directory, bytes)) = waiting.pop() {
            let mut rows = statement.query([sql(directory.to_u64())])?;
            while let Some(row) = rows.next()? {
                let path = bytes + 1 + text(row, 1)?.len();
                longest = longest.max(path);
                if row.get::<_, u32>(2)? == DIRECTORY {
                    waiting.push((id(row, 0, ItemId::from_u64)?, path));
                }
            }
        }
        Ok(longest)
    }

    /// A directory that must exist.
    fn known(&mut self, item: ItemId) -> Result<&mut Directory, StateError> {
        self.find(item)?
            .ok_or_else(|| damaged(format!("directory {item} is missing")))
    }

    fn find(&mut self, item: ItemId) -> Result<Option<&mut Directory>, StateError> {
        if !self.directories.contains_key(&item) {
            let Some(directory) = load_directory(self.db, item)? else {
                return Ok(None);
            };
            self.directories.insert(item, directory);
        }
        Ok(self.directories.get_mut(&item))
    }

    fn totals(&mut self, space: SpaceId) -> Result<&mut Totals, StateError> {
        if !self.spaces.contains_key(&space) {
            let mut statement = self
                .db
                .prepare_cached("SELECT longest_path FROM spaces WHERE space = ?")?;
            let longest_path: i64 = statement.query_row([sql(space.to_u64())], |row| row.get(0))?;
            let totals = Totals {
                longest_path: usize::try_from(longest_path).map_err(damaged)?,
                ..Totals::default()
            };
            self.spaces.insert(space, totals);
        }
        Ok(self.spaces.get_mut(&space).expect("it was just inserted"))
    }

    fn count(
        &mut self,
        space: SpaceId,
        version: Option<&Version>,
        sign: i64,
    ) -> Result<(), StateError> {
        let totals = self.totals(space)?;
        let Some(version) = version.filter(|version| !version.is_root()) else {
            return Ok(());
        };
        match version.state.as_ref().map(|state| &state.kind) {
            None => {}
            Some(Kind::Directory) => totals.directories += sign,
            Some(Kind::Symlink(_)) => totals.files += sign,
            Some(Kind::File { size, .. }) => {
                totals.files += sign;
                totals.bytes += sign * sql(*size);
            }
        }
        Ok(())
    }
}

fn load_directory(db: &Connection, item: ItemId) -> Result<Option<Directory>, StateError> {
    let mut statement = db.prepare_cached(concat!(
        "SELECT ",
        version_columns!(),
        ", d.sum FROM ",
        items_with_versions!(),
        " JOIN directories d ON d.item = i.item WHERE i.item = ?"
    ))?;
    let mut rows = statement.query([sql(item.to_u64())])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let sum = sum(row, VERSION_COLUMNS)?;
    let placed = version(row)?;
    let parent = (!placed.version.is_root()).then_some(placed.version.parent);
    let state = placed
        .version
        .state
        .ok_or_else(|| damaged("a sum of a deleted directory"))?;
    Ok(Some(Directory {
        space: placed.space,
        parent,
        included: node_hash(placed.version.name.as_str(), &state, sum),
        name: placed.version.name,
        state,
        sum,
        changed: false,
        place: None,
    }))
}
