//! Who may do what: devices, members, roles and spaces.

use super::Reader;
use crate::command::{Role, TokenHash};
use crate::error::StateError;
use crate::rows::{damaged, id, number, sql, text};
use base::{DeviceId, MemberId, Millis, Slug, SpaceId};
use rusqlite::{Connection, Row};

/// A registered client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its id.
    pub id: DeviceId,
    /// Whose it is.
    pub member: MemberId,
    /// What it calls itself.
    pub name: String,
    /// Entry time of its registration.
    pub created: Millis,
}

/// A shared folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Space {
    /// Its id, for ever.
    pub id: SpaceId,
    /// Its present address.
    pub slug: Slug,
    /// Entry time of its creation.
    pub created: Millis,
    /// The device that made it.
    pub creator: DeviceId,
}

/// A member's place in a space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// Who.
    pub member: MemberId,
    /// The member's name.
    pub name: String,
    /// The highest role from a grant here or on every space.
    pub role: Role,
}

const SPACE_COLUMNS: &str = "SELECT space, slug, created, creator FROM spaces";

impl Reader {
    /// Whether an invite has this token, used or expired ones included as long
    /// as they are remembered. Tells strangers' guesses from invites without a
    /// log entry for each guess.
    ///
    /// # Errors
    /// [`StateError`] when the projection cannot be read.
    pub fn knows_invite(&self, token: &TokenHash) -> Result<bool, StateError> {
        let mut statement = self
            .db
            .prepare_cached("SELECT 1 FROM invites WHERE token = ?")?;
        Ok(statement.exists([token.as_bytes()])?)
    }

    /// The device that holds a token; `None` when there is none or it was
    /// revoked.
    ///
    /// # Errors
    /// [`StateError`] when the projection cannot be read.
    pub fn device_by_token(&self, token: &TokenHash) -> Result<Option<Device>, StateError> {
        let mut statement = self.db.prepare_cached(
            "SELECT device, member, name, created FROM devices WHERE token = ? AND revoked = 0",
        )?;
        let mut rows = statement.query([token.as_bytes()])?;
        rows.next()?.map(device).transpose()
    }

    /// A device by its id; `None` when there is none or it was revoked.
    ///
    /// # Errors
    /// [`StateError`] when the projection cannot be read.
    pub fn device(&self, id: DeviceId) -> Result<Option<Device>, StateError> {
        let mut statement = self.db.prepare_cached(
            "SELECT device, member, name, created FROM devices WHERE device = ? AND revoked = 0",
        )?;
        let mut rows = statement.query([sql(id.to_u64())])?;
        rows.next()?.map(device).transpose()
    }

    /// The role of a device in a space; `None` when it has none, or was
    /// revoked. The administrator owns every space.
    ///
    /// # Errors
    /// [`StateError`] when the projection cannot be read.
    pub fn role(&self, device: DeviceId, space: SpaceId) -> Result<Option<Role>, StateError> {
        if device == DeviceId::ADMIN {
            return Ok(self.space(space)?.map(|_| Role::Owner));
        }
        role_of(&self.db, device, Some(space))
    }

    /// The spaces that a device may read, with its role there, by slug. The
    /// administrator owns them all.
    ///
    /// # Errors
    /// [`StateError`] when the projection cannot be read.
    pub fn spaces_of(&self, device: DeviceId) -> Result<Vec<(Space, Role)>, StateError> {
        self.at_once(|reader| {
            let mut spaces = Vec::new();
            for space in reader.spaces()? {
                if let Some(role) = reader.role(device, space.id)? {
                    spaces.push((space, role));
                }
            }
            Ok(spaces)
        })
    }

    /// Every space, by slug.
    ///
    /// # Errors
    /// [`StateError`] when the projection cannot be read.
    pub fn spaces(&self) -> Result<Vec<Space>, StateError> {
        let mut statement = self
            .db
            .prepare_cached(&format!("{SPACE_COLUMNS} ORDER BY slug"))?;
        let mut rows = statement.query([])?;
        let mut spaces = Vec::new();
        while let Some(row) = rows.next()? {
            spaces.push(space(row)?);
        }
        Ok(spaces)
    }

    /// The space that has a slug now.
    ///
    /// # Errors
    /// [`StateError`] when the projection cannot be read.
    pub fn space_by_slug(&self, slug: &Slug) -> Result<Option<Space>, StateError> {
        let mut statement = self
            .db
            .prepare_cached(&format!("{SPACE_COLUMNS} WHERE slug = ?"))?;
        let mut rows = statement.query([slug.as_str()])?;
        rows.next()?.map(space).transpose()
    }

    /// A space by its id.
    ///
    /// # Errors
    /// [`StateError`] when the projection cannot be read.
    pub fn space(&self, id: SpaceId) -> Result<Option<Space>, StateError> {
        let mut statement = self
            .db
            .prepare_cached(&format!("{SPACE_COLUMNS} WHERE space = ?"))?;
        let mut rows = statement.query([sql(id.to_u64())])?;
        rows.next()?.map(space).transpose()
    }

    /// The members of a space, by age.
    ///
    /// # Errors
    /// [`StateError`] when the projection cannot be read.
    pub fn members(&self, space: SpaceId) -> Result<Vec<Membership>, StateError> {
        let mut statement = self.db.prepare_cached(
            "SELECT m.member, m.name, max(g.role) FROM grants g JOIN members m USING (member)
             WHERE g.space IN (?, 0) GROUP BY m.member ORDER BY m.member",
        )?;
        let mut rows = statement.query([sql(space.to_u64())])?;
        let mut members = Vec::new();
        while let Some(row) = rows.next()? {
            members.push(Membership {
                member: id(row, 0, MemberId::from_u64)?,
                name: text(row, 1)?.to_owned(),
                role: stored_role(row.get(2)?)?,
            });
        }
        Ok(members)
    }
}

/// The role of a live device: in a space, or with `None` in every space alike.
pub(crate) fn role_of(
    db: &Connection,
    device: DeviceId,
    space: Option<SpaceId>,
) -> Result<Option<Role>, StateError> {
    let mut statement = db.prepare_cached(
        "SELECT max(g.role) FROM devices d JOIN grants g USING (member)
         WHERE d.device = ? AND d.revoked = 0 AND g.space IN (?, 0)",
    )?;
    let space = space.map_or(0, SpaceId::to_u64);
    let number: Option<u32> =
        statement.query_row((sql(device.to_u64()), sql(space)), |row| row.get(0))?;
    number.map(stored_role).transpose()
}

fn stored_role(number: u32) -> Result<Role, StateError> {
    Role::from_number(number).ok_or_else(|| damaged(format!("role {number}")))
}

fn device(row: &Row<'_>) -> Result<Device, StateError> {
    Ok(Device {
        id: id(row, 0, DeviceId::from_u64)?,
        member: id(row, 1, MemberId::from_u64)?,
        name: text(row, 2)?.to_owned(),
        created: number(row, 3)?,
    })
}

fn space(row: &Row<'_>) -> Result<Space, StateError> {
    Ok(Space {
        id: id(row, 0, SpaceId::from_u64)?,
        slug: Slug::new(text(row, 1)?).map_err(damaged)?,
        created: number(row, 2)?,
        creator: id(row, 3, DeviceId::from_u64)?,
    })
}
