//! What readers answer: pages, history, hashes, clashes, consistency.

use crate::site::{LOG, Site, create, delete, directory, file, link, move_to, name, root, update};
use base::{DeviceId, Hash, ItemId, LogId};
use state::{Counts, FeedKind, Parent, Projection, StateError};

#[test]
fn children_come_in_the_order_of_their_bytes_and_in_pages() {
    let mut site = Site::new();
    let space = site.space("work");
    for text in ["b", "a", "Z", "é", "a b", "\u{10000}", "\u{ffff}"] {
        site.committed(space, create(root(space), text, file(text)));
    }
    let parent = ItemId::root_of(space);
    let mut names = Vec::new();
    while let Ok(page) = site.reader.children(parent, names.last(), 2)
        && !page.is_empty()
    {
        names.extend(page.into_iter().map(|child| child.name));
    }
    let mut sorted = names.clone();
    sorted.sort();
    assert_eq!(names, sorted);
    assert_eq!(names.len(), 7);
    let nodes = site.reader.tree(parent, Some(&name("b")), 10).unwrap();
    assert_eq!(nodes.len(), 3);
    let state = nodes[0].version.state.clone().unwrap();
    let expected = state::merkle::node_hash("é", &state, state::merkle::Sum::EMPTY);
    assert_eq!(nodes[0].hash, expected);
}

#[test]
fn paths_lead_to_items_and_bad_ones_nowhere() {
    let mut site = Site::new();
    let space = site.space("work");
    let d = site.committed(space, create(root(space), "d", directory()));
    let x = site.committed(space, create(Parent::Item(d.item), "x", file("1")));
    for (path, expected) in [
        ("", Some(ItemId::root_of(space))),
        ("d", Some(d.item)),
        ("d/x", Some(x.item)),
        ("d/", None),
        ("/d", None),
        ("d//x", None),
        ("d/./x", None),
        ("d/../d", None),
        ("d/x/y", None),
        (&"d/".repeat(3000), None),
    ] {
        let found = site.reader.resolve(space, path).unwrap();
        assert_eq!(found.map(|version| version.id.item), expected, "{path}");
    }
    assert_eq!(
        site.reader.resolve(base::SpaceId::new(99, 0), "").unwrap(),
        None
    );
    assert_eq!(site.reader.path_of(x.item).unwrap().as_deref(), Some("d/x"));
    assert_eq!(
        site.reader
            .path_of(ItemId::root_of(space))
            .unwrap()
            .as_deref(),
        Some("")
    );
    assert_eq!(site.reader.path_of(ItemId::new(99, 0)).unwrap(), None);
}

#[test]
fn versions_are_found_by_counter_and_by_time() {
    let mut site = Site::new();
    let space = site.space("work");
    let mut id = site.committed(space, create(root(space), "a", file("1")));
    for content in ["2", "3"] {
        site.time += 100;
        id = site.committed(space, update(id, file(content)));
    }
    let start = site.time - 200;
    for (time, expected) in [
        (start - 1, None),
        (start, Some(1)),
        (start + 99, Some(1)),
        (start + 100, Some(2)),
        (u64::MAX, Some(3)),
    ] {
        let found = site.reader.version_at(id.item, time).unwrap();
        assert_eq!(found.map(|version| version.id.counter), expected, "{time}");
    }
    for counter in 1..=3 {
        let wanted = base::VersionId { counter, ..id };
        let found = site.reader.version(wanted).unwrap().unwrap();
        assert_eq!(found.id, wanted);
        assert_eq!(found.state, Some(file(&counter.to_string())));
    }
    for counter in [0, 4] {
        assert_eq!(
            site.reader
                .version(base::VersionId { counter, ..id })
                .unwrap(),
            None
        );
    }
    assert_eq!(site.reader.history(id.item, 2).unwrap().len(), 2);
}

#[test]
fn the_latest_feed_skips_what_is_superseded_within_bounded_work() {
    let mut site = Site::new();
    let space = site.space("work");
    let mut id = site.committed(space, create(root(space), "a", file("first")));
    for number in 0..100 {
        id = site.committed(space, update(id, file(&number.to_string())));
    }
    let page = site
        .reader
        .feed(space, (0, 0), 2, FeedKind::Latest)
        .unwrap();
    assert_eq!(
        page.versions.len(),
        1,
        "the root; the scan ended before the file"
    );
    assert!(page.more);
    let mut after = (0, 0);
    let mut found = Vec::new();
    loop {
        let page = site.reader.feed(space, after, 2, FeedKind::Latest).unwrap();
        assert!(page.next > after || !page.more, "every page goes on");
        after = page.next;
        found.extend(page.versions);
        if !page.more {
            break;
        }
    }
    assert_eq!(found.len(), 2);
    assert_eq!(found[1].id, id);
    let end = site.reader.feed(space, after, 2, FeedKind::All).unwrap();
    assert_eq!((end.versions.len(), end.next, end.more), (0, after, false));
}

