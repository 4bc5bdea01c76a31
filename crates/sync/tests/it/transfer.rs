//! What travels in which requests, and what a client does when one goes wrong.

use crate::node::{Asked, Said, Scripted};
use base::{Cursor, Hash, ItemId, LogId, Name, Random, SeededRandom, SpaceId, VersionId};
use bytes::Bytes;
use meta::{Metadata, Mode, Timestamp};
use state::{Commit, Outcome, encode_outcomes};
use std::path::Path;
use std::sync::{Arc, Mutex};
use sync::Address;
use sync::chunk::cut_bytes;
use sync::fetch::{Inlet, Standing, fetch_large};
use sync::folder::{Folder, RelativePath};
use sync::land::{Landed, Want};
use sync::remote::Node;
use sync::upload::{Agreement, Candidate, DeltaBase, Outlet, Uploaded, upload};
use sync::wire::{Decoder, Frame};

const SPACE: SpaceId = SpaceId::new(1, 0);

fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    SeededRandom::new(seed).fill(&mut bytes);
    bytes
}

fn version(number: u64) -> VersionId {
    VersionId {
        item: ItemId::new(number, 0),
        counter: 1,
    }
}

fn want(number: u64, content: &[u8]) -> Want {
    let modified = Timestamp::new(1_700_000_000, 0).unwrap();
    let size = content.len() as u64;
    Want {
        parent: ItemId::root_of(SPACE),
        directory: RelativePath::root(),
        name: Name::new(&format!("f{number}")).unwrap(),
        version: version(number),
        metadata: Metadata::file(Hash::of(content), size, Mode::FILE, modified).unwrap(),
        over: None,
        conflict_name: Name::new("conflict").unwrap(),
    }
}

fn folder(path: &Path) -> Folder {
    std::fs::create_dir_all(path.join(".atoll/tmp")).unwrap();
    Folder::open(path).unwrap()
}

fn inlet(node: &Scripted) -> Inlet {
    Inlet {
        node: Node::new(Address::new(&node.address, None), "token"),
        space: SPACE,
    }
}

fn encoded(frames: &[Frame]) -> Vec<u8> {
    let mut bytes = Vec::new();
    frames.iter().for_each(|frame| frame.encode(&mut bytes));
    bytes
}

/// A delta that ends early, brings wrong bytes or is no delta gives way to the
/// whole file.
#[test]
fn a_delta_that_goes_wrong_gives_way_to_the_whole_file() {
    let (old, new) = (noise(1, 300_000), noise(2, 300_000));
    let copy = Frame::Copy {
        offset: 0,
        length: 100_000,
    };
    let wrong = Frame::Insert(Bytes::from(noise(3, 200_000)));
    let deltas = [
        Said::BrokenOff(encoded(std::slice::from_ref(&copy))),
        Said::Whole(encoded(std::slice::from_ref(&copy))),
        Said::Whole(encoded(&[copy, wrong, Frame::End])),
        Said::Whole(b"no frames at all".to_vec()),
    ];
    for (number, delta) in deltas.into_iter().enumerate() {
        let directory = tempfile::tempdir().unwrap();
        let folder = folder(directory.path());
        let mut want = want(1, &new);
        std::fs::write(directory.path().join(want.name.as_str()), &old).unwrap();
        let root = folder.directory(&RelativePath::root()).unwrap();
        let seen = root.observe(want.name.as_str()).unwrap().unwrap();
        want.over = Some(seen);
        let (delta, whole) = (Mutex::new(Some(delta)), new.clone());
        let node = Scripted::start(move |asked| match asked.what.contains("&base=") {
            true => delta.lock().unwrap().take().unwrap(),
            false => Said::Whole(whole.clone()),
        });
        let standing = Standing {
            version: version(9),
            seen,
        };
        let wants = vec![(want, Some(standing))];
        let (landed, _) = fetch_large(&folder, &inlet(&node), wants).unwrap();
        assert!(
            matches!(landed[..], [(_, Landed::Placed(_))]),
            "{number}: {landed:?}"
        );
        assert!(std::fs::read(directory.path().join("f1")).unwrap() == new);
        assert_eq!(node.asked().len(), 2, "{number}: {:?}", node.asked());
        assert_eq!(folder.temporaries().unwrap().len(), 0, "{number}");
    }
}

