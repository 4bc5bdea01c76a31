//! Answers of both in one form, and whether two are the same.
//!
//! The order of series means nothing unless the query sorts; messages of errors are not
//! compared, only that there is one.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::Context;
use metrics::eval::{Answer as Ours, EvalError, QueryValue};
use serde_json::Value;

/// How much of a number two answers may differ by: sums are taken in another order, and
/// mathematical libraries differ in the last bits.
const TOLERANCE: f64 = 1e-9;

/// Differences below this are none: what is left of numbers that cancel each other out.
const NOTHING: f64 = 1e-9;

/// A series by its labels, with its samples by time.
type Series = (BTreeMap<String, String>, Vec<(i64, f64)>);

/// An answer, whoever gave it.
#[derive(Debug)]
pub enum Answer {
    /// None, and why.
    Refused(String),
    /// A text.
    Text(String),
    /// All that has values; a scalar is a series without labels.
    Series {
        /// What it was: `scalar`, `vector` or `matrix`.
        kind: &'static str,
        series: Vec<Series>,
    },
}

impl Answer {
    /// One of ours.
    pub fn of_ours(answer: Result<Ours, EvalError>) -> Self {
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => return Self::Refused(error.to_string()),
        };
        let named = |labels: &metrics::eval::Labels| {
            let labels = labels.iter();
            let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
            labels.collect()
        };
        let (kind, series) = match answer.value {
            QueryValue::Text(text) => {
                return Self::Text(String::from_utf8_lossy(text.as_bytes()).into_owned());
            }
            QueryValue::Scalar(sample) => {
                let samples = vec![(sample.time, sample.value)];
                ("scalar", vec![(BTreeMap::new(), samples)])
            }
            QueryValue::Vector(elements) => {
                let series = elements.iter().map(|element| {
                    let samples = vec![(element.sample.time, element.sample.value)];
                    (named(&element.labels), samples)
                });
                ("vector", series.collect())
            }
            QueryValue::Matrix(series) => {
                let series = series.iter().map(|series| {
                    let samples = series.samples.iter();
                    let samples = samples.map(|sample| (sample.time, sample.value));
                    (named(&series.labels), samples.collect())
                });
                ("matrix", series.collect())
            }
        };
        Self::Series { kind, series }
    }

    /// One of Prometheus.
    ///
    /// # Errors
    /// When it is not as its documentation says.
    pub fn of_prometheus(answer: &Value) -> anyhow::Result<Self> {
        if let Some(error) = answer["error"].as_str() {
            return Ok(Self::Refused(error.to_owned()));
        }
        let (data, shown) = (&answer["data"], || format!("an unknown answer: {answer}"));
        let result = &data["result"];
        let (kind, field) = match data["resultType"].as_str() {
            Some("string") => {
                let text = result[1].as_str().with_context(shown)?;
                return Ok(Self::Text(text.to_owned()));
            }
            Some("scalar") => {
                let samples = vec![sample(result).with_context(shown)?];
                let (kind, series) = ("scalar", vec![(BTreeMap::new(), samples)]);
                return Ok(Self::Series { kind, series });
            }
            Some("vector") => ("vector", "value"),
            _ => ("matrix", "values"),
        };
        let elements = result.as_array().with_context(shown)?.iter();
        let series = elements.map(|element| {
            let samples = match field {
                "value" => std::slice::from_ref(&element[field]),
                _ => element[field].as_array()?,
            };
            Some((
                labels(&element["metric"])?,
                samples.iter().map(sample).collect::<Option<_>>()?,
            ))
        });
        let series = series.collect::<Option<_>>().with_context(shown)?;
        Ok(Self::Series { kind, series })
    }

    /// Whether both have values for the same series at the same times.
    pub fn has_shape_of(&self, other: &Self) -> bool {
        let shape = |answer: &Self| match answer {
            Self::Series { series, .. } => {
                let series = series.iter().map(|(labels, samples)| {
                    let times: Vec<i64> = samples.iter().map(|(time, _)| *time).collect();
                    (labels.clone(), times)
                });
                Some(series.collect::<BTreeMap<_, _>>())
            }
            _ => None,
        };
        shape(self).is_some_and(|one| Some(one) == shape(other))
    }

    /// Whether both say the same; in the same order, if that means something.
    pub fn agrees(&self, other: &Self, is_ordered: bool) -> bool {
        match (self, other) {
            (Self::Refused(_), Self::Refused(_)) => true,
            (Self::Text(one), Self::Text(other)) => one == other,
            (
                Self::Series { kind, series },
                Self::Series {
                    kind: other_kind,
                    series: other,
                },
            ) => {
                // Equal values may stand in any order.
                let is_in_order = !is_ordered
                    || series
                        .iter()
                        .zip(other)
                        .all(|(one, other)| are_almost(&one.1, &other.1));
                let sorted = |series: &[Series]| {
                    let mut series = series.to_vec();
                    series.sort_by(|one, other| one.0.cmp(&other.0));
                    series
                };
                let (series, other) = (sorted(series), sorted(other));
                let mut pairs = series.iter().zip(&other);
                kind == other_kind
                    && is_in_order
                    && series.len() == other.len()
                    && pairs.all(|(one, other)| one.0 == other.0 && are_almost(&one.1, &other.1))
            }
            _ => false,
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => write!(f, "error: {error}"),
            Self::Text(text) => write!(f, "text: {text:?}"),
            Self::Series { kind, series } => {
                write!(f, "{kind} of {}", series.len())?;
                for (labels, samples) in series {
                    write!(f, "\n    {labels:?}")?;
                    for (time, value) in samples {
                        write!(f, " {value}@{time}")?;
                    }
                }
                Ok(())
            }
        }
    }
}

fn are_almost(one: &[(i64, f64)], other: &[(i64, f64)]) -> bool {
    let mut pairs = one.iter().zip(other);
    one.len() == other.len()
        && pairs.all(|(one, other)| one.0 == other.0 && is_almost(one.1, other.1))
}

fn is_almost(one: f64, other: f64) -> bool {
    let difference = (one - other).abs();
    one == other
        || (one.is_nan() && other.is_nan())
        || difference <= NOTHING
        || difference <= TOLERANCE * one.abs().max(other.abs()) && difference.is_finite()
}

/// `[seconds, "value"]`
fn sample(pair: &Value) -> Option<(i64, f64)> {
    let seconds = pair[0].as_f64()?;
    let value = match pair[1].as_str()? {
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        value => value.parse().ok()?,
    };
    Some(((seconds * 1000.0).round() as i64, value))
}

fn labels(metric: &Value) -> Option<BTreeMap<String, String>> {
    let labels = metric.as_object()?.iter();
    let labels = labels.map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
    labels.collect()
}
