//! What the values of parameters mean: times, durations and numbers, read as Prometheus
//! reads them.

use super::error::{ApiError, ParameterFault};
use super::form::Parameters;
use crate::eval::TimeRange;
use crate::ingest::rfc3339;
use crate::promql::{TIMESTAMP_MS, duration};

/// How Prometheus writes the first and the last time that it knows, which years of four
/// digits cannot say. Its clients send them.
const FIRST_TIME: &str = "-292273086-05-16T16:47:06Z";
const LAST_TIME: &str = "292277025-08-18T07:12:54.999999999Z";

/// A time in milliseconds: seconds since 1970, or RFC 3339. What is beyond 64 bits is the
/// first or the last time.
pub(super) fn time(text: &str) -> Result<i64, ParameterFault> {
    if let Ok(seconds) = text.parse::<f64>()
        && !seconds.is_nan()
    {
        let milliseconds = (seconds.fract() * 1000.0).round() as i64;
        return Ok((seconds.trunc() as i64)
            .saturating_mul(1000)
            .saturating_add(milliseconds));
    }
    match text.trim_start_matches('+') {
        FIRST_TIME => Ok(i64::MIN),
        LAST_TIME => Ok(i64::MAX),
        _ => rfc3339(text).map_err(|_| ParameterFault::Time(text.to_owned())),
    }
}

/// The time that a parameter says, if it is there.
pub(super) fn optional_time(
    parameters: &Parameters,
    name: &'static str,
) -> Result<Option<i64>, ApiError> {
    let text = parameters.first(name);
    if text.is_empty() {
        return Ok(None);
    }
    let named = |fault: ParameterFault| ParameterFault::Named(name, Box::new(fault));
    let time = time(text).map_err(|fault| ApiError::parameter(name, named(fault)))?;
    Ok(Some(time))
}

/// The times from `start` to `end`, each of which may be left out.
pub(super) fn range(parameters: &Parameters) -> Result<TimeRange, ApiError> {
    let bound = |time: i64| time.clamp(-TIMESTAMP_MS, TIMESTAMP_MS);
    let start = optional_time(parameters, "start")?.unwrap_or(i64::MIN);
    let end = optional_time(parameters, "end")?.unwrap_or(i64::MAX);
    Ok(TimeRange {
        start: bound(start),
        end: bound(end),
    })
}

/// A duration in milliseconds: seconds, or as PromQL has them.
pub(super) fn duration(text: &str) -> Result<i64, ParameterFault> {
    if let Ok(seconds) = text.parse::<f64>()
        && !seconds.is_nan()
    {
        let milliseconds = (seconds * 1000.0).round();
        return match milliseconds.abs() <= duration::LONGEST as f64 {
            true => Ok(milliseconds as i64),
            false => Err(ParameterFault::LongDuration(text.to_owned())),
        };
    }
    let fault = |_| ParameterFault::Duration(text.to_owned());
    duration::parse(text).map(|read| read as i64).map_err(fault)
}

/// The duration that a parameter says, if it is there.
pub(super) fn optional_duration(
    parameters: &Parameters,
    name: &str,
) -> Result<Option<i64>, ParameterFault> {
    match parameters.first(name) {
        "" => Ok(None),
        text => duration(text).map(Some),
    }
}

/// How many series, names or values are wanted at most: all, where it is 0 or not said.
pub(super) fn limit(parameters: &Parameters) -> Result<usize, ApiError> {
    let fault = |fault| ApiError::parameter("limit", fault);
    let limit = match parameters.first("limit") {
        "" => 0,
        text => number(text).map_err(fault)?,
    };
    match usize::try_from(limit) {
        Ok(0) => Ok(usize::MAX),
        Ok(limit) => Ok(limit),
        Err(_) => Err(fault(ParameterFault::NegativeLimit)),
    }
}

/// A whole number.
pub(super) fn number(text: &str) -> Result<i64, ParameterFault> {
    use std::num::IntErrorKind::{NegOverflow, PosOverflow};
    text.parse::<i64>().map_err(|error| match error.kind() {
        PosOverflow | NegOverflow => ParameterFault::NumberRange(text.to_owned()),
        _ => ParameterFault::NoNumber(text.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::{duration, number, time};

    #[test]
    fn times() {
        let check = |text: &str, expected| assert_eq!(time(text).ok(), expected, "{text}");
        check("0", Some(0));
        check("1435781451.781", Some(1_435_781_451_781));
        check("-0.0005", Some(-1));
        check("1e3", Some(1_000_000));
        check("0.0004", Some(0));
        check("1e300", Some(i64::MAX));
        check("-Inf", Some(i64::MIN));
        check("2015-07-01T20:10:51.781Z", Some(1_435_781_451_781));
        check("2015-07-01T22:10:51+02:00", Some(1_435_781_451_000));
        check("-292273086-05-16T16:47:06Z", Some(i64::MIN));
        check("+292277025-08-18T07:12:54.999999999Z", Some(i64::MAX));
        for text in ["", "NaN", "x", "2015-07-01", "2015-13-01T00:00:00Z", "5m"] {
            check(text, None);
        }
    }

    #[test]
    fn durations() {
        let check = |text: &str, expected| assert_eq!(duration(text).ok(), expected, "{text}");
        check("15", Some(15_000));
        check("0.3333", Some(333));
        check("1.001", Some(1_001));
        check("-1", Some(-1_000));
        check("1h30m", Some(5_400_000));
        check("0", Some(0));
        for text in ["", "NaN", "1e300", "-Inf", "5 m", "m", "1.5h", "300y"] {
            check(text, None);
        }
    }

    #[test]
    fn numbers() {
        let check = |text: &str, expected: Result<i64, &str>| {
            let read = number(text).map_err(|fault| fault.to_string());
            assert_eq!(read, expected.map_err(str::to_owned));
        };
        check("+10", Ok(10));
        check("-1", Ok(-1));
        check("1.5", Err("strconv.Atoi: parsing \"1.5\": invalid syntax"));
        let range = "strconv.Atoi: parsing \"9223372036854775808\": value out of range";
        check("9223372036854775808", Err(range));
    }
}
