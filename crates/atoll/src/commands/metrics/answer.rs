//! What a query finds, as the HTTP API of Prometheus says it.

use super::labels::Labels;
use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::Value;

/// Seconds since 1970, and the value as it was written.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Sample(pub f64, pub String);

/// A series at one moment.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Instant {
    pub metric: Labels,
    /// None for a native histogram.
    pub value: Option<Sample>,
}

/// A series over time.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Series {
    pub metric: Labels,
    #[serde(default)]
    pub values: Vec<Sample>,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
pub enum Found {
    Vector(Vec<Instant>),
    Matrix(Vec<Series>),
    Scalar(Sample),
    String(Sample),
}

impl Sample {
    /// In milliseconds since 1970.
    pub fn milliseconds(&self) -> i64 {
        (self.0 * 1e3).round() as i64
    }

    /// What it is as a number; `NaN` where it is none.
    pub fn number(&self) -> f64 {
        match self.1.as_str() {
            "+Inf" => f64::INFINITY,
            "-Inf" => f64::NEG_INFINITY,
            text => text.parse().unwrap_or(f64::NAN),
        }
    }
}

/// Reads the data of a successful answer.
pub fn found(answer: &Value) -> Result<Found> {
    Found::deserialize(&answer["data"]).context("the server answers with what no query finds")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn answers_are_read() {
        let vector = json!({"data": {"resultType": "vector", "result": [
            {"metric": {"job": "a"}, "value": [1.5, "+Inf"]},
            {"metric": {}, "histogram": [1.5, {}]},
        ]}});
        let Found::Vector(series) = found(&vector).unwrap() else {
            panic!("no vector");
        };
        let sample = series[0].value.as_ref().unwrap();
        assert_eq!(
            (sample.milliseconds(), sample.number()),
            (1500, f64::INFINITY)
        );
        assert_eq!(series[1].value, None);
        let scalar = json!({"data": {"resultType": "scalar", "result": [1, "2"]}});
        assert_eq!(
            found(&scalar).unwrap(),
            Found::Scalar(Sample(1.0, "2".to_owned()))
        );
        let matrix = json!({"data": {"resultType": "matrix", "result": []}});
        assert_eq!(found(&matrix).unwrap(), Found::Matrix(Vec::new()));
        assert!(found(&json!({"data": {"resultType": "other"}})).is_err());
    }
}
