//! Taking stock of real directories: what a walk meets, contents and their order, and
//! what a comparison with a manifest tells.

use base::Hash;
use meta::manifest::{Aspects, Entry};
use meta::{ContentHash, Mode, RecordKind, Timestamp};
use rustix::fs::{CWD, FileType, XattrFlags, mknodat};
use std::convert::Infallible;
use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::{Duration, SystemTime};
use sync::Silent;
use sync::folder::Directory;
use sync::inventory::{Counts, Difference, Tree, Walked, one, take, verify};

/// A line for each thing: `kind path`, or `! path: why`.
fn line(walked: Walked) -> String {
    match walked {
        Walked::Entry(met) => format!("{} {}", met.record.kind.as_str(), met.path),
        Walked::LeftOut(left_out) => format!("! {}: {}", left_out.path, left_out.reason),
    }
}

fn walk(path: &Path) -> Vec<String> {
    Tree::open(path).unwrap().walk().map(line).collect()
}

fn pipe(path: &Path) {
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    mknodat(CWD, path, FileType::Fifo, mode, 0).unwrap();
}

#[test]
fn every_kind_of_file_is_met_in_order() {
    let disk = tempfile::tempdir().unwrap();
    let at = |name: &str| disk.path().join(name);
    fs::create_dir_all(at("a/b")).unwrap();
    for name in ["a/b/c", "a-b", "a.c", "Z"] {
        fs::write(at(name), name).unwrap();
    }
    symlink("/etc", at("a/link")).unwrap();
    symlink(OsStr::from_bytes(b"\xff"), at("y")).unwrap();
    pipe(&at("pipe"));
    let _socket = UnixListener::bind(at("socket")).unwrap();
    fs::write(disk.path().join(OsStr::from_bytes(b"a/\xfe")), "").unwrap();
    let expected = [
        "directory .",
        "file Z",
        "directory a",
        "directory a/b",
        "file a/b/c",
        "symlink a/link",
        "! a/\\xfe: its name is not UTF-8",
        "file a-b",
        "file a.c",
        "! pipe: it is a named pipe",
        "! socket: it is a socket",
        "! y: it is a link whose target is not UTF-8",
    ];
    assert_eq!(walk(disk.path()), expected);
}

#[test]
fn what_is_known_of_an_entry_is_told() {
    let disk = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = disk.path().join("f");
    fs::write(&path, "text").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o2640)).unwrap();
    let file = File::open(&path).unwrap();
    let attribute = (c"user.colour", b"red");
    rustix::fs::fsetxattr(&file, attribute.0, attribute.1, XattrFlags::empty()).unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::new(1_000_000_000, 123_456_789);
    file.set_modified(time).unwrap();
    let Walked::Entry(met) = one(&path, true, &Silent).unwrap() else {
        panic!("left out");
    };
    assert_eq!(met.path.as_str(), "f");
    assert_eq!(
        met.record.kind,
        RecordKind::File {
            size: Some(4),
            hash: Some(Hash::of(b"text").into()),
            mode: Some(Mode::new(0o2640).unwrap()),
        }
    );
    let expected = Timestamp::new(1_000_000_000, 123_456_789).unwrap();
    assert_eq!(met.record.mtime, Some(expected));
    let attributes: Vec<_> = met.record.attributes.iter().collect();
    assert_eq!(attributes, [("user.colour", &b"red"[..])]);

    symlink("f", disk.path().join("l")).unwrap();
    let link = one(&disk.path().join("l"), true, &Silent).unwrap();
    assert_eq!(line(link), "symlink l");
    assert!(one(&disk.path().join("absent"), true, &Silent).is_err());
}

/// Deeper than handles are held, with something behind each way down.
#[test]
fn depth_uses_up_nothing() {
    let disk = tempfile::tempdir().unwrap();
    let mut path = String::new();
    let mut expected = vec!["directory .".to_owned()];
    for _ in 0..200 {
        path.push_str("d/");
        fs::create_dir(disk.path().join(&path)).unwrap();
        fs::write(disk.path().join(&path).join("z"), "").unwrap();
        expected.push(format!("directory {}", path.trim_end_matches('/')));
    }
    for depth in (1..=200).rev() {
        expected.push(format!("file {}z", "d/".repeat(depth)));
    }
    assert_eq!(walk(disk.path()), expected);
}

#[test]
fn a_path_that_is_too_long_is_told_and_not_followed() {
    let disk = tempfile::tempdir().unwrap();
    let mut directory = Directory::at(disk.path()).unwrap();
    let name = "d".repeat(255);
    for _ in 0..17 {
        directory.make(&name, Mode::DIRECTORY).unwrap();
        directory = directory.beneath(&name).unwrap();
    }
    let met = walk(disk.path());
    assert_eq!(met.len(), 18);
    let last = met.last().unwrap();
    assert!(
        last.ends_with("d: its path is longer than 4096 bytes"),
        "{last}"
    );
}

