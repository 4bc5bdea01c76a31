//! When a conflict is recorded, what becomes of the record, and when there is
//! nothing to record.

use crate::site::{Site, at, create, delete, directory, file, name, root, update};
use base::{DeviceId, SpaceId, VersionId};
use meta::{Metadata, Mode};
use state::{Base, Body, Change, Conflict, Denial, Kept, Outcome, Reply, Role};

struct Story {
    site: Site,
    space: SpaceId,
    ann: DeviceId,
    bob: DeviceId,
    old: VersionId,
    new: VersionId,
}

/// Ann has changed `d/a`; Bob still knows its first version.
fn story() -> Story {
    let mut site = Site::new();
    let space = site.space("work");
    let ann = site.device("ann", &[(space, Role::Editor)]);
    let bob = site.device("bob", &[(space, Role::Editor)]);
    let d = site.committed(space, create(root(space), "d", directory()));
    let parent = state::Parent::Item(d.item);
    let old = site.committed(space, create(parent, "a", file("base")));
    let outcomes = site.commit(ann, space, vec![update(old, file("ann's"))]);
    let Outcome::Committed(new) = outcomes[0] else {
        panic!("{outcomes:?}")
    };
    Story {
        site,
        space,
        ann,
        bob,
        old,
        new,
    }
}

impl Story {
    fn bob_does(&mut self, change: Change) -> Outcome {
        self.site
            .commit(self.bob, self.space, vec![change])
            .remove(0)
    }

    fn open(&self) -> Vec<Conflict> {
        self.site.reader.conflicts(self.space, true, 0, 10).unwrap()
    }

    fn copy(&self, text: &str, metadata: Metadata) -> Change {
        Change::Put {
            base: Base::Absent {
                parent: root(self.space),
                name: name(text),
            },
            metadata,
            conflict_of: Some(self.new),
        }
    }
}

#[test]
fn a_lost_edit_is_recorded_once_and_gains_its_copy() {
    let mut story = story();
    let lost = update(story.old, file("bob's"));
    assert!(matches!(
        story.bob_does(lost.clone()),
        Outcome::Conflict { .. }
    ));
    assert!(matches!(story.bob_does(lost), Outcome::Conflict { .. }));
    let open = story.open();
    assert_eq!(open.len(), 1, "trying again opens no second one");
    let conflict = &open[0];
    assert_eq!(conflict.path, "d/a");
    assert_eq!(
        (conflict.item, conflict.device),
        (story.old.item, story.bob)
    );
    assert_eq!((conflict.base, conflict.current), (1, 2));
    assert_eq!(conflict.content, file("bob's").content());
    assert_eq!(conflict.copy, None);

    let Outcome::Committed(copy) = story.bob_does(story.copy("a (bob)", file("bob's"))) else {
        panic!("the copy's name is free")
    };
    let open = story.open();
    assert_eq!(open.len(), 1);
    assert_eq!((open[0].id, open[0].copy), (conflict.id, Some(copy.item)));

    let resolve = Body::ResolveConflict {
        conflict: conflict.id,
        kept: Kept::Both,
    };
    assert_eq!(story.site.ask(story.ann, resolve), Reply::Done);
    assert_eq!(story.open(), []);
    let all = story
        .site
        .reader
        .conflicts(story.space, false, 0, 10)
        .unwrap();
    assert_eq!(all[0].kept, Some(Kept::Both));
    assert_eq!(
        story.site.reader.conflict(conflict.id).unwrap(),
        Some(all[0].clone())
    );
}

#[test]
fn a_copy_alone_opens_a_conflict() {
    let mut story = story();
    story.bob_does(story.copy("a (bob)", file("bob's")));
    let open = story.open();
    assert_eq!(open.len(), 1);
    assert_eq!((open[0].item, open[0].current), (story.old.item, 2));
    assert!(open[0].copy.is_some());
    // Of something that is not here there is no copy.
    let mut wrong = story.copy("b", file("1"));
    if let Change::Put { conflict_of, .. } = &mut wrong {
        *conflict_of = Some(VersionId {
            item: base::ItemId::new(999, 0),
            counter: 1,
        });
    }
    assert!(matches!(story.bob_does(wrong), Outcome::Refused(_)));
}

#[test]
fn winning_after_all_settles_it() {
    let mut story = story();
    story.bob_does(update(story.old, file("bob's")));
    assert_eq!(story.open().len(), 1);
    assert!(matches!(
        story.bob_does(update(story.new, file("bob's"))),
        Outcome::Committed(_)
    ));
    assert_eq!(story.open(), []);
}

#[test]
fn an_edit_of_what_was_deleted_is_recorded() {
    let mut story = story();
    story.site.committed(story.space, delete(story.new));
    let lost = update(story.old, file("bob's"));
    assert_eq!(story.bob_does(lost), Outcome::Conflict { current: None });
    assert_eq!(story.open().len(), 1);
}

#[test]
fn where_no_bytes_are_at_stake_nothing_is_recorded() {
    let mut story = story();
    let (hash, size) = file("ann's").content().unwrap();
    let other_mode = Metadata::file(hash, size, Mode::new(0o600).unwrap(), at(9)).unwrap();
    for change in [
        update(story.old, other_mode),
        delete(story.old),
        create(root(story.space), "d", file("over a directory")),
    ] {
        assert!(matches!(story.bob_does(change), Outcome::Conflict { .. }));
    }
    let open = story.open();
    assert_eq!(
        open.len(),
        1,
        "only the file that met a directory: {open:?}"
    );
    assert_eq!(open[0].path, "d");
}

#[test]
fn resolving_asks_for_the_right_conflict_and_role() {
    let mut story = story();
    story.bob_does(update(story.old, file("bob's")));
    let resolve = |conflict| Body::ResolveConflict {
        conflict,
        kept: Kept::Remote,
    };
    let id = story.open()[0].id;
    let reader = story.site.device("eve", &[(story.space, Role::Reader)]);
    let needed = Role::Editor;
    let denied = |denial| Reply::Denied(denial);
    assert_eq!(
        story.site.ask(reader, resolve(id)),
        denied(Denial::RoleMissing { needed })
    );
    assert_eq!(
        story.site.ask(story.bob, resolve(id + 1)),
        denied(Denial::UnknownConflict)
    );
    assert_eq!(story.site.ask(story.bob, resolve(id)), Reply::Done);
}
