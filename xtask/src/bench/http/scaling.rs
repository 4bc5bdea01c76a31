//! What more cores bring: a worker and a core for it, twice, and so on, for the two
//! models that use them all.

use super::Bench;
use super::load::{self, Load};
use super::servers::Server;
use super::table::Figures;
use crate::bench::failures::Failures;

/// Workers, each on a core of its own; as many cores ask.
const WORKERS: [usize; 5] = [1, 2, 4, 8, 16];

/// The models that use more than one core without threads that wait.
const MODELS: [&str; 2] = ["events", "processes"];

/// Connections for each worker: so many that none of them ever waits for work.
const CONNECTIONS: usize = 64;

/// The section of the report; `cores` are there. A server that does not start, or fails
/// under load, has no line in it.
pub fn run(bench: &Bench, cores: usize, failures: &mut Failures) -> String {
    let possible: Vec<usize> = WORKERS.into_iter().filter(|one| one * 2 <= cores).collect();
    let mut section = format!(
        "\n### Scaling\n\n{}\n\n\
         | model | workers | requests/s | of one worker | p99 | CPU per request |\n\
         |---|---|---|---|---|---|\n",
        preface(possible.last().copied().unwrap_or_default(), cores)
    );
    for model in MODELS {
        let mut alone = None;
        for &workers in &possible {
            let name = format!("Scaling, {workers} × {model}");
            eprintln!("{name}");
            let Some(figures) = failures.keep(&name, measure(bench, model, workers)) else {
                continue;
            };
            if workers == 1 {
                alone = Some(figures.rate);
            }
            let ratio = alone.map(|alone| format!("{:.2} ×", figures.rate / alone));
            let line = format!(
                "| {model} | {workers} | {:.0} | {} | {:.2} ms | {:.2} µs |\n",
                figures.rate,
                ratio.unwrap_or_default(),
                figures.p99 * 1e3,
                figures.cost * 1e6
            );
            eprint!("{line}");
            section += &line;
        }
    }
    section
}

fn measure(bench: &Bench, model: &str, workers: usize) -> anyhow::Result<Figures> {
    let own = format!("0-{}", workers - 1);
    let flags = ["--model", model, "--workers", &workers.to_string()];
    let running = Server::Atoll.start_as(bench, &own, &flags)?;
    let load = Load {
        connections: CONNECTIONS * workers,
        threads: workers,
        core: workers,
        ..Load::default()
    };
    load::look(&running, &load, bench, bench.scale.glance)
}

/// What the table shows, and what it lacks.
fn preface(most: usize, cores: usize) -> String {
    let all = WORKERS[WORKERS.len() - 1];
    let shown = format!(
        "The 1 KiB file over {CONNECTIONS} connections per worker; each worker has a core, and \
         as many cores ask."
    );
    if most == all {
        return shown;
    }
    format!(
        "{shown} This machine has {cores} cores, so it ends at {most}: {all} workers want {} cores.",
        2 * all
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said() {
        assert!(!preface(16, 32).contains("This machine"));
        assert!(preface(1, 2).contains("has 2 cores, so it ends at 1: 16 workers want 32 cores"));
    }
}
