//! The log followed from a position, and the copy as text that is made so.

use super::scene::{NOW, Samples, Scene, put, read};
use metrics::chunk::Sample;
use metrics::database::{Follower, LiveCopy, WriteError};
use metrics::eval::Labels;
use metrics::log::{Record, decode};
use std::collections::BTreeMap;
use store::log::{Follow, Followed};

const T: i64 = NOW as i64;

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
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metrics.jsonl");
    let copy = LiveCopy::start(&database, &path).unwrap();
    put(&database, &[(1, T + 1, 2.5), (2, T + 1, 3.0)]).unwrap();
    database.close();
    drop(copy);
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    let expected = format!(
        r#"{{"metric":{{"__name__":"m","n":"1"}},"values":[2.5],"timestamps":[{}]}}"#,
        T + 1
    );
    assert_eq!(lines[0], expected);
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
