//! The tree as it was: what stood at a path at a moment or ever, and all that
//! lay beneath a directory then. For people who restore: each question looks at
//! every version of the space once, so clients that sync must not ask it.
//!
//! What becomes of the answer is `server`'s business.

use super::Reader;
use crate::error::StateError;
use crate::rows::{self, id, number, sql, text, version, version_columns};
use crate::version::Version;
use base::{ItemId, Millis, Name, SpaceId};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// An item of a tree as it was, and where its version of that time stands in
/// the feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PastEntry {
    /// The item.
    pub item: ItemId,
    /// The directory that held it then.
    pub parent: ItemId,
    /// The entry that made its version of that time.
    pub index: u64,
    /// The version's change within that entry.
    pub ordinal: u16,
}

/// Which items ever had which name in which directory.
type Tenants = BTreeMap<String, BTreeSet<(ItemId, ItemId)>>;

impl Reader {
    /// The version that stood at a path at `time`, whatever its item is called
    /// now and whatever stands there now. The root at the empty path.
    ///
    /// # Errors
    /// [`StateError`] when the projection cannot be read.
    pub fn resolve_at(
        &self,
        space: SpaceId,
        names: &[Name],
        time: Millis,
    ) -> Result<Option<Version>, StateError> {
        self.at_once(|reader| {
            let tenants = reader.tenants(space, names)?;
            let mut found = reader.version_at(ItemId::root_of(space), time)?;
            for name in names {
                let Some(parent) = found else { return Ok(None) };
                found = reader.tenant_at(&tenants, parent.id.item, name, time)?;
            }
            Ok(found)
        })
    }

    /// The versions that ever stood at a path, of whatever items, and all those
    /// of the item that stands there now; newest first.
    ///
    /// # Errors
    /// [`StateError`] when the projection cannot be read.
    pub fn path_history(
        &self,
        space: SpaceId,
        names: &[Name],
        limit: usize,
    ) -> Result<Vec<Version>, StateError> {
        self.at_once(|reader| {
            let Some((last, above)) = names.split_last() else {
                return reader.history(ItemId::root_of(space), limit);
            };
            let parents = reader.ever_at(space, above)?;
            let mut versions = reader.stood_in(space, &parents, last, limit)?;
            let joined: Vec<&str> = names.iter().map(Name::as_str).collect();
            if let Some(current) = reader.resolve(space, &joined.join("/"))? {
                versions.extend(reader.history(current.id.item, limit)?);
            }
            versions.sort_by_key(|version| std::cmp::Reverse(version.place()));
            versions.dedup_by_key(|version| version.place());
            versions.truncate(limit);
            Ok(versions)
        })
    }

    /// Everything that lay beneath a directory at `time`, directories before
    /// what is in them. `None` when the space held more than `limit` items then.
    ///
    /// # Errors
    /// [`StateError`] when the projection cannot be read.
    pub fn tree_at(
        &self,
        space: SpaceId,
        directory: ItemId,
        time: Millis,
        limit: usize,
    ) -> Result<Option<Vec<PastEntry>>, StateError> {
        let Some(items) = self.items_at(space, time, limit)? else {
            return Ok(None);
        };
        let mut entries: Vec<PastEntry> = items.into_values().collect();
        entries.sort_unstable_by_key(|entry| (entry.parent, entry.item));
        let mut beneath: Vec<PastEntry> = Vec::new();
        let (mut parent, mut next) = (directory, 0);
        loop {
            let begin = entries.partition_point(|entry| entry.parent < parent);
            let children = entries[begin..]
                .iter()
                .take_while(|entry| entry.parent == parent);
            // A root is its own parent, and not beneath itself.
            beneath.extend(children.filter(|entry| entry.item != entry.parent));
            let Some(entry) = beneath.get(next) else {
                return Ok(Some(beneath));
            };
            (parent, next) = (entry.item, next + 1);
        }
    }

    /// The version of an entry.
    ///
    /// # Errors
    /// [`StateError`] when the projection cannot be read.
    pub fn past_version(
        &self,
        space: SpaceId,
        entry: PastEntry,
    ) -> Result<Option<Version>, StateError> {
        let mut statement = self.db.prepare_cached(concat!(
            "SELECT ",
            version_columns!(),
            " FROM versions v WHERE v.space = ? AND v.idx = ? AND v.ordinal = ?"
        ))?;
        let mut rows = statement.query((sql(space.to_u64()), sql(entry.index), entry.ordinal))?;
        Ok(rows.next()?.map(version).transpose()?.map(|at| at.version))
    }

