//! Tests of [`super`]: what is remembered, and what is lost when it is not kept.

use super::*;
use base::Name;

fn trees() -> (tempfile::TempDir, Trees) {
    let disk = tempfile::tempdir().unwrap();
    let trees = Trees::open(&disk.path().join("state.db")).unwrap();
    (disk, trees)
}

fn file(content: &str) -> Metadata {
    Metadata::file(
        Hash::of(content.as_bytes()),
        content.len() as u64,
        Mode::FILE,
        Timestamp::default(),
    )
    .unwrap()
}

fn item(n: u64) -> ItemId {
    ItemId::new(n, 0)
}

fn row(n: u64, counter: u64, name: &str) -> SyncedRow {
    let seen = Observation {
        kind: ObservedKind::File,
        size: 1,
        mode: Mode::FILE,
        modified: Timestamp::new(-5, 7).unwrap(),
        changed: Timestamp::new(9, 9).unwrap(),
        inode: u64::MAX,
    };
    let version = VersionId {
        item: item(n),
        counter,
    };
    let metadata = Metadata::file(Hash::of(b"x"), 1, Mode::FILE, Timestamp::default()).unwrap();
    SyncedRow {
        parent: Some(item(1)),
        name: name.to_owned(),
        synced: Synced {
            version,
            metadata,
            seen,
            racy: true,
        },
    }
}

fn version(n: u64, counter: u64, name: &str, state: Option<Metadata>) -> Version {
    Version {
        id: VersionId {
            item: item(n),
            counter,
        },
        parent: item(1),
        name: Name::new(name).unwrap(),
        state,
        device: DeviceId::ADMIN,
        time: 0,
        index: 5,
        ordinal: 0,
    }
}

#[test]
fn rows_round_trip_in_byte_order() {
    let (_disk, trees) = trees();
    for (n, name) in [(2, "b"), (3, "ü"), (4, "B"), (5, "a.b"), (6, "a")] {
        trees.agree(&row(n, 1, name)).unwrap();
    }
    let names: Vec<_> = trees
        .synced_children(item(1))
        .unwrap()
        .into_iter()
        .map(|row| row.name)
        .collect();
    assert_eq!(names, ["B", "a", "a.b", "b", "ü"]);
    assert_eq!(
        trees.synced_child(item(1), "ü").unwrap(),
        Some(row(3, 1, "ü"))
    );
    assert_eq!(trees.synced_item(item(4)).unwrap(), Some(row(4, 1, "B")));
}

#[test]
fn news_lie_over_the_synced_tree() {
    let (_disk, trees) = trees();
    let row = row(2, 1, "a");
    trees.agree(&row).unwrap();
    let remote = |name: &str| {
        let row = trees.synced_child(item(1), name).unwrap();
        trees
            .remote_child(item(1), name, row.as_ref())
            .unwrap()
            .map(|remote| remote.version)
    };
    assert_eq!(remote("a"), Some(row.synced.version));
    // Old news are none; newer ones replace; a deletion and a move empty the place.
    assert!(!trees.learn(&version(2, 1, "a", Some(file("x")))).unwrap());
    assert!(trees.learn(&version(2, 2, "a", Some(file("y")))).unwrap());
    assert_eq!(remote("a").unwrap().counter, 2);
    trees.learn(&version(2, 3, "a", None)).unwrap();
    assert_eq!(remote("a"), None);
    // Another item takes the name.
    trees.learn(&version(3, 1, "a", Some(file("z")))).unwrap();
    assert_eq!(remote("a").unwrap().item, item(3));
    // Agreeing on it leaves no news of it, and the old row is gone.
    let mut agreed = row;
    agreed.synced.version = VersionId {
        item: item(3),
        counter: 1,
    };
    trees.agree(&agreed).unwrap();
    assert_eq!(trees.news_of(item(3)).unwrap(), None);
    assert_eq!(trees.synced_item(item(2)).unwrap(), None);
    assert!(trees.knows_content(&Hash::of(b"x")).unwrap());
}

#[test]
fn a_moved_item_leaves_its_old_place() {
    let (_disk, trees) = trees();
    let row = row(2, 1, "a");
    trees.agree(&row).unwrap();
    trees.learn(&version(2, 2, "b", Some(file("x")))).unwrap();
    let old = trees.remote_child(item(1), "a", Some(&row)).unwrap();
    let new = trees.remote_child(item(1), "b", None).unwrap();
    assert_eq!((old, new.unwrap().version.counter), (None, 2));
}

#[test]
fn an_unheard_offer_makes_news_own() {
    let (_disk, mut trees) = trees();
    let me = DeviceId::new(4, 0);
    let mine = Version {
        device: me,
        ..version(2, 1, "a", Some(file("x")))
    };
    let number = trees.offer(&[(item(1), "a"), (item(1), "b")], 7).unwrap();
    let own = |trees: &Trees, version: &Version| {
        trees
            .overlay(None, std::slice::from_ref(version))
            .unwrap()
            .unwrap()
            .own
    };
    assert!(!own(&trees, &mine), "the answer may still come");
    trees.recall(me).unwrap();
    assert!(own(&trees, &mine));
    assert!(
        !own(&trees, &version(2, 1, "a", Some(file("x")))),
        "made by another"
    );
    assert!(!own(
        &trees,
        &Version {
            device: me,
            ..version(2, 1, "c", Some(file("x")))
        }
    ));
    trees.heard(number).unwrap();
    trees.recall(me).unwrap();
    assert!(!own(&trees, &mine));
}

