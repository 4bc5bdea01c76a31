//! Bytes of commands and their answers: whatever is encoded is decoded, and
//! whatever else arrives is refused without harm.

use crate::random::Script;
use crate::site::{at, directory, file, link, name};
use base::{DeviceId, ItemId, MemberId, Slug, SpaceId, VersionId};
use proptest::prelude::{any, prop_assert_eq, proptest};
use state::{
    Body, Command, CommandError, Commit, Denial, InviteKind, Kept, Label, Outcome, Refusal, Reply,
    Role, TokenHash, Version, decode_outcomes, encode_outcomes,
};

fn bodies() -> Vec<Body> {
    let space = SpaceId::new(3, 0);
    let token = TokenHash::of("t");
    let mut bodies = vec![
        Body::CreateSpace {
            slug: Slug::new("work").unwrap(),
            root: directory(),
        },
        Body::RenameSpace {
            space,
            slug: Slug::new("job-2").unwrap(),
        },
        Body::Commit(Commit {
            space,
            changes: vec![],
        }),
        Body::Register {
            invite: token,
            device_token: TokenHash::of("d"),
            name: Label::new("Ann's").unwrap(),
        },
        Body::RegisterLocal {
            device_token: token,
            name: Label::new("x").unwrap(),
            grants: vec![(space, Role::Reader), (SpaceId::new(4, 0), Role::Owner)],
        },
        Body::RevokeDevice {
            device: DeviceId::new(5, 0),
        },
        Body::SetApplyVersion { version: 7 },
    ];
    for (kind, space, role) in [
        (InviteKind::Join, None, Role::Reader),
        (InviteKind::Link, Some(space), Role::Editor),
    ] {
        bodies.push(Body::Invite {
            token,
            kind,
            space,
            role,
            expires: 12,
        });
    }
    for role in [
        None,
        Some(Role::Reader),
        Some(Role::Editor),
        Some(Role::Owner),
    ] {
        bodies.push(Body::Grant {
            space,
            member: MemberId::new(9, 0),
            role,
        });
    }
    for kept in [Kept::Local, Kept::Remote, Kept::Both] {
        bodies.push(Body::ResolveConflict { conflict: 1, kept });
    }
    bodies
}

fn version() -> Version {
    Version {
        id: VersionId {
            item: ItemId::new(8, 3),
            counter: 2,
        },
        parent: ItemId::new(7, 0),
        name: name("ü"),
        state: Some(file("x")),
        device: DeviceId::ADMIN,
        time: 99,
        index: 12,
        ordinal: 4095,
    }
}

#[test]
fn commands_round_trip() {
    for body in bodies() {
        let command = Command {
            device: DeviceId::new(1, 0),
            stream: u64::MAX,
            sequence: 1,
            time: 1 << 40,
            body,
        };
        let bytes = command.encode().unwrap();
        assert_eq!(Command::decode(&bytes).unwrap(), command);
    }
    for (_, bytes) in Script::new(1).entries(300) {
        let command = Command::decode(&bytes).unwrap();
        assert_eq!(command.encode().unwrap(), bytes);
        if let Body::Commit(commit) = command.body {
            assert_eq!(Commit::decode(&commit.encode()).unwrap(), commit);
        }
    }
}

