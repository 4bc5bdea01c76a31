//! One story per rule of the tree: what a change does, and what it is refused.

use crate::site::{Site, create, delete, directory, file, link, move_to, name, root, update};
use base::{DeviceId, ItemId, VersionId};
use meta::{Metadata, Mode, Timestamp};
use state::{FeedKind, Outcome, Parent, Refusal};

#[test]
fn a_file_is_made_changed_moved_and_deleted() {
    let mut site = Site::new();
    let space = site.space("work");
    let first = site.committed(space, create(root(space), "a", file("1")));
    let second = site.committed(space, update(first, file("2")));
    assert_eq!(second.counter, 2);
    assert_eq!(second.item, first.item);
    let folder = site.committed(space, create(root(space), "d", directory()));
    let third = site.committed(space, move_to(second, Parent::Item(folder.item), "b"));
    let found = site.reader.resolve(space, "d/b").unwrap().unwrap();
    assert_eq!(found.id, third);
    assert_eq!(found.state, Some(file("2")));
    assert_eq!(site.reader.resolve(space, "a").unwrap(), None);
    let gone = site.committed(space, delete(third));
    assert_eq!(site.reader.resolve(space, "d/b").unwrap(), None);
    assert_eq!(site.reader.path_of(first.item).unwrap().unwrap(), "d/b");
    assert_eq!(site.change(space, delete(third)), Outcome::Same(gone));
    let history = site.reader.history(first.item, 10).unwrap();
    let counters: Vec<u64> = history.iter().map(|version| version.id.counter).collect();
    assert_eq!(counters, [4, 3, 2, 1]);
}

#[test]
fn one_command_builds_a_tree_from_nothing() {
    let mut site = Site::new();
    let space = site.space("work");
    let outcomes = site.commit(
        DeviceId::ADMIN,
        space,
        vec![
            create(root(space), "a", directory()),
            create(Parent::Change(0), "b", directory()),
            create(Parent::Change(1), "c", file("x")),
            create(Parent::Change(2), "d", file("x")),
            create(Parent::Change(4), "self", file("x")),
            create(Parent::Change(3), "of failed", file("x")),
        ],
    );
    assert!(matches!(
        outcomes[..3],
        [
            Outcome::Committed(_),
            Outcome::Committed(_),
            Outcome::Committed(_)
        ]
    ));
    assert_eq!(outcomes[3], Outcome::Refused(Refusal::NotADirectory));
    assert_eq!(outcomes[4], Outcome::Refused(Refusal::ParentMissing));
    assert_eq!(outcomes[5], Outcome::Refused(Refusal::ParentMissing));
    assert!(site.reader.resolve(space, "a/b/c").unwrap().is_some());
}

#[test]
fn what_is_already_so_is_the_same() {
    let mut site = Site::new();
    let space = site.space("work");
    let a = site.committed(space, create(root(space), "a", file("1")));
    let d = site.committed(space, create(root(space), "d", directory()));
    let newer = site.committed(space, update(a, file("2")));
    let applied_places = site.reader.feed(space, (0, 0), 100, FeedKind::All).unwrap();
    let other_directory = Metadata::directory(Mode::new(0o700).unwrap(), Timestamp::default());
    for (change, expected) in [
        (create(root(space), "a", file("2")), newer),
        (create(root(space), "d", other_directory), d),
        // Somebody else made the same change before.
        (update(a, file("2")), newer),
        (move_to(a, root(space), "a"), newer),
    ] {
        assert_eq!(
            site.change(space, change.clone()),
            Outcome::Same(expected),
            "{change:?}"
        );
    }
    let after = site.reader.feed(space, (0, 0), 100, FeedKind::All).unwrap();
    assert_eq!(applied_places, after);
}

#[test]
fn changes_that_make_no_sense_are_refused() {
    let mut site = Site::new();
    let space = site.space("work");
    let other = site.space("other");
    let a = site.committed(space, create(root(space), "a", file("1")));
    let d = site.committed(space, create(root(space), "d", directory()));
    let e = site.committed(space, create(Parent::Item(d.item), "e", directory()));
    let foreign = site.committed(other, create(root(other), "f", file("1")));
    let nothing = VersionId {
        item: ItemId::new(999, 0),
        counter: 1,
    };
    let the_root = VersionId {
        item: ItemId::root_of(space),
        counter: 1,
    };
    for (change, refusal) in [
        (
            create(Parent::Item(nothing.item), "x", file("1")),
            Refusal::ParentMissing,
        ),
        (create(root(other), "x", file("1")), Refusal::ParentMissing),
        (
            create(Parent::Item(foreign.item), "x", file("1")),
            Refusal::ParentMissing,
        ),
        (
            create(Parent::Item(a.item), "x", file("1")),
            Refusal::NotADirectory,
        ),
        (delete(d), Refusal::NotEmpty),
        (move_to(d, Parent::Item(e.item), "x"), Refusal::Cycle),
        (move_to(d, Parent::Item(d.item), "x"), Refusal::Cycle),
        (update(a, directory()), Refusal::KindChange),
        (update(d, file("1")), Refusal::KindChange),
        (update(nothing, file("1")), Refusal::NoSuchItem),
        (update(foreign, file("2")), Refusal::NoSuchItem),
        (delete(foreign), Refusal::NoSuchItem),
        (move_to(foreign, root(space), "x"), Refusal::NoSuchItem),
        (move_to(a, root(other), "x"), Refusal::ParentMissing),
        (delete(the_root), Refusal::Root),
        (move_to(the_root, Parent::Item(d.item), "x"), Refusal::Root),
    ] {
        let before = site.reader.root_hash(space).unwrap();
        assert_eq!(
            site.change(space, change.clone()),
            Outcome::Refused(refusal),
            "{change:?}"
        );
        assert_eq!(site.reader.root_hash(space).unwrap(), before);
    }
}

