//! What a batch holds, as lines that a test compares: its points as the test words them,
//! then its refusals.

use super::{Batch, Plain, Point};

/// `point` gets the labels of a point's series as `name=value,…`, in order.
pub(super) fn told(
    batch: &Batch<usize>,
    series: &Plain,
    point: impl Fn(&str, &Point<usize>) -> String,
) -> Vec<String> {
    let points = batch.points.iter().map(|taken| {
        let labels = series.labels(taken.series).iter();
        let labels: Vec<_> = labels
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        point(&labels.join(","), taken)
    });
    let refused = batch.listed().iter();
    let refused = refused.map(|refused| format!("{}: {}", refused.place, refused.reason));
    points.chain(refused).collect()
}