    /// The items that existed at `time`; `None` when more than `limit` did.
    fn items_at(
        &self,
        space: SpaceId,
        time: Millis,
        limit: usize,
    ) -> Result<Option<HashMap<ItemId, PastEntry>>, StateError> {
        // Times rise with places, so this reads a beginning of the feed.
        let mut statement = self.db.prepare_cached(
            "SELECT item, parent, idx, ordinal, metadata IS NOT NULL FROM versions
             WHERE space = ? AND time <= ? ORDER BY idx, ordinal",
        )?;
        let time = i64::try_from(time).unwrap_or(i64::MAX);
        let mut rows = statement.query((sql(space.to_u64()), time))?;
        let mut items = HashMap::new();
        while let Some(row) = rows.next()? {
            let item = id(row, 0, ItemId::from_u64)?;
            let entry = PastEntry {
                item,
                parent: id(row, 1, ItemId::from_u64)?,
                index: number(row, 2)?,
                ordinal: row.get(3)?,
            };
            if row.get(4)? {
                items.insert(item, entry);
            } else {
                items.remove(&item);
            }
            if items.len() > limit {
                return Ok(None);
            }
        }
        Ok(Some(items))
    }

    /// Who ever had the names of a path, in one pass over the space.
    fn tenants(&self, space: SpaceId, names: &[Name]) -> Result<Tenants, StateError> {
        let mut tenants: Tenants = names
            .iter()
            .map(|name| (name.as_str().to_owned(), BTreeSet::new()))
            .collect();
        if tenants.is_empty() {
            return Ok(tenants);
        }
        let mut statement = self
            .db
            .prepare_cached("SELECT name, parent, item FROM versions WHERE space = ?")?;
        let mut rows = statement.query([sql(space.to_u64())])?;
        while let Some(row) = rows.next()? {
            if let Some(of_name) = tenants.get_mut(text(row, 0)?) {
                let parent = id(row, 1, ItemId::from_u64)?;
                of_name.insert((parent, id(row, 2, ItemId::from_u64)?));
            }
        }
        Ok(tenants)
    }

    fn tenant_at(
        &self,
        tenants: &Tenants,
        parent: ItemId,
        name: &Name,
        time: Millis,
    ) -> Result<Option<Version>, StateError> {
        for item in tenants_in(tenants, parent, name) {
            let then = self.version_at(item, time)?;
            let stands = |version: &Version| {
                version.state.is_some()
                    && !version.is_root()
                    && (version.parent, &version.name) == (parent, name)
            };
            if let Some(version) = then.filter(stands) {
                return Ok(Some(version));
            }
        }
        Ok(None)
    }

    /// The items that ever stood at a path.
    fn ever_at(&self, space: SpaceId, names: &[Name]) -> Result<BTreeSet<ItemId>, StateError> {
        let tenants = self.tenants(space, names)?;
        let mut items = BTreeSet::from([ItemId::root_of(space)]);
        for name in names {
            items = items
                .iter()
                .flat_map(|parent| tenants_in(&tenants, *parent, name))
                .collect();
        }
        Ok(items)
    }

    /// The versions that had a name in one of `parents`, newest first.
    fn stood_in(
        &self,
        space: SpaceId,
        parents: &BTreeSet<ItemId>,
        name: &Name,
        limit: usize,
    ) -> Result<Vec<Version>, StateError> {
        let mut statement = self.db.prepare_cached(concat!(
            "SELECT ",
            version_columns!(),
            " FROM versions v WHERE v.space = ? AND v.name = ?
             ORDER BY v.idx DESC, v.ordinal DESC"
        ))?;
        let mut rows = statement.query((sql(space.to_u64()), name.as_str()))?;
        let mut versions = Vec::new();
        while versions.len() < limit
            && let Some(row) = rows.next()?
        {
            let rows::Placed { version, .. } = version(row)?;
            if parents.contains(&version.parent) && !version.is_root() {
                versions.push(version);
            }
        }
        Ok(versions)
    }
}

/// The items that ever had a name in a directory, the last made first: the one
/// asked for is mostly among the latest.
fn tenants_in<'t>(
    tenants: &'t Tenants,
    parent: ItemId,
    name: &Name,
) -> impl Iterator<Item = ItemId> + use<'t> {
    let of_name = tenants.get(name.as_str()).into_iter().flatten().rev();
    of_name
        .filter(move |(of, _)| *of == parent)
        .map(|(_, item)| *item)
}
