//! What the head holds, counted: series, chunks and labels, and which labels are many.
//!
//! A shard knows for each of its labels which series have it, so nothing is looked for.
//! Labels are added up over the shards name by name: no more is held meanwhile than the
//! values of one name, and no lock for longer than one shard is looked through. So figures
//! are of moments that lie a little apart.

use super::watch::Watch;
use super::{Head, read};
use crate::eval::{EvalError, Texts};
use hashbrown::HashMap;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The label that has the name of a series' metric.
const METRIC: &str = "__name__";

/// Figures of the series in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadFigures {
    /// Series that take samples now.
    pub series: u64,
    /// Different pairs of a label and its value in those.
    pub label_pairs: u64,
    /// Chunks of samples, and lists of samples that came late.
    pub chunks: u64,
    /// The time of the first sample in memory, in milliseconds; the latest there is where
    /// there is no sample.
    pub first_time: i64,
    /// The time of the last sample in memory, in milliseconds; the earliest there is where
    /// there is no sample.
    pub last_time: i64,
    /// How many series metrics have, the most first.
    pub series_by_metric: Vec<(String, u64)>,
    /// How many values labels have, the most first.
    pub values_by_label: Vec<(String, u64)>,
    /// How many bytes the values of labels have, each as often as a series has it; the most
    /// first.
    pub bytes_by_label: Vec<(String, u64)>,
    /// How many series have a label with a value, as `label=value`; the most first.
    pub series_by_pair: Vec<(String, u64)>,
}

/// The greatest of many counts: of equal ones those whose names come first.
struct Greatest {
    most: usize,
    /// The least is at hand.
    found: BinaryHeap<Reverse<(u64, Reverse<String>)>>,
}

impl Default for HeadFigures {
    /// Of an empty head.
    fn default() -> Self {
        Self {
            series: 0,
            label_pairs: 0,
            chunks: 0,
            first_time: i64::MAX,
            last_time: i64::MIN,
            series_by_metric: Vec::new(),
            values_by_label: Vec::new(),
            bytes_by_label: Vec::new(),
            series_by_pair: Vec::new(),
        }
    }
}

impl Head {
    /// Counts everything, and lists the `most` greatest of each kind.
    ///
    /// # Errors
    /// [`EvalError::Canceled`] soon after `is_canceled` says so.
    pub fn figures(
        &self,
        most: usize,
        is_canceled: &dyn Fn() -> bool,
    ) -> Result<HeadFigures, EvalError> {
        let mut figures = HeadFigures {
            series: self.series(),
            ..HeadFigures::default()
        };
        self.count_chunks(&mut figures, is_canceled)?;
        self.count_labels(&mut figures, most, is_canceled)?;
        Ok(figures)
    }

    fn count_chunks(
        &self,
        figures: &mut HeadFigures,
        is_canceled: &dyn Fn() -> bool,
    ) -> Result<(), EvalError> {
        let mut watch = Watch::new(is_canceled);
        for shard in &self.shards {
            for (_, series) in read(shard).all() {
                watch.look()?;
                for (first, last) in series.samples.spans() {
                    figures.chunks += 1;
                    figures.first_time = figures.first_time.min(first);
                    figures.last_time = figures.last_time.max(last);
                }
            }
        }
        Ok(())
    }

    fn count_labels(
        &self,
        figures: &mut HeadFigures,
        most: usize,
        is_canceled: &dyn Fn() -> bool,
    ) -> Result<(), EvalError> {
        let [mut metrics, mut values, mut bytes, mut pairs] = [(); 4].map(|()| Greatest::new(most));
        let mut names = Texts::all();
        self.label_names(&[], &mut names, is_canceled)?;
        let mut watch = Watch::new(is_canceled);
        for name in names.iter() {
            let counts = self.series_by_value(name, &mut watch)?;
            // Its last series may have gone meanwhile.
            if counts.is_empty() {
                continue;
            }
            let mut length = 0;
            for (value, series) in &counts {
                watch.look()?;
                length += value.len() as u64 * series;
                pairs.add(*series, || format!("{name}={value}"));
                if name == METRIC {
                    metrics.add(*series, || value.clone());
                }
            }
            figures.label_pairs += counts.len() as u64;
            values.add(counts.len() as u64, || name.to_owned());
            bytes.add(length, || name.to_owned());
        }
        figures.series_by_metric = metrics.list();
        figures.values_by_label = values.list();
        figures.bytes_by_label = bytes.list();
        figures.series_by_pair = pairs.list();
        Ok(())
    }

