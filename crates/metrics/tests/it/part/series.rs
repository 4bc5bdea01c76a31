//! Series in memory: what parts are written from and compared with.

use metrics::chunk::Sample;
use metrics::eval::{EvalError, Labels, Select, SeriesCursor, TimeRange};
use metrics::part::{Part, PartError, Summary};
use metrics::promql::LabelMatcher;
use std::collections::BTreeMap;
use std::path::Path;
use store::fs::FileSystem;

/// Series with their samples.
pub(super) type Series = BTreeMap<Labels, Vec<Sample>>;

/// The name of the part in the tests.
pub(super) const PATH: &str = "parts/1.part";

/// All there is.
pub(super) const ALWAYS: TimeRange = TimeRange {
    start: i64::MIN,
    end: i64::MAX,
};

/// Goes through series.
struct Cursor<'a> {
    rest: std::collections::btree_map::Iter<'a, Labels, Vec<Sample>>,
    at: Option<(&'a Labels, &'a Vec<Sample>)>,
}

impl SeriesCursor for Cursor<'_> {
    fn advance(&mut self) -> Result<bool, EvalError> {
        self.at = self.rest.next();
        Ok(self.at.is_some())
    }

    fn labels(&self) -> &Labels {
        self.at.unwrap().0
    }

    fn samples(&mut self) -> Result<&[Sample], EvalError> {
        Ok(self.at.unwrap().1)
    }
}

/// Writes a part of them.
pub(super) fn write(fs: &dyn FileSystem, series: &Series) -> Result<Option<Summary>, PartError> {
    let rest = series.iter();
    let at = None;
    fs.create_dir_all(Path::new("parts"))
        .map_err(|source| PartError::Write {
            path: "parts".into(),
            source,
        })?;
    metrics::part::write(fs, Path::new(PATH), &mut Cursor { rest, at })
}

pub(super) fn open(fs: &dyn FileSystem) -> Result<Part, PartError> {
    Part::open(fs, Path::new(PATH))
}

/// What a part has of the series that matchers choose in a range, cut to it.
pub(super) fn read(
    part: &Part,
    matchers: &[LabelMatcher],
    range: TimeRange,
) -> Result<Series, EvalError> {
    let mut found = Series::new();
    let mut cursor = part.select(matchers, range)?;
    let mut last = None;
    while cursor.advance()? {
        let labels = cursor.labels().clone();
        assert!(last.as_ref().is_none_or(|last| *last < labels), "{labels}");
        let samples = cut(cursor.samples()?, range);
        // It may have had some.
        if !samples.is_empty() {
            found.insert(labels.clone(), samples);
        }
        last = Some(labels);
    }
    Ok(found)
}

/// The naive answer.
pub(super) fn naive(series: &Series, matchers: &[LabelMatcher], range: TimeRange) -> Series {
    let chosen = series.iter().filter(|(labels, _)| {
        let mut matchers = matchers.iter();
        matchers.all(|matcher| matcher.matches(labels.get(matcher.name())))
    });
    let cut = chosen.map(|(labels, samples)| (labels.clone(), cut(samples, range)));
    cut.filter(|(_, samples)| !samples.is_empty()).collect()
}

fn cut(samples: &[Sample], range: TimeRange) -> Vec<Sample> {
    let inside = |sample: &&Sample| (range.start..=range.end).contains(&sample.time);
    samples.iter().filter(inside).copied().collect()
}

/// Some series of several kinds: constant and not, with their own times and with those of
/// others, short and long.
pub(super) fn some() -> Series {
    let mut series = Series::new();
    for number in 0..40_i32 {
        let labels = Labels::new([
            ("__name__", format!("metric_{}", number / 10).as_str()),
            ("host", format!("host-{}", number % 10).as_str()),
            ("job", if number % 3 == 0 { "node" } else { "other" }),
        ]);
        let samples = (0..i64::from(number * 3)).map(|n| {
            let jitter = match number % 4 {
                0 => 0,
                1 => (n * n) % 7,
                _ => (n * n + i64::from(number)) % 5,
            };
            let value = match number % 5 {
                0 => 1.0,
                1 => (n * n) as f64 / 10.0,
                2 => f64::from(number) * (n as f64).sqrt(),
                _ => (n % 13) as f64,
            };
            Sample {
                time: n * 15_000 + jitter,
                value,
            }
        });
        series.insert(labels, samples.collect());
    }
    series
}
