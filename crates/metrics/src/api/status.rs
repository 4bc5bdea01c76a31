//! What the node says of itself, in the shapes that Prometheus has for it.
//!
//! Figures that only a Go program has are 0, and settings that there are not are empty. What
//! is in memory is counted by the head (`head::figures`).

use super::Api;
use super::error::ApiError;
use super::form::Parameters;
use super::numbers::push_rfc3339;
use super::output::{Output, Remarks};
use super::parameter;
use crate::json_text::{push_display, push_list, push_text};

/// The version of Prometheus whose answers these are. Clients decide by it what they may
/// ask: Grafana, for one, asks for values of labels by `match[]` from 2.24 on.
const ANSWERS_LIKE: &str = "3.0.0";

/// Metrics and labels that are counted one by one, if the request does not say, as in
/// Prometheus.
const COUNTED: usize = 10;

/// As many may be asked for, as in Prometheus.
pub const STATUS_LIMIT: i64 = 10_000;

/// What is known of the node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// The version of the program.
    pub version: String,
    /// The machine's name.
    pub hostname: String,
    /// When the node was started, in milliseconds since 1970.
    pub started: i64,
    /// Threads that answer.
    pub threads: u64,
    /// How long samples are kept, such as `15d`.
    pub retention: String,
}

/// Answers with the version.
pub(super) fn build(status: &Status, out: &mut Output<'_>) -> Result<Remarks, ApiError> {
    out.write(|text| {
        text.push_str("{\"version\":");
        push_text(text, ANSWERS_LIKE);
        text.push_str(",\"revision\":");
        push_text(text, &status.version);
        text.push_str(",\"branch\":\"\",\"buildUser\":\"\",\"buildDate\":\"\",\"goVersion\":\"\"}");
    })?;
    Ok(Remarks::default())
}

/// Answers with what is known of the process.
pub(super) fn runtime(
    status: &Status,
    now: i64,
    out: &mut Output<'_>,
) -> Result<Remarks, ApiError> {
    out.write(|text| {
        text.push_str("{\"startTime\":");
        push_rfc3339(text, status.started);
        text.push_str(",\"CWD\":\"\",\"hostname\":");
        push_text(text, &status.hostname);
        text.push_str(",\"serverTime\":");
        push_rfc3339(text, now);
        text.push_str(",\"reloadConfigSuccess\":true,\"lastConfigTime\":");
        push_rfc3339(text, status.started);
        text.push_str(",\"corruptionCount\":0,\"goroutineCount\":0,\"GOMAXPROCS\":");
        push_display(text, status.threads);
        text.push_str(",\"GOMEMLIMIT\":0,\"GOGC\":\"\",\"GODEBUG\":\"\",\"storageRetention\":");
        push_text(text, &status.retention);
        text.push('}');
    })?;
    Ok(Remarks::default())
}

/// Answers with figures of the series in memory.
pub(super) fn store(
    api: &Api<'_>,
    parameters: &Parameters,
    out: &mut Output<'_>,
) -> Result<Remarks, ApiError> {
    let figures = (api.figures)(limit(parameters)?)?;
    let head = [
        ("numSeries", i128::from(figures.series)),
        ("numLabelPairs", i128::from(figures.label_pairs)),
        ("chunkCount", i128::from(figures.chunks)),
        ("minTime", i128::from(figures.first_time)),
        ("maxTime", i128::from(figures.last_time)),
    ];
    let lists = [
        ("seriesCountByMetricName", &figures.series_by_metric),
        ("labelValueCountByLabelName", &figures.values_by_label),
        ("memoryInBytesByLabelName", &figures.bytes_by_label),
        ("seriesCountByLabelValuePair", &figures.series_by_pair),
    ];
    out.write(|text| {
        text.push_str("{\"headStats\":{");
        push_list(text, head, |text, (name, value)| {
            push_display(text, format_args!("\"{name}\":{value}"));
        });
        text.push('}');
        for (name, counts) in lists {
            push_display(text, format_args!(",\"{name}\":["));
            push_list(text, counts, push_count);
            text.push(']');
        }
        text.push('}');
    })?;
    Ok(Remarks::default())
}

fn limit(parameters: &Parameters) -> Result<usize, ApiError> {
    let text = parameters.first("limit");
    if text.is_empty() {
        return Ok(COUNTED);
    }
    match parameter::number(text) {
        Ok(limit) if limit > STATUS_LIMIT => Err(ApiError::HighLimit),
        Ok(limit) if limit > 0 => Ok(limit as usize),
        _ => Err(ApiError::NotPositive),
    }
}

fn push_count(text: &mut String, (name, count): &(String, u64)) {
    text.push_str("{\"name\":");
    push_text(text, name);
    push_display(text, format_args!(",\"value\":{count}}}"));
}
