//! Samples as requests carry them.

use std::fmt::Write;

use super::fleet::{Sample, Series};
use super::wire;

/// How samples are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// What `POST /metrics` takes, without times: the server's clock counts.
    Json,
    /// What VictoriaMetrics imports.
    JsonLines,
    /// Influx', without times.
    LineProtocol,
    /// Prometheus', version 1.
    RemoteWrite,
}

impl Format {
    /// A body with these samples.
    pub fn write(self, samples: &[Sample<'_>]) -> Vec<u8> {
        match self {
            Self::Json => {
                let items: Vec<String> = samples.iter().map(item).collect();
                format!("{{\"metrics\":[{}]}}", items.join(",")).into_bytes()
            }
            Self::JsonLines => samples
                .iter()
                .map(json_line)
                .collect::<String>()
                .into_bytes(),
            Self::LineProtocol => samples.iter().map(line).collect::<String>().into_bytes(),
            Self::RemoteWrite => wire::request(samples),
        }
    }

    /// The fields that say what the body is.
    pub fn fields(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Json | Self::JsonLines => &[("content-type", "application/json")],
            Self::LineProtocol => &[("content-type", "text/plain; charset=utf-8")],
            Self::RemoteWrite => &[
                ("content-type", "application/x-protobuf"),
                ("content-encoding", "snappy"),
                ("x-prometheus-remote-write-version", "0.1.0"),
            ],
        }
    }
}

fn item(sample: &Sample<'_>) -> String {
    format!(
        "{{\"name\":\"{}\",\"value\":{},\"type\":\"gauge\",\"tags\":{{{}}}}}",
        sample.series.name,
        sample.value,
        pairs(sample.series)
    )
}

fn json_line(sample: &Sample<'_>) -> String {
    format!(
        "{{\"metric\":{{\"__name__\":\"{}\",{}}},\"values\":[{}],\"timestamps\":[{}]}}\n",
        sample.series.name,
        pairs(sample.series),
        sample.value,
        sample.time
    )
}

/// The labels as members of an object; the texts of a fleet need no escapes.
fn pairs(series: &Series) -> String {
    let pairs = series.labels.iter();
    let pairs = pairs.map(|(name, value)| format!("\"{name}\":\"{value}\""));
    pairs.collect::<Vec<_>>().join(",")
}

fn line(sample: &Sample<'_>) -> String {
    let mut line = sample.series.name.clone();
    for (name, value) in &sample.series.labels {
        let _ = write!(line, ",{name}={value}");
    }
    let _ = writeln!(line, " value={}", sample.value);
    line
}

#[cfg(test)]
mod tests {
    use super::super::fleet::Fleet;
    use super::*;

    #[test]
    fn each_format_has_the_labels_and_the_value() {
        let fleet = Fleet {
            metrics: 1,
            hosts: 1,
        };
        let series: Vec<Series> = fleet.series().collect();
        let sample = Sample {
            series: &series[0],
            value: 1.5,
            time: 7,
        };
        let check = |format: Format, expected: &str| {
            let body = format.write(std::slice::from_ref(&sample));
            assert_eq!(String::from_utf8(body).unwrap(), expected);
        };
        let tags = "\"env\":\"production\",\"group\":\"group-0\",\
            \"instance\":\"host-0000.example.org:9100\",\"job\":\"fleet\",\"region\":\"region-0\"";
        check(
            Format::Json,
            &format!(
                "{{\"metrics\":[{{\"name\":\"disk_read_bytes_total\",\"value\":1.5,\
                 \"type\":\"gauge\",\"tags\":{{{tags}}}}}]}}"
            ),
        );
        check(
            Format::JsonLines,
            &format!(
                "{{\"metric\":{{\"__name__\":\"disk_read_bytes_total\",{tags}}},\
                 \"values\":[1.5],\"timestamps\":[7]}}\n"
            ),
        );
        check(
            Format::LineProtocol,
            "disk_read_bytes_total,env=production,group=group-0,\
             instance=host-0000.example.org:9100,job=fleet,region=region-0 value=1.5\n",
        );
    }
}
