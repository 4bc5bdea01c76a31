//! Medians beside their bars, in Markdown.

use super::load::DEPTH;
use super::servers::Server;
use super::{LARGE, Work};

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

/// All rounds of one work.
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

    fn median(&self, place: usize, of: fn(&Figures) -> f64) -> f64 {
        let mut values: Vec<f64> = self.rounds[place].iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or_default()
    }

    /// Its lines of the table, Atoll's first.
    fn lines(&self) -> String {
        (0..self.servers.len())
            .map(|place| self.line(place))
            .collect()
    }

    fn line(&self, place: usize) -> String {
        let server = self.servers[place];
        let cost = self.median(place, |figures| figures.cost);
        let (ratio, bar, verdict) = if place == 0 {
            self.own_bar(cost)
        } else {
            let own = self.median(0, |figures| figures.cost);
            let ratio = own / cost;
            let bar = bar(self.work, server);
            (
                format!("{ratio:.2} ×"),
                bar.map(|bar| format!("≤ {bar:.2} ×")).unwrap_or_default(),
                bar.map(|bar| verdict(ratio <= bar)).unwrap_or_default(),
            )
        };
        let rate = self.median(place, |figures| figures.rate);
        let time = |of: fn(&Figures) -> f64| milliseconds(self.median(place, of));
        let seen = match self.work {
            Work::Idle => "| | | ".to_owned(),
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
            self.cost_text(cost),
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

    fn cost_text(&self, cost: f64) -> String {
        match self.work {
            Work::Idle => format!("{cost:.0} B of memory"),
            Work::Large => format!("{:.3} ns of CPU per byte", cost * 1e9 / LARGE_BYTES),
            _ => format!("{:.2} µs of CPU", cost * 1e6),
        }
    }
}

/// The report of a run in Markdown.
pub fn text(machine: &str, rounds: usize, measured: &[Measured]) -> String {
    let header = "| work | server | each costs | requests/s | p50 | p99 | atoll ÷ it | bar | |\n\
                  |---|---|---|---|---|---|---|---|---|\n";
    let lines: String = measured.iter().map(Measured::lines).collect();
    let rounds = match rounds {
        1 => "One round.".to_owned(),
        rounds => format!("Median of {rounds} rounds."),
    };
    format!("{machine}\n\n{rounds}\n\n{header}{lines}")
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

pub fn verdict(is_met: bool) -> &'static str {
    if is_met { "met" } else { "**missed**" }
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

    #[test]
    fn a_median_is_held_against_the_bar_of_its_rival() {
        let measured = Measured {
            work: Work::KeepAlive,
            servers: &[Server::Atoll, Server::Nginx, Server::Lighttpd],
            rounds: vec![
                rounds(&[9e-6, 3e-6, 2e-6]),
                rounds(&[4e-6, 4e-6, 9e-6]),
                rounds(&[2e-6]),
            ],
        };
        let work = "1 KiB file, keep-alive, 64 connections";
        let seen = "| 1000 | 1.00 ms | 2.00 ms";
        let expected = [
            format!("| {work} | atoll web | 3.00 µs of CPU {seen} |  |  |  |"),
            format!("| {work} | nginx | 4.00 µs of CPU {seen} | 0.75 × | ≤ 0.75 × | met |"),
            format!(
                "| {work} | lighttpd | 2.00 µs of CPU {seen} | 1.50 × | ≤ 1.00 × | **missed** |"
            ),
        ];
        let lines = measured.lines();
        assert_eq!(lines.lines().collect::<Vec<_>>(), expected);
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
