//! Any order of samples, flushes, merges, deletions, cuts of power and starts, beside a
//! map of what should be there.

use super::scene::{NOW, Samples, Scene, expected, put, read};
use metrics::database::{Database, Deletion, Unpaced};
use metrics::eval::TimeRange;
use proptest::prelude::*;
use std::sync::Arc;

const T: i64 = NOW as i64;
const DAY: i64 = 86_400_000;

#[derive(Debug, Clone)]
enum Step {
    Put(Vec<(u32, i64, i32)>),
    Flush,
    KeepHouse,
    Delete(u32, i64, i64),
    Start,
    /// Power goes, and comes back.
    Crash(u64),
    Later(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let near = (0..4_u32, -400_000..0_i64, 0..50_i32);
    let far = (0..4_u32, -300 * DAY..DAY / 2, 0..50_i32);
    let sample = prop_oneof![9 => near, 1 => far];
    let step = prop_oneof![
        6 => prop::collection::vec(sample, 1..30).prop_map(Step::Put),
        2 => Just(Step::Flush),
        2 => Just(Step::KeepHouse),
        1 => (0..4_u32, -400_000..0_i64, 0..200_000_i64)
            .prop_map(|(n, start, length)| Step::Delete(n, start, start + length)),
        1 => Just(Step::Start),
        1 => any::<u64>().prop_map(Step::Crash),
        1 => (0..3 * 3_600_000_u64).prop_map(Step::Later),
    ];
    prop::collection::vec(step, 1..40)
}

fn reopen(scene: &Scene, database: Arc<Database>) -> Arc<Database> {
    database.close();
    drop(database);
    scene.open().unwrap()
}

fn run(steps: &[Step]) {
    let mut scene = Scene::new();
    scene.settings.flush_bytes = 2000;
    let mut database = scene.open().unwrap();
    let mut expected = Samples::new();
    for step in steps {
        match step {
            Step::Put(samples) => {
                let samples = samples.iter();
                let samples: Vec<_> = samples
                    .map(|(n, time, value)| (*n, T + time, f64::from(*value)))
                    .collect();
                put(&database, &samples).unwrap();
                add(&mut expected, &samples);
            }
            Step::Flush => database.flush().unwrap(),
            Step::KeepHouse => {
                database.keep_house(&Unpaced).unwrap();
            }
            Step::Delete(n, start, end) => {
                let selector = format!("m{{n=\"{n}\"}}");
                let range = TimeRange {
                    start: T + start,
                    end: T + end,
                };
                database
                    .delete(Deletion::new(&selector, range).unwrap())
                    .unwrap();
                forget(&mut expected, *n, range);
            }
            Step::Start => database = reopen(&scene, database),
            Step::Crash(seed) => {
                let disk = scene.disk.after_crash(*seed);
                drop(database);
                scene.disk = disk;
                database = scene.open().unwrap();
            }
            Step::Later(time) => {
                let now = base::Clock::now(&*scene.clock);
                scene.clock.set(now + time);
            }
        }
        assert_eq!(read(&database.view(), "m"), expected, "after {step:?}");
    }
    assert!(database.scrub(&Unpaced).unwrap().damaged.is_empty());
}

fn add(expected: &mut Samples, samples: &[(u32, i64, f64)]) {
    for (labels, samples) in self::expected(samples) {
        expected.entry(labels).or_default().extend(samples);
    }
}

fn forget(expected: &mut Samples, n: u32, range: TimeRange) {
    let labels = format!(r#"{{__name__="m", n="{n}"}}"#);
    if let Some(samples) = expected.get_mut(&labels) {
        samples.retain(|time, _| !(range.start..=range.end).contains(time));
        if samples.is_empty() {
            expected.remove(&labels);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn a_store_is_a_map(steps in steps()) {
        run(&steps);
    }
}
