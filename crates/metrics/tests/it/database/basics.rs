//! Samples in and out, over a flush and over a start.

use super::scene::{NOW, Scene, expected, put, read};
use metrics::database::View;
use metrics::eval::{EvalError, Select, Texts, TimeRange};
use metrics::promql::{LabelMatcher, parse_selector};

const T: i64 = NOW as i64;

const EVER: TimeRange = TimeRange { start: 0, end: T };

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
    let mut scene = Scene::new();
    scene.settings.idle_seconds = 0;
    let database = scene.open().unwrap();
    for part in 0..10 {
        let samples: Vec<_> = (0..1000).map(|n| (part * 1000 + n, T, 1.0)).collect();
        put(&database, &samples).unwrap();
    }
    let values: Vec<String> = (0..400).map(|n| format!("x{n}")).collect();
    let list = format!("m{{n=~\"{}\"}}", values.join("|"));
    let check = |selector: &str| {
        let selector = parse_selector(selector).unwrap();
        let matchers = selector.matchers();
        assert!(drain(&database.view(), matchers).is_ok());
        let view = database.view().until(|| true);
        let names = view.label_names(matchers, EVER, &mut Texts::all());
        let values = view.label_values("n", matchers, EVER, &mut Texts::all());
        for ended in [drain(&view, matchers), names, values] {
            assert!(matches!(ended, Err(EvalError::Canceled)), "{selector:?}");
        }
    };
    let selectors = ["m{n=~\".*x\"}", "m{n!=\"x\"}", "m{n=~\".*\"}", &list];
    selectors.into_iter().for_each(check);
    // The same where they all are in a part.
    scene.clock.set(NOW + 5000);
    database.flush().unwrap();
    assert_eq!(database.statistics().series, 0);
    selectors.into_iter().for_each(check);
    let view = database.view().until(|| true);
    let values = view.label_values("n", &[], EVER, &mut Texts::all());
    assert!(matches!(values, Err(EvalError::Canceled)));
}

/// Goes through all series.
fn drain(view: &View, matchers: &[LabelMatcher]) -> Result<(), EvalError> {
    let mut series = view.select(matchers, EVER)?;
    while series.advance()? {}
    Ok(())
}
