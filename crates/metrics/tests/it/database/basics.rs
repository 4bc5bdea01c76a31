//! Samples in and out, over a flush and over a start.

use super::scene::{NOW, Scene, expected, put, read};
use metrics::eval::{EvalError, Select, Texts, TimeRange};
use metrics::promql::parse_selector;

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

#[test]
fn choosing_series_ends_when_nobody_wants_them() {
    let scene = Scene::new();
    let database = scene.open().unwrap();
    for part in 0..10 {
        let samples: Vec<_> = (0..1000).map(|n| (part * 1000 + n, T, 1.0)).collect();
        put(&database, &samples).unwrap();
    }
    let ever = TimeRange { start: 0, end: T };
    for selector in ["m{n=~\".*1\"}", "m{n!=\"x\"}", "m{n=~\".*\"}"] {
        let selector = parse_selector(selector).unwrap();
        let view = database.view();
        assert!(view.select(selector.matchers(), ever).is_ok());
        let view = view.until(|| true);
        let canceled = view.select(selector.matchers(), ever).err();
        assert!(
            matches!(canceled, Some(EvalError::Canceled)),
            "{selector:?}"
        );
        let names = view.label_names(selector.matchers(), ever, &mut Texts::all());
        assert!(matches!(names, Err(EvalError::Canceled)), "{selector:?}");
    }
}
