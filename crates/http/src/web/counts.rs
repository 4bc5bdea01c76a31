//! What all loops have done, counted by each for itself and added up when asked.

use crate::limit::LimiterStats;
use crate::log::LogStats;
use crate::models::Figures;
use crate::models::processes::{Scoreboard, Sums, WorkerState, WorkerStatus};
use crate::serve::Record;
use std::fmt::{Display, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The counts of one loop; nobody else writes to them.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// By the first digit of the status, from 1.
    classes: [AtomicU64; 5],
    bytes: AtomicU64,
    micros: AtomicU64,
}

/// The counts of all loops, and what else there is to tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) classes: [u64; 5],
    pub(super) bytes: u64,
    pub(super) micros: u64,
    pub(super) workers: usize,
    pub(super) uptime: Duration,
    pub(super) limiter: LimiterStats,
    /// Connections that found no place.
    pub(super) turned_away: u64,
    pub(super) log: Option<LogStats>,
    /// Workers, if they are processes.
    pub(super) processes: Vec<WorkerStatus>,
}

impl Counts {
    pub(super) fn count(&self, record: &Record<'_>) {
        let class = usize::from(record.status.as_u16() / 100).saturating_sub(1);
        if let Some(class) = self.classes.get(class) {
            add(class, 1);
        }
        add(&self.bytes, record.bytes);
        add(&self.micros, record.duration.as_micros() as u64);
    }
}

/// Single writer: no other thread's addition can get lost.
fn add(count: &AtomicU64, more: u64) {
    let sum = count.load(Ordering::Relaxed).wrapping_add(more);
    count.store(sum, Ordering::Relaxed);
}

impl Totals {
    pub(super) fn add(&mut self, counts: &Counts) {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        for (sum, class) in self.classes.iter_mut().zip(&counts.classes) {
            *sum += read(class);
        }
        self.bytes += read(&counts.bytes);
        self.micros += read(&counts.micros);
    }

    /// What a process tells the others.
    pub(super) fn figures(&self) -> Figures {
        let mut figures = Figures::default();
        figures[..5].copy_from_slice(&self.classes);
        let log = self.log.unwrap_or_default();
        figures[5..12].copy_from_slice(&[
            self.bytes,
            self.micros,
            self.limiter.refused,
            log.written,
            log.dropped,
            log.failed,
            self.turned_away,
        ]);
        figures
    }

    /// These of one process, as those of all.
    pub(super) fn with_all(mut self, board: &Scoreboard) -> Self {
        let own = Sums {
            figures: self.figures(),
            ..Sums::default()
        };
        let figures = board.sums(std::process::id(), own).figures;
        self.classes.copy_from_slice(&figures[..5]);
        (self.bytes, self.micros) = (figures[5], figures[6]);
        (self.limiter.refused, self.turned_away) = (figures[7], figures[11]);
        if let Some(log) = &mut self.log {
            (log.written, log.dropped, log.failed) = (figures[8], figures[9], figures[10]);
        }
        self.uptime = board.age();
        self.processes = board.workers().collect();
        self.processes.sort_by_key(|one| (one.seat, one.begun_ms));
        self.workers = self.processes.len();
        self
    }

    /// For people: a line for each figure.
    pub(super) fn text(&self) -> String {
        let mut text = format!(
            "uptime_seconds: {}\nworkers: {}\nresponses: {}\n",
            self.uptime.as_secs(),
            self.workers,
            self.classes.iter().sum::<u64>()
        );
        for (number, count) in self.classes.iter().enumerate() {
            line(
                &mut text,
                format_args!("responses_{}xx: {count}", number + 1),
            );
        }
        line(&mut text, format_args!("response_bytes: {}", self.bytes));
        let refused = self.limiter.refused;
        line(&mut text, format_args!("requests_refused: {refused}"));
        let turned_away = self.turned_away;
        line(
            &mut text,
            format_args!("connections_refused: {turned_away}"),
        );
        if self.processes.is_empty() {
            let clients = self.limiter.clients;
            line(&mut text, format_args!("clients_known: {clients}"));
        }
        if let Some(log) = self.log {
            let lost = log.dropped + log.failed;
            line(&mut text, format_args!("log_records: {}", log.written));
            line(&mut text, format_args!("log_records_lost: {lost}"));
        }
        for worker in &self.processes {
            line(&mut text, describe(worker));
        }
        text
    }

    /// For Prometheus: its text format, version 0.0.4.
    pub(super) fn metrics(&self) -> String {
        let mut text = String::with_capacity(2048);
        let name = "http_responses_total";
        family(
            &mut text,
            name,
            "counter",
            "Responses by the class of their status.",
        );
        for (number, count) in self.classes.iter().enumerate() {
            let class = number + 1;
            line(
                &mut text,
                format_args!("{name}{{class=\"{class}xx\"}} {count}"),
            );
        }
        for (name, kind, help, value) in self.singles() {
            family(&mut text, name, kind, help);
            line(&mut text, format_args!("{name} {value}"));
        }
        self.worker_metrics(&mut text);
        text
    }

