//! A command is done once, however often it arrives.

use crate::site::{Site, command, create, create_space, delete, file, root};
use base::{DeviceId, limits};
use state::{Body, Change, Command, Commit, Denial, Outcome, Reply, Role};

fn commit(
    device: DeviceId,
    stream: u64,
    sequence: u64,
    change: Change,
    space: base::SpaceId,
) -> Command {
    let body = Body::Commit(Commit {
        space,
        changes: vec![change],
    });
    command(device, stream, sequence, 5, body)
}

#[test]
fn a_repetition_gets_the_first_answer_and_changes_nothing() {
    let mut site = Site::new();
    let space = site.space("work");
    let first = commit(
        DeviceId::ADMIN,
        9,
        1,
        create(root(space), "a", file("1")),
        space,
    );
    let reply = site.run(&first);
    let Reply::Commit(outcomes) = &reply else {
        panic!("{reply:?}")
    };
    let Outcome::Committed(id) = outcomes[0] else {
        panic!("{outcomes:?}")
    };
    site.committed(space, delete(id));
    // By another proposer at another time, and after a restart.
    let again = Command {
        time: 99_000_000,
        ..first
    };
    assert_eq!(site.run(&again), reply);
    assert_eq!(site.reader.resolve(space, "a").unwrap(), None);
    let reused = commit(
        DeviceId::ADMIN,
        9,
        1,
        create(root(space), "b", file("1")),
        space,
    );
    assert_eq!(site.run(&reused), Reply::Denied(Denial::SequenceReused));
    // Another stream counts for itself, and stream 0 not at all.
    let other = commit(
        DeviceId::ADMIN,
        10,
        1,
        create(root(space), "b", file("1")),
        space,
    );
    assert!(matches!(site.run(&other), Reply::Commit(_)));
    let slug = |reply| match reply {
        Reply::Space { slug, .. } => slug.to_string(),
        other => panic!("{other:?}"),
    };
    for expected in ["x", "x-2", "x-3"] {
        let twice = command(DeviceId::ADMIN, 0, 0, 1, create_space("x"));
        assert_eq!(slug(site.run(&twice)), expected);
    }
}

#[test]
fn the_window_is_bounded_and_unordered() {
    let mut site = Site::new();
    let space = site.space("work");
    let device = site.device("d", &[(space, Role::Editor)]);
    let nothing = |sequence| {
        let body = Body::Commit(Commit {
            space,
            changes: vec![],
        });
        command(device, 3, sequence, 1, body)
    };
    let window = limits::DEDUPLICATION_WINDOW;
    let done = Reply::Commit(vec![]);
    assert_eq!(site.run(&nothing(window + 5)), done);
    for (sequence, expected) in [
        (5, Reply::Denied(Denial::SequenceTooOld)),
        (6, done.clone()),
        (6, done.clone()),
        (window + 4, done.clone()),
        (window + 6, done),
        (6, Reply::Denied(Denial::SequenceTooOld)),
    ] {
        assert_eq!(site.run(&nothing(sequence)), expected, "{sequence}");
    }
}

#[test]
fn the_least_recently_used_stream_is_forgotten() {
    let mut site = Site::new();
    let make = |stream| command(DeviceId::ADMIN, stream, 1, 1, create_space("s"));
    let first = site.run(&make(1));
    let second = site.run(&make(2));
    for stream in 3..=limits::STREAMS_PER_DEVICE {
        site.run(&make(stream));
    }
    assert_eq!(site.run(&make(1)), first, "all streams fit");
    // A new command of stream 1 makes stream 2 the least recently used.
    site.run(&command(DeviceId::ADMIN, 1, 2, 1, create_space("s")));
    site.run(&make(u64::MAX));
    assert_eq!(site.run(&make(1)), first, "stream 1 was kept");
    assert_ne!(site.run(&make(2)), second, "stream 2 was forgotten");
}
