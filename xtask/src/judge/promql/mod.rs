//! `cargo xtask judge promql`: random queries over random samples, asked of Debian's
//! Prometheus and of our evaluator. Both must say the same.
//!
//! `series` draws the samples, `queries` the queries from the words of `vocabulary`, `prometheus` runs the other,
//! `answers` compares, `differences` knows where Prometheus 2 differs from Prometheus 3,
//! which is the one that ours follows.

mod answers;
mod differences;
mod prometheus;
mod queries;
mod series;
mod vocabulary;

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use base::SeededRandom;
use clap::Args;
use metrics::eval::Engine;
use metrics::promql::{Features, parse};

use self::answers::Answer;
use self::differences::known;
use self::prometheus::Prometheus;
use self::queries::{Queries, Query, Times};
use self::series::Memory;
use super::Seed;
use crate::shell;

/// Of so many queries at most one differs for a known reason; more of them would be a fault
/// that looks like one.
const RARE: usize = 500;

/// What to run.
#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    seed: Seed,
    /// How many queries are asked
    #[arg(long, default_value_t = 20_000)]
    queries: usize,
}

/// What came of the queries.
#[derive(Default)]
struct Counts {
    /// Both gave the same values, at least one.
    equal: usize,
    /// Both gave nothing.
    empty: usize,
    /// Both refused.
    refused: usize,
    /// They differ as Prometheus 2 and 3 do.
    known: BTreeMap<&'static str, usize>,
    /// They differ.
    different: usize,
}

/// Runs the judge. What a failure leaves stays in `target/judge-promql`.
///
/// # Errors
/// When Prometheus cannot be run, and when one answer differs.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let seed = options.seed.choose();
    let folder = shell::root().join("target").join("judge-promql");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let random = SeededRandom::new(seed);
    let memory = Memory::random(&random);
    let prometheus = Prometheus::start(&folder)?;
    prometheus.fill(&memory)?;
    let (series, samples) = (memory.series.len(), memory.samples());
    eprintln!("judge: {series} series, {samples} samples");
    let begun = Instant::now();
    let queries = Queries {
        random: &random,
        start: memory.start,
    };
    let mut counts = Counts::default();
    for _ in 0..options.queries {
        let query = queries.query();
        ask(&prometheus, &memory, &query, &mut counts).with_context(|| format!("{query:?}"))?;
    }
    counts.report(begun.elapsed(), options.queries);
    ensure!(
        counts.different == 0,
        "{} answers differ; replay with --seed {seed} --queries {}",
        counts.different,
        options.queries
    );
    let known: usize = counts.known.values().sum();
    ensure!(
        known <= options.queries / RARE,
        "{known} known differences are more than those can be; replay with --seed {seed} --queries {}",
        options.queries
    );
    fs::remove_dir_all(&folder)?;
    Ok(())
}

impl Counts {
    fn report(&self, elapsed: Duration, queries: usize) {
        eprintln!(
            "judge: {queries} queries in {:.1} s: {} equal, {} empty, {} refused by both, {} different",
            elapsed.as_secs_f64(),
            self.equal,
            self.empty,
            self.refused,
            self.different
        );
        for (reason, count) in &self.known {
            eprintln!("judge: {count} known differences: {reason}");
        }
    }
}

fn ask(
    prometheus: &Prometheus,
    memory: &Memory,
    query: &Query,
    counts: &mut Counts,
) -> anyhow::Result<()> {
    let tree = parse(&query.text, Features::STABLE)?;
    let engine = Engine::new(memory);
    let ours = match query.times {
        Times::Instant(time) => engine.instant(&tree, time),
        Times::Range { start, end, step } => engine.range(&tree, start, end, step),
    };
    let ours = Answer::of_ours(ours);
    let theirs = Answer::of_prometheus(&their_answer(prometheus, query)?)?;
    if ours.agrees(&theirs, query.is_ordered) {
        *match &ours {
            Answer::Refused(_) => &mut counts.refused,
            Answer::Series { series, .. } if series.is_empty() => &mut counts.empty,
            _ => &mut counts.equal,
        } += 1;
    } else if let Some(reason) = known(&tree, &ours, &theirs) {
        *counts.known.entry(reason).or_default() += 1;
    } else {
        counts.different += 1;
        println!("{query:?}\n  ours: {ours}\n  prometheus: {theirs}");
    }
    Ok(())
}

fn their_answer(prometheus: &Prometheus, query: &Query) -> anyhow::Result<serde_json::Value> {
    let seconds = |time: i64| format!("{}", time / 1000);
    let text = ("query", query.text.clone());
    match query.times {
        Times::Instant(time) => prometheus.ask("/api/v1/query", &[text, ("time", seconds(time))]),
        Times::Range { start, end, step } => prometheus.ask(
            "/api/v1/query_range",
            &[
                text,
                ("start", seconds(start)),
                ("end", seconds(end)),
                ("step", seconds(step)),
            ],
        ),
    }
}