#[test]
fn stale_bases_conflict_with_what_stands() {
    let mut site = Site::new();
    let space = site.space("work");
    let old = site.committed(space, create(root(space), "a", file("1")));
    let new = site.committed(space, update(old, file("2")));
    let b = site.committed(space, create(root(space), "b", link("x")));
    let standing = |site: &Site, item| site.reader.item(item).unwrap();
    let a_stands = standing(&site, old.item);
    let b_stands = standing(&site, b.item);
    for (change, current) in [
        (update(old, file("3")), &a_stands),
        (delete(old), &a_stands),
        (move_to(old, root(space), "c"), &a_stands),
        (create(root(space), "a", file("3")), &a_stands),
        (move_to(new, root(space), "b"), &b_stands),
    ] {
        let expected = Outcome::Conflict {
            current: current.clone(),
        };
        assert_eq!(site.change(space, change.clone()), expected, "{change:?}");
    }
    site.committed(space, delete(new));
    let gone = Outcome::Conflict { current: None };
    assert_eq!(site.change(space, update(new, file("3"))), gone);
    assert_eq!(site.change(space, move_to(new, root(space), "c")), gone);
}

#[test]
fn a_link_may_become_a_file_and_the_root_may_change_its_mode() {
    let mut site = Site::new();
    let space = site.space("work");
    let a = site.committed(space, create(root(space), "a", link("x")));
    site.committed(space, update(a, file("1")));
    let the_root = VersionId {
        item: ItemId::root_of(space),
        counter: 1,
    };
    let before = site.reader.root_hash(space).unwrap();
    let strict = Metadata::directory(Mode::new(0o700).unwrap(), Timestamp::default());
    let next = site.committed(space, update(the_root, strict));
    assert_eq!(next.counter, 2);
    assert_ne!(site.reader.root_hash(space).unwrap(), before);
    assert!(site.reader.item(next.item).unwrap().unwrap().is_root());
    // A file may have the name that roots carry.
    site.committed(space, create(root(space), "root", file("1")));
}

#[test]
fn equal_trees_have_equal_hashes_whatever_their_history() {
    let mut site = Site::new();
    let (one, two) = (site.space("one"), site.space("two"));
    let d = site.committed(one, create(root(one), "d", directory()));
    site.committed(one, create(Parent::Item(d.item), "x", file("1")));
    site.committed(one, create(root(one), "y", link("d/x")));

    let y = site.committed(two, create(root(two), "wrong", link("d/x")));
    let x = site.committed(two, create(root(two), "x", file("0")));
    let e = site.committed(two, create(root(two), "e", directory()));
    let x = site.committed(two, move_to(x, Parent::Item(e.item), "x"));
    assert_ne!(
        site.reader.root_hash(one).unwrap(),
        site.reader.root_hash(two).unwrap()
    );
    site.committed(two, update(x, file("1")));
    site.committed(two, move_to(e, root(two), "d"));
    site.committed(two, move_to(y, root(two), "y"));
    assert_eq!(
        site.reader.root_hash(one).unwrap(),
        site.reader.root_hash(two).unwrap()
    );
    let child = site
        .reader
        .child(ItemId::root_of(two), &name("d"))
        .unwrap()
        .unwrap();
    assert_eq!(child.id.item, e.item);
}

/// In one transaction a directory is filled, moved, refilled and deleted: the
/// sums kept in memory meet every case of being loaded late.
#[test]
fn sums_survive_moves_within_one_transaction() {
    let mut site = Site::new();
    let space = site.space("work");
    let empty = site.reader.root_hash(space).unwrap();
    let d = site.committed(space, create(root(space), "d", directory()));
    let e = site.committed(space, create(root(space), "e", directory()));
    let x = site.committed(space, create(Parent::Item(d.item), "x", file("1")));
    let next = |id: VersionId, by| VersionId {
        item: id.item,
        counter: id.counter + by,
    };
    let outcomes = site.commit(
        DeviceId::ADMIN,
        space,
        vec![
            move_to(d, Parent::Item(e.item), "inner"),
            update(x, file("2")),
            create(Parent::Item(d.item), "y", file("3")),
            delete(next(x, 1)),
        ],
    );
    assert!(
        outcomes
            .iter()
            .all(|outcome| matches!(outcome, Outcome::Committed(_))),
        "{outcomes:?}"
    );
    let y = site.reader.resolve(space, "e/inner/y").unwrap().unwrap();
    let outcomes = site.commit(
        DeviceId::ADMIN,
        space,
        vec![
            delete(y.id),
            move_to(next(d, 1), root(space), "again"),
            delete(next(d, 2)),
            delete(e),
        ],
    );
    assert!(
        outcomes
            .iter()
            .all(|outcome| matches!(outcome, Outcome::Committed(_))),
        "{outcomes:?}"
    );
    assert_eq!(site.reader.root_hash(space).unwrap(), empty);
}
