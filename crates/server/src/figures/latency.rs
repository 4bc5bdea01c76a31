//! How long requests take, by route and class of status: a classic histogram each, counted
//! with one atomic addition or two and, for a route that was seen before, no allocation.

use super::{Figure, Kind};
use http::StatusCode;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// The upper bounds of buckets, in nanoseconds and as their label has them in seconds: from
/// what a look-up takes to what nobody waits for any more.
const BOUNDS: [(u64, &str); 14] = [
    (100_000, "0.0001"),
    (250_000, "0.00025"),
    (500_000, "0.0005"),
    (1_000_000, "0.001"),
    (2_500_000, "0.0025"),
    (5_000_000, "0.005"),
    (10_000_000, "0.01"),
    (25_000_000, "0.025"),
    (50_000_000, "0.05"),
    (100_000_000, "0.1"),
    (250_000_000, "0.25"),
    (1_000_000_000, "1"),
    (2_500_000_000, "2.5"),
    (10_000_000_000, "10"),
];

/// Classes of status codes, from 1xx on.
const STATUSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// Routes that are told apart: some times those that the router has, which are all that
/// come here.
const ROUTES: usize = 256;

/// The name of requests for addresses that no route has.
const OTHER: &str = "other";

/// The latencies of all routes.
#[derive(Debug, Default)]
pub struct Latencies {
    routes: RwLock<BTreeMap<Box<str>, Arc<Route>>>,
    other: Arc<Route>,
}

/// The latencies of one route.
#[derive(Debug, Default)]
pub struct Route([Histogram; STATUSES.len()]);

#[derive(Debug, Default)]
struct Histogram {
    /// How many fell between the bound before and this one; the last: above all.
    buckets: [AtomicU64; BOUNDS.len() + 1],
    nanoseconds: AtomicU64,
}

impl Latencies {
    /// The route that has `pattern` as its path, or the one for all that have none.
    pub fn route(&self, pattern: Option<&str>) -> Arc<Route> {
        let Some(pattern) = pattern else {
            return Arc::clone(&self.other);
        };
        let known = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(route) = known.get(pattern) {
            return Arc::clone(route);
        }
        drop(known);
        self.begin(pattern)
    }

    fn begin(&self, pattern: &str) -> Arc<Route> {
        let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        if routes.len() >= ROUTES && !routes.contains_key(pattern) {
            return Arc::clone(&self.other);
        }
        Arc::clone(routes.entry(pattern.into()).or_default())
    }

    /// Everything so far.
    pub(super) fn figure(&self) -> Figure {
        let mut figure = Figure::new(
            "atoll_http_request_duration_seconds",
            Kind::Histogram,
            "Time from a request's head to that of its answer.",
        );
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        let named = routes.iter().map(|(name, route)| (&**name, route));
        for (name, route) in named.chain([(OTHER, &self.other)]) {
            for (status, histogram) in STATUSES.iter().zip(&route.0) {
                let labels = vec![("route", name.to_owned()), ("status", (*status).to_owned())];
                histogram.push_to(&mut figure, &labels);
            }
        }
        figure
    }
}

impl Route {
    /// Counts a request that was answered with `status` after `time`.
    pub fn record(&self, status: StatusCode, time: Duration) {
        let class = usize::from(status.as_u16() / 100).clamp(1, STATUSES.len()) - 1;
        self.0[class].record(time);
    }
}

impl Histogram {
    fn record(&self, time: Duration) {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let place = BOUNDS.partition_point(|bound| bound.0 < nanoseconds);
        self.buckets[place].fetch_add(1, Ordering::Relaxed);
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    /// Nothing, while nothing was counted. The count is the sum of the buckets as they were
    /// read, so that it agrees with them whatever is counted meanwhile.
    fn push_to(&self, figure: &mut Figure, labels: &[(&'static str, String)]) {
        let counts = self.buckets.each_ref();
        let counts = counts.map(|bucket| bucket.load(Ordering::Relaxed));
        let count: u64 = counts.iter().sum();
        if count == 0 {
            return;
        }
        let bounds = BOUNDS.iter().map(|bound| bound.1).chain(["+Inf"]);
        let mut below = 0;
        for (bound, count) in bounds.zip(counts) {
            below += count;
            let mut labels = labels.to_vec();
            labels.push(("le", bound.to_owned()));
            figure.push("_bucket", labels, below as f64);
        }
        let seconds = self.nanoseconds.load(Ordering::Relaxed) as f64 / 1e9;
        figure.push("_sum", labels.to_vec(), seconds);
        figure.push("_count", labels.to_vec(), count as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_what_their_labels_say() {
        for (nanoseconds, label) in BOUNDS {
            assert_eq!(label.parse::<f64>().unwrap(), nanoseconds as f64 / 1e9);
        }
        assert!(BOUNDS.is_sorted());
    }

    /// Buckets, sum and count after requests of so many microseconds.
    #[test]
    fn histograms_add_up() {
        let check = |micros: &[u64], buckets: &[(usize, f64)], sum: f64| {
            let latencies = Latencies::default();
            for micros in micros {
                let route = latencies.route(Some("/api/{x}"));
                route.record(StatusCode::CREATED, Duration::from_micros(*micros));
            }
            let samples = latencies.figure().samples;
            assert_eq!(samples.len(), BOUNDS.len() + 3);
            for (place, expected) in buckets {
                assert_eq!(
                    samples[*place].value, *expected,
                    "bucket {place} of {micros:?}"
                );
            }
            for sample in &samples {
                assert_eq!(sample.labels[0], ("route", "/api/{x}".to_owned()));
                assert_eq!(sample.labels[1], ("status", "2xx".to_owned()));
            }
            let [.., total, count] = &*samples else {
                panic!("it has a sum and a count")
            };
            assert_eq!((total.suffix, total.value), ("_sum", sum));
            assert_eq!((count.suffix, count.value), ("_count", micros.len() as f64));
        };
        check(&[0], &[(0, 1.0), (14, 1.0)], 0.0);
        check(&[100, 101], &[(0, 1.0), (1, 2.0), (14, 2.0)], 0.000_201);
        check(
            &[10_000_000, 11_000_000],
            &[(12, 0.0), (13, 1.0), (14, 2.0)],
            21.0,
        );
    }

    #[test]
    fn what_has_no_route_is_one() {
        let latencies = Latencies::default();
        let route = latencies.route(None);
        route.record(StatusCode::NOT_FOUND, Duration::ZERO);
        for number in 0..2 * ROUTES {
            let route = latencies.route(Some(&number.to_string()));
            route.record(StatusCode::OK, Duration::ZERO);
        }
        let samples = latencies.figure().samples;
        let counts = samples.iter().filter(|sample| sample.suffix == "_count");
        let other = counts.filter(|sample| sample.labels[0].1 == OTHER);
        assert_eq!(
            other.map(|sample| sample.value).collect::<Vec<_>>(),
            [256.0, 1.0]
        );
    }
}