#[test]
fn what_was_not_committed_is_not_kept() {
    let disk = tempfile::tempdir().unwrap();
    let path = disk.path().join("state.db");
    let place = Place {
        space: SpaceId::new(1, 0),
        cursor: Cursor::after(LogId::from_u64(u64::MAX), 7),
    };
    {
        let trees = Trees::open(&path).unwrap();
        trees.restart(place).unwrap();
        trees.commit().unwrap();
        trees.agree(&row(2, 1, "a")).unwrap();
    }
    let trees = Trees::open(&path).unwrap();
    assert_eq!(trees.place().unwrap(), Some(place));
    assert_eq!(trees.counts().unwrap(), (0, 0));
}

#[test]
fn a_damaged_file_is_begun_anew() {
    let disk = tempfile::tempdir().unwrap();
    let path = disk.path().join("state.db");
    std::fs::write(
        &path,
        b"no database at all, but long enough to be looked at as one",
    )
    .unwrap();
    assert_eq!(Trees::open(&path).unwrap().place().unwrap(), None);
}

/// What format 3 was, and rows as its program wrote them: agreements on each kind of
/// entry, news, and the place.
fn database_of_format_3(path: &Path, place: Place, news: &Version) {
    let old = Connection::open(path).unwrap();
    old.execute_batch(&format!(
        "CREATE TABLE synced (
            parent INTEGER NOT NULL, name TEXT NOT NULL,
            item INTEGER NOT NULL, counter INTEGER NOT NULL,
            kind INTEGER NOT NULL, content BLOB NOT NULL, size INTEGER NOT NULL,
            mode INTEGER NOT NULL, seconds INTEGER NOT NULL, nanoseconds INTEGER NOT NULL,
            seen_mode INTEGER NOT NULL, seen_seconds INTEGER NOT NULL,
            seen_nanoseconds INTEGER NOT NULL,
            changed_seconds INTEGER NOT NULL, changed_nanoseconds INTEGER NOT NULL,
            inode INTEGER NOT NULL, racy INTEGER NOT NULL,
            PRIMARY KEY (parent, name)
        ) STRICT, WITHOUT ROWID;
        CREATE UNIQUE INDEX synced_item ON synced (item);
        {SCHEMA} PRAGMA user_version = 3;"
    ))
    .unwrap();
    let (space, cursor) = (place.space, place.cursor);
    let place = params![
        space.to_u64() as i64,
        cursor.log.to_u64() as i64,
        cursor.index as i64,
        cursor.ordinal
    ];
    old.execute("INSERT INTO place VALUES (1, ?, ?, ?, ?)", place)
        .unwrap();
    let news = params![
        news.id.item.to_u64() as i64,
        parent_of(news),
        name_of(news),
        news.encode()
    ];
    old.execute("INSERT INTO news VALUES (?, ?, ?, ?)", news)
        .unwrap();
    let hash = Hash::of(b"x");
    for (number, name, kind, content, size, mode) in [
        (2, "file", 0, hash.as_bytes().as_slice(), 1, 0o644),
        (3, "directory", 1, b"", 0, 0o755),
        (4, "link", 2, b"../x", 0, 0o777),
    ] {
        let columns = params![
            item(1).to_u64() as i64,
            name,
            item(number).to_u64() as i64,
            7,
            kind,
            content,
            size,
            mode,
            -5,
            7,
            0o600,
            -6,
            8,
            9,
            10,
            -1,
            number == 2,
        ];
        old.execute(
            "INSERT INTO synced VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            columns,
        )
        .unwrap();
    }
}

