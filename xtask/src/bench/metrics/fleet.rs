//! Made-up series as agents on many hosts send them, and their values: the same every time.

/// Says nothing about what is measured; it is on every series, so that they can be counted.
pub const JOB: &str = "fleet";

/// Groups that queries sum over.
pub const GROUPS: usize = 10;

/// Between two samples of a series, in milliseconds.
pub const STEP: i64 = 15_000;

/// Every host sends every metric.
#[derive(Debug, Clone, Copy)]
pub struct Fleet {
    pub metrics: usize,
    pub hosts: usize,
}

/// What a series is called. Its labels are in the order of their names.
#[derive(Debug, Clone)]
pub struct Series {
    pub name: String,
    pub labels: [(&'static str, String); 5],
}

/// A value of a series at a time in milliseconds.
#[derive(Debug, Clone)]
pub struct Sample<'a> {
    pub series: &'a Series,
    pub value: f64,
    pub time: i64,
}

impl Fleet {
    /// All series, those of a host together.
    pub fn series(self) -> impl Iterator<Item = Series> {
        (0..self.hosts).flat_map(move |host| self.of_host(host))
    }

    /// Those of one host.
    pub fn of_host(self, host: usize) -> impl Iterator<Item = Series> {
        (0..self.metrics).map(move |metric| one(metric, host))
    }

    /// How many there are.
    pub fn len(self) -> usize {
        self.metrics * self.hosts
    }
}

/// The value of the series with this number after so many steps: half of them are counters,
/// half go up and down.
pub fn value(series: usize, step: usize) -> f64 {
    if series.is_multiple_of(2) {
        counter(series, step)
    } else {
        (mixed(series, step) % 1000) as f64 / 10.0
    }
}

/// Grows by something else in each step, at a rate that is the series' own, and begins anew
/// now and then.
pub fn counter(series: usize, step: usize) -> f64 {
    let rate = 10 + mixed(series, 0) % 1000;
    let life = 500 + mixed(series, 1) as usize % 1000;
    let age = (step + mixed(series, 2) as usize % life) % life;
    (age as u64 * rate + mixed(series, step) % rate) as f64
}

fn one(metric: usize, host: usize) -> Series {
    const SUBSYSTEMS: [&str; 10] = [
        "disk",
        "network",
        "http",
        "memory",
        "scheduler",
        "cache",
        "queue",
        "database",
        "storage",
        "runtime",
    ];
    const THINGS: [&str; 10] = [
        "read",
        "written",
        "received",
        "sent",
        "failed",
        "waiting",
        "accepted",
        "dropped",
        "retried",
        "processed",
    ];
    const UNITS: [&str; 10] = [
        "bytes_total",
        "seconds_total",
        "requests_total",
        "errors_total",
        "packets_total",
        "operations_total",
        "pages_total",
        "objects_total",
        "events_total",
        "ticks_total",
    ];
    let name = format!(
        "{}_{}_{}",
        SUBSYSTEMS[metric % 10],
        THINGS[metric / 10 % 10],
        UNITS[metric / 100 % 10]
    );
    Series {
        name,
        labels: [
            ("env", "production".to_owned()),
            ("group", format!("group-{}", host % GROUPS)),
            ("instance", format!("host-{host:04}.example.org:9100")),
            ("job", JOB.to_owned()),
            ("region", format!("region-{}", host % 4)),
        ],
    }
}

/// Numbers without a pattern (SplitMix64).
fn mixed(series: usize, step: usize) -> u64 {
    let mut state = (series as u64)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .wrapping_add((step as u64).wrapping_mul(0xd1b5_4a32_d192_ed03));
    state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_two_series_are_the_same() {
        let fleet = Fleet {
            metrics: 1000,
            hosts: 3,
        };
        let names: HashSet<String> = fleet.series().map(|series| format!("{series:?}")).collect();
        assert_eq!(names.len(), fleet.len());
    }

    #[test]
    fn counters_grow_but_for_a_few_resets() {
        for series in 0..100 {
            let falls = (1..1440).filter(|step| counter(series, *step) < counter(series, step - 1));
            assert!(falls.count() <= 3, "{series}");
        }
    }
}
