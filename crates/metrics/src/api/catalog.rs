//! What there is: the names of labels, their values, series, and the kinds of metrics.

use super::error::{ApiError, ParameterFault};
use super::form::Parameters;
use super::output::{Output, Remarks};
use super::parameter;
use super::selection::Selectors;
use super::{Api, LABEL_NAME_BYTES, MetadataSource};
use crate::eval::Texts;
use crate::ingest::Kind;
use crate::json_text::{push_object, push_text};
use std::ops::ControlFlow;

/// Answers with the names of labels.
pub(super) fn label_names(
    api: &Api<'_>,
    parameters: &Parameters,
    out: &mut Output<'_>,
) -> Result<Remarks, ApiError> {
    let mut names = texts(api, parameters)?;
    let range = parameter::range(parameters)?;
    let selectors = selectors(parameters).map_err(ApiError::Unnamed)?;
    selectors.label_names(api.source, range, &mut names)?;
    write_texts(api, out, &names)
}

/// Answers with the values of a label.
pub(super) fn label_values(
    api: &Api<'_>,
    name: &str,
    parameters: &Parameters,
    out: &mut Output<'_>,
) -> Result<Remarks, ApiError> {
    let name = unescaped(name).unwrap_or_else(|| name.to_owned());
    if name.is_empty() {
        return Err(ApiError::LabelName(name));
    }
    if name.len() > LABEL_NAME_BYTES {
        return Err(ApiError::LabelNameLong(name.len()));
    }
    let mut values = texts(api, parameters)?;
    let range = parameter::range(parameters)?;
    let selectors = selectors(parameters).map_err(ApiError::Unnamed)?;
    selectors.label_values(api.source, &name, range, &mut values)?;
    write_texts(api, out, &values)
}

/// Answers with the labels of series.
pub(super) fn series(
    api: &Api<'_>,
    parameters: &Parameters,
    out: &mut Output<'_>,
) -> Result<Remarks, ApiError> {
    let in_selectors = |fault| ApiError::parameter("match[]", fault);
    let selectors = selectors(parameters).map_err(in_selectors)?;
    if selectors.is_empty() {
        return Err(ApiError::NoMatcher);
    }
    let limit = parameter::limit(parameters)?;
    let range = parameter::range(parameters)?;
    let most = api.settings.eval.limits.series;
    let mut remarks = Remarks::default();
    let mut count = 0_usize;
    out.push("[");
    selectors.for_each(api.source, range, |series| {
        if count == limit {
            remarks.add_truncation();
            return Ok(false);
        }
        if count == most {
            return Err(ApiError::TooManySeries(most));
        }
        if count > 0 {
            out.push(",");
        }
        count += 1;
        out.write(|text| push_object(text, series.labels().iter()))?;
        Ok(true)
    })?;
    out.push("]");
    Ok(remarks)
}

/// Answers with the kinds of metrics.
pub(super) fn metadata(
    api: &Api<'_>,
    parameters: &Parameters,
    out: &mut Output<'_>,
) -> Result<Remarks, ApiError> {
    let limit = optional_number(parameters, "limit")?;
    optional_number(parameters, "limit_per_metric")?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    out.push("{");
    match parameters.first("metric") {
        "" => write_kinds(api.metadata, limit, out)?,
        metric => {
            if let Some(kind) = api.metadata.kind(metric).filter(|_| limit > 0) {
                out.write(|text| push_kind(text, metric, kind))?;
            }
        }
    }
    out.push("}");
    Ok(Remarks::default())
}

fn write_kinds(
    metadata: &dyn MetadataSource,
    limit: usize,
    out: &mut Output<'_>,
) -> Result<(), ApiError> {
    let mut count = 0;
    let mut written = Ok(());
    metadata.for_each(&mut |metric, kind| {
        if count == limit {
            return ControlFlow::Break(());
        }
        if count > 0 {
            out.push(",");
        }
        count += 1;
        written = out.write(|text| push_kind(text, metric, kind));
        match written {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    });
    written
}

fn push_kind(text: &mut String, metric: &str, kind: Kind) {
    push_text(text, metric);
    text.push_str(":[{\"type\":\"");
    text.push_str(match kind {
        Kind::Gauge => "gauge",
        Kind::Counter => "counter",
        Kind::Histogram => "histogram",
        Kind::Summary => "summary",
    });
    text.push_str("\",\"help\":\"\",\"unit\":\"\"}]");
}

fn selectors(parameters: &Parameters) -> Result<Selectors, ParameterFault> {
    Selectors::parse(parameters.all("match[]"))
}

/// A number below 0, as for no number at all, sets no limit.
fn optional_number(parameters: &Parameters, name: &'static str) -> Result<i64, ApiError> {
    match parameters.first(name) {
        "" => Ok(-1),
        text => parameter::number(text).map_err(|_| ApiError::NoNumber(name)),
    }
}

/// Room for as many texts as are wanted, in as much memory as their answer may take.
fn texts(api: &Api<'_>, parameters: &Parameters) -> Result<Texts, ApiError> {
    let limit = parameter::limit(parameters)?;
    Ok(Texts::new(limit, api.settings.answer_bytes))
}

fn write_texts(api: &Api<'_>, out: &mut Output<'_>, texts: &Texts) -> Result<Remarks, ApiError> {
    if texts.are_too_large() {
        return Err(ApiError::TextsTooLarge(api.settings.answer_bytes));
    }
    out.write_array(texts.iter(), |out, text| {
        out.write(|written| push_text(written, text))
    })?;
    let mut remarks = Remarks::default();
    if texts.are_cut() {
        remarks.add_truncation();
    }
    Ok(remarks)
}

/// A name that a path can have, for one that it cannot: behind `U__` stands `__` for `_`
/// and `_2e_` for the character of that hexadecimal number (`model.UnescapeName` of
/// Prometheus). None if it is no such name, and then means itself.
fn unescaped(name: &str) -> Option<String> {
    let mut rest = name.strip_prefix("U__")?;
    let mut unescaped = String::with_capacity(rest.len());
    while let Some((before, behind)) = rest.split_once('_') {
        unescaped.push_str(before);
        let (code, behind) = behind.split_once('_')?;
        unescaped.push(if code.is_empty() {
            '_'
        } else {
            character(code)?
        });
        rest = behind;
    }
    unescaped.push_str(rest);
    Some(unescaped)
}

/// The character of a hexadecimal number, which has six digits at most.
fn character(code: &str) -> Option<char> {
    let is_code = code.len() <= 6 && code.bytes().all(|digit| digit.is_ascii_hexdigit());
    let code = is_code.then(|| u32::from_str_radix(code, 16).ok());
    char::from_u32(code.flatten()?)
}

#[cfg(test)]
mod tests {
    use super::unescaped;

    #[test]
    fn names_are_unescaped() {
        let check = |name, expected: Option<&str>| {
            assert_eq!(unescaped(name).as_deref(), expected, "{name}");
        };
        check("job", None);
        check("U__", Some(""));
        check("U__http_2e_status", Some("http.status"));
        check("U__a__b", Some("a_b"));
        check("U____", Some("_"));
        check("U___1F72E__20_", Some("🜮 "));
        for name in [
            "U__a_",
            "U__a_2e",
            "U__a_x_",
            "U__a_d800_",
            "U__a_0000041_",
            "U__a_+1_",
        ] {
            check(name, None);
        }
    }
}