#[test]
fn answers_round_trip() {
    let old = meta::Metadata::directory(meta::Mode::DIRECTORY, at(-5));
    let epoch = meta::Metadata::directory(meta::Mode::DIRECTORY, at(0));
    let states = [
        None,
        Some(file("x")),
        Some(link("../y")),
        Some(old),
        Some(epoch),
    ];
    let mut outcomes = vec![
        Outcome::Committed(version().id),
        Outcome::Same(version().id),
        Outcome::Conflict { current: None },
    ];
    for state in states {
        let version = Version { state, ..version() };
        assert_eq!(Version::decode(&version.encode()).unwrap(), version);
        outcomes.push(Outcome::Conflict {
            current: Some(version),
        });
    }
    for refusal in [
        Refusal::ParentMissing,
        Refusal::NotADirectory,
        Refusal::NotEmpty,
        Refusal::Cycle,
        Refusal::KindChange,
        Refusal::PathTooLong,
        Refusal::NoSuchItem,
        Refusal::Root,
    ] {
        outcomes.push(Outcome::Refused(refusal));
    }
    assert_eq!(
        decode_outcomes(&encode_outcomes(&outcomes)).unwrap(),
        outcomes
    );
    let mut replies = vec![
        Reply::Commit(outcomes),
        Reply::Commit(vec![]),
        Reply::Space {
            id: SpaceId::new(1, 0),
            slug: Slug::new("a").unwrap(),
        },
        Reply::Registered {
            device: DeviceId::new(2, 0),
        },
        Reply::Done,
    ];
    for denial in [
        Denial::UnknownDevice,
        Denial::RevokedDevice,
        Denial::AdminOnly,
        Denial::RoleMissing {
            needed: Role::Owner,
        },
        Denial::UnknownSpace,
        Denial::UnknownMember,
        Denial::UnknownInvite,
        Denial::ExpiredInvite,
        Denial::UsedInvite,
        Denial::TokenInUse,
        Denial::SequenceReused,
        Denial::SequenceTooOld,
        Denial::UnknownConflict,
        Denial::ApplyVersion,
    ] {
        replies.push(Reply::Denied(denial));
    }
    for reply in replies {
        assert_eq!(Reply::decode(&reply.encode()).unwrap(), reply);
    }
}

/// The log of a site outlives this program: these bytes must stay readable,
/// and this command must keep these bytes.
#[test]
fn the_bytes_of_a_commit_are_pinned() {
    let command = Command {
        device: DeviceId::new(1, 0),
        stream: 2,
        sequence: 3,
        time: 4,
        body: Body::Commit(Commit {
            space: SpaceId::new(5, 0),
            changes: vec![
                crate::site::create(state::Parent::Change(6), "n", link("t")),
                crate::site::delete(version().id),
            ],
        }),
    };
    // Command: kind 3, device 1.0, stream 2, sequence 3, time 4, body of 42 bytes.
    let pinned = concat!(
        "0803",
        "10808004",
        "190200000000000000",
        "2003",
        "2804",
        "322a",
        // Body: space 5.0, changes of 36 bytes.
        "08808014",
        "1224",
        // Put: parent change 6, name "n", a link to "t".
        "18",
        "0801",
        "2006",
        "2a016e",
        "320f080310ff03180225050000003a0174",
        // Delete of 8.3 at counter 2.
        "0a",
        "0803",
        "1206088380201002",
    );
    let bytes = command.encode().unwrap();
    assert_eq!(base::hex(&bytes), pinned);
}

