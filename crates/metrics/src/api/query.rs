//! `query`, `query_range` and `format_query`.

use super::error::{ApiError, ParameterFault};
use super::form::Parameters;
use super::numbers::{push_scalar, push_time, push_value};
use super::output::{Output, Remarks};
use super::parameter;
use super::{Api, STEPS};
use crate::chunk::Sample;
use crate::eval::{Answer, Element, Engine, EvalError, QueryValue, Settings, ValueSeries};
use crate::json_text::{push_list, push_object, push_text};
use crate::promql::{Expr, Features, parse};

/// Points between two looks at the answer's size and at who waits: some 40 KiB, which
/// take less than a millisecond.
const POINTS_AT_ONCE: usize = 1024;

/// The times of a range query, in milliseconds.
struct Range {
    start: i64,
    end: i64,
    step: i64,
}

/// Answers about one time.
pub(super) fn instant(
    api: &Api<'_>,
    parameters: &Parameters,
    now: i64,
    out: &mut Output<'_>,
) -> Result<Remarks, ApiError> {
    let limit = parameter::limit(parameters)?;
    let time = parameter::optional_time(parameters, "time")?.unwrap_or(now);
    let mut answer = evaluated(api, parameters, out, |engine, query| {
        engine.instant(query, time)
    })?;
    let is_truncated = truncate(&mut answer.value, limit);
    write_value(out, &answer.value, time)?;
    Ok(remarks(&answer, parameters, is_truncated))
}

/// Answers about many times.
pub(super) fn range(
    api: &Api<'_>,
    parameters: &Parameters,
    out: &mut Output<'_>,
) -> Result<Remarks, ApiError> {
    let limit = parameter::limit(parameters)?;
    let Range { start, end, step } = Range::read(parameters)?;
    let mut answer = evaluated(api, parameters, out, |engine, query| {
        engine.range(query, start, end, step)
    })?;
    let is_truncated = truncate(&mut answer.value, limit);
    write_value(out, &answer.value, start)?;
    Ok(remarks(&answer, parameters, is_truncated))
}

/// Answers with the canonical text of a query.
pub(super) fn format(parameters: &Parameters, out: &mut Output<'_>) -> Result<Remarks, ApiError> {
    let query = read_query(parameters)?;
    out.write(|text| push_text(text, &query.to_string()))?;
    Ok(Remarks::default())
}

impl Range {
    fn read(parameters: &Parameters) -> Result<Self, ApiError> {
        let time = |name| {
            let time = parameter::time(parameters.first(name));
            time.map_err(|fault| ApiError::parameter(name, fault))
        };
        let (start, end) = (time("start")?, time("end")?);
        if end < start {
            return Err(ApiError::parameter("end", ParameterFault::EndBeforeStart));
        }
        let step = parameter::duration(parameters.first("step"));
        let step = step.map_err(|fault| ApiError::parameter("step", fault))?;
        if step <= 0 {
            return Err(ApiError::parameter("step", ParameterFault::Step));
        }
        if end.saturating_sub(start) / step > STEPS {
            return Err(ApiError::Resolution);
        }
        Ok(Self { start, end, step })
    }
}

