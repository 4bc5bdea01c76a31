//! Items that are gone, found again by the path they had: for restoring them.

use super::Reader;
use crate::error::StateError;
use crate::rows::{id, sql};
use crate::version::Version;
use base::{ItemId, SpaceId};

impl Reader {
    /// The deletion of the item that stood last at a path like `a/b`; `None`
    /// when none was deleted there. Looks at every item of the space: for
    /// people who restore, not for clients that sync.
    ///
    /// # Errors
    /// [`StateError`] when the projection cannot be read.
    pub fn deleted_at(&self, space: SpaceId, path: &str) -> Result<Option<Version>, StateError> {
        let name = path.rsplit('/').next().unwrap_or(path);
        self.at_once(|reader| {
            let mut statement = reader.db.prepare_cached(
                "SELECT item FROM items WHERE space = ? AND kind = 0 AND name = ?
                 ORDER BY idx DESC, ordinal DESC",
            )?;
            let mut rows = statement.query((sql(space.to_u64()), name))?;
            while let Some(row) = rows.next()? {
                let item = id(row, 0, ItemId::from_u64)?;
                if reader.path_of(item)?.as_deref() == Some(path) {
                    return reader.item(item);
                }
            }
            Ok(None)
        })
    }
}
