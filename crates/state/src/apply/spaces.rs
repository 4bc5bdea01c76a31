//! Spaces come into being and change their address.

use super::access::{barred, barred_everywhere, member_of, raise_grant};
use super::trees::Trees;
use super::{Effect, Entry};
use crate::command::Role;
use crate::error::StateError;
use crate::outcome::Reply;
use crate::rows::sql;
use crate::version::Version;
use base::{ItemId, Name, Slug, SpaceId, VersionId};
use meta::Metadata;
use rusqlite::Connection;

pub(super) fn create(
    db: &Connection,
    trees: &mut Trees<'_>,
    entry: Entry,
    wanted: &Slug,
    root: &Metadata,
) -> Result<Effect, StateError> {
    if let Some(denial) = barred_everywhere(db, entry.device, Role::Editor)? {
        return Ok(denial.into());
    }
    let space = SpaceId::new(entry.index, 0);
    let slug = free_slug(db, wanted, space)?;
    db.prepare_cached(
        "INSERT INTO spaces (space, slug, created, creator, files, directories, bytes, longest_path)
         VALUES (?, ?, ?, ?, 0, 0, 0, 0)",
    )?
    .execute((
        sql(space.to_u64()),
        slug.as_str(),
        sql(entry.time),
        sql(entry.device.to_u64()),
    ))?;
    let item = ItemId::root_of(space);
    let version = Version {
        id: VersionId { item, counter: 1 },
        parent: item,
        name: Name::new(Version::ROOT_NAME).expect("the constant is a name"),
        state: Some(root.clone()),
        device: entry.device,
        time: entry.time,
        index: entry.index,
        ordinal: 0,
    };
    trees.write(space, None, version)?;
    if let Some(member) = member_of(db, entry.device)? {
        raise_grant(db, member, Some(space), Role::Owner)?;
    }
    Ok(Effect {
        reply: Reply::Space { id: space, slug },
        space: Some(space),
    })
}

pub(super) fn rename(
    db: &Connection,
    entry: Entry,
    space: SpaceId,
    wanted: &Slug,
) -> Result<Effect, StateError> {
    if let Some(denial) = barred(db, entry.device, space, Role::Owner)? {
        return Ok(denial.into());
    }
    let slug = free_slug(db, wanted, space)?;
    db.prepare_cached("UPDATE spaces SET slug = ? WHERE space = ?")?
        .execute((slug.as_str(), sql(space.to_u64())))?;
    Ok(Reply::Space { id: space, slug }.into())
}

/// The wanted slug, or the first of its numbered forms that no other space has.
fn free_slug(db: &Connection, wanted: &Slug, space: SpaceId) -> Result<Slug, StateError> {
    let mut taken = db.prepare_cached("SELECT 1 FROM spaces WHERE slug = ? AND space <> ?")?;
    let mut slug = wanted.clone();
    let mut number = 1;
    while taken.exists((slug.as_str(), sql(space.to_u64())))? {
        number += 1;
        slug = wanted.numbered(number);
    }
    Ok(slug)
}