/// A file that the node cannot read costs the others nothing.
#[test]
fn what_the_node_cannot_read_stops_no_other_file() {
    let directory = tempfile::tempdir().unwrap();
    let folder = folder(directory.path());
    let contents: Vec<Vec<u8>> = (0..3).map(|seed| noise(seed, 200_000)).collect();
    let wants = contents.iter().enumerate();
    let wants = wants.map(|(number, content)| (want(number as u64 + 1, content), None));
    let answers = contents.clone();
    let node = Scripted::start(move |asked| {
        let number = (0..3).find(|n| asked.what.ends_with(&version(n + 1).to_string()));
        match number.unwrap() {
            1 => Said::Internal,
            number => Said::Whole(answers[number as usize].clone()),
        }
    });
    let (landed, _) = fetch_large(&folder, &inlet(&node), wants.collect()).unwrap();
    for (want, landed) in landed {
        let is_damaged = want.version == version(2);
        assert_eq!(
            matches!(landed, Landed::Failed(_)),
            is_damaged,
            "{landed:?}"
        );
        assert_eq!(
            matches!(landed, Landed::Placed(_)),
            !is_damaged,
            "{landed:?}"
        );
    }
}

fn candidate(folder: &Folder, name: &str) -> Candidate {
    let root = folder.directory(&RelativePath::root()).unwrap();
    Candidate {
        parent: ItemId::root_of(SPACE),
        directory: RelativePath::root(),
        name: Name::new(name).unwrap(),
        seen: root.observe(name).unwrap().unwrap(),
        base: None,
        synced: None,
        conflict_of: None,
        delta: None,
    }
}

fn frames_of(body: &[u8]) -> Vec<Frame> {
    let mut decoder = Decoder::new();
    decoder.push(Bytes::copy_from_slice(body));
    let mut frames = Vec::new();
    while let Some(frame) = decoder.next_frame().unwrap() {
        frames.push(frame);
    }
    decoder.end().unwrap();
    frames
}

/// Answers as a node that has nothing and commits everything.
fn take(asked: &Asked) -> Said {
    let mut answers = Vec::new();
    for frame in frames_of(&asked.body) {
        match frame {
            Frame::Open(open) => answers.push(Frame::Have(open.file)),
            Frame::Commit {
                sequence, commit, ..
            } => {
                let changes = Commit::decode(&commit).unwrap().changes.len() as u64;
                let outcomes: Vec<_> = (0..changes)
                    .map(|number| Outcome::Committed(version(number + 1)))
                    .collect();
                answers.push(Frame::Outcomes {
                    sequence,
                    outcomes: encode_outcomes(&outcomes).into(),
                    cursor: Cursor::after(LogId::from_u64(1), 1),
                });
            }
            _ => {}
        }
    }
    Said::Whole(encoded(&answers))
}

/// The names of the frames of each request, equal neighbours once.
fn shape(body: &[u8]) -> Vec<&'static str> {
    let name = |frame: &Frame| match frame {
        Frame::Blob { .. } => "blob",
        Frame::Whole { .. } => "whole",
        Frame::Piece(_) => "piece",
        Frame::Open(_) => "open",
        Frame::Commit { .. } => "commit",
        _ => "other",
    };
    let mut names: Vec<_> = frames_of(body).iter().map(name).collect();
    names.dedup();
    names
}

