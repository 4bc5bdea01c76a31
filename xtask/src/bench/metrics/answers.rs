//! Answers to queries: read, and compared.

use std::collections::BTreeMap;

use anyhow::ensure;
use serde_json::Value;

use super::figures::median;
use super::fleet::GROUPS;

/// How far answers of a Prometheus and ours may be apart, relative to them: by the order in
/// which they add.
const EQUAL: f64 = 1e-9;

/// How far those of VictoriaMetrics may be, in the median.
const NEAR: f64 = 0.05;

/// Values by time in seconds, of each series by its labels.
pub type Answer = BTreeMap<String, BTreeMap<i64, f64>>;

/// What `data` of the API of Prometheus says.
pub fn read(data: &Value) -> Option<Answer> {
    let series = data["result"].as_array()?.iter();
    let series = series.map(|series| {
        let single = series.get("value").map(std::slice::from_ref);
        let points = match single {
            Some(point) => point,
            None => series["values"].as_array()?,
        };
        let points = points.iter().map(|point| {
            let value: f64 = point[1].as_str()?.parse().ok()?;
            Some((point[0].as_f64()? as i64, value))
        });
        Some((series["metric"].to_string(), points.collect::<Option<_>>()?))
    });
    series.collect()
}

/// The values of each time in their order, as if each place were a series.
pub fn without_labels(answer: &Answer) -> Answer {
    let mut values: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
    for (time, value) in answer.values().flatten() {
        values.entry(*time).or_default().push(*value);
    }
    let mut places = Answer::new();
    for (time, mut values) in values {
        values.sort_by(f64::total_cmp);
        for (place, value) in values.into_iter().enumerate() {
            places
                .entry(place.to_string())
                .or_default()
                .insert(time, value);
        }
    }
    places
}

/// The same, but for rounding.
///
/// # Errors
/// Where they are not.
pub fn expect_equal(ours: &Answer, theirs: &Answer) -> anyhow::Result<()> {
    ensure!(!ours.is_empty(), "there is no answer");
    ensure!(ours.keys().eq(theirs.keys()), "the series are others");
    for (labels, points) in ours {
        let others = &theirs[labels];
        ensure!(points.keys().eq(others.keys()), "{labels} has other times");
        for (time, value) in points {
            let other = others[time];
            ensure!(
                apart(*value, other) <= EQUAL,
                "{labels} at {time}: {value}, and {other}"
            );
        }
    }
    Ok(())
}

/// The same groups, and values that are near in the median.
///
/// # Errors
/// Where they are not.
pub fn expect_near(ours: &Answer, theirs: &Answer) -> anyhow::Result<()> {
    ensure!(
        theirs.len() == GROUPS && ours.keys().eq(theirs.keys()),
        "the series are others"
    );
    let mut differences = Vec::new();
    for (labels, points) in ours {
        let others = &theirs[labels];
        let common = points
            .iter()
            .filter_map(|(time, value)| others.get(time).map(|other| apart(*value, *other)));
        differences.extend(common);
    }
    ensure!(!differences.is_empty(), "the times are others");
    let middle = median(&differences);
    ensure!(middle <= NEAR, "the values are apart by {middle}");
    Ok(())
}

fn apart(one: f64, other: f64) -> f64 {
    (one - other).abs() / one.abs().max(other.abs()).max(f64::MIN_POSITIVE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn answers_are_compared() {
        let answer = |value: &str| {
            let data = json!({"result": [{"metric": {"a": "b"}, "values": [[60, value]]}]});
            read(&data).unwrap()
        };
        assert!(expect_equal(&answer("1"), &answer("1.0000000000001")).is_ok());
        assert!(expect_equal(&answer("1"), &answer("1.001")).is_err());
        assert!(expect_equal(&answer("1"), &Answer::new()).is_err());
        assert!(expect_equal(&Answer::new(), &Answer::new()).is_err());
    }

    #[test]
    fn of_equal_ones_any_may_be_at_the_top() {
        let answer = |name: &str| {
            let one = json!({"metric": {"a": name}, "values": [[60, "2"]]});
            let other = json!({"metric": {"a": "z"}, "values": [[60, "1"], [120, "3"]]});
            without_labels(&read(&json!({"result": [one, other]})).unwrap())
        };
        assert_eq!(answer("b"), answer("c"));
        assert_eq!(answer("b")["1"], BTreeMap::from([(60, 2.0)]));
    }
}
