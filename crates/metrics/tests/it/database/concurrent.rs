//! Everything at once: requests, queries, flushes, merges, deletions and series that leave.

use super::scene::{NOW, Scene, expected, put, read};
use metrics::database::{Database, Deletion, Unpaced};
use metrics::eval::TimeRange;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

const T: i64 = NOW as i64;

/// Requests of each thread that sends.
const REQUESTS: u32 = 150;

/// Threads that send.
const SENDERS: u32 = 4;

/// Far more than all of it takes, on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a thread does again and again until the others are done.
type Deed = fn(&Scene, &Database, u64);

/// Takes every lock that there is, from many threads, in every order in which the code takes
/// them. If two of them could wait for each other, they would soon.
#[test]
fn locks_of_shards_are_never_waited_for_in_a_circle() {
    let mut scene = Scene::new();
    scene.settings.idle_seconds = 0;
    scene.settings.flush_bytes = 20_000;
    let database = scene.open().unwrap();
    let deeds: [Deed; 6] = [
        |_, database, _| drop(read(&database.view(), "m{n=~\"1.*\"}")),
        |_, database, _| drop(read(&database.view(), "{n!=\"\"}")),
        // So that series are idle, and leave with the next flush.
        |scene, _, turn| scene.clock.set(NOW + turn % 1_000_000),
        |_, database, _| {
            database.keep_house(&Unpaced).unwrap();
        },
        |_, database, _| database.flush().unwrap(),
        |_, database, turn| {
            let range = TimeRange { start: 0, end: 1 };
            let selector = format!("m{{n=\"{}\"}}", turn % 100);
            let deletion = Deletion::new(&selector, range).unwrap();
            database.delete(deletion).unwrap();
            database.set_series_limits(database.settings().series);
            database.statistics();
        },
    ];
    let is_over = Arc::new(AtomicBool::new(false));
    let (sender, ends) = channel();
    let scene = Arc::new(scene);
    for deed in deeds {
        let (database, is_over) = (Arc::clone(&database), Arc::clone(&is_over));
        let scene = Arc::clone(&scene);
        let sender = sender.clone();
        std::thread::spawn(move || {
            let mut turn = 0;
            while !is_over.load(Ordering::Relaxed) {
                deed(&scene, &database, turn);
                turn += 1;
            }
            sender.send(()).unwrap();
        });
    }
    let (sent, all_sent) = channel();
    for thread in 0..SENDERS {
        let (database, sent) = (Arc::clone(&database), sent.clone());
        std::thread::spawn(move || {
            let requests = (0..REQUESTS).map(|number| request(thread, number));
            let requests: Vec<_> = requests.collect();
            for request in &requests {
                put(&database, request).unwrap();
            }
            sent.send(requests.concat()).unwrap();
        });
    }
    let mut all = Vec::new();
    for _ in 0..SENDERS {
        let samples = all_sent.recv_timeout(PATIENCE);
        all.extend(samples.expect("a thread that sends waits for ever, or failed"));
    }
    is_over.store(true, Ordering::Relaxed);
    for _ in deeds {
        match ends.recv_timeout(PATIENCE) {
            Ok(()) => {}
            Err(RecvTimeoutError::Timeout) => panic!("a thread waits for ever"),
            Err(RecvTimeoutError::Disconnected) => panic!("a thread failed"),
        }
    }
    assert_eq!(read(&database.view(), "m"), expected(&all));
}

/// Of series that are this thread's alone, some of them new each time.
fn request(thread: u32, number: u32) -> Vec<(u32, i64, f64)> {
    let time = T - 1_000_000 + i64::from(number) * 100;
    let series = (0..10).map(|n| n + 10 * (number % 7));
    series
        .map(|n| (thread * 1000 + n, time, f64::from(number)))
        .collect()
}

#[test]
fn a_view_that_is_held_keeps_what_it_has_seen() {
    let mut scene = Scene::new();
    scene.settings.idle_seconds = 0;
    let database = scene.open().unwrap();
    put(&database, &[(1, T, 1.0)]).unwrap();
    let view = database.view();
    let all = expected(&[(1, T, 1.0)]);
    // Something else is replaced before the flush, and after it.
    let range = TimeRange { start: 0, end: 1 };
    let nothing = Deletion::new("none", range).unwrap();
    database.delete(nothing.clone()).unwrap();
    database.flush().unwrap();
    database.delete(nothing).unwrap();
    put(&database, &[(2, T, 1.0)]).unwrap();
    database.flush().unwrap();
    database.keep_house(&Unpaced).unwrap();
    assert_eq!(read(&view, "m{n=\"1\"}"), all);
    scene.clock.set(NOW + 5000);
    database.keep_house(&Unpaced).unwrap();
    assert_eq!(database.statistics().series, 2, "the view needs them");
    drop(view);
    database.keep_house(&Unpaced).unwrap();
    assert_eq!(database.statistics().series, 0);
    assert_eq!(read(&database.view(), "m{n=\"1\"}"), all);
}

/// Whoever reads while samples move from the head into parts sees each of them all the time.
#[test]
fn a_query_misses_nothing_while_samples_move() {
    let scene = Scene::new();
    let database = scene.open().unwrap();
    let samples: Vec<_> = (0..50)
        .flat_map(|n| (0..20).map(move |time| (n, T - 100_000 + time * 1000, 1.0)))
        .collect();
    put(&database, &samples).unwrap();
    let expected = expected(&samples);
    let is_over = Arc::new(AtomicBool::new(false));
    let reader = {
        let (database, is_over) = (Arc::clone(&database), Arc::clone(&is_over));
        std::thread::spawn(move || {
            let mut looks = 0;
            while !is_over.load(Ordering::Relaxed) || looks == 0 {
                assert_eq!(read(&database.view(), "m{n=~\"[0-9]+\"}"), expected);
                looks += 1;
            }
        })
    };
    for number in 0..30 {
        // Something new, so that there is something to flush.
        let other = format!("{{\"metrics\":[{{\"name\":\"o{number}\",\"value\":1}}]}}");
        super::scene::put_json(&database, &other).unwrap();
        database.flush().unwrap();
        database.keep_house(&Unpaced).unwrap();
    }
    is_over.store(true, Ordering::Relaxed);
    reader.join().unwrap();
}