/// Gives `contents` to a node; what each request had in it, and what came of them.
fn give(
    contents: &[Vec<u8>],
    change: impl Fn(&mut Candidate, usize),
) -> (Vec<Vec<&'static str>>, Vec<Uploaded>) {
    let directory = tempfile::tempdir().unwrap();
    let folder = folder(directory.path());
    let candidates = contents.iter().enumerate().map(|(number, content)| {
        let name = format!("f{number}");
        std::fs::write(directory.path().join(&name), content).unwrap();
        let mut candidate = candidate(&folder, &name);
        change(&mut candidate, number);
        candidate
    });
    let shapes = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&shapes);
    let node = Scripted::start(move |asked| {
        noted.lock().unwrap().push(shape(&asked.body));
        take(asked)
    });
    let outlet = Outlet::new(
        Node::new(Address::new(&node.address, None), "token"),
        SPACE,
        1,
    );
    let uploaded = upload(&folder, &outlet, candidates.collect()).unwrap();
    let shapes = shapes.lock().unwrap().clone();
    (
        shapes,
        uploaded.into_iter().map(|(_, outcome)| outcome).collect(),
    )
}

#[test]
fn files_of_middle_size_travel_whole_with_their_commit() {
    let contents: Vec<_> = (0..3).map(|seed| noise(seed, 200_000)).collect();
    let (shapes, uploaded) = give(&contents, |_, _| ());
    let expected = [
        "whole", "piece", "whole", "piece", "whole", "piece", "commit",
    ];
    assert_eq!(shapes, [expected]);
    for uploaded in uploaded {
        let Uploaded::Committed(agreement) = uploaded else {
            panic!("{uploaded:?}");
        };
        let Agreement { metadata, map, .. } = *agreement;
        assert!(map.is_none());
        let (hash, _) = metadata.content().unwrap();
        assert!(contents.iter().any(|content| Hash::of(content) == hash));
    }
}

#[test]
fn a_request_has_so_much_content_and_no_more() {
    // Eight of 1 MiB fill one; a ninth needs another.
    let contents: Vec<_> = (0..9).map(|seed| noise(seed, 1 << 20)).collect();
    let (shapes, _) = give(&contents[..8], |_, _| ());
    assert_eq!(shapes.len(), 1);
    let (shapes, uploaded) = give(&contents, |_, _| ());
    assert_eq!((shapes.len(), uploaded.len()), (2, 9));
    assert_eq!(shapes[1], ["whole", "piece", "commit"]);
}

#[test]
fn what_has_a_base_or_is_larger_is_cut() {
    let content = noise(1, 200_000);
    let map = cut_bytes(&content).unwrap().map.encode();
    let (shapes, _) = give(std::slice::from_ref(&content), |candidate, _| {
        candidate.delta = Some(DeltaBase {
            version: version(5),
            hash: Hash::of(b"old"),
            map: Some(map.clone()),
        });
    });
    assert_eq!(shapes, [vec!["open"], vec!["commit"]]);
    let (shapes, _) = give(&[noise(2, (4 << 20) + 1)], |_, _| ());
    assert_eq!(shapes, [vec!["open"], vec!["commit"]]);
}

#[test]
fn what_both_sides_agree_on_or_what_changes_is_not_sent() {
    let contents: Vec<_> = (0..2).map(|seed| noise(seed, 200_000)).collect();
    let agreed = contents[0].clone();
    let (shapes, uploaded) = give(&contents, |candidate, number| {
        if number == 0 {
            let (seen, size) = (candidate.seen, agreed.len() as u64);
            let metadata = Metadata::file(Hash::of(&agreed), size, seen.mode, seen.modified);
            candidate.synced = Some(metadata.unwrap());
            candidate.base = Some(version(7));
        }
    });
    assert_eq!(shapes, [["whole", "piece", "commit"]]);
    let unchanged = |uploaded: &&Uploaded| matches!(uploaded, Uploaded::Unchanged(_));
    assert_eq!(uploaded.iter().filter(unchanged).count(), 1);
}
