//! Queries over 1000 counters and 6 hours that lie on the disk: how long an answer takes,
//! asked again and again by one client, and whether the answers are the same.
//!
//! Times of samples end in odd milliseconds, so that none lies on the edge of a window: who
//! counts edges how differs between versions of Prometheus. VictoriaMetrics' `rate` is
//! another one (it looks at the sample before a window and extrapolates nothing), so its
//! answers are only expected to be near. It keeps answers and gives them again; what is
//! held against the bar is a query that it has to compute (`nocache=1`), and the other is
//! shown beside it.

use std::fmt::Write;
use std::time::Instant;

use anyhow::Context;
use serde_json::Value;

use super::super::report::Row;
use super::Bench;
use super::answers::{Answer, expect_equal, expect_near, read, without_labels};
use super::body::Format;
use super::client::Client;
use super::corpus::make_blocks;
use super::figures::{self, Bar, median, milliseconds};
use super::fleet::{Fleet, STEP, Sample, Series, counter};
use super::load::{self, Load};
use super::now;
use super::server::{Server, System, data_folder};

/// One metric of many hosts.
const FLEET: Fleet = Fleet {
    metrics: 1,
    hosts: 1000,
};

/// What is asked.
const SUM: &str = "sum by (group) (rate(disk_read_bytes_total[5m]))";
const TOP: &str = "topk(5, rate(disk_read_bytes_total[5m]))";

/// Seconds between two steps of an answer.
const ANSWER_STEP: &str = "60";

/// Steps that are stored before the first one asked for, so that each window of five minutes
/// is full: where one begins before the samples do, versions of Prometheus extrapolate
/// differently.
const LEAD: usize = 20;

/// What is asked of all.
struct Question {
    name: &'static str,
    query: &'static str,
    is_range: bool,
    /// Bars against VictoriaMetrics and Prometheus.
    bars: [Option<Bar>; 2],
}

const QUESTIONS: [Question; 3] = [
    Question {
        name: "sum by (group) (rate(…[5m])), each 60 s",
        query: SUM,
        is_range: true,
        bars: [Some(Bar::AtMost(1.0)), Some(Bar::AtMost(0.5))],
    },
    Question {
        name: "sum by (group) (rate(…[5m])), at one time",
        query: SUM,
        is_range: false,
        bars: [None, None],
    },
    Question {
        name: "topk(5, rate(…[5m])), each 60 s",
        query: TOP,
        is_range: true,
        bars: [None, None],
    },
];

/// The stored samples.
struct Stored {
    series: Vec<Series>,
    times: usize,
    first: i64,
}

/// What one server took for a question, in milliseconds, round by round.
#[derive(Default)]
struct Taken {
    times: Vec<f64>,
    answer: Answer,
}

/// Measures it.
///
/// # Errors
/// When a server does not run, or its answers are others.
pub fn run(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let stored = Stored::new(bench.scale.query_times + LEAD);
    let systems = [System::Atoll, System::VictoriaMetrics, System::Prometheus];
    let servers = systems.map(|system| stored.serve(bench, system));
    let [atoll, victoria, prometheus] = servers;
    let (atoll, victoria, prometheus) = (atoll?, victoria?, prometheus?);
    let mut rows = Vec::new();
    for question in &QUESTIONS {
        let ask = |server: &Server, caches| stored.ask(bench, server, question, caches);
        let mut taken: [Taken; 4] = Default::default();
        for _ in 0..bench.rounds {
            for (place, taken) in taken.iter_mut().enumerate() {
                let (time, answer) = match place {
                    0 => ask(&atoll, true)?,
                    1 => ask(&victoria, false)?,
                    2 => ask(&victoria, true)?,
                    _ => ask(&prometheus, true)?,
                };
                taken.times.push(time);
                taken.answer = answer;
            }
        }
        let [ours, computed, kept, theirs] = &taken;
        let is_top = question.query == TOP;
        // Which of several equal ones are at the top is not said: only their values are.
        let compared = |answer: &Answer| match is_top {
            true => without_labels(answer),
            false => answer.clone(),
        };
        expect_equal(&compared(&ours.answer), &compared(&theirs.answer))
            .with_context(|| format!("{}, beside Prometheus", question.name))?;
        if !is_top {
            expect_near(&ours.answer, &computed.answer)
                .with_context(|| format!("{}, beside VictoriaMetrics", question.name))?;
        }
        let work = format!(
            "1000 series × {:.0} h, {}",
            (bench.scale.query_times as i64 * STEP) as f64 / 3.6e6,
            question.name
        );
        for (rival, taken, bar) in [
            ("VictoriaMetrics", computed, question.bars[0]),
            ("VictoriaMetrics, from its cache,", kept, None),
            ("Prometheus", theirs, question.bars[1]),
        ] {
            let rival = (rival, &taken.times[..]);
            rows.push(figures::row(&work, &ours.times, rival, bar, milliseconds));
        }
    }
    for server in [atoll, victoria, prometheus] {
        server.stop()?;
    }
    Ok(rows)
}