/// An upgrade that forgot what was agreed would bring back what was deleted meanwhile.
#[test]
fn agreements_of_the_format_before_stay() {
    let disk = tempfile::tempdir().unwrap();
    let path = disk.path().join("state.db");
    let place = Place {
        space: SpaceId::new(1, 0),
        cursor: Cursor::after(LogId::from_u64(u64::MAX), 7),
    };
    let news = version(5, 2, "new", Some(file("y")));
    database_of_format_3(&path, place, &news);
    let time = |seconds, nanoseconds| Timestamp::new(seconds, nanoseconds).unwrap();
    let modified = time(-5, 7);
    let row = |number, name: &str, metadata: Metadata| SyncedRow {
        parent: Some(item(1)),
        name: name.to_owned(),
        synced: Synced {
            version: VersionId {
                item: item(number),
                counter: 7,
            },
            seen: Observation {
                mode: Mode::new(0o600).unwrap(),
                modified: time(-6, 8),
                changed: time(9, 10),
                inode: u64::MAX,
                ..usual_look(&metadata)
            },
            metadata,
            racy: number == 2,
        },
    };
    let content = Metadata::file(Hash::of(b"x"), 1, Mode::FILE, modified).unwrap();
    let target = meta::Target::new("../x").unwrap();
    let expected = [
        row(
            3,
            "directory",
            Metadata::directory(Mode::DIRECTORY, modified),
        ),
        row(2, "file", content),
        row(4, "link", Metadata::symlink(target, modified)),
    ];
    // The second opening finds nothing left to do.
    for _ in 0..2 {
        let trees = Trees::open(&path).unwrap();
        assert_eq!(trees.synced_children(item(1)).unwrap(), expected);
        assert_eq!(
            trees.synced_item(item(4)).unwrap().as_ref(),
            expected.last()
        );
        assert_eq!(trees.news_of(item(5)).unwrap().as_ref(), Some(&news));
        assert_eq!(trees.place().unwrap(), Some(place));
        assert!(trees.knows_content(&Hash::of(b"x")).unwrap());
        assert_eq!(trees.contents().unwrap().len(), 1);
    }
}

/// What cannot be read is no reason to forget the rest: the next opening tries again.
#[test]
fn a_migration_that_fails_leaves_everything_as_it_was() {
    let disk = tempfile::tempdir().unwrap();
    let path = disk.path().join("state.db");
    let place = Place {
        space: SpaceId::new(1, 0),
        cursor: Cursor::after(LogId::from_u64(1), 7),
    };
    database_of_format_3(&path, place, &version(5, 2, "new", None));
    let break_mode = |mode: u32| {
        let old = Connection::open(&path).unwrap();
        old.execute("UPDATE synced SET mode = ? WHERE name = 'file'", [mode])
            .unwrap();
    };
    break_mode(0o10000);
    assert!(Trees::open(&path).is_err());
    break_mode(0o644);
    let trees = Trees::open(&path).unwrap();
    assert_eq!(trees.counts().unwrap(), (3, 1));
}

#[test]
fn what_was_given_unheard_and_deleted_since_is_proved_by_its_bytes() {
    let (_disk, mut trees) = trees();
    trees.offer(&[(item(1), "mine")], 7).unwrap();
    let me = DeviceId::new(4, 0);
    trees.recall(me).unwrap();
    for (number, name, is_kept) in [(5, "mine", true), (6, "theirs", false)] {
        let given = Version {
            device: me,
            ..version(number, 1, name, Some(file("x")))
        };
        assert!(trees.learn(&given).unwrap());
        assert!(trees.learn(&version(number, 2, name, None)).unwrap());
        let row = trees.synced_item(item(number)).unwrap();
        assert_eq!(row.is_some(), is_kept, "{name}");
        assert!(row.is_none_or(|row| row.synced.racy), "{name}");
        assert_eq!(trees.news_of(item(number)).unwrap().is_some(), is_kept);
    }
}

#[test]
fn an_offer_is_nobodys_lost_answer_for_ever() {
    let (_disk, mut trees) = trees();
    let me = DeviceId::new(4, 0);
    trees.offer(&[(item(1), "early")], 1_000).unwrap();
    trees.offer(&[(item(1), "late")], 2_000).unwrap();
    trees.recall(me).unwrap();
    let mine = |name: &str| Version {
        device: me,
        ..version(5, 1, name, Some(file("x")))
    };
    assert!(trees.is_own(&mine("early")) && trees.is_own(&mine("late")));
    trees.settle_offers(2_000).unwrap();
    assert!(!trees.is_own(&mine("early")));
    assert!(trees.is_own(&mine("late")) && trees.has_unheard());
    trees.settle_offers(2_001).unwrap();
    assert!(!trees.has_unheard());
}

#[test]
fn reading_alone_writes_nothing() {
    let disk = tempfile::tempdir().unwrap();
    // Characters with a meaning in addresses.
    let folder = disk.path().join("a %3f#?b");
    std::fs::create_dir(&folder).unwrap();
    let path = folder.join("state.db");
    let trees = Trees::open(&path).unwrap();
    trees.agree(&row(7, 1, "a")).unwrap();
    trees.commit().unwrap();
    let names = || {
        let names = std::fs::read_dir(&folder).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    };
    let read = || {
        let trees = Trees::open_to_read(&path).unwrap().unwrap();
        let row = trees.synced_item(item(7)).unwrap();
        let during = names();
        (row.map(|row| row.synced.version.counter), during)
    };
    // What its client has not yet moved into the database is read too.
    let beside = ["state.db", "state.db-shm", "state.db-wal"];
    assert_eq!(read(), (Some(1), beside.map(Into::into).to_vec()));
    trees.agree(&row(7, 2, "a")).unwrap();
    trees.commit().unwrap();
    assert_eq!(read().0, Some(2));
    drop(trees);
    assert_eq!(read(), (Some(2), vec!["state.db".into()]));
    assert_eq!(names(), ["state.db"]);
}
