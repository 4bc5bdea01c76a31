//! What a request carries: decided by its client and its number alone, and told by the value
//! of each of its samples.

use std::fmt::Write;

use serde_json::{Value, json};

/// Samples of a request, each of another series.
pub const SAMPLES: usize = 32;

/// The name of all series: in line protocol, of a measurement with a field `value`.
pub const NAME: &str = "judge";

/// The series that every request of a client has a sample of; the rest are of ones that come
/// and go.
const STEADY: usize = SAMPLES - 1;

/// Requests that one of the other series has samples of.
const YOUNG_REQUESTS: usize = 8;

/// Every so many requests one has samples that come late.
const LATE: usize = 10;

/// By up to so many days, which lie in several weeks.
const LATE_DAYS: usize = 20;

const DAY: i64 = 86_400_000;

/// A request may be sent with so many different values.
pub const VERSIONS: u8 = 2;

/// The most clients that values can tell apart.
const CLIENTS: usize = 64;

/// A request of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    pub client: usize,
    /// Its number among those of its client.
    pub number: usize,
    /// Of what is sent later for the same times, which then counts, the number is higher.
    pub version: u8,
}

/// How requests are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Atoll's own.
    Json,
    /// Influx's.
    Line,
}

impl Request {
    /// The number of the series that the sample `index` is of.
    pub const fn series(&self, index: usize) -> usize {
        if index < STEADY {
            index
        } else {
            STEADY + self.number / YOUNG_REQUESTS
        }
    }

    /// The time of its samples: of no other request of the client.
    pub fn time(&self, begin: i64) -> i64 {
        let days = match self.number % LATE {
            0 => 1 + self.number / LATE % LATE_DAYS,
            _ => 0,
        };
        let [number, days] =
            [self.number, days].map(|part| i64::try_from(part).unwrap_or(i64::MAX));
        begin + number - days * DAY
    }

    /// The value of the sample `index`, a whole number below 2⁵³.
    pub fn value(&self, index: usize) -> u64 {
        let place = (self.number * CLIENTS + self.client) * SAMPLES + index;
        place as u64 * u64::from(VERSIONS) + u64::from(self.version)
    }

    /// The request, and the index in it, of the sample with a value.
    pub fn of_value(value: u64) -> (Self, usize) {
        let versions = u64::from(VERSIONS);
        let version = u8::try_from(value % versions).unwrap_or(0);
        let place = usize::try_from(value / versions).unwrap_or(usize::MAX);
        let request = place / SAMPLES;
        let request = Self {
            client: request % CLIENTS,
            number: request / CLIENTS,
            version,
        };
        (request, place % SAMPLES)
    }
}

impl Format {
    /// Where it is sent to.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Json => "/metrics?atomic=1",
            Self::Line => "/write?precision=ms",
        }
    }

    /// The body of a request.
    pub fn body(self, request: &Request, begin: i64) -> String {
        let (client, time) = (request.client, request.time(begin));
        let samples = (0..SAMPLES).map(|index| (request.series(index), request.value(index)));
        match self {
            Self::Json => {
                let items: Vec<Value> = samples
                    .map(|(series, value)| {
                        let tags =
                            json!({ "client": client.to_string(), "series": series.to_string() });
                        json!({ "name": NAME, "value": value, "tags": tags, "timestamp": time })
                    })
                    .collect();
                json!({ "metrics": items }).to_string()
            }
            Self::Line => samples.fold(String::new(), |mut text, (series, value)| {
                // Writing to a text does not fail.
                let _ = writeln!(
                    text,
                    "{NAME},client={client},series={series} value={value} {time}"
                );
                text
            }),
        }
    }
}

/// The lines that an export has of a request.
#[cfg(test)]
pub fn exported(request: &Request, begin: i64) -> impl Iterator<Item = String> {
    let request = *request;
    (0..SAMPLES).map(move |index| {
        let (client, series) = (
            request.client.to_string(),
            request.series(index).to_string(),
        );
        let metric = json!({ "__name__": NAME, "client": client, "series": series });
        let (value, time) = (request.value(index), request.time(begin));
        json!({ "metric": metric, "values": [value], "timestamps": [time] }).to_string()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_value_tells_its_request_and_no_time_comes_twice() {
        let mut times = BTreeSet::new();
        for number in (0..1000).chain([2_999_999]) {
            for (client, version) in [(0, 0), (8, 1)] {
                let request = Request {
                    client,
                    number,
                    version,
                };
                for index in 0..SAMPLES {
                    let value = request.value(index);
                    assert!(value < 1 << 53);
                    assert_eq!(Request::of_value(value), (request, index));
                }
                times.insert((client, request.time(1_700_000_000_000)));
            }
        }
        assert_eq!(times.len(), 2002);
    }
}