impl Stored {
    fn new(times: usize) -> Self {
        let length = times as i64 * STEP;
        Self {
            series: FLEET.series().collect(),
            times,
            // Whole minutes, and an odd millisecond.
            first: (now() - length) / 60_000 * 60_000 + 7,
        }
    }

    /// All samples at a step.
    fn samples(&self, step: usize) -> Vec<Sample<'_>> {
        let series = self.series.iter().enumerate();
        let samples = series.map(|(number, series)| Sample {
            series,
            value: counter(number, step),
            time: self.first + step as i64 * STEP,
        });
        samples.collect()
    }

    /// A server that has them on the disk.
    fn serve(&self, bench: &Bench, system: System) -> anyhow::Result<Server> {
        let data = data_folder(bench, &format!("query-{system:?}"))?;
        if system == System::Prometheus {
            make_blocks(bench, &self.open_metrics(), &data)?;
            return system.start_on(bench, &data);
        }
        let server = system.start_on(bench, &data)?;
        let bodies = (0..self.times).map(|step| Format::RemoteWrite.write(&self.samples(step)));
        let load = Load {
            target: "/api/v1/write",
            format: Format::RemoteWrite,
            bodies: &load::write(bench, bodies)?,
            clients: 1,
            rate: None,
        };
        load.deliver(bench, &server)?;
        server.flush()?;
        server.expect_series(FLEET.len())?;
        Ok(server)
    }

    fn open_metrics(&self) -> String {
        let mut text = String::new();
        for (number, series) in self.series.iter().enumerate() {
            let labels = series.labels.iter();
            let labels = labels.map(|(name, value)| format!("{name}=\"{value}\""));
            let labels = labels.collect::<Vec<_>>().join(",");
            for step in 0..self.times {
                let (value, time) = (counter(number, step), self.first + step as i64 * STEP);
                let (seconds, rest) = (time / 1000, time % 1000);
                let name = &series.name;
                let _ = writeln!(text, "{name}{{{labels}}} {value} {seconds}.{rest:03}");
            }
        }
        text + "# EOF\n"
    }

    /// The median time of an answer, and the answer.
    fn ask(
        &self,
        bench: &Bench,
        server: &Server,
        question: &Question,
        caches: bool,
    ) -> anyhow::Result<(f64, Answer)> {
        let client = server.client();
        let seconds = |step: usize| (self.first + step as i64 * STEP) / 1000;
        let (start, end) = (seconds(LEAD).to_string(), seconds(self.times).to_string());
        let mut parameters = vec![("query", question.query)];
        if question.is_range {
            parameters.extend([("start", &start[..]), ("end", &end), ("step", ANSWER_STEP)]);
        } else {
            parameters.push(("time", &end));
        }
        if !caches {
            parameters.push(("nocache", "1"));
        }
        let mut times = Vec::with_capacity(bench.scale.queries);
        // The first is the warm-up.
        let mut answer = timed(&client, question, &parameters)?.1;
        for _ in 0..bench.scale.queries {
            let (time, again) = timed(&client, question, &parameters)?;
            times.push(time);
            answer = again;
        }
        Ok((
            median(&times),
            read(&answer).context("an answer that is none")?,
        ))
    }
}

fn timed(
    client: &Client,
    question: &Question,
    parameters: &[(&str, &str)],
) -> anyhow::Result<(f64, Value)> {
    let path = match question.is_range {
        true => "/api/v1/query_range",
        false => "/api/v1/query",
    };
    let begun = Instant::now();
    let answer = client.ask(path, parameters)?;
    Ok((begun.elapsed().as_secs_f64() * 1e3, answer))
}
