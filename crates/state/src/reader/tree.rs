//! The tree of a space as it is now: items by id, by name and by path, pages
//! of directories, and the hashes that compare whole trees.

use super::Reader;
use crate::error::StateError;
use crate::merkle::node_hash;
use crate::rows::{
    self, VERSION_COLUMNS, damaged, id, items_with_versions, number, sql, sum, text, version,
    version_columns,
};
use crate::version::Version;
use base::{Hash, ItemId, Name, SpaceId};
use rusqlite::Row;
use std::collections::BTreeMap;

/// A child of a directory with the hash of everything beneath it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeNode {
    /// The child.
    pub version: Version,
    /// Its [`node_hash`].
    pub hash: Hash,
}

/// What a space holds now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Files and symbolic links.
    pub files: u64,
    /// Directories, without the root.
    pub directories: u64,
    /// Bytes of all files.
    pub bytes: u64,
}

/// Names of one directory that some file systems cannot hold together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clash {
    /// The directory.
    pub parent: ItemId,
    /// The names, two or more, in order.
    pub names: Vec<Name>,
}

impl Reader {
    /// The current version of an item, which may be its deletion.
    ///
    /// # Errors
    /// [`StateError`] when the projection cannot be read.
    pub fn item(&self, item: ItemId) -> Result<Option<Version>, StateError> {
        Ok(rows::current(&self.db, item)?.map(|placed| placed.version))
    }

    /// The space that an item belongs to.
    ///
    /// # Errors
    /// [`StateError`] when the projection cannot be read.
    pub fn space_of(&self, item: ItemId) -> Result<Option<SpaceId>, StateError> {
        Ok(rows::current(&self.db, item)?.map(|placed| placed.space))
    }

    /// The existing item of that name in a directory.
    ///
    /// # Errors
    /// [`StateError`] when the projection cannot be read.
    pub fn child(&self, parent: ItemId, name: &Name) -> Result<Option<Version>, StateError> {
        Ok(rows::child(&self.db, parent, name.as_str())?.map(|placed| placed.version))
    }

    /// The existing item at a path like `a/b`; the root at the empty path.
    /// Empty names and those of no valid [`Name`] lead nowhere.
    ///
    /// # Errors
    /// [`StateError`] when the projection cannot be read.
    pub fn resolve(&self, space: SpaceId, path: &str) -> Result<Option<Version>, StateError> {
        self.at_once(|reader| {
            let root = reader.item(ItemId::root_of(space))?;
            if path.is_empty() || root.is_none() || path.len() > base::limits::PATH_BYTES {
                return Ok(root.filter(|_| path.is_empty()));
            }
            let mut found = root;
            for name in path.split('/') {
                let (Some(parent), Ok(name)) = (found, Name::new(name)) else {
                    return Ok(None);
                };
                found = reader.child(parent.id.item, &name)?;
            }
            Ok(found)
        })
    }

    /// The path of an item, empty for a root; of a deleted item the path that
    /// it had. `None` for an unknown item.
    ///
    /// # Errors
    /// [`StateError`] when the projection cannot be read.
    pub fn path_of(&self, item: ItemId) -> Result<Option<String>, StateError> {
        self.at_once(|reader| rows::path_of(&reader.db, item))
    }

    /// A page of a directory's children in the order of their names' bytes.
    ///
    /// # Errors
    /// [`StateError`] when the projection cannot be read.
    pub fn children(
        &self,
        parent: ItemId,
        after: Option<&Name>,
        limit: usize,
    ) -> Result<Vec<Version>, StateError> {
        self.each_child(parent, after, limit, |row| Ok(version(row)?.version))
    }

    /// Like [`Reader::children`], with node hashes.
    ///
    /// # Errors
    /// [`StateError`] when the projection cannot be read.
    pub fn tree(
        &self,
        parent: ItemId,
        after: Option<&Name>,
        limit: usize,
    ) -> Result<Vec<TreeNode>, StateError> {
        self.each_child(parent, after, limit, |row| {
            let version = version(row)?.version;
            let state = version
                .state
                .as_ref()
                .ok_or_else(|| damaged("a deleted child"))?;
            let hash = node_hash(version.name.as_str(), state, sum(row, VERSION_COLUMNS)?);
            Ok(TreeNode { version, hash })
        })
    }

