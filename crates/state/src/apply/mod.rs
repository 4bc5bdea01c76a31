//! What a log entry does to the projection, as a function of nothing but the
//! two. One [`Machine`] lives for one transaction.
//!
//! An entry goes: decode → is the device known? → was it done before (`once`)?
//! → may it (`access`)? → do it: `access` for devices and spaces, `commit` for
//! trees → remember the answer. Trees keep their sums and counts in memory
//! until the end of the transaction (`trees`).
//!
//! Every rule here is part of apply version 1 and frozen with the first log
//! that was written: change one only under a new version.

mod access;
mod commit;
mod conflict;
mod once;
mod spaces;
mod trees;

use crate::command::{Body, Command};
use crate::error::StateError;
use crate::outcome::{Denial, Reply};
use crate::projection::Applied;
use crate::schema::Progress;
use crate::wire;
use base::{DeviceId, Hash, Millis, SpaceId};
use rusqlite::Connection;
use trees::Trees;

/// The highest version of these rules that this program knows.
const KNOWN_APPLY_VERSION: u32 = 1;

/// The highest index that an id can hold.
const MAX_INDEX: u64 = (1 << 47) - 1;

/// `apply` during one transaction.
pub(crate) struct Machine<'t> {
    db: &'t Connection,
    progress: Progress,
    trees: Trees<'t>,
}

/// The circumstances of one command.
#[derive(Debug, Clone, Copy)]
struct Entry {
    index: u64,
    /// Entry time.
    time: Millis,
    device: DeviceId,
}

/// What a command did: its answer, and the space whose feed grew.
struct Effect {
    reply: Reply,
    space: Option<SpaceId>,
}

impl From<Reply> for Effect {
    fn from(reply: Reply) -> Self {
        Self { reply, space: None }
    }
}

impl From<Denial> for Effect {
    fn from(denial: Denial) -> Self {
        Reply::Denied(denial).into()
    }
}

impl<'t> Machine<'t> {
    pub(crate) fn new(db: &'t Connection, progress: Progress) -> Self {
        Self {
            db,
            progress,
            trees: Trees::new(db),
        }
    }

    /// Applies one entry; `None` when it was applied before.
    pub(crate) fn apply(
        &mut self,
        index: u64,
        bytes: &[u8],
    ) -> Result<Option<Applied>, StateError> {
        if index <= self.progress.applied {
            return Ok(None);
        }
        if index > MAX_INDEX {
            return Err(StateError::Index(index));
        }
        let (command, body) =
            wire::decode_entry(bytes).map_err(|source| StateError::Entry { index, source })?;
        self.progress.applied = index;
        self.progress.time = self.progress.time.max(command.time);
        let Effect { reply, space } = self.once(index, &command, &body)?;
        Ok(Some(Applied {
            index,
            device: command.device,
            stream: command.stream,
            sequence: command.sequence,
            reply,
            space,
        }))
    }

    /// Writes what was kept in memory; returns how far the projection is.
    pub(crate) fn finish(self) -> Result<Progress, StateError> {
        self.trees.finish()?;
        self.progress.save(self.db)?;
        Ok(self.progress)
    }

    /// Does a command unless it was done before.
    fn once(&mut self, index: u64, command: &Command, body: &Hash) -> Result<Effect, StateError> {
        if let Some(denial) = access::stranger(self.db, command.device)? {
            return Ok(denial.into());
        }
        let key = once::Key::of(command);
        if let Some(reply) = once::recall(self.db, &key, body)? {
            return Ok(reply.into());
        }
        let entry = Entry {
            index,
            time: self.progress.time,
            device: command.device,
        };
        let effect = self.execute(entry, &command.body)?;
        once::remember(self.db, &key, index, body, &effect.reply)?;
        Ok(effect)
    }

    fn execute(&mut self, entry: Entry, body: &Body) -> Result<Effect, StateError> {
        let db = self.db;
        match body {
            Body::CreateSpace { slug, root } => {
                spaces::create(db, &mut self.trees, entry, slug, root)
            }
            Body::RenameSpace { space, slug } => spaces::rename(db, entry, *space, slug),
            Body::Commit(commit) => commit::apply(db, &mut self.trees, entry, commit),
            Body::Invite {
                token,
                kind,
                space,
                role,
                expires,
            } => {
                let invite = access::Invite {
                    kind: *kind,
                    space: *space,
                    role: *role,
                    expires: *expires,
                    used_by: None,
                };
                access::invite(db, entry, token, &invite)
            }
            Body::Register {
                invite,
                device_token,
                name,
            } => access::register(db, entry, invite, device_token, name),
            Body::RegisterLocal {
                device_token,
                name,
                grants,
            } => access::register_local(db, entry, device_token, name, grants),
            Body::Grant {
                space,
                member,
                role,
            } => access::grant(db, entry, *space, *member, *role),
            Body::RevokeDevice { device } => access::revoke(db, entry, *device),
            Body::ResolveConflict { conflict, kept } => {
                conflict::resolve(db, entry, *conflict, *kept)
            }
            Body::SetApplyVersion { version } => self.set_apply_version(entry, *version),
        }
    }

    fn set_apply_version(&mut self, entry: Entry, version: u32) -> Result<Effect, StateError> {
        if entry.device != DeviceId::ADMIN {
            return Ok(Denial::AdminOnly.into());
        }
        if version <= self.progress.apply_version {
            return Ok(Denial::ApplyVersion.into());
        }
        if version > KNOWN_APPLY_VERSION {
            return Err(StateError::ApplyVersion {
                index: entry.index,
                version,
                known: KNOWN_APPLY_VERSION,
            });
        }
        self.progress.apply_version = version;
        Ok(Reply::Done.into())
    }
}