fn evaluated(
    api: &Api<'_>,
    parameters: &Parameters,
    out: &mut Output<'_>,
    evaluate: impl FnOnce(&Engine<'_>, &Expr) -> Result<Answer, EvalError>,
) -> Result<Answer, ApiError> {
    let timeout = parameter::optional_duration(parameters, "timeout");
    let timeout = timeout.map_err(|fault| ApiError::parameter("timeout", fault))?;
    if let Some(timeout) = timeout {
        out.patience = out.patience.at_most(u64::try_from(timeout).unwrap_or(0));
    }
    let settings = settings(api.settings.eval, parameters)?;
    let query = read_query(parameters)?;
    out.patience.go_on()?;
    let patience = out.patience;
    let is_over = || patience.interruption().is_some();
    let engine = Engine::new(api.source).with(settings).until(&is_over);
    Ok(evaluate(&engine, &query)?)
}

fn remarks(answer: &Answer, parameters: &Parameters, is_truncated: bool) -> Remarks {
    let mut remarks = Remarks::of(&answer.notes, parameters.first("query"));
    if is_truncated {
        remarks.add_truncation();
    }
    remarks
}

fn read_query(parameters: &Parameters) -> Result<Expr, ApiError> {
    parse(parameters.first("query"), Features::STABLE)
        .map_err(|error| ApiError::parameter("query", ParameterFault::Parse(error)))
}

/// Those of the node, but for what the request may say. As in Prometheus, a lookback of
/// nothing is the node's.
fn settings(settings: Settings, parameters: &Parameters) -> Result<Settings, ApiError> {
    let lookback = parameter::optional_duration(parameters, "lookback_delta");
    let lookback = lookback.map_err(ApiError::Lookback)?;
    let lookback = lookback.filter(|lookback| *lookback > 0);
    Ok(Settings {
        lookback: lookback.unwrap_or(settings.lookback),
        ..settings
    })
}

/// Leaves so many series; whether there were more.
fn truncate(value: &mut QueryValue, limit: usize) -> bool {
    let length = match value {
        QueryValue::Scalar(_) | QueryValue::Text(_) => return false,
        QueryValue::Vector(elements) => {
            let length = elements.len();
            elements.truncate(limit);
            length
        }
        QueryValue::Matrix(series) => {
            let length = series.len();
            series.truncate(limit);
            length
        }
    };
    length > limit
}

/// A text has no time of its own, but that of its query.
fn write_value(out: &mut Output<'_>, value: &QueryValue, time: i64) -> Result<(), ApiError> {
    match value {
        QueryValue::Scalar(sample) => {
            out.push("{\"resultType\":\"scalar\",\"result\":[");
            out.write(|text| push_scalar_sample(text, sample))?;
            out.push("]");
        }
        QueryValue::Text(content) => {
            out.push("{\"resultType\":\"string\",\"result\":[");
            let content = String::from_utf8_lossy(content.as_bytes());
            out.write(|text| {
                push_time(text, time);
                text.push(',');
                push_text(text, &content);
            })?;
            out.push("]");
        }
        QueryValue::Vector(elements) => {
            out.push("{\"resultType\":\"vector\",\"result\":");
            out.write_array(elements, |out, element| {
                out.write(|text| push_element(text, element))
            })?;
        }
        QueryValue::Matrix(series) => {
            out.push("{\"resultType\":\"matrix\",\"result\":");
            out.write_array(series, write_series)?;
        }
    }
    out.push("}");
    Ok(())
}

fn push_scalar_sample(text: &mut String, sample: &Sample) {
    push_time(text, sample.time);
    text.push_str(",\"");
    push_scalar(text, sample.value);
    text.push('"');
}

fn push_element(text: &mut String, element: &Element) {
    text.push_str("{\"metric\":");
    push_object(text, element.labels.iter());
    text.push_str(",\"value\":");
    push_sample(text, &element.sample);
    text.push('}');
}

fn write_series(out: &mut Output<'_>, series: &ValueSeries) -> Result<(), ApiError> {
    out.push("{\"metric\":");
    out.write(|text| push_object(text, series.labels.iter()))?;
    out.push(",\"values\":[");
    for (index, samples) in series.samples.chunks(POINTS_AT_ONCE).enumerate() {
        if index > 0 {
            out.push(",");
        }
        out.write(|text| push_list(text, samples, push_sample))?;
    }
    out.push("]}");
    Ok(())
}

fn push_sample(text: &mut String, sample: &Sample) {
    text.push('[');
    push_time(text, sample.time);
    text.push_str(",\"");
    push_value(text, sample.value);
    text.push_str("\"]");
}