/// What the encoder of metadata that came before `meta`'s wrote of every kind of item.
#[test]
fn the_bytes_of_metadata_are_pinned() {
    let time = |seconds, nanoseconds| meta::Timestamp::new(seconds, nanoseconds).unwrap();
    let states = [
        meta::Metadata::file(
            base::Hash::of(b"x"),
            300,
            meta::Mode::new(0o4750).unwrap(),
            time(1_700_000_000, 999_999_999),
        )
        .unwrap(),
        // Nothing but what must be there is written.
        meta::Metadata::file(
            base::Hash::of(b""),
            0,
            meta::Mode::new(0).unwrap(),
            time(0, 0),
        )
        .unwrap(),
        meta::Metadata::directory(meta::Mode::DIRECTORY, time(i64::MIN, 1)),
        meta::Metadata::directory(meta::Mode::new(0).unwrap(), time(0, 0)),
        meta::Metadata::symlink(meta::Target::new("../ü").unwrap(), time(-1, 0)),
    ];
    let command = |body| Command {
        device: DeviceId::ADMIN,
        stream: 0,
        sequence: 0,
        time: 0,
        body,
    };
    let space = SpaceId::new(5, 0);
    let put = |state: &meta::Metadata| crate::site::update(version().id, state.clone());
    let commit = command(Body::Commit(Commit {
        space,
        changes: states.iter().map(put).collect(),
    }));
    let create = command(Body::CreateSpace {
        slug: Slug::new("a").unwrap(),
        root: states[2].clone(),
    });
    let versions: Vec<u8> = states
        .iter()
        .flat_map(|state| {
            let state = Some(state.clone());
            Version { state, ..version() }.encode()
        })
        .collect();
    for (bytes, pinned) in [
        (
            commit.encode().unwrap(),
            concat!(
                "080332c6010880801412bf01",
                "41080112060883802010023235",
                "080110e8131880c49fd50c25ffc99a3b2a203ae7d805f6789a6402acb70ad4096a85a56bf6804eaf25c0493ac697548d30b530ac02",
                "30080112060883802010023224",
                "08012a20af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
                "21080112060883802010023215",
                "080210ed0318ffffffffffffffffff012501000000",
                "0e080112060883802010023202",
                "0802",
                "1a08011206088380201002320e",
                "080310ff0318013a052e2e2fc3bc",
            ),
        ),
        (
            create.encode().unwrap(),
            concat!(
                "0801321a0a01611215",
                "080210ed0318ffffffffffffffffff012501000000",
            ),
        ),
        (
            versions,
            concat!(
                "0a060883802010021080801c1a02c3bc2235",
                "080110e8131880c49fd50c25ffc99a3b2a203ae7d805f6789a6402acb70ad4096a85a56bf6804eaf25c0493ac697548d30b530ac02",
                "3063380c40ff1f0a060883802010021080801c1a02c3bc2224",
                "08012a20af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
                "3063380c40ff1f0a060883802010021080801c1a02c3bc2215",
                "080210ed0318ffffffffffffffffff012501000000",
                "3063380c40ff1f0a060883802010021080801c1a02c3bc2202",
                "0802",
                "3063380c40ff1f0a060883802010021080801c1a02c3bc220e",
                "080310ff0318013a052e2e2fc3bc",
                "3063380c40ff1f",
            ),
        ),
    ] {
        assert_eq!(base::hex(&bytes), pinned);
    }
}

/// An older node that ignored what a newer one wrote would part from it.
#[test]
fn metadata_with_fields_of_a_newer_program_is_refused() {
    let version = Version {
        state: Some(directory()),
        ..version()
    };
    let bytes = version.encode();
    let (before, state, after) = (&bytes[..16], &bytes[16..30], &bytes[30..]);
    assert_eq!(base::hex(state), "220c080210ed0318022505000000");
    let with = |state: &[u8]| {
        let length = [0x22, state.len() as u8];
        Version::decode(&[before, &length, state, after].concat())
    };
    assert_eq!(with(&state[2..]), Ok(version));
    let unknown = with(&[&state[2..], &[0x78, 1]].concat());
    assert_eq!(unknown, Err(CommandError::UnknownField(15)));
    let kind = with(&[8, 4]);
    assert_eq!(
        kind,
        Err(CommandError::UnknownKind {
            what: "item",
            kind: 4
        })
    );
    let link = with(&[8, 3]);
    assert_eq!(link, Err(CommandError::Missing("target")));
    assert!(matches!(with(&[8]), Err(CommandError::Encoding(_))));
    let beyond = meta::MetadataError::Mode(0o10000);
    assert_eq!(
        with(&[8, 2, 0x10, 0x80, 0x20]),
        Err(CommandError::Metadata(beyond))
    );
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in any::<Vec<u8>>()) {
        let _ = Command::decode(&bytes);
        let _ = Commit::decode(&bytes);
        let _ = Version::decode(&bytes);
        let _ = Reply::decode(&bytes);
        let _ = decode_outcomes(&bytes);
    }

    /// Damaged commands reach further into the decoder than noise does.
    #[test]
    fn damaged_commands_never_panic(seed in 0..1000_u64, position in any::<usize>(), bit in 0..8) {
        let (_, mut bytes) = Script::new(seed).entries(2).remove(1);
        let position = position % bytes.len();
        bytes[position] ^= 1_u8 << bit;
        if let Ok(command) = Command::decode(&bytes) {
            let again = command.encode().unwrap();
            prop_assert_eq!(Command::decode(&again), Ok(command));
        }
    }
}