#[test]
fn what_changes_under_a_walk_leads_nowhere() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "").unwrap();
    let disk = tempfile::tempdir().unwrap();
    let at = |name: &str| disk.path().join(name);
    for name in ["a", "b", "c"] {
        fs::create_dir(at(name)).unwrap();
        fs::write(at(name).join("f"), "").unwrap();
    }
    let tree = Tree::open(disk.path()).unwrap();
    let mut walk = tree.walk().map(line);
    assert_eq!(walk.next().unwrap(), "directory .");
    // Listed already: one becomes a link that leads out, one is gone.
    fs::rename(at("a"), at("elsewhere")).unwrap();
    symlink(outside.path(), at("a")).unwrap();
    fs::remove_dir_all(at("b")).unwrap();
    let rest: Vec<_> = walk.collect();
    assert_eq!(rest, ["symlink a", "directory c", "file c/f"]);
}

#[test]
fn a_directory_that_took_the_place_of_another_is_not_taken_for_it() {
    let disk = tempfile::tempdir().unwrap();
    let deep = |depth: usize| disk.path().join("d/".repeat(depth));
    fs::create_dir_all(deep(90)).unwrap();
    for depth in [70, 80] {
        fs::write(deep(depth).join("z"), "").unwrap();
    }
    let tree = Tree::open(disk.path()).unwrap();
    let mut walk = tree.walk().map(line);
    let deepest = format!("directory {}", &"d/".repeat(90)[..179]);
    assert!(walk.any(|line| line == deepest));
    fs::rename(deep(70), disk.path().join("elsewhere")).unwrap();
    fs::create_dir_all(deep(80)).unwrap();
    fs::write(deep(80).join("z"), "another").unwrap();
    fs::write(deep(70).join("z"), "another").unwrap();
    let rest: Vec<_> = walk.collect();
    assert_eq!(rest.len(), 2, "{rest:?}");
    assert!(rest.iter().all(|line| line.starts_with("! d/")), "{rest:?}");
}

#[test]
fn the_corner_of_a_synced_folder_alone_is_left_out() {
    let disk = tempfile::tempdir().unwrap();
    fs::create_dir_all(disk.path().join("inner/.atoll")).unwrap();
    let corner = disk.path().join(".atoll");
    fs::create_dir(&corner).unwrap();
    let marker = r#"{"site":"1","space":"1","slug":"s","server":"http://h:1"}"#;
    fs::write(corner.join("marker.json"), marker).unwrap();
    let inner = ["directory inner", "directory inner/.atoll"];
    let whole = walk(disk.path());
    assert_eq!(whole[1..3], ["directory .atoll", "file .atoll/marker.json"]);
    assert_eq!(whole[3..], inner);
    let without = || Tree::open(disk.path()).unwrap().without_corner();
    let rest = || without().walk().map(line).skip(1).collect::<Vec<_>>();
    assert_eq!(rest(), inner);

    // What is no directory is no corner.
    fs::remove_dir_all(&corner).unwrap();
    symlink("inner", &corner).unwrap();
    assert_eq!(rest()[0], "symlink .atoll");
    fs::remove_file(&corner).unwrap();
    fs::write(&corner, "").unwrap();
    assert_eq!(rest()[0], "file .atoll");
}

/// The kernel makes up such files as they are read, of no size.
#[test]
fn a_file_that_is_longer_than_it_says_is_not_told() {
    let found = one(Path::new("/proc/version"), true, &Silent).unwrap();
    let expected = "! version: its size does not tell how much there is to read";
    assert_eq!(line(found), expected);
    let found = one(Path::new("/proc/version"), false, &Silent).unwrap();
    assert_eq!(line(found), "file version");
}

