//! A small edit until it is on the other side: two watching clients.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use base::{Random, SeededRandom};
use harness::compare::expect_rsync_agrees;
use harness::site::Node;

use super::report::Row;
use super::works::{SPACE, await_client};
use super::{Bench, SEED, fresh, settle};

/// How often the other side is looked at: the error of a figure.
const LOOK: Duration = Duration::from_micros(500);

/// An edit that has not arrived by then is lost.
const LIMIT: Duration = Duration::from_secs(60);

/// Files that are there and edited in turn.
const FILES: u64 = 50;

const MEDIAN_BAR: Duration = Duration::from_millis(100);
const WORST_BAR: Duration = Duration::from_millis(500);

/// Edits one small file after another, each after the last has arrived and a
/// pause of random length, so that no phase of a timer is favoured.
///
/// # Errors
/// When a program fails or an edit does not arrive.
pub fn edits(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let top = fresh(&bench.folder.join("edits"))?;
    let (a, b) = (fresh(&top.join("a"))?, fresh(&top.join("b"))?);
    let random = SeededRandom::new(SEED);
    for number in 0..FILES {
        fs::write(a.join(name(number)), "as it was before the first edit\n")?;
    }
    let node = Node::start(&bench.binary, &top.join("data"), &top.join("node.log"))?;
    let space = node.create_space(SPACE)?;
    let mut clients = Vec::new();
    for (name, path) in [("a", &a), ("b", &b)] {
        let folder = node.folder(name, path, &space, &top.join(format!("{name}.log")));
        let mut client = folder.watch()?;
        await_client(&mut client, &folder)?;
        clients.push(client);
    }
    for number in 0..FILES {
        await_text(
            &b.join(name(number)),
            "as it was before the first edit\n",
            Instant::now(),
        )?;
    }
    settle();
    let mut times = Vec::new();
    for edit in 0..bench.scale.edits {
        std::thread::sleep(Duration::from_millis(50 + random.below(100)));
        let file = name(random.below(FILES));
        let text = format!("edit {edit}: {:x}\n", random.next_u64());
        fs::write(a.join(&file), &text)?;
        let written = Instant::now();
        await_text(&b.join(&file), &text, written).with_context(|| format!("edit {edit}"))?;
        times.push(written.elapsed());
    }
    times.sort();
    let figures = rows(&times);
    expect_rsync_agrees(&a, &b)?;
    drop(clients);
    node.stop()?;
    fs::remove_dir_all(&top)?;
    Ok(figures)
}

fn name(number: u64) -> String {
    format!("note-{number}.txt")
}

fn await_text(path: &Path, text: &str, start: Instant) -> anyhow::Result<()> {
    while !fs::read(path).is_ok_and(|found| found == text.as_bytes()) {
        ensure!(
            start.elapsed() < LIMIT,
            "{} did not follow in {LIMIT:?}",
            path.display()
        );
        std::thread::sleep(LOOK);
    }
    Ok(())
}

/// The time that `percent` of 100 stay below; `times` in order, at least one.
pub fn percentile(times: &[Duration], percent: usize) -> Duration {
    times[(times.len() * percent / 100).min(times.len() - 1)]
}

/// `times` in order, at least one.
fn rows(times: &[Duration]) -> Vec<Row> {
    let row = |which: &str, time: Duration, bar: Duration| {
        Row::figure(
            &format!(
                "small edit until it is on the other side, {which} of {}",
                times.len()
            ),
            milliseconds(time),
            String::new(),
            format!("< {} ms", bar.as_millis()),
            time < bar,
        )
    };
    vec![
        row("p50", percentile(times, 50), MEDIAN_BAR),
        row("p99", percentile(times, 99), WORST_BAR),
        Row::note(
            "small edit until it is on the other side, longest",
            milliseconds(times[times.len() - 1]),
            String::new(),
        ),
    ]
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(count: u64, percent: usize, expected: u64) {
        let times: Vec<_> = (1..=count).map(Duration::from_micros).collect();
        let expected = Duration::from_micros(expected);
        assert_eq!(percentile(&times, percent), expected, "of {count}");
    }

    #[test]
    fn a_percentile_is_a_time_that_was_measured() {
        check(1, 50, 1);
        check(1, 99, 1);
        check(3, 50, 2);
        check(200, 99, 199);
        check(10_000, 99, 9901);
        check(200, 100, 200);
    }
}
