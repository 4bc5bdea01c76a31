//! Who may do what, and how that changes: devices, members, grants, invites.

use super::{Effect, Entry};
use crate::command::{InviteKind, Role, TokenHash};
use crate::error::StateError;
use crate::label::Label;
use crate::outcome::{Denial, Reply};
use crate::reader::role_of;
use crate::rows::{damaged, id, number, optional_id, sql};
use base::{DeviceId, MemberId, Millis, SpaceId, limits};
use rusqlite::{Connection, OptionalExtension};

/// The space column of a grant or invite for every space, those to come
/// included. No space has this id: ids begin with the first log index.
const EVERY_SPACE: u64 = 0;

/// An invite as it is stored under its token's hash.
pub(super) struct Invite {
    pub(super) kind: InviteKind,
    pub(super) space: Option<SpaceId>,
    pub(super) role: Role,
    pub(super) expires: Millis,
    pub(super) used_by: Option<DeviceId>,
}

/// Why a device may ask for nothing at all.
pub(super) fn stranger(db: &Connection, device: DeviceId) -> Result<Option<Denial>, StateError> {
    if device == DeviceId::ADMIN {
        return Ok(None);
    }
    let revoked: Option<bool> = db
        .prepare_cached("SELECT revoked FROM devices WHERE device = ?")?
        .query_row([sql(device.to_u64())], |row| row.get(0))
        .optional()?;
    Ok(match revoked {
        None => Some(Denial::UnknownDevice),
        Some(true) => Some(Denial::RevokedDevice),
        Some(false) => None,
    })
}

/// Why a device may not act on a space in a role. A space that it may not even
/// read is unknown to it: ids are no secret, but existence is not its business.
pub(super) fn barred(
    db: &Connection,
    device: DeviceId,
    space: SpaceId,
    needed: Role,
) -> Result<Option<Denial>, StateError> {
    if !space_exists(db, space)? {
        return Ok(Some(Denial::UnknownSpace));
    }
    if device == DeviceId::ADMIN {
        return Ok(None);
    }
    Ok(match role_of(db, device, Some(space))? {
        None => Some(Denial::UnknownSpace),
        Some(role) if role < needed => Some(Denial::RoleMissing { needed }),
        Some(_) => None,
    })
}

/// Why a device may not act on every space at once in a role.
pub(super) fn barred_everywhere(
    db: &Connection,
    device: DeviceId,
    needed: Role,
) -> Result<Option<Denial>, StateError> {
    let allowed =
        device == DeviceId::ADMIN || role_of(db, device, None)?.is_some_and(|role| role >= needed);
    Ok((!allowed).then_some(Denial::AdminOnly))
}

pub(super) fn invite(
    db: &Connection,
    entry: Entry,
    token: &TokenHash,
    invite: &Invite,
) -> Result<Effect, StateError> {
    let denial = match invite.space {
        Some(space) => barred(db, entry.device, space, Role::Owner)?,
        None => barred_everywhere(db, entry.device, Role::Owner)?,
    };
    if let Some(denial) = denial {
        return Ok(denial.into());
    }
    forget_old_invites(db, entry.time)?;
    if find_invite(db, token)?.is_some() {
        return Ok(Denial::TokenInUse.into());
    }
    db.prepare_cached(
        "INSERT INTO invites (token, kind, space, role, expires, creator) VALUES (?, ?, ?, ?, ?, ?)",
    )?
    .execute((
        token.as_bytes(),
        kind_number(invite.kind),
        sql(invite.space.map_or(EVERY_SPACE, SpaceId::to_u64)),
        invite.role.number(),
        // No invite outlives the limit, whatever its maker asked for.
        sql(invite.expires.min(entry.time.saturating_add(limits::LEASE_MILLIS))),
        sql(entry.device.to_u64()),
    ))?;
    Ok(Reply::Done.into())
}