#[test]
fn without_contents_no_file_is_opened() {
    let disk = tempfile::tempdir_in(".").unwrap();
    let path = disk.path().join("f");
    fs::write(&path, "text").unwrap();
    let file = File::open(&path).unwrap();
    rustix::fs::fsetxattr(&file, c"user.colour", b"red", XattrFlags::empty()).unwrap();
    drop(file);
    let notices = rustix::fs::inotify::init(rustix::fs::inotify::CreateFlags::NONBLOCK).unwrap();
    let open = rustix::fs::inotify::WatchFlags::OPEN;
    rustix::fs::inotify::add_watch(&notices, &path, open).unwrap();
    let opened = || {
        let mut buffer = [0; 4096];
        rustix::io::read(&notices, &mut buffer).is_ok()
    };
    let mut met = Vec::new();
    let mut take_with = |contents: bool| {
        let tree = Tree::open(disk.path()).unwrap();
        take::<Infallible>(&tree, contents, &Silent, |walked| {
            let Walked::Entry(entry) = walked else {
                panic!("{walked:?}");
            };
            met.push(entry.record);
            Ok(())
        })
        .unwrap();
    };
    take_with(false);
    assert!(one(&path, false, &Silent).is_ok());
    assert!(!opened());
    take_with(true);
    assert!(opened());
    let [_, without, _, with] = &mut met[..] else {
        panic!("{met:?}");
    };
    assert_eq!(without.attributes.iter().count(), 1);
    if let RecordKind::File { hash, .. } = &mut with.kind {
        *hash = None;
    }
    assert_eq!(without, with);
}

/// Everything that stands there, as a manifest has it.
fn manifest(path: &Path) -> Vec<Entry> {
    let mut entries = Vec::new();
    let tree = Tree::open(path).unwrap();
    take::<Infallible>(&tree, true, &Silent, |walked| {
        if let Walked::Entry(met) = walked {
            let (path, record) = (met.path, met.record);
            entries.push(Entry { path, record });
        }
        Ok(())
    })
    .unwrap();
    entries
}

#[test]
fn contents_come_in_the_order_of_the_walk() {
    let disk = tempfile::tempdir().unwrap();
    for number in 0..300 {
        // Large ones before small ones, which are done first.
        let content = vec![number as u8; if number % 50 == 0 { 1 << 20 } else { number }];
        fs::write(disk.path().join(format!("{number:03}")), content).unwrap();
    }
    let entries = manifest(disk.path());
    assert_eq!(entries.len(), 301);
    for (number, entry) in entries[1..].iter().enumerate() {
        assert_eq!(entry.path.as_str(), format!("{number:03}"));
        let content = fs::read(disk.path().join(entry.path.as_str())).unwrap();
        let RecordKind::File { hash, .. } = entry.record.kind else {
            panic!("{entry:?}");
        };
        assert_eq!(hash, Some(Hash::of(&content).into()));
    }
}

#[test]
fn whoever_has_seen_enough_ends_everything() {
    let disk = tempfile::tempdir().unwrap();
    for number in 0..3000 {
        fs::write(disk.path().join(number.to_string()), "x").unwrap();
    }
    let tree = Tree::open(disk.path()).unwrap();
    let mut left = 10;
    let result = take(&tree, true, &Silent, |_| {
        left -= 1;
        if left == 0 { Err("enough") } else { Ok(()) }
    });
    assert_eq!((result, left), (Err("enough"), 0));
}

/// What differs, a line for each.
fn compared(entries: Vec<Entry>, path: &Path, aspects: Aspects) -> (Vec<String>, Counts) {
    let mut lines = Vec::new();
    let tree = Tree::open(path).unwrap();
    let entries = entries.into_iter().map(Ok::<_, Infallible>);
    let counts = verify(entries, &tree, aspects, &Silent, |difference| {
        lines.push(match difference {
            Difference::Missing(path) => format!("- {path}"),
            Difference::Extra(path) => format!("+ {path}"),
            Difference::Changed { path, aspects } => {
                let aspects: Vec<_> = aspects.iter().map(|aspect| aspect.name()).collect();
                format!("{path}: {}", aspects.join(" "))
            }
            Difference::Unread(left_out) => format!("! {}", left_out.path),
        });
        Ok(())
    });
    (lines, counts.unwrap())
}

/// A directory with a file, a link and a directory, none of which changes by itself.
fn sample() -> tempfile::TempDir {
    let disk = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    fs::create_dir(disk.path().join("d")).unwrap();
    fs::write(disk.path().join("d/f"), "content").unwrap();
    symlink("d", disk.path().join("link")).unwrap();
    disk
}

/// What a change of the sample is told as, with everything compared and with contents
/// alone. Times of directories, which tell of changes in them, are as they were.
#[track_caller]
fn check(change: impl FnOnce(&Path), all: &[&str], contents: &[&str]) {
    let disk = sample();
    let entries = manifest(disk.path());
    let clean = (Vec::<String>::new(), 4);
    let (lines, counts) = compared(entries.clone(), disk.path(), Aspects::ALL);
    assert_eq!((lines, counts.same), clean);
    assert!(counts.is_same());
    let directories = [disk.path().to_owned(), disk.path().join("d")];
    let times = directories.clone().map(|path| fs::metadata(path).unwrap());
    change(disk.path());
    for (path, before) in directories.iter().zip(&times) {
        if path.is_dir() {
            let directory = File::open(path).unwrap();
            directory.set_modified(before.modified().unwrap()).unwrap();
        }
    }
    let (lines, counts) = compared(entries.clone(), disk.path(), Aspects::ALL);
    assert_eq!(lines, all);
    assert_eq!(counts.is_same(), all.is_empty());
    assert_eq!(compared(entries, disk.path(), Aspects::CONTENT).0, contents);
}

