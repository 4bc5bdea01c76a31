//! Figures as Prometheus reads them: its text format, version 0.0.4
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>).

use super::Figure;
use std::fmt::Write;

/// The media type of [`render`]'s text.
pub const MEDIA_TYPE: &str = "text/plain; version=0.0.4";

/// The text of all figures. One without values is left out.
pub fn render(figures: &[Figure]) -> String {
    let mut text = String::new();
    for figure in figures.iter().filter(|figure| !figure.samples.is_empty()) {
        // Writing to a string cannot fail.
        let _ = write_figure(&mut text, figure);
    }
    text
}

fn write_figure(text: &mut String, figure: &Figure) -> std::fmt::Result {
    let Figure { name, kind, .. } = figure;
    let help = figure.help.replace('\\', r"\\").replace('\n', r"\n");
    writeln!(text, "# HELP {name} {help}")?;
    writeln!(text, "# TYPE {name} {}", kind.name())?;
    for sample in &figure.samples {
        write!(text, "{name}{}", sample.suffix)?;
        let mut before = '{';
        for (label, value) in &sample.labels {
            write!(text, "{before}{label}=\"{}\"", escaped(value))?;
            before = ',';
        }
        let after = if before == ',' { "}" } else { "" };
        writeln!(text, "{after} {}", number(sample.value))?;
    }
    Ok(())
}

fn escaped(value: &str) -> String {
    let value = value.replace('\\', r"\\").replace('"', "\\\"");
    value.replace('\n', r"\n")
}

/// As Go reads it.
fn number(value: f64) -> String {
    match value {
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::*;

    #[test]
    fn texts() {
        let check = |figure: Figure, expected: &str| assert_eq!(render(&[figure]), expected);
        check(Figure::counter("a", "None."), "");
        check(
            Figure::gauge("a", "One \\ two\nthree \"four\".").of(1 << 53),
            "# HELP a One \\\\ two\\nthree \"four\".\n# TYPE a gauge\na 9007199254740992\n",
        );
        let labels = vec![("b", "\\ \" \n é".to_owned()), ("c", String::new())];
        check(
            Figure::counter("a", "A.").with(labels, 0.25),
            "# HELP a A.\n# TYPE a counter\na{b=\"\\\\ \\\" \\n é\",c=\"\"} 0.25\n",
        );
        let mut histogram = Figure::new("h", Kind::Histogram, "H.");
        histogram.push("_bucket", vec![("le", "+Inf".to_owned())], f64::INFINITY);
        histogram.push("_sum", Vec::new(), f64::NAN);
        check(
            histogram,
            "# HELP h H.\n# TYPE h histogram\nh_bucket{le=\"+Inf\"} +Inf\nh_sum NaN\n",
        );
    }
}