    fn each_child<T>(
        &self,
        parent: ItemId,
        after: Option<&Name>,
        limit: usize,
        convert: fn(&Row<'_>) -> Result<T, StateError>,
    ) -> Result<Vec<T>, StateError> {
        let mut statement = self.db.prepare_cached(concat!(
            "SELECT ",
            version_columns!(),
            ", d.sum FROM ",
            items_with_versions!(),
            " LEFT JOIN directories d ON d.item = i.item
             WHERE i.parent = ? AND i.name > ? AND i.kind <> 0 ORDER BY i.name LIMIT ?"
        ))?;
        let mut rows = statement.query((
            sql(parent.to_u64()),
            after.map_or("", Name::as_str),
            limit as i64,
        ))?;
        let mut children = Vec::new();
        while let Some(row) = rows.next()? {
            children.push(convert(row)?);
        }
        Ok(children)
    }

    /// The hash of a space's whole tree; `None` for an unknown space.
    ///
    /// # Errors
    /// [`StateError`] when the projection cannot be read.
    pub fn root_hash(&self, space: SpaceId) -> Result<Option<Hash>, StateError> {
        let mut statement = self.db.prepare_cached(concat!(
            "SELECT ",
            version_columns!(),
            ", d.sum FROM ",
            items_with_versions!(),
            " JOIN directories d ON d.item = i.item WHERE i.item = ?"
        ))?;
        let mut rows = statement.query([sql(ItemId::root_of(space).to_u64())])?;
        let Some(row) = rows.next()? else {
            return Ok(None);
        };
        let root = version(row)?.version;
        let state = root.state.ok_or_else(|| damaged("a deleted root"))?;
        Ok(Some(node_hash("", &state, sum(row, VERSION_COLUMNS)?)))
    }

    /// How much a space holds.
    ///
    /// # Errors
    /// [`StateError`] when the projection cannot be read.
    pub fn counts(&self, space: SpaceId) -> Result<Counts, StateError> {
        let mut statement = self
            .db
            .prepare_cached("SELECT files, directories, bytes FROM spaces WHERE space = ?")?;
        let mut rows = statement.query([sql(space.to_u64())])?;
        let Some(row) = rows.next()? else {
            return Ok(Counts::default());
        };
        Ok(Counts {
            files: number(row, 0)?,
            directories: number(row, 1)?,
            bytes: number(row, 2)?,
        })
    }

    /// Names that clash where case or Unicode form does not count, at most
    /// `limit` clashes. Looks at every item: for reports, not for requests.
    ///
    /// # Errors
    /// [`StateError`] when the projection cannot be read.
    pub fn clashes(&self, space: SpaceId, limit: usize) -> Result<Vec<Clash>, StateError> {
        let mut statement = self.db.prepare_cached(
            "SELECT parent, name FROM items WHERE space = ? AND kind <> 0 AND parent IS NOT NULL
             ORDER BY parent, name",
        )?;
        let mut rows = statement.query([sql(space.to_u64())])?;
        let mut clashes = Vec::new();
        let mut directory: Option<ItemId> = None;
        let mut names: BTreeMap<String, Vec<Name>> = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let parent = id(row, 0, ItemId::from_u64)?;
            if directory != Some(parent) {
                collect_clashes(directory, &mut names, &mut clashes);
                directory = Some(parent);
            }
            let name = Name::new(text(row, 1)?).map_err(damaged)?;
            names
                .entry(meta::clash_key(name.as_str()))
                .or_default()
                .push(name);
            if clashes.len() >= limit {
                break;
            }
        }
        collect_clashes(directory, &mut names, &mut clashes);
        clashes.truncate(limit);
        Ok(clashes)
    }
}

/// Moves the clashes among one directory's names to the list and forgets the
/// rest.
fn collect_clashes(
    parent: Option<ItemId>,
    names: &mut BTreeMap<String, Vec<Name>>,
    clashes: &mut Vec<Clash>,
) {
    let Some(parent) = parent else { return };
    for (_, names) in std::mem::take(names) {
        if names.len() > 1 {
            clashes.push(Clash { parent, names });
        }
    }
}