/// Writes with the time of before.
fn write_keeping_time(path: &Path, content: &str) {
    let before = fs::metadata(path).unwrap().modified().unwrap();
    fs::write(path, content).unwrap();
    let file = File::options().write(true).open(path).unwrap();
    file.set_modified(before).unwrap();
}

#[test]
fn each_aspect_is_told() {
    let file = |top: &Path| top.join("d/f");
    check(|_| {}, &[], &[]);
    check(
        |top| write_keeping_time(&file(top), "cOntent"),
        &["d/f: hash"],
        &["d/f: hash"],
    );
    check(
        |top| write_keeping_time(&file(top), "contents"),
        &["d/f: size"],
        &["d/f: size"],
    );
    check(
        |top| fs::set_permissions(file(top), Permissions::from_mode(0o4600)).unwrap(),
        &["d/f: mode"],
        &[],
    );
    check(
        |top| {
            let time = SystemTime::UNIX_EPOCH + Duration::from_nanos(1);
            File::open(file(top)).unwrap().set_modified(time).unwrap();
        },
        &["d/f: mtime"],
        &[],
    );
    check(
        |top| {
            let file = File::open(file(top)).unwrap();
            rustix::fs::fsetxattr(&file, c"user.a", b"1", XattrFlags::empty()).unwrap();
        },
        &["d/f: attribute"],
        &[],
    );
    check(
        |top| {
            fs::remove_file(top.join("link")).unwrap();
            symlink("/etc", top.join("link")).unwrap();
        },
        &["link: target mtime"],
        &["link: target"],
    );
    check(
        |top| {
            fs::remove_file(file(top)).unwrap();
            fs::create_dir(file(top)).unwrap();
            fs::write(file(top).join("x"), "").unwrap();
        },
        &["d/f: kind mode mtime", "+ d/f/x"],
        &["d/f: kind", "+ d/f/x"],
    );
    check(
        |top| {
            fs::remove_dir_all(top.join("d")).unwrap();
            fs::write(top.join("e"), "").unwrap();
        },
        &["- d", "- d/f", "+ e"],
        &["- d", "- d/f", "+ e"],
    );
}

#[test]
fn what_cannot_be_told_is_not_missing() {
    let unnamed = |top: &Path| top.join(OsStr::from_bytes(b"\xff"));
    check(
        |top| {
            fs::write(unnamed(top), "").unwrap();
            fs::remove_dir_all(top.join("d")).unwrap();
            pipe(&top.join("d"));
        },
        &["! d", "! \\xff"],
        &["! d", "! \\xff"],
    );
}

#[test]
fn a_manifest_may_know_little_and_by_another_hash() {
    let disk = sample();
    let mut entries = manifest(disk.path());
    entries.remove(0);
    let sha256 = |content: &[u8]| {
        let digest = ring::digest::digest(&ring::digest::SHA256, content);
        ContentHash::Sha256(digest.as_ref().try_into().unwrap())
    };
    let set = |entries: &mut [Entry], known| {
        entries[1].record.mtime = None;
        entries[1].record.kind = RecordKind::File {
            size: None,
            hash: known,
            mode: None,
        };
    };
    for (known, told) in [
        (None, &[][..]),
        (Some(sha256(b"content")), &[]),
        (Some(sha256(b"other")), &["d/f: hash".to_owned()]),
    ] {
        set(&mut entries, known);
        let (lines, counts) = compared(entries.clone(), disk.path(), Aspects::ALL);
        assert_eq!(lines, told);
        assert_eq!(counts.same + counts.changed, 3);
        // Equal as far as was looked, which is told.
        assert_eq!(counts.unhashed, u64::from(known.is_none()));
    }
}

#[test]
fn a_broken_manifest_ends_the_comparison_where_it_breaks() {
    let disk = sample();
    let mut entries: Vec<_> = manifest(disk.path()).into_iter().map(Ok).collect();
    entries.truncate(2);
    entries.push(Err("damaged"));
    let tree = Tree::open(disk.path()).unwrap();
    let mut told = 0;
    let result = verify(entries.into_iter(), &tree, Aspects::ALL, &Silent, |_| {
        told += 1;
        Ok(())
    });
    assert_eq!((result, told), (Err("damaged"), 0));
}
