//! Samples in and out, over a flush and over a start.

use super::scene::{NOW, Scene, expected, put, read};

const T: i64 = NOW as i64;

#[test]
fn what_was_acknowledged_can_be_read_at_once_and_after_a_start() {
    let scene = Scene::new();
    let samples: Vec<_> = (0..500)
        .map(|n| {
            (
                n % 7,
                T - 10_000 + i64::from(n / 7) * 15,
                f64::from(n) * 0.1,
            )
        })
        .collect();
    let database = scene.open().unwrap();
    for part in samples.chunks(50) {
        put(&database, part).unwrap();
    }
    assert_eq!(read(&database.view(), "m"), expected(&samples));
    database.close();
    let database = scene.open().unwrap();
    assert_eq!(read(&database.view(), "m"), expected(&samples));
}
