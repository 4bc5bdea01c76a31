//! What the operating system knows of this process, by the names that Prometheus' own
//! clients use. Read from `/proc`; where there is none, these figures are absent.

use super::Figure;
use std::fs;

/// The figures that can be read.
pub(super) fn figures() -> Vec<Figure> {
    let read = |path| fs::read_to_string(path).ok();
    let ticks = rustix::param::clock_ticks_per_second() as f64;
    let stat = read("/proc/self/stat").as_deref().and_then(Stat::read);
    let booted = read("/proc/stat").as_deref().and_then(booted);
    let pages = read("/proc/self/statm").as_deref().and_then(resident);
    let cpu = Figure::counter(
        "process_cpu_seconds_total",
        "Time that the process computed, for itself and in the kernel.",
    );
    let start = Figure::gauge(
        "process_start_time_seconds",
        "When the process began, since 1970.",
    );
    let resident = Figure::gauge("process_resident_memory_bytes", "Memory in use.");
    let files = Figure::gauge("process_open_fds", "Open files and sockets.");
    let started = stat.as_ref().zip(booted);
    let page = rustix::param::page_size() as u64;
    [
        stat.as_ref()
            .map(|stat| cpu.with(Vec::new(), stat.ticks as f64 / ticks)),
        started.map(|(stat, booted)| {
            start.with(Vec::new(), booted as f64 + stat.started as f64 / ticks)
        }),
        pages.map(|pages| resident.of(pages * page)),
        open_files().map(|count| files.of(count)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What `/proc/self/stat` says, in ticks of the clock.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    /// Computed, in user and kernel mode.
    ticks: u64,
    /// Began so long after the machine.
    started: u64,
}

impl Stat {
    /// The fields are numbered from 1 in proc_pid_stat(5); the second is the name of the
    /// program in brackets, which may hold anything.
    fn read(text: &str) -> Option<Self> {
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Self {
            ticks: field(14)?.checked_add(field(15)?)?,
            started: field(22)?,
        })
    }
}

/// When the machine began, in seconds since 1970, by `/proc/stat`.
fn booted(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("btime "));
    line?.trim().parse().ok()
}

/// Pages in memory, by `/proc/self/statm`.
fn resident(text: &str) -> Option<u64> {
    text.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// The directory's length is their number since Linux 6.2; before, they are counted.
fn open_files() -> Option<u64> {
    let directory = "/proc/self/fd";
    match fs::metadata(directory).ok()?.len() {
        0 => Some(fs::read_dir(directory).ok()?.count() as u64),
        count => Some(count),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_is_read_behind_the_name() {
        let check = |text: &str, expected: Option<(u64, u64)>| {
            let expected = expected.map(|(ticks, started)| Stat { ticks, started });
            assert_eq!(Stat::read(text), expected, "{text}");
        };
        let fields = "S 1 2 3 4 5 6 7 8 9 10 70 7 0 0 20 0 9 0 12345 1 1";
        check(&format!("12 (atoll) {fields}"), Some((77, 12_345)));
        check(&format!("12 (a) b) {fields}"), Some((77, 12_345)));
        check("12 (atoll) S 1 2", None);
        check("", None);
        assert_eq!(
            booted("cpu 1 2\nbtime 1800000000\nprocesses 3\n"),
            Some(1_800_000_000)
        );
        assert_eq!(booted("cpu 1 2\n"), None);
        assert_eq!(resident("300 120 30 1 0 90 0\n"), Some(120));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn linux_tells_all() {
        let figures = figures();
        assert_eq!(figures.len(), 4);
        for figure in figures {
            // This process may have computed for less than a tick.
            let least = if figure.name.contains("cpu") {
                0.0
            } else {
                1.0
            };
            assert!(figure.samples[0].value >= least, "{figure:?}");
        }
    }
}