#[test]
fn hashes_are_known_to_the_spaces_that_ever_named_them() {
    let mut site = Site::new();
    let (space, other) = (site.space("work"), site.space("other"));
    let a = site.committed(space, create(root(space), "a", file("1")));
    site.committed(space, update(a, file("2")));
    site.committed(other, create(root(other), "a", file("2")));
    let known = |space, content: &str| {
        let hash = Hash::of(content.as_bytes());
        site.reader.hash_in_space(space, &hash).unwrap()
    };
    assert!(known(space, "1") && known(space, "2") && known(other, "2"));
    assert!(!known(other, "1") && !known(space, "3"));
    let all = site.reader.all_hashes(None, 10).unwrap();
    assert_eq!(all.len(), 2);
    assert_eq!(site.reader.all_hashes(Some(&all[0]), 10).unwrap(), all[1..]);
    assert_eq!(site.reader.all_hashes(None, 1).unwrap(), all[..1]);
}

#[test]
fn counts_follow_the_tree() {
    let mut site = Site::new();
    let space = site.space("work");
    let d = site.committed(space, create(root(space), "d", directory()));
    let a = site.committed(space, create(root(space), "a", file("12345")));
    site.committed(space, create(root(space), "l", link("a")));
    let a = site.committed(space, update(a, file("123")));
    let a = site.committed(space, move_to(a, Parent::Item(d.item), "b"));
    let counts = |files, directories, bytes| Counts {
        files,
        directories,
        bytes,
    };
    assert_eq!(site.reader.counts(space).unwrap(), counts(2, 1, 3));
    site.committed(space, delete(a));
    site.committed(space, delete(d));
    assert_eq!(site.reader.counts(space).unwrap(), counts(1, 0, 0));
}

#[test]
fn names_that_some_systems_confuse_are_reported() {
    let mut site = Site::new();
    let space = site.space("work");
    let d = site.committed(space, create(root(space), "d", directory()));
    for (parent, text) in [
        (root(space), "README"),
        (root(space), "readme"),
        (root(space), "other"),
        (Parent::Item(d.item), "readme"),
        (Parent::Item(d.item), "é"),
        (Parent::Item(d.item), "e\u{301}"),
    ] {
        site.committed(space, create(parent, text, file("1")));
    }
    let clashes = site.reader.clashes(space, 10).unwrap();
    let found: Vec<(ItemId, Vec<&str>)> = clashes
        .iter()
        .map(|clash| {
            (
                clash.parent,
                clash.names.iter().map(|name| name.as_str()).collect(),
            )
        })
        .collect();
    let expected = vec![
        (ItemId::root_of(space), vec!["README", "readme"]),
        (d.item, vec!["e\u{301}", "é"]),
    ];
    assert_eq!(found, expected);
    assert_eq!(site.reader.clashes(space, 1).unwrap().len(), 1);
}

#[test]
fn questions_asked_at_once_see_one_state() {
    let mut site = Site::new();
    let space = site.space("work");
    let before = site.reader.applied().unwrap();
    let other = site.projection.reader().unwrap();
    other
        .at_once(|reader| {
            let hash = reader.root_hash(space)?;
            site.committed(space, create(root(space), "a", file("1")));
            assert_eq!(reader.applied()?, before);
            assert_eq!(reader.root_hash(space)?, hash);
            assert_eq!(reader.resolve(space, "a")?, None);
            Ok(())
        })
        .unwrap();
    assert_eq!(other.applied().unwrap(), before + 1);
}

#[test]
fn a_file_that_is_no_projection_of_this_log_asks_to_be_rebuilt() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let check = |log, expected: fn(&StateError) -> bool| {
        let error = Projection::open(&path, log).unwrap_err();
        assert!(error.needs_rebuild() && expected(&error), "{error}");
        Projection::remove(&path).unwrap();
    };
    check(LOG, |error| matches!(error, StateError::Missing(_)));
    drop(Projection::create(&path, LOG).unwrap());
    let taken = Projection::create(&path, LOG).unwrap_err();
    assert!(matches!(taken, StateError::Exists(_)), "{taken}");
    drop(Projection::open(&path, LOG).unwrap());
    check(LogId::from_u64(8), |error| {
        matches!(error, StateError::ForeignLog { .. })
    });
    std::fs::write(&path, b"").unwrap();
    check(LOG, |error| matches!(error, StateError::Missing(_)));
    std::fs::write(&path, vec![b'x'; 9999]).unwrap();
    check(LOG, |error| matches!(error, StateError::Sqlite(_)));
    drop(Projection::create(&path, LOG).unwrap());
    let newer = rusqlite::Connection::open(&path).unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    drop(newer);
    check(LOG, |error| {
        matches!(error, StateError::OtherFormat { found: 99, .. })
    });
}

#[test]
fn damage_is_found_when_looked_for() {
    let mut site = Site::new();
    let space = site.space("work");
    let changes = (0..500)
        .map(|number| create(root(space), &format!("file {number}"), file("1")))
        .collect();
    site.commit(DeviceId::ADMIN, space, changes);
    site.projection.verify().unwrap();
    let path = site.folder.path().join("state.db");
    let Site {
        projection,
        reader,
        folder,
        ..
    } = site;
    // The last connection writes the log of SQLite back into the file.
    drop(reader);
    drop(projection);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 8192].fill(0xa5);
    std::fs::write(&path, bytes).unwrap();
    let error = Projection::open(&path, LOG).and_then(|projection| projection.verify());
    assert!(error.unwrap_err().needs_rebuild());
    drop(folder);
}
