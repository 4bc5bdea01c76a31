//! Medians beside their bars, in Markdown.

use super::load::DEPTH;
use super::servers::Server;
use super::{LARGE, Work};
use crate::bench::report::{Ratio, of_rounds, verdict};

/// One round of one server.
#[derive(Debug, Clone, Copy, Default)]
pub struct Figures {
    /// Seconds of CPU for a request, or bytes of memory for a connection.
    pub cost: f64,
    /// Requests in a second.
    pub rate: f64,
    /// Half of all requests took at most so many seconds.
    pub p50: f64,
    /// 99 % did.
    pub p99: f64,
}

/// All rounds of one work. A server that failed has none.
pub struct Measured {
    work: Work,
    servers: &'static [Server],
    /// The rounds of each server, in their order.
    rounds: Vec<Vec<Figures>>,
}

/// What a rival's cost may be a multiple of.
const BARS: [(Work, Server, f64); 7] = [
    (Work::KeepAlive, Server::Nginx, 0.75),
    (Work::KeepAlive, Server::Lighttpd, 1.0),
    (Work::KeepAlive, Server::Hyper, 0.8),
    (Work::Pipelined, Server::Nginx, 0.25),
    (Work::Large, Server::Nginx, 1.0),
    (Work::Connect, Server::Nginx, 1.0),
    (Work::Dynamic, Server::Axum, 0.85),
];

/// Bytes of resident memory for an idle connection.
const IDLE_BAR: f64 = 1536.0;

/// The size of the large file.
const LARGE_BYTES: f64 = (1 << 20) as f64;

impl Measured {
    pub fn new(work: Work, servers: &'static [Server]) -> Self {
        Self {
            work,
            servers,
            rounds: vec![Vec::new(); servers.len()],
        }
    }

    /// A round of the server at `place`.
    pub fn add(&mut self, place: usize, figures: Figures) {
        self.rounds[place].push(figures);
    }

    /// The server at `place` failed: what it did before counts no more.
    pub fn fail(&mut self, place: usize) {
        self.rounds[place].clear();
    }

    fn median(&self, place: usize, of: fn(&Figures) -> f64) -> f64 {
        let mut values: Vec<f64> = self.rounds[place].iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or_default()
    }

    fn costs(&self, place: usize) -> Vec<f64> {
        self.rounds[place].iter().map(|round| round.cost).collect()
    }

    /// Its lines of the table, Atoll's first.
    pub fn lines(&self) -> String {
        (0..self.servers.len())
            .filter(|place| !self.rounds[*place].is_empty())
            .map(|place| self.line(place))
            .collect()
    }

    fn line(&self, place: usize) -> String {
        let server = self.servers[place];
        let cost = self.median(place, |figures| figures.cost);
        let (ratio, bar, verdict) = if place == 0 {
            self.own_bar(cost)
        } else {
            self.held_against(place)
        };
        let rate = self.median(place, |figures| figures.rate);
        let time = |of: fn(&Figures) -> f64| milliseconds(self.median(place, of));
        let seen = match self.work {
            Work::Idle => "| | | ".to_owned(),
            // wrk mends times as if every answer had been asked for by itself, and so
            // invents most of those of requests that were sent at once.
            Work::Pipelined => format!("| {rate:.0} | | "),
            _ => format!(
                "| {rate:.0} | {} | {} ",
                time(|figures| figures.p50),
                time(|figures| figures.p99)
            ),
        };
        format!(
            "| {} | {} | {} {seen}| {ratio} | {bar} | {verdict} |\n",
            name(self.work),
            server.name(),
            cost_text(self.work, cost),
        )
    }

    /// Atoll's cost as a multiple of that of the server at `place`, and its bar.
    fn held_against(&self, place: usize) -> (String, String, &'static str) {
        if self.rounds[0].is_empty() {
            return (String::new(), String::new(), "");
        }
        let ratio = Ratio::of(&self.costs(0), &self.costs(place));
        let bar = bar(self.work, self.servers[place]);
        (
            ratio.to_string(),
            bar.map(|bar| format!("≤ {bar:.2} ×")).unwrap_or_default(),
            bar.map(|bar| verdict(ratio.median <= bar))
                .unwrap_or_default(),
        )
    }

    /// The bar of a figure that is held against no rival.
    fn own_bar(&self, cost: f64) -> (String, String, &'static str) {
        match self.work {
            Work::Idle => (
                String::new(),
                "< 1.5 KiB".to_owned(),
                verdict(cost < IDLE_BAR),
            ),
            _ => (String::new(), String::new(), ""),
        }
    }
}

