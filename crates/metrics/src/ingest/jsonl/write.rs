//! Writing one line of an export.
//!
//! Numbers are the shortest that read as the same float; where they are whole and not
//! too long, without a point.

use super::{NAN_DIGITS, ORDINARY_NAN};
use crate::chunk::Sample;
use crate::json_text::{push_display, push_list, push_object};

/// Appends the line of a series and its newline. Without samples it appends nothing: no
/// line says so.
pub fn write<'a>(
    out: &mut String,
    labels: impl IntoIterator<Item = (&'a str, &'a str)>,
    samples: &[Sample],
) {
    if samples.is_empty() {
        return;
    }
    out.push_str("{\"metric\":");
    push_object(out, labels);
    out.push_str(",\"values\":[");
    push_list(out, samples, |out, sample| push_value(out, sample.value));
    out.push_str("],\"timestamps\":[");
    push_list(out, samples, |out, sample| push_display(out, sample.time));
    out.push(']');
    let nans = || samples.iter().map(|s| s.value).filter(|v| v.is_nan());
    if nans().any(|value| value.to_bits() != ORDINARY_NAN) {
        out.push_str(",\"nans\":[");
        push_list(out, nans(), |out, value| {
            let bits = value.to_bits();
            push_display(out, format_args!("\"{bits:0NAN_DIGITS$x}\""));
        });
        out.push(']');
    }
    out.push_str("}\n");
}

fn push_value(out: &mut String, value: f64) {
    if value.is_nan() {
        out.push_str("null");
    } else if value.is_infinite() {
        out.push_str(if value > 0.0 {
            "\"Infinity\""
        } else {
            "\"-Infinity\""
        });
    } else if value == 0.0 || (1e-5..1e17).contains(&value.abs()) {
        push_display(out, value);
    } else {
        push_display(out, format_args!("{value:e}"));
    }
}