pub(super) fn register(
    db: &Connection,
    entry: Entry,
    token: &TokenHash,
    device_token: &TokenHash,
    name: &Label,
) -> Result<Effect, StateError> {
    if entry.device != DeviceId::ADMIN {
        return Ok(Denial::AdminOnly.into());
    }
    let Some(invite) = find_invite(db, token)? else {
        return Ok(Denial::UnknownInvite.into());
    };
    if invite.expires <= entry.time {
        return Ok(Denial::ExpiredInvite.into());
    }
    let known = find_device(db, device_token)?;
    if known.as_ref().is_some_and(|holder| holder.revoked) {
        return Ok(Denial::RevokedDevice.into());
    }
    let holder = known.as_ref().map(|holder| holder.device);
    if invite.kind == InviteKind::Link && invite.used_by.is_some() && invite.used_by != holder {
        return Ok(Denial::UsedInvite.into());
    }
    let holder = match known {
        Some(holder) => holder,
        None => add_device(db, entry, device_token, name)?,
    };
    raise_grant(db, holder.member, invite.space, invite.role)?;
    db.prepare_cached("UPDATE invites SET used_by = ? WHERE token = ?")?
        .execute((sql(holder.device.to_u64()), token.as_bytes()))?;
    Ok(Reply::Registered {
        device: holder.device,
    }
    .into())
}

pub(super) fn register_local(
    db: &Connection,
    entry: Entry,
    device_token: &TokenHash,
    name: &Label,
    grants: &[(SpaceId, Role)],
) -> Result<Effect, StateError> {
    if entry.device != DeviceId::ADMIN {
        return Ok(Denial::AdminOnly.into());
    }
    for (space, _) in grants {
        if !space_exists(db, *space)? {
            return Ok(Denial::UnknownSpace.into());
        }
    }
    let holder = match find_device(db, device_token)? {
        Some(holder) if holder.revoked => return Ok(Denial::RevokedDevice.into()),
        Some(holder) => holder,
        None => add_device(db, entry, device_token, name)?,
    };
    for (space, role) in grants {
        raise_grant(db, holder.member, Some(*space), *role)?;
    }
    Ok(Reply::Registered {
        device: holder.device,
    }
    .into())
}

pub(super) fn grant(
    db: &Connection,
    entry: Entry,
    space: SpaceId,
    member: MemberId,
    role: Option<Role>,
) -> Result<Effect, StateError> {
    if let Some(denial) = barred(db, entry.device, space, Role::Owner)? {
        return Ok(denial.into());
    }
    let known = db
        .prepare_cached("SELECT 1 FROM members WHERE member = ?")?
        .exists([sql(member.to_u64())])?;
    if !known {
        return Ok(Denial::UnknownMember.into());
    }
    let row = (sql(member.to_u64()), sql(space.to_u64()));
    match role {
        Some(role) => db
            .prepare_cached("INSERT OR REPLACE INTO grants (member, space, role) VALUES (?, ?, ?)")?
            .execute((row.0, row.1, role.number()))?,
        None => db
            .prepare_cached("DELETE FROM grants WHERE member = ? AND space = ?")?
            .execute(row)?,
    };
    Ok(Reply::Done.into())
}

pub(super) fn revoke(
    db: &Connection,
    entry: Entry,
    device: DeviceId,
) -> Result<Effect, StateError> {
    let Some(owner) = member_of(db, device)? else {
        return Ok(Denial::UnknownDevice.into());
    };
    let own = entry.device != DeviceId::ADMIN && member_of(db, entry.device)? == Some(owner);
    if !own && let Some(denial) = barred_everywhere(db, entry.device, Role::Owner)? {
        return Ok(denial.into());
    }
    db.prepare_cached("UPDATE devices SET revoked = 1 WHERE device = ?")?
        .execute([sql(device.to_u64())])?;
    Ok(Reply::Done.into())
}