    /// Families with a sample for each process.
    fn worker_metrics(&self, text: &mut String) {
        type Value = fn(&WorkerStatus) -> f64;
        let families: [(&str, &str, &str, Value); 5] = [
            (
                "http_worker_open_connections",
                "gauge",
                "Connections that a worker has.",
                |one| one.counts.open as f64,
            ),
            (
                "http_worker_requests_total",
                "counter",
                "Requests that a worker received.",
                |one| one.counts.requests as f64,
            ),
            (
                "http_worker_resident_bytes",
                "gauge",
                "Memory that a worker holds.",
                |one| one.resident_bytes as f64,
            ),
            (
                "http_worker_cpu_seconds_total",
                "counter",
                "Processor time that a worker used.",
                |one| one.computed.as_secs_f64(),
            ),
            (
                "http_worker_draining",
                "gauge",
                "Whether a worker lets its connections end.",
                |one| f64::from(u8::from(one.state == WorkerState::Draining)),
            ),
        ];
        if self.processes.is_empty() {
            return;
        }
        for (name, kind, help, value) in families {
            family(text, name, kind, help);
            for one in &self.processes {
                let (seat, pid, value) = (one.seat, one.pid, value(one));
                line(
                    text,
                    format_args!("{name}{{worker=\"{seat}\",pid=\"{pid}\"}} {value}"),
                );
            }
        }
    }

    /// (name, type, help, value) of the families that have one sample.
    fn singles(&self) -> Vec<(&'static str, &'static str, &'static str, f64)> {
        let mut singles = vec![
            (
                "http_response_bytes_total",
                "counter",
                "Bytes of content sent.",
                self.bytes as f64,
            ),
            (
                "http_response_seconds_total",
                "counter",
                "Time from a request's head to the end of its response, summed.",
                self.micros as f64 / 1e6,
            ),
            (
                "http_uptime_seconds",
                "gauge",
                "Since the server started.",
                self.uptime.as_secs_f64(),
            ),
            (
                "http_workers",
                "gauge",
                "Workers that serve.",
                self.workers as f64,
            ),
            (
                "http_limit_refused_total",
                "counter",
                "Requests refused because their client asked too often.",
                self.limiter.refused as f64,
            ),
            (
                "http_connections_refused_total",
                "counter",
                "Connections refused because there was no place for them.",
                self.turned_away as f64,
            ),
        ];
        // Each process counts for itself, and the same client may be known to many.
        if self.processes.is_empty() {
            singles.push((
                "http_limit_clients",
                "gauge",
                "Clients whose requests are counted.",
                self.limiter.clients as f64,
            ));
        }
        if let Some(log) = self.log {
            singles.push((
                "http_log_records_total",
                "counter",
                "Records written to the access log.",
                log.written as f64,
            ));
            singles.push((
                "http_log_lost_total",
                "counter",
                "Records of the access log that were dropped or could not be written.",
                (log.dropped + log.failed) as f64,
            ));
        }
        singles
    }
}

/// `worker_0: process 12, ready, generation 1, …`
fn describe(worker: &WorkerStatus) -> String {
    let state = match worker.state {
        WorkerState::Starting => "starting",
        WorkerState::Ready => "ready",
        WorkerState::Draining => "draining",
    };
    let WorkerStatus {
        pid,
        seat,
        generation,
        counts,
        computed,
        ..
    } = worker;
    format!(
        "worker_{seat}: process {pid}, {state}, generation {generation}, \
         connections {open}, requests {requests}, memory {mib:.1} MiB, processor {seconds:.2} s",
        open = counts.open,
        requests = counts.requests,
        mib = worker.resident_bytes as f64 / f64::from(1 << 20),
        seconds = computed.as_secs_f64(),
    )
}

fn family(text: &mut String, name: &str, kind: &str, help: &str) {
    line(
        text,
        format_args!("# HELP {name} {help}\n# TYPE {name} {kind}"),
    );
}

fn line(text: &mut String, content: impl Display) {
    writeln!(text, "{content}").expect("a string takes all that is written");
}

#[cfg(test)]
mod tests {
    use super::{Counts, Totals};
    use crate::log::LogStats;
    use crate::serve::Record;
    use http::StatusCode;
    use std::net::SocketAddr;
    use std::time::Duration;

    fn totals() -> Totals {
        let loops = [Counts::default(), Counts::default()];
        let mut totals = Totals::default();
        for (status, place) in [(200, 0), (206, 1), (404, 1)] {
            loops[place].count(&Record {
                peer: SocketAddr::from(([127, 0, 0, 1], 1)),
                asked: None,
                status: StatusCode::from_u16(status).unwrap(),
                bytes: 10,
                since_epoch: Duration::ZERO,
                duration: Duration::from_millis(500),
            });
        }
        for counts in &loops {
            totals.add(counts);
        }
        totals.log = Some(LogStats {
            written: 3,
            dropped: 1,
            failed: 1,
        });
        totals
    }

    #[test]
    fn the_loops_are_added_up() {
        let text = totals().text();
        for expected in [
            "responses: 3\n",
            "responses_2xx: 2\n",
            "responses_4xx: 1\n",
            "response_bytes: 30\n",
            "log_records_lost: 2\n",
        ] {
            assert!(text.contains(expected), "{text}");
        }
    }

    #[test]
    fn every_metric_has_its_type_before_it() {
        let text = totals().metrics();
        assert!(text.contains("http_responses_total{class=\"2xx\"} 2\n"));
        assert!(text.contains("http_response_seconds_total 1.5\n"));
        let mut typed = String::new();
        for line in text.lines() {
            match line.strip_prefix("# TYPE ") {
                Some(rest) => typed = rest.split(' ').next().unwrap().to_owned(),
                None if line.starts_with('#') => {}
                None => assert!(line.starts_with(&typed) && !typed.is_empty(), "{line}"),
            }
        }
    }
}