/// What one of `work` costs, in the words of the table.
pub fn cost_text(work: Work, cost: f64) -> String {
    match work {
        Work::Idle => format!("{cost:.0} B of memory"),
        Work::Large => format!("{:.3} ns of CPU per byte", cost * 1e9 / LARGE_BYTES),
        _ => format!("{:.2} µs of CPU", cost * 1e6),
    }
}

/// The report of a run in Markdown, as far as it is one table.
pub fn text(machine: &str, rounds: usize, measured: &[Measured]) -> String {
    if measured.is_empty() {
        return format!("{machine}\n");
    }
    let header = "| work | server | each costs | requests/s | p50 | p99 | atoll ÷ it | bar | |\n\
                  |---|---|---|---|---|---|---|---|---|\n";
    let lines: String = measured.iter().map(Measured::lines).collect();
    format!("{machine}\n\n{}\n\n{header}{lines}", of_rounds(rounds))
}

fn name(work: Work) -> String {
    match work {
        Work::KeepAlive => "1 KiB file, keep-alive, 64 connections".to_owned(),
        Work::Pipelined => format!("the same, pipelined × {DEPTH}"),
        Work::Large => format!("1 MiB file ({LARGE}), 8 connections"),
        Work::Connect => "a new connection per request".to_owned(),
        Work::Idle => "an idle keep-alive connection".to_owned(),
        Work::Dynamic => "small dynamic route through axum".to_owned(),
        // They have tables of their own.
        Work::Models | Work::Scaling | Work::Recycle | Work::Slow => String::new(),
    }
}

fn bar(work: Work, server: Server) -> Option<f64> {
    let bar = BARS.iter().find(|bar| (bar.0, bar.1) == (work, server));
    bar.map(|bar| bar.2)
}

fn milliseconds(seconds: f64) -> String {
    format!("{:.2} ms", seconds * 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounds(costs: &[f64]) -> Vec<Figures> {
        let figures = costs.iter().map(|cost| Figures {
            cost: *cost,
            rate: 1000.0,
            p50: 0.001,
            p99: 0.002,
        });
        figures.collect()
    }

    #[track_caller]
    fn check(rounds: Vec<Vec<Figures>>, expected: &[&str]) {
        let measured = Measured {
            work: Work::KeepAlive,
            servers: &[Server::Atoll, Server::Nginx, Server::Lighttpd],
            rounds,
        };
        let lines = measured.lines();
        let seen = "| 1000 | 1.00 ms | 2.00 ms |";
        let shorten = |line: &str| {
            let line = line.trim_start_matches("| 1 KiB file, keep-alive, 64 connections ");
            line.replace(seen, "| …")
        };
        let lines: Vec<String> = lines.lines().map(shorten).collect();
        assert_eq!(lines, expected);
    }

    #[test]
    fn the_rounds_own_ratios_are_held_against_the_bars() {
        let all = vec![
            rounds(&[9e-6, 3e-6, 2e-6]),
            rounds(&[9e-6, 5e-6, 4e-6]),
            rounds(&[3e-6, 3e-6, 1e-6]),
        ];
        let expected = [
            "| atoll web | 3.00 µs of CPU | …  |  |  |",
            "| nginx | 5.00 µs of CPU | … 0.60 × (0.50 to 1.00) | ≤ 0.75 × | met |",
            "| lighttpd | 3.00 µs of CPU | … 2.00 × (1.00 to 3.00) | ≤ 1.00 × | **missed** |",
        ];
        check(all, &expected);
    }

    #[test]
    fn a_server_that_failed_has_no_line() {
        let expected = [
            "| atoll web | 1.00 µs of CPU | …  |  |  |",
            "| nginx | 2.00 µs of CPU | … 0.50 × | ≤ 0.75 × | met |",
        ];
        check(
            vec![rounds(&[1e-6]), rounds(&[2e-6]), Vec::new()],
            &expected,
        );
        let expected = ["| nginx | 2.00 µs of CPU | …  |  |  |"];
        check(vec![Vec::new(), rounds(&[2e-6]), Vec::new()], &expected);
    }

    #[test]
    fn times_that_wrk_invents_are_not_shown() {
        let measured = Measured {
            work: Work::Pipelined,
            servers: &[Server::Atoll],
            rounds: vec![rounds(&[1e-6])],
        };
        let lines = measured.lines();
        assert!(
            lines.ends_with("| 1.00 µs of CPU | 1000 | | |  |  |  |\n"),
            "{lines}"
        );
    }

    #[test]
    fn memory_has_a_bar_of_its_own() {
        let measured = Measured {
            work: Work::Idle,
            servers: &[Server::Atoll],
            rounds: vec![rounds(&[1536.0])],
        };
        assert!(measured.lines().ends_with("| < 1.5 KiB | **missed** |\n"));
    }
}
