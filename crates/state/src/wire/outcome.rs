//! The messages of outcomes and replies. Their numbers, like those of
//! commands, are for ever: replies are kept in the projection and sent.

use super::item::{VersionIdMessage, VersionMessage, version_id};
use super::{decode_run, encode_run, required, role};
use crate::command::CommandError;
use crate::outcome::{Denial, Outcome, Refusal, Reply};
use base::{DeviceId, Slug, SpaceId};
use prost::Message;

const COMMITTED: u32 = 1;
const SAME: u32 = 2;
const CONFLICT: u32 = 3;
const REFUSED: u32 = 4;

const COMMIT: u32 = 1;
const SPACE: u32 = 2;
const REGISTERED: u32 = 3;
const DONE: u32 = 4;
const DENIED: u32 = 5;

const REFUSALS: [(u32, Refusal); 8] = [
    (1, Refusal::ParentMissing),
    (2, Refusal::NotADirectory),
    (3, Refusal::NotEmpty),
    (4, Refusal::Cycle),
    (5, Refusal::KindChange),
    (6, Refusal::PathTooLong),
    (7, Refusal::NoSuchItem),
    (8, Refusal::Root),
];

/// 4 is [`Denial::RoleMissing`], which carries a role.
const ROLE_MISSING: u32 = 4;
const DENIALS: [(u32, Denial); 13] = [
    (1, Denial::UnknownDevice),
    (2, Denial::RevokedDevice),
    (3, Denial::AdminOnly),
    (5, Denial::UnknownSpace),
    (6, Denial::UnknownMember),
    (7, Denial::UnknownInvite),
    (8, Denial::ExpiredInvite),
    (9, Denial::UsedInvite),
    (10, Denial::TokenInUse),
    (11, Denial::SequenceReused),
    (12, Denial::SequenceTooOld),
    (13, Denial::UnknownConflict),
    (14, Denial::ApplyVersion),
];

#[derive(Clone, PartialEq, Message)]
struct OutcomeMessage {
    #[prost(uint32, tag = "1")]
    kind: u32,
    #[prost(message, optional, tag = "2")]
    version: Option<VersionIdMessage>,
    #[prost(message, optional, tag = "3")]
    current: Option<VersionMessage>,
    #[prost(uint32, tag = "4")]
    refusal: u32,
}

#[derive(Clone, PartialEq, Message)]
struct ReplyMessage {
    #[prost(uint32, tag = "1")]
    kind: u32,
    /// A run of [`OutcomeMessage`].
    #[prost(bytes = "vec", tag = "2")]
    outcomes: Vec<u8>,
    #[prost(uint64, tag = "3")]
    space: u64,
    #[prost(string, tag = "4")]
    slug: String,
    #[prost(uint64, tag = "5")]
    device: u64,
    #[prost(uint32, tag = "6")]
    denial: u32,
    #[prost(uint32, tag = "7")]
    role: u32,
}

/// The bytes of the outcomes of one commit.
pub fn encode_outcomes(outcomes: &[Outcome]) -> Vec<u8> {
    encode_run(outcomes.iter().map(OutcomeMessage::from))
}

/// Reads the outcomes of one commit.
///
/// # Errors
/// [`CommandError`] for bytes that [`encode_outcomes`] does not write, and for
/// more outcomes than a commit may have changes.
pub fn decode_outcomes(bytes: &[u8]) -> Result<Vec<Outcome>, CommandError> {
    decode_run::<OutcomeMessage, _>("outcomes", bytes, Outcome::try_from)
}

pub(crate) fn encode_reply(reply: &Reply) -> Vec<u8> {
    let mut message = ReplyMessage::default();
    match reply {
        Reply::Commit(outcomes) => {
            message.kind = COMMIT;
            message.outcomes = encode_outcomes(outcomes);
        }
        Reply::Space { id, slug } => {
            message.kind = SPACE;
            message.space = id.to_u64();
            slug.as_str().clone_into(&mut message.slug);
        }
        Reply::Registered { device } => {
            message.kind = REGISTERED;
            message.device = device.to_u64();
        }
        Reply::Done => message.kind = DONE,
        Reply::Denied(denial) => {
            message.kind = DENIED;
            (message.denial, message.role) = denial_numbers(*denial);
        }
    }
    message.encode_to_vec()
}

pub(crate) fn decode_reply(bytes: &[u8]) -> Result<Reply, CommandError> {
    let message = ReplyMessage::decode(bytes)?;
    Ok(match message.kind {
        COMMIT => Reply::Commit(decode_outcomes(&message.outcomes)?),
        SPACE => Reply::Space {
            id: required("space", message.space, SpaceId::from_u64)?,
            slug: Slug::new(&message.slug)?,
        },
        REGISTERED => Reply::Registered {
            device: required("device", message.device, DeviceId::from_u64)?,
        },
        DONE => Reply::Done,
        DENIED => Reply::Denied(denial(message.denial, message.role)?),
        kind => {
            return Err(CommandError::UnknownKind {
                what: "reply",
                kind,
            });
        }
    })
}

impl From<&Outcome> for OutcomeMessage {
    fn from(outcome: &Outcome) -> Self {
        let mut message = Self::default();
        match outcome {
            Outcome::Committed(version) => {
                message.kind = COMMITTED;
                message.version = Some((*version).into());
            }
            Outcome::Same(version) => {
                message.kind = SAME;
                message.version = Some((*version).into());
            }
            Outcome::Conflict { current } => {
                message.kind = CONFLICT;
                message.current = current.as_ref().map(VersionMessage::from);
            }
            Outcome::Refused(refusal) => {
                message.kind = REFUSED;
                message.refusal = number_of(&REFUSALS, refusal);
            }
        }
        message
    }
}

impl TryFrom<OutcomeMessage> for Outcome {
    type Error = CommandError;

    fn try_from(message: OutcomeMessage) -> Result<Self, CommandError> {
        Ok(match message.kind {
            COMMITTED => Self::Committed(version_id("version", message.version)?),
            SAME => Self::Same(version_id("version", message.version)?),
            CONFLICT => Self::Conflict {
                current: message.current.map(TryInto::try_into).transpose()?,
            },
            REFUSED => Self::Refused(value_of(&REFUSALS, "refusal", message.refusal)?),
            kind => {
                return Err(CommandError::UnknownKind {
                    what: "outcome",
                    kind,
                });
            }
        })
    }
}

fn denial_numbers(denial: Denial) -> (u32, u32) {
    match denial {
        Denial::RoleMissing { needed } => (ROLE_MISSING, needed.number()),
        other => (number_of(&DENIALS, &other), 0),
    }
}

fn denial(number: u32, needed: u32) -> Result<Denial, CommandError> {
    match number {
        ROLE_MISSING => Ok(Denial::RoleMissing {
            needed: role(needed)?,
        }),
        _ => value_of(&DENIALS, "denial", number),
    }
}

fn number_of<T: PartialEq>(table: &[(u32, T)], value: &T) -> u32 {
    table
        .iter()
        .find_map(|(number, entry)| (entry == value).then_some(*number))
        .expect("every value has a number: the round-trip test visits them all")
}

fn value_of<T: Copy>(
    table: &[(u32, T)],
    what: &'static str,
    number: u32,
) -> Result<T, CommandError> {
    table
        .iter()
        .find_map(|(entry, value)| (*entry == number).then_some(*value))
        .ok_or(CommandError::UnknownKind { what, kind: number })
}
