//! Items and versions as a caller names them. An id of another space is as
//! unknown as one that never was: ids are no keys.

use super::entry;
use super::input::{self, parse};
use crate::problem::Problem;
use base::{ItemId, Name, SpaceId, VersionId};
use state::{Reader, Version};

/// A version of an item of `space`.
///
/// # Errors
/// [`Problem::NotFound`].
pub fn version(reader: &Reader, space: SpaceId, text: &str) -> Result<Version, Problem> {
    let id: VersionId = parse("version", text)?;
    version_in(reader, space, id)?
        .ok_or_else(|| Problem::NotFound(format!("the space has no version {id}")))
}

/// A version of an item of `space`, if there is one.
///
/// # Errors
/// Those of the database.
pub fn version_in(
    reader: &Reader,
    space: SpaceId,
    id: VersionId,
) -> Result<Option<Version>, Problem> {
    if reader.space_of(id.item)? != Some(space) {
        return Ok(None);
    }
    Ok(reader.version(id)?)
}

/// What stands at a path now.
///
/// # Errors
/// [`Problem::NotFound`], or [`Problem::Path`] for what is no path.
pub fn live(reader: &Reader, space: SpaceId, path: &str) -> Result<Version, Problem> {
    at(reader, space, &input::path(path)?)?
        .ok_or_else(|| Problem::NotFound(format!("there is nothing at `{path}`")))
}

/// What stands at a path now, if anything does.
///
/// # Errors
/// Those of the database.
pub fn at(reader: &Reader, space: SpaceId, names: &[Name]) -> Result<Option<Version>, Problem> {
    Ok(reader.resolve(space, &entry::path(names))?)
}

/// The current version of an item of `space`.
///
/// # Errors
/// [`Problem::NotFound`].
pub fn item(reader: &Reader, space: SpaceId, text: &str) -> Result<Version, Problem> {
    let id: ItemId = parse("item", text)?;
    let current = if reader.space_of(id)? == Some(space) {
        reader.item(id)?
    } else {
        None
    };
    current.ok_or_else(|| Problem::NotFound(format!("the space has no item {id}")))
}
