//! The log followed from a position, and the copy as text that is made so.

use super::scene::{NOW, Samples, Scene, put, read};
use super::tapped::{Fate, Tapped};
use metrics::chunk::Sample;
use metrics::database::{Follower, LiveCopy, WriteError};
use metrics::eval::Labels;
use metrics::log::{Record, decode};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use store::fs::{FileSystem, Open};
use store::log::{Follow, Followed};

const T: i64 = NOW as i64;

/// The file of the live copy.
const COPY: &str = "node/metrics.jsonl";

/// What a follower has seen.
#[derive(Default)]
struct Seen {
    series: BTreeMap<u32, Labels>,
    samples: Samples,
    last: u64,
}

impl Seen {
    fn follow(&mut self, follower: &mut Follower, until: u64) {
        while self.last < until {
            let Followed::Entries(entries) = follower.next().unwrap() else {
                panic!("there are entries up to {until}");
            };
            for entry in entries {
                self.last = entry.index;
                decode(&entry.bytes).for_each(|record| self.take(record.unwrap()));
            }
        }
    }

    fn take(&mut self, record: Record<'_>) {
        match record {
            Record::Series { number, labels } => {
                let labels = Labels::from_bytes(labels).unwrap();
                self.series.insert(number, labels);
            }
            Record::Sample { number, sample } => {
                let Sample { time, value } = sample;
                let labels = self.series[&number].to_string();
                let samples = self.samples.entry(labels).or_default();
                samples.insert(time, value.to_bits());
            }
            Record::Kind { .. } | Record::Deletion { .. } => {}
        }
    }
}

#[test]
fn a_follower_sees_all_that_no_part_has_and_all_that_comes() {
    let scene = Scene::new();
    let database = scene.open().unwrap();
    put(&database, &[(1, T, 1.0), (2, T, 1.0)]).unwrap();
    database.flush().unwrap();
    put(&database, &[(1, T + 1, 2.0)]).unwrap();
    let mut follower = database.follow(database.generation_start());
    let mut seen = Seen::default();
    seen.follow(&mut follower, database.acknowledged());
    put(&database, &[(2, T + 2, 3.0), (3, T, 3.0)]).unwrap();
    seen.follow(&mut follower, database.acknowledged());
    let expected = [(1, T + 1, 2.0), (2, T + 2, 3.0), (3, T, 3.0)];
    assert_eq!(seen.samples, super::scene::expected(&expected));
    // Another generation, with the same numbers, perhaps for others.
    database.flush().unwrap();
    put(&database, &[(3, T + 9, 4.0)]).unwrap();
    seen.follow(&mut follower, database.acknowledged());
    assert_eq!(seen.samples.values().map(BTreeMap::len).sum::<usize>(), 4);
    database.close();
    assert_eq!(follower.next().unwrap(), Followed::Closed);
}

#[test]
fn a_follower_that_is_too_late_is_told() {
    let scene = Scene::new();
    let database = scene.open().unwrap();
    for number in 0..200 {
        put(&database, &[(1, T + number, 1.0), (2, T + number, 1.0)]).unwrap();
    }
    let mut late = database.follow(0);
    database.flush().unwrap();
    let told = late.next().unwrap();
    assert!(
        matches!(told, Followed::Compacted { first } if first > 1),
        "{told:?}"
    );
}

#[test]
fn the_live_copy_has_what_came_since_it_began() {
    let scene = Scene::new();
    let database = scene.open().unwrap();
    put(&database, &[(1, T, 1.0)]).unwrap();
    let copy = LiveCopy::start(&database, Arc::new(scene.disk.clone()), Path::new(COPY)).unwrap();
    put(&database, &[(1, T + 1, 2.5), (2, T + 1, 3.0)]).unwrap();
    database.close();
    drop(copy);
    assert_eq!(copied(&scene), [line(1, "2.5"), line(2, "3")]);
}

#[test]
fn the_live_copy_goes_on_when_a_write_failed() {
    let scene = Scene::new();
    let database = scene.open().unwrap();
    let (write, writes) = channel();
    let count = AtomicUsize::new(0);
    let disk = Tapped::new(scene.disk.clone(), move |_, bytes| {
        write.send(()).unwrap();
        match count.fetch_add(1, Ordering::Relaxed) {
            1 => Fate::Fails(bytes.len() / 2, io::ErrorKind::Other),
            _ => Fate::Happens,
        }
    });
    let copy = LiveCopy::start(&database, Arc::new(disk), Path::new(COPY)).unwrap();
    for n in 1..=3 {
        put(&database, &[(n, T + 1, f64::from(n))]).unwrap();
        writes.recv().unwrap();
    }
    database.close();
    drop(copy);
    assert_eq!(copied(&scene), [line(1, "1"), line(3, "3")]);
}

/// The lines of the copy.
fn copied(scene: &Scene) -> Vec<String> {
    let file = scene.disk.open(Path::new(COPY), Open::Read).unwrap();
    let mut text = vec![0; file.length().unwrap() as usize];
    file.read_exact_at(&mut text, 0).unwrap();
    let text = String::from_utf8(text).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// What a copy says of a sample a millisecond after `T`.
fn line(n: u32, value: &str) -> String {
    format!(
        r#"{{"metric":{{"__name__":"m","n":"{n}"}},"values":[{value}],"timestamps":[{}]}}"#,
        T + 1
    )
}

#[test]
fn a_full_queue_refuses_at_once_and_a_closed_store_for_good() {
    let mut scene = Scene::new();
    scene.settings.queue_samples = 0;
    let database = scene.open().unwrap();
    let refused = put(&database, &[(1, T, 1.0)]);
    assert!(
        matches!(refused, Err(WriteError::Full { .. })),
        "{refused:?}"
    );
    database.close();
    let refused = put(&database, &[(1, T, 1.0)]);
    assert!(matches!(refused, Err(WriteError::Closed)), "{refused:?}");
    assert_eq!(read(&database.view(), "m"), Samples::new());
}