/// The member that a new space belongs to; `None` for the administrator, who
/// needs no grant.
pub(super) fn member_of(db: &Connection, device: DeviceId) -> Result<Option<MemberId>, StateError> {
    let mut statement = db.prepare_cached("SELECT member FROM devices WHERE device = ?")?;
    let mut rows = statement.query([sql(device.to_u64())])?;
    rows.next()?
        .map(|row| id(row, 0, MemberId::from_u64))
        .transpose()
}

/// Gives a member at least a role; a higher one stays.
pub(super) fn raise_grant(
    db: &Connection,
    member: MemberId,
    space: Option<SpaceId>,
    role: Role,
) -> Result<(), StateError> {
    db.prepare_cached(
        "INSERT INTO grants (member, space, role) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET role = max(role, ?3)",
    )?
    .execute((
        sql(member.to_u64()),
        sql(space.map_or(EVERY_SPACE, SpaceId::to_u64)),
        role.number(),
    ))?;
    Ok(())
}

struct Holder {
    device: DeviceId,
    member: MemberId,
    revoked: bool,
}

fn find_device(db: &Connection, token: &TokenHash) -> Result<Option<Holder>, StateError> {
    let mut statement =
        db.prepare_cached("SELECT device, member, revoked FROM devices WHERE token = ?")?;
    let mut rows = statement.query([token.as_bytes()])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    Ok(Some(Holder {
        device: id(row, 0, DeviceId::from_u64)?,
        member: id(row, 1, MemberId::from_u64)?,
        revoked: row.get(2)?,
    }))
}

fn add_device(
    db: &Connection,
    entry: Entry,
    token: &TokenHash,
    name: &Label,
) -> Result<Holder, StateError> {
    let holder = Holder {
        device: DeviceId::new(entry.index, 0),
        member: MemberId::new(entry.index, 0),
        revoked: false,
    };
    db.prepare_cached("INSERT INTO members (member, name, created) VALUES (?, ?, ?)")?
        .execute((sql(holder.member.to_u64()), name.as_str(), sql(entry.time)))?;
    db.prepare_cached(
        "INSERT INTO devices (device, member, name, token, created, revoked)
         VALUES (?, ?, ?, ?, ?, 0)",
    )?
    .execute((
        sql(holder.device.to_u64()),
        sql(holder.member.to_u64()),
        name.as_str(),
        token.as_bytes(),
        sql(entry.time),
    ))?;
    Ok(holder)
}

fn find_invite(db: &Connection, token: &TokenHash) -> Result<Option<Invite>, StateError> {
    let mut statement = db.prepare_cached(
        "SELECT kind, space, role, expires, used_by FROM invites WHERE token = ?",
    )?;
    let mut rows = statement.query([token.as_bytes()])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    Ok(Some(Invite {
        kind: match row.get(0)? {
            JOIN => InviteKind::Join,
            LINK => InviteKind::Link,
            kind => return Err(damaged(format!("invite kind {kind}"))),
        },
        space: Some(id(row, 1, SpaceId::from_u64)?).filter(|space| space.to_u64() != EVERY_SPACE),
        role: Role::from_number(row.get(2)?).ok_or_else(|| damaged("an invite's role"))?,
        expires: number(row, 3)?,
        used_by: optional_id(row, 4, DeviceId::from_u64)?,
    }))
}

const JOIN: u32 = 1;
const LINK: u32 = 2;

const fn kind_number(kind: InviteKind) -> u32 {
    match kind {
        InviteKind::Join => JOIN,
        InviteKind::Link => LINK,
    }
}

/// Expired invites are told from unknown ones for as long again as they could
/// live; then they go, so that the table stays small.
fn forget_old_invites(db: &Connection, now: Millis) -> Result<(), StateError> {
    db.prepare_cached("DELETE FROM invites WHERE expires < ?")?
        .execute([sql(now.saturating_sub(limits::LEASE_MILLIS))])?;
    Ok(())
}

fn space_exists(db: &Connection, space: SpaceId) -> Result<bool, StateError> {
    let mut statement = db.prepare_cached("SELECT 1 FROM spaces WHERE space = ?")?;
    Ok(statement.exists([sql(space.to_u64())])?)
}
