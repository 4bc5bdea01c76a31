//! The messages of commands and their bodies. Numbers and tags are for ever;
//! see the rules in the parent module.

use super::change::{decode_commit, encode_commit};
use super::item::{metadata_bytes, required_metadata};
use super::{below_2_63, check_count, check_length, required, role};
use crate::command::{Body, Command, CommandError, InviteKind, Kept, Role, TokenHash};
use crate::label::Label;
use base::{DeviceId, Hash, Hasher, MemberId, Slug, SpaceId};
use prost::Message;

const CREATE_SPACE: u32 = 1;
const RENAME_SPACE: u32 = 2;
const COMMIT: u32 = 3;
const INVITE: u32 = 4;
const REGISTER: u32 = 5;
const REGISTER_LOCAL: u32 = 6;
const GRANT: u32 = 7;
const REVOKE_DEVICE: u32 = 8;
const RESOLVE_CONFLICT: u32 = 9;
const SET_APPLY_VERSION: u32 = 10;

#[derive(Clone, PartialEq, Message)]
struct CommandMessage {
    #[prost(uint32, tag = "1")]
    kind: u32,
    #[prost(uint64, tag = "2")]
    device: u64,
    #[prost(fixed64, tag = "3")]
    stream: u64,
    #[prost(uint64, tag = "4")]
    sequence: u64,
    #[prost(uint64, tag = "5")]
    time: u64,
    #[prost(bytes = "vec", tag = "6")]
    body: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct CreateSpaceMessage {
    #[prost(string, tag = "1")]
    slug: String,
    #[prost(bytes = "vec", optional, tag = "2")]
    root: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct RenameSpaceMessage {
    #[prost(uint64, tag = "1")]
    space: u64,
    #[prost(string, tag = "2")]
    slug: String,
}

#[derive(Clone, PartialEq, Message)]
struct InviteMessage {
    #[prost(bytes = "vec", tag = "1")]
    token: Vec<u8>,
    #[prost(uint32, tag = "2")]
    kind: u32,
    #[prost(uint64, tag = "3")]
    space: u64,
    #[prost(uint32, tag = "4")]
    role: u32,
    #[prost(uint64, tag = "5")]
    expires: u64,
}

#[derive(Clone, PartialEq, Message)]
struct RegisterMessage {
    #[prost(bytes = "vec", tag = "1")]
    invite: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    device_token: Vec<u8>,
    #[prost(string, tag = "3")]
    name: String,
}

#[derive(Clone, PartialEq, Message)]
struct RegisterLocalMessage {
    #[prost(bytes = "vec", tag = "1")]
    device_token: Vec<u8>,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(message, repeated, tag = "3")]
    grants: Vec<GrantMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct GrantMessage {
    #[prost(uint64, tag = "1")]
    space: u64,
    #[prost(uint64, tag = "2")]
    member: u64,
    #[prost(uint32, tag = "3")]
    role: u32,
}

#[derive(Clone, PartialEq, Message)]
struct RevokeDeviceMessage {
    #[prost(uint64, tag = "1")]
    device: u64,
}

#[derive(Clone, PartialEq, Message)]
struct ResolveConflictMessage {
    #[prost(uint64, tag = "1")]
    conflict: u64,
    #[prost(uint32, tag = "2")]
    kept: u32,
}

#[derive(Clone, PartialEq, Message)]
struct SetApplyVersionMessage {
    #[prost(uint32, tag = "1")]
    version: u32,
}

pub(crate) fn encode_command(command: &Command) -> Result<Vec<u8>, CommandError> {
    let (kind, body) = encode_body(&command.body);
    let bytes = CommandMessage {
        kind,
        device: command.device.to_u64(),
        stream: command.stream,
        sequence: command.sequence,
        time: command.time,
        body,
    }
    .encode_to_vec();
    // An entry that cannot be read stops every node, for good: none is written that was
    // not read once. What no type holds, such as an id of 0, is found by this alone.
    decode_entry(&bytes)?;
    Ok(bytes)
}

pub(crate) fn decode_command(bytes: &[u8]) -> Result<Command, CommandError> {
    decode_entry(bytes).map(|(command, _)| command)
}

/// A command, and the hash of what a repetition must have in common with it:
/// kind and body, but not the proposer's clock.
pub(crate) fn decode_entry(bytes: &[u8]) -> Result<(Command, Hash), CommandError> {
    check_length(bytes)?;
    let message = CommandMessage::decode(bytes)?;
    let command = Command {
        device: DeviceId::from_u64(message.device).ok_or(CommandError::Range {
            what: "device",
            value: message.device,
        })?,
        stream: message.stream,
        sequence: message.sequence,
        time: message.time,
        body: decode_body(message.kind, &message.body)?,
    };
    check(&command)?;
    let mut hasher = Hasher::new();
    hasher.update(&message.kind.to_le_bytes());
    hasher.update(&message.body);
    Ok((command, hasher.finish()))
}

/// The bounds that the types leave open.
fn check(command: &Command) -> Result<(), CommandError> {
    below_2_63("sequence", command.sequence)?;
    below_2_63("time", command.time)?;
    match &command.body {
        Body::CreateSpace { root, .. } if !root.is_directory() => Err(CommandError::RootKind),
        Body::Commit(commit) => check_count("changes", commit.changes.len()),
        Body::RegisterLocal { grants, .. } => check_count("grants", grants.len()),
        Body::Invite { expires, .. } => below_2_63("expires", *expires).map(|_| ()),
        Body::ResolveConflict { conflict, .. } => below_2_63("conflict", *conflict).map(|_| ()),
        _ => Ok(()),
    }
}

fn encode_body(body: &Body) -> (u32, Vec<u8>) {
    match body {
        Body::CreateSpace { slug, root } => {
            let message = CreateSpaceMessage {
                slug: slug.as_str().to_owned(),
                root: Some(metadata_bytes(root)),
            };
            (CREATE_SPACE, message.encode_to_vec())
        }
        Body::RenameSpace { space, slug } => {
            let message = RenameSpaceMessage {
                space: space.to_u64(),
                slug: slug.as_str().to_owned(),
            };
            (RENAME_SPACE, message.encode_to_vec())
        }
        Body::Commit(commit) => (COMMIT, encode_commit(commit)),
        Body::Invite {
            token,
            kind,
            space,
            role,
            expires,
        } => {
            let message = InviteMessage {
                token: token.as_bytes().to_vec(),
                kind: invite_kind_number(*kind),
                space: space.map_or(0, SpaceId::to_u64),
                role: role.number(),
                expires: *expires,
            };
            (INVITE, message.encode_to_vec())
        }
        Body::Register {
            invite,
            device_token,
            name,
        } => {
            let message = RegisterMessage {
                invite: invite.as_bytes().to_vec(),
                device_token: device_token.as_bytes().to_vec(),
                name: name.as_str().to_owned(),
            };
            (REGISTER, message.encode_to_vec())
        }
        Body::RegisterLocal {
            device_token,
            name,
            grants,
        } => {
            let message = RegisterLocalMessage {
                device_token: device_token.as_bytes().to_vec(),
                name: name.as_str().to_owned(),
                grants: grants.iter().map(|grant| local_grant(*grant)).collect(),
            };
            (REGISTER_LOCAL, message.encode_to_vec())
        }
        Body::Grant {
            space,
            member,
            role,
        } => {
            let message = GrantMessage {
                space: space.to_u64(),
                member: member.to_u64(),
                role: role.map_or(0, Role::number),
            };
            (GRANT, message.encode_to_vec())
        }
        Body::RevokeDevice { device } => {
            let message = RevokeDeviceMessage {
                device: device.to_u64(),
            };
            (REVOKE_DEVICE, message.encode_to_vec())
        }
        Body::ResolveConflict { conflict, kept } => {
            let message = ResolveConflictMessage {
                conflict: *conflict,
                kept: kept.number(),
            };
            (RESOLVE_CONFLICT, message.encode_to_vec())
        }
        Body::SetApplyVersion { version } => {
            let message = SetApplyVersionMessage { version: *version };
            (SET_APPLY_VERSION, message.encode_to_vec())
        }
    }
}

fn decode_body(kind: u32, bytes: &[u8]) -> Result<Body, CommandError> {
    Ok(match kind {
        CREATE_SPACE => {
            let message = CreateSpaceMessage::decode(bytes)?;
            Body::CreateSpace {
                slug: Slug::new(&message.slug)?,
                root: required_metadata("root", message.root.as_deref())?,
            }
        }
        RENAME_SPACE => {
            let message = RenameSpaceMessage::decode(bytes)?;
            Body::RenameSpace {
                space: required("space", message.space, SpaceId::from_u64)?,
                slug: Slug::new(&message.slug)?,
            }
        }
        COMMIT => Body::Commit(decode_commit(bytes)?),
        INVITE => {
            let message = InviteMessage::decode(bytes)?;
            Body::Invite {
                token: token("token", &message.token)?,
                kind: invite_kind(message.kind)?,
                space: match message.space {
                    0 => None,
                    space => Some(required("space", space, SpaceId::from_u64)?),
                },
                role: role(message.role)?,
                expires: message.expires,
            }
        }
        REGISTER => {
            let message = RegisterMessage::decode(bytes)?;
            Body::Register {
                invite: token("invite", &message.invite)?,
                device_token: token("device token", &message.device_token)?,
                name: Label::new(&message.name)?,
            }
        }
        REGISTER_LOCAL => {
            let message = RegisterLocalMessage::decode(bytes)?;
            Body::RegisterLocal {
                device_token: token("device token", &message.device_token)?,
                name: Label::new(&message.name)?,
                grants: message
                    .grants
                    .into_iter()
                    .map(|grant| {
                        let space = required("space", grant.space, SpaceId::from_u64)?;
                        Ok((space, role(grant.role)?))
                    })
                    .collect::<Result<_, CommandError>>()?,
            }
        }
        GRANT => {
            let message = GrantMessage::decode(bytes)?;
            Body::Grant {
                space: required("space", message.space, SpaceId::from_u64)?,
                member: required("member", message.member, MemberId::from_u64)?,
                role: match message.role {
                    0 => None,
                    number => Some(role(number)?),
                },
            }
        }
        REVOKE_DEVICE => {
            let message = RevokeDeviceMessage::decode(bytes)?;
            Body::RevokeDevice {
                device: required("device", message.device, DeviceId::from_u64)?,
            }
        }
        RESOLVE_CONFLICT => {
            let message = ResolveConflictMessage::decode(bytes)?;
            Body::ResolveConflict {
                conflict: message.conflict,
                kept: Kept::from_number(message.kept).ok_or(CommandError::UnknownKind {
                    what: "resolution",
                    kind: message.kept,
                })?,
            }
        }
        SET_APPLY_VERSION => Body::SetApplyVersion {
            version: SetApplyVersionMessage::decode(bytes)?.version,
        },
        kind => {
            return Err(CommandError::UnknownKind {
                what: "command",
                kind,
            });
        }
    })
}

fn local_grant((space, role): (SpaceId, Role)) -> GrantMessage {
    GrantMessage {
        space: space.to_u64(),
        member: 0,
        role: role.number(),
    }
}

fn token(what: &'static str, bytes: &[u8]) -> Result<TokenHash, CommandError> {
    bytes
        .try_into()
        .map(TokenHash::from_bytes)
        .map_err(|_| CommandError::Missing(what))
}

fn invite_kind_number(kind: InviteKind) -> u32 {
    match kind {
        InviteKind::Join => 1,
        InviteKind::Link => 2,
    }
}

fn invite_kind(number: u32) -> Result<InviteKind, CommandError> {
    match number {
        1 => Ok(InviteKind::Join),
        2 => Ok(InviteKind::Link),
        kind => Err(CommandError::UnknownKind {
            what: "invite",
            kind,
        }),
    }
}
