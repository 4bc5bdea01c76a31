//! Who may do what, and how devices come and go.

use crate::site::{Site, create, create_space, file, root};
use base::{DeviceId, MemberId, SpaceId, limits};
use state::{
    Body, Command, CommandError, Commit, Denial, InviteKind, Label, Reply, Role, StateError,
    TokenHash,
};

const ADMIN: DeviceId = DeviceId::ADMIN;

fn denied(denial: Denial) -> Reply {
    Reply::Denied(denial)
}

fn needs(needed: Role) -> Reply {
    denied(Denial::RoleMissing { needed })
}

fn invite(token: &str, kind: InviteKind, space: Option<SpaceId>, role: Role, expires: u64) -> Body {
    Body::Invite {
        token: TokenHash::of(token),
        kind,
        space,
        role,
        expires,
    }
}

fn register(invite: &str, device: &str) -> Body {
    Body::Register {
        invite: TokenHash::of(invite),
        device_token: TokenHash::of(device),
        name: Label::new(device).unwrap(),
    }
}

fn write(space: SpaceId) -> Body {
    Body::Commit(Commit {
        space,
        changes: vec![create(root(space), "a", file("1"))],
    })
}

fn registered(reply: &Reply) -> DeviceId {
    match reply {
        Reply::Registered { device } => *device,
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_role_may_do_its_part() {
    let mut site = Site::new();
    let (space, other) = (site.space("work"), site.space("other"));
    let reader = site.device("reader", &[(space, Role::Reader)]);
    let editor = site.device("editor", &[(space, Role::Editor)]);
    let owner = site.device("owner", &[(space, Role::Owner)]);
    let stranger = DeviceId::new(999, 0);
    let unknown = denied(Denial::UnknownSpace);
    let rename = Body::RenameSpace {
        space,
        slug: base::Slug::new("job").unwrap(),
    };
    let join = |token: &str| {
        invite(
            token,
            InviteKind::Join,
            Some(space),
            Role::Reader,
            u64::MAX >> 1,
        )
    };
    for (device, body, expected) in [
        (stranger, write(space), denied(Denial::UnknownDevice)),
        (reader, write(space), needs(Role::Editor)),
        (reader, write(other), unknown.clone()),
        (editor, write(other), unknown.clone()),
        (editor, write(SpaceId::new(999, 0)), unknown.clone()),
        (ADMIN, write(SpaceId::new(999, 0)), unknown),
        (editor, rename.clone(), needs(Role::Owner)),
        (editor, join("t1"), needs(Role::Owner)),
        (owner, join("t2"), Reply::Done),
        (owner, join("t2"), denied(Denial::TokenInUse)),
        (
            owner,
            invite("t3", InviteKind::Join, None, Role::Reader, 1),
            denied(Denial::AdminOnly),
        ),
        (owner, create_space("mine"), denied(Denial::AdminOnly)),
        (owner, register("t2", "x"), denied(Denial::AdminOnly)),
        (
            editor,
            Body::SetApplyVersion { version: 1 },
            denied(Denial::AdminOnly),
        ),
        (
            ADMIN,
            Body::SetApplyVersion { version: 1 },
            denied(Denial::ApplyVersion),
        ),
    ] {
        assert_eq!(site.ask(device, body.clone()), expected, "{body:?}");
    }
    assert!(matches!(site.ask(editor, write(space)), Reply::Commit(_)));
    assert!(matches!(site.ask(owner, rename), Reply::Space { .. }));
    assert_eq!(site.reader.role(reader, space).unwrap(), Some(Role::Reader));
    assert_eq!(site.reader.role(reader, other).unwrap(), None);
    assert_eq!(site.reader.role(ADMIN, other).unwrap(), Some(Role::Owner));
    let names: Vec<String> = site
        .reader
        .members(space)
        .unwrap()
        .into_iter()
        .map(|member| member.name)
        .collect();
    assert_eq!(names, ["reader", "editor", "owner"]);
    let spaces = site.reader.spaces_of(editor).unwrap();
    assert_eq!(spaces.len(), 1);
    assert_eq!(spaces[0].0.slug.as_str(), "job");
    assert_eq!(site.reader.spaces_of(ADMIN).unwrap().len(), 2);
}

#[test]
fn invites_open_what_they_say_for_as_long_as_they_say() {
    let mut site = Site::new();
    let space = site.space("work");
    let now = site.time;
    site.ask(
        ADMIN,
        invite(
            "join",
            InviteKind::Join,
            Some(space),
            Role::Editor,
            now + 10,
        ),
    );
    site.ask(
        ADMIN,
        invite(
            "link",
            InviteKind::Link,
            Some(space),
            Role::Reader,
            now + 10,
        ),
    );
    assert_eq!(
        site.ask(ADMIN, register("wrong", "a")),
        denied(Denial::UnknownInvite)
    );
    let a = registered(&site.ask(ADMIN, register("join", "a")));
    let b = registered(&site.ask(ADMIN, register("join", "b")));
    assert_ne!(a, b);
    assert_eq!(site.reader.role(a, space).unwrap(), Some(Role::Editor));
    // The link works once; for the same token its answer is only repeated. A
    // lesser grant takes nothing away.
    let c = registered(&site.ask(ADMIN, register("link", "c")));
    assert_eq!(registered(&site.ask(ADMIN, register("link", "c"))), c);
    assert_eq!(
        site.ask(ADMIN, register("link", "d")),
        denied(Denial::UsedInvite)
    );
    assert_eq!(
        site.ask(ADMIN, register("link", "a")),
        denied(Denial::UsedInvite)
    );
    assert_eq!(registered(&site.ask(ADMIN, register("join", "c"))), c);
    assert_eq!(site.reader.role(c, space).unwrap(), Some(Role::Editor));
    let device = site
        .reader
        .device_by_token(&TokenHash::of("c"))
        .unwrap()
        .unwrap();
    assert_eq!((device.id, device.name.as_str()), (c, "c"));
    site.time = now + 10;
    assert_eq!(
        site.ask(ADMIN, register("join", "e")),
        denied(Denial::ExpiredInvite)
    );
    // The log's time never runs backwards.
    site.time = now;
    assert_eq!(
        site.ask(ADMIN, register("join", "e")),
        denied(Denial::ExpiredInvite)
    );
}

#[test]
fn no_invite_outlives_a_day() {
    let mut site = Site::new();
    let space = site.space("work");
    site.ask(
        ADMIN,
        invite(
            "long",
            InviteKind::Join,
            Some(space),
            Role::Editor,
            u64::MAX >> 1,
        ),
    );
    site.time += limits::LEASE_MILLIS;
    assert_eq!(
        site.ask(ADMIN, register("long", "a")),
        denied(Denial::ExpiredInvite)
    );
}

#[test]
fn an_invite_to_every_space_opens_those_to_come() {
    let mut site = Site::new();
    let expires = site.time + 10;
    site.ask(
        ADMIN,
        invite("all", InviteKind::Join, None, Role::Editor, expires),
    );
    let device = registered(&site.ask(ADMIN, register("all", "a")));
    let space = site.space("later");
    assert_eq!(site.reader.role(device, space).unwrap(), Some(Role::Editor));
    let Reply::Space { id: own, .. } = site.ask(device, create_space("mine")) else {
        panic!("an editor of every space makes spaces")
    };
    assert_eq!(site.reader.role(device, own).unwrap(), Some(Role::Owner));
}

#[test]
fn revoked_devices_and_withdrawn_grants_are_worthless() {
    let mut site = Site::new();
    let space = site.space("work");
    let (a, b) = (
        site.device("a", &[(space, Role::Owner)]),
        site.device("b", &[(space, Role::Editor)]),
    );
    let member = site.reader.device(b).unwrap().unwrap().member;
    let grant = |role| Body::Grant {
        space,
        member,
        role,
    };
    assert_eq!(site.ask(b, grant(Some(Role::Owner))), needs(Role::Owner));
    assert_eq!(site.ask(a, grant(Some(Role::Reader))), Reply::Done);
    assert_eq!(site.ask(b, write(space)), needs(Role::Editor));
    assert_eq!(site.ask(a, grant(None)), Reply::Done);
    assert_eq!(site.ask(b, write(space)), denied(Denial::UnknownSpace));
    let nobody = Body::Grant {
        space,
        member: MemberId::new(999, 0),
        role: None,
    };
    assert_eq!(site.ask(a, nobody), denied(Denial::UnknownMember));

    assert_eq!(
        site.ask(b, Body::RevokeDevice { device: a }),
        denied(Denial::AdminOnly)
    );
    assert_eq!(site.ask(b, Body::RevokeDevice { device: b }), Reply::Done);
    assert_eq!(site.ask(b, write(space)), denied(Denial::RevokedDevice));
    assert_eq!(
        site.reader.device_by_token(&TokenHash::of("b")).unwrap(),
        None
    );
    assert_eq!(
        site.ask(ADMIN, Body::RevokeDevice { device: a }),
        Reply::Done
    );
    assert_eq!(site.reader.role(a, space).unwrap(), None);
    let again = Body::RegisterLocal {
        device_token: TokenHash::of("a"),
        name: Label::new("a").unwrap(),
        grants: vec![],
    };
    assert_eq!(site.ask(ADMIN, again), denied(Denial::RevokedDevice));
}

#[test]
fn entries_from_the_future_stop_the_node() {
    let mut site = Site::new();
    let space = site.space("work");
    let version = crate::site::command(ADMIN, 0, 0, 1, Body::SetApplyVersion { version: 2 });
    let good = crate::site::command(ADMIN, 0, 0, 1, write(space))
        .encode()
        .unwrap();
    let error = site
        .projection
        .apply([(2, good.as_slice()), (3, &version.encode().unwrap())])
        .unwrap_err();
    assert!(
        matches!(error, StateError::ApplyVersion { version: 2, .. }),
        "{error}"
    );
    // Kind 99, and nothing else.
    let error = site
        .projection
        .apply([(2, good.as_slice()), (3, &[0x08, 99])])
        .unwrap_err();
    let StateError::Entry { index: 3, source } = error else {
        panic!("{error}")
    };
    assert!(matches!(source, CommandError::UnknownKind { kind: 99, .. }));
    assert!(Command::decode(&[]).is_err());
    // Nothing of the batch was applied, and the good entry still can be.
    assert_eq!(site.projection.applied(), 1);
    assert_eq!(site.reader.resolve(space, "a").unwrap(), None);
    assert_eq!(
        site.projection.apply([(2, good.as_slice())]).unwrap().len(),
        1
    );
}
