//! Bounds on paths and commands.

use crate::site::{Site, command, create, create_space, directory, file, move_to, root};
use base::{DeviceId, ItemId, SpaceId, VersionId, limits};
use state::{Body, Change, Command, CommandError, Commit, Outcome, Parent, Refusal};

const LONGEST_NAME: usize = limits::NAME_BYTES;

/// Directories within one another whose names have these lengths.
fn chain(site: &mut Site, space: SpaceId, names: &[usize]) -> Vec<VersionId> {
    let mut chain: Vec<VersionId> = Vec::new();
    for length in names {
        let parent = chain
            .last()
            .map_or_else(|| root(space), |last| Parent::Item(last.item));
        let made = create(parent, &"n".repeat(*length), directory());
        chain.push(site.committed(space, made));
    }
    chain
}

/// 15 directories with longest names: a path of 3839 bytes.
fn deep(site: &mut Site, space: SpaceId) -> Vec<VersionId> {
    chain(site, space, &[LONGEST_NAME; 15])
}

#[test]
fn paths_end_at_4096_bytes() {
    let mut site = Site::new();
    let space = site.space("work");
    let chain = deep(&mut site, space);
    let last = Parent::Item(chain[14].item);
    let too_long = Outcome::Refused(Refusal::PathTooLong);
    let room = limits::PATH_BYTES - (15 * LONGEST_NAME + 15);
    assert_eq!(room, 256);
    // One level more has 256 bytes left, so every name fits; below it, none.
    let fits = site.committed(space, create(last, &"f".repeat(LONGEST_NAME), directory()));
    for text in ["x", "yy"] {
        let change = create(Parent::Item(fits.item), text, file("1"));
        assert_eq!(site.change(space, change), too_long);
    }
    let outside = site.committed(space, create(root(space), "o", file("1")));
    let change = move_to(outside, Parent::Item(fits.item), "o");
    assert_eq!(site.change(space, change), too_long);
}

#[test]
fn a_directory_moves_only_where_all_beneath_it_still_fits() {
    let mut site = Site::new();
    let space = site.space("work");
    let chain = deep(&mut site, space);
    let too_long = Outcome::Refused(Refusal::PathTooLong);
    // A branch of 201 bytes below its own name, beside the chain.
    let branch = site.committed(space, create(root(space), "b", directory()));
    let leaf = create(Parent::Item(branch.item), &"l".repeat(200), file("1"));
    site.committed(space, leaf);
    let below = Parent::Item(chain[14].item);
    // 3839 + 1 + name + 1 + 200 must be ≤ 4096: a name of at most 55 bytes.
    let change = move_to(branch, below, &"m".repeat(56));
    assert_eq!(site.change(space, change), too_long);
    let moved = site.committed(space, move_to(branch, below, &"m".repeat(55)));
    // The longest path of the space is 4096 now, but this branch is short.
    let back = site.committed(space, move_to(moved, root(space), "b"));
    let longer = site.committed(space, move_to(back, root(space), &"c".repeat(99)));
    // The chain itself cannot get a longer name: its end is full.
    let end = create(below, &"e".repeat(255), file("1"));
    site.committed(space, end);
    let change = move_to(chain[0], Parent::Item(longer.item), "x");
    assert!(matches!(site.change(space, change), Outcome::Committed(_)));
    let renamed = VersionId {
        item: chain[0].item,
        counter: 2,
    };
    let change = move_to(renamed, Parent::Item(longer.item), &"y".repeat(250));
    assert_eq!(site.change(space, change), too_long);
}

/// Each move is short enough beside the one before; it is their sum that counts.
#[test]
fn paths_that_grew_by_moving_count_for_the_next_move() {
    let mut site = Site::new();
    let space = site.space("work");
    let mut names = [LONGEST_NAME; 9];
    names[0] = 1;
    let branch = chain(&mut site, space, &names)[0];
    names = [LONGEST_NAME; 9];
    names[7] = 100;
    let target = chain(&mut site, space, &names[..8])[7];
    // 1892 bytes above and 2049 below make 3942; 254 more are too many.
    let below = Parent::Item(target.item);
    let moved = site.committed(space, move_to(branch, below, "b"));
    let change = move_to(moved, below, &"b".repeat(LONGEST_NAME));
    assert_eq!(
        site.change(space, change),
        Outcome::Refused(Refusal::PathTooLong)
    );
}

#[test]
fn a_command_that_would_stop_the_nodes_is_never_encoded() {
    let space = SpaceId::new(1, 0);
    let commit = |changes| Body::Commit(Commit { space, changes });
    let small = create(root(space), "a", file("1"));
    let long = create(
        root(space),
        &"n".repeat(255),
        crate::site::link(&"t".repeat(4096)),
    );
    let many = limits::CHANGES_PER_COMMAND;
    let body = |body| command(DeviceId::ADMIN, 1, 1, 1, body);
    assert!(body(commit(vec![small.clone(); many])).encode().is_ok());
    let check = |command: Command, expected: fn(&CommandError) -> bool| {
        let error = command.encode().unwrap_err();
        assert!(expected(&error), "{error}");
    };
    check(body(commit(vec![small; many + 1])), |error| {
        matches!(error, CommandError::TooMany { .. })
    });
    check(body(commit(vec![long; many])), |error| {
        matches!(error, CommandError::TooLong(_))
    });
    let root_file = Body::CreateSpace {
        slug: base::Slug::new("a").unwrap(),
        root: file("1"),
    };
    check(body(root_file), |error| *error == CommandError::RootKind);
    let late = command(DeviceId::ADMIN, 1, u64::MAX, 1, create_space("a"));
    check(late, |error| matches!(error, CommandError::Range { .. }));
    // Versions that the types can say and an entry cannot.
    for counter in [0, 1 << 63, u64::MAX] {
        let item = ItemId::new(5, 1);
        let base = VersionId { item, counter };
        let delete = body(commit(vec![Change::Delete { base }]));
        assert!(delete.encode().is_err(), "{counter}");
    }
}

/// The promise beside `limits::COMMAND_BYTES`.
#[test]
fn the_most_changes_with_longest_names_fit_a_command() {
    let space = SpaceId::new(u64::from(u32::MAX), 0);
    let changes: Vec<Change> = vec![
        create(root(space), &"n".repeat(LONGEST_NAME), file("1"));
        limits::CHANGES_PER_COMMAND
    ];
    let commit = Body::Commit(Commit { space, changes });
    assert!(
        command(DeviceId::ADMIN, u64::MAX, 1, 1, commit)
            .encode()
            .is_ok()
    );
}