    /// How many series have each value of a label.
    fn series_by_value(
        &self,
        name: &str,
        watch: &mut Watch<'_>,
    ) -> Result<HashMap<String, u64>, EvalError> {
        let mut counts = HashMap::new();
        for shard in &self.shards {
            watch.look()?;
            for (value, series) in read(shard).postings().series_by_value(name) {
                watch.look()?;
                *counts.entry_ref(value).or_default() += series;
            }
        }
        Ok(counts)
    }
}

impl Greatest {
    const fn new(most: usize) -> Self {
        Self {
            most,
            found: BinaryHeap::new(),
        }
    }

    /// The name is made only where it may be among them.
    fn add(&mut self, count: u64, name: impl FnOnce() -> String) {
        let is_full = self.found.len() >= self.most;
        let least = self.found.peek().map(|Reverse((count, _))| *count);
        if is_full && least.is_none_or(|least| count < least) {
            return;
        }
        self.found.push(Reverse((count, Reverse(name()))));
        if self.found.len() > self.most {
            self.found.pop();
        }
    }

    /// The greatest first.
    fn list(self) -> Vec<(String, u64)> {
        let sorted = self.found.into_sorted_vec().into_iter();
        sorted
            .map(|Reverse((count, Reverse(name)))| (name, count))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Client, SeriesLimits};
    use super::*;
    use crate::chunk::Sample;
    use crate::eval::Labels;
    use base::SeededRandom;

    fn head(series: &[(&str, &str, &[i64])]) -> Head {
        let limits = SeriesLimits {
            total: 1000,
            client: 1000,
        };
        let head = Head::new(limits, &SeededRandom::new(1));
        for (name, host, times) in series {
            let labels = Labels::new([(METRIC, *name), ("host", host)]);
            let id = head.adopt(Client(1), 0, labels.as_bytes()).unwrap();
            for time in *times {
                let sample = Sample {
                    time: *time,
                    value: 1.0,
                };
                head.append(id.shard(), &[(id.slot(), sample)], 0, 0);
            }
        }
        head
    }

    fn owned(counts: &[(&str, u64)]) -> Vec<(String, u64)> {
        let counts = counts.iter();
        counts
            .map(|(name, count)| ((*name).to_owned(), *count))
            .collect()
    }

    #[test]
    fn everything_is_counted_over_all_shards() {
        let head = head(&[
            ("up", "a", &[5, 7]),
            ("up", "b", &[9, 3]),
            ("up", "long", &[6]),
            ("load", "a", &[]),
            ("load", "b", &[-2]),
        ]);
        let expected = HeadFigures {
            series: 5,
            label_pairs: 5,
            chunks: 5,
            first_time: -2,
            last_time: 9,
            series_by_metric: owned(&[("up", 3), ("load", 2)]),
            values_by_label: owned(&[("host", 3), (METRIC, 2)]),
            bytes_by_label: owned(&[(METRIC, 14), ("host", 8)]),
            series_by_pair: owned(&[
                ("__name__=up", 3),
                ("__name__=load", 2),
                ("host=a", 2),
                ("host=b", 2),
                ("host=long", 1),
            ]),
        };
        assert_eq!(head.figures(10, &|| false).unwrap(), expected);
        let mut few = head.figures(2, &|| false).unwrap();
        assert_eq!(few.series_by_pair, expected.series_by_pair[..2]);
        few.series_by_pair = expected.series_by_pair.clone();
        assert_eq!(few, expected);
    }

    #[test]
    fn an_empty_head_has_figures_too() {
        let empty = head(&[]).figures(10, &|| false).unwrap();
        assert_eq!(empty, HeadFigures::default());
    }

    #[test]
    fn counting_ends_when_nobody_waits() {
        let names: Vec<_> = (0..300).map(|number| number.to_string()).collect();
        let series: Vec<_> = names.iter().map(|name| ("up", &**name, &[][..])).collect();
        let canceled = head(&series).figures(10, &|| true);
        assert!(matches!(canceled, Err(EvalError::Canceled)), "{canceled:?}");
    }
}
