//! The report for people.

use super::plot;
use crate::output::line;
use httpd::load::tally::{Failure, Tally};
use httpd::load::{Amount, Pace, Plan, Report};
use std::io;
use std::time::Duration;

/// Prints all of it.
pub fn tell(url: &str, plan: &Plan, report: &Report, is_stopped: bool) -> io::Result<()> {
    for text in lines(url, plan, report, is_stopped) {
        line(format_args!("{text}"))?;
    }
    Ok(())
}

/// Why a run failed, on one line.
pub fn failure(tally: &Tally) -> String {
    let failed = tally.requests() - tally.succeeded();
    let statuses = tally.statuses().iter();
    let refused = statuses
        .filter(|(status, _)| !(200..300).contains(*status))
        .map(|(status, count)| format!("{count} answered {status}"));
    let broken = tally.failures().iter().map(|(failure, failed)| {
        format!("{} {} ({})", failed.count, word(*failure), failed.example)
    });
    let reasons: Vec<_> = refused.chain(broken).collect();
    let (all, reasons) = (tally.requests(), reasons.join(", "));
    format!("{failed} of {all} requests failed: {reasons}")
}

/// A time with three digits.
pub fn time(time: Duration) -> String {
    let microseconds = time.as_nanos() as f64 / 1e3;
    let (number, unit) = match microseconds {
        ..999.5 => (microseconds, "µs"),
        ..999_500.0 => (microseconds / 1e3, "ms"),
        _ => (microseconds / 1e6, "s"),
    };
    let decimals = match number {
        _ if unit == "µs" => 0,
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    format!("{number:.decimals$} {unit}")
}

fn lines(url: &str, plan: &Plan, report: &Report, is_stopped: bool) -> Vec<String> {
    let (tally, seconds) = (&report.tally, report.elapsed.as_secs_f64());
    let mut lines = vec![format!("{url}: {}", planned(plan))];
    if is_stopped {
        lines.push("stopped before it was done; this is what was measured until then".to_owned());
    }
    if report.gave_up {
        lines.push("the server answers nothing any more, so it was left alone".to_owned());
    }
    let (all, succeeded) = (tally.requests(), tally.succeeded());
    lines.push(format!(
        "{all} requests in {seconds:.2} s, {:.1} answers/s, {:.3} MB/s sent, {:.3} MB/s of content received",
        tally.answered() as f64 / seconds,
        tally.sent_bytes() as f64 / seconds / 1e6,
        tally.content_bytes() as f64 / seconds / 1e6,
    ));
    let percent = 100.0 * succeeded as f64 / all.max(1) as f64;
    // What is not all of it never looks like all of it.
    let percent = if succeeded < all {
        percent.min(99.99)
    } else {
        percent
    };
    lines.push(format!("{succeeded} succeeded, {percent:.2} %"));
    for (status, count) in tally.statuses() {
        lines.push(format!("  {count} answered {status}"));
    }
    for (failure, failed) in tally.failures() {
        let (count, word, example) = (failed.count, word(*failure), &failed.example);
        lines.push(format!("  {count} {word}: {example}"));
    }
    if tally.latencies().count() > 0 {
        lines.push(latency(tally));
        let rows = plot::rows(tally.latencies());
        lines.extend(rows.into_iter().map(|row| format!("  {row}")));
    }
    lines
}

fn planned(plan: &Plan) -> String {
    let clients = plan.clients;
    let pace = match plan.pace {
        Pace::Closed => "each asks when it was answered".to_owned(),
        Pace::Open { per_second } => format!("{per_second} requests/s in all"),
    };
    let amount = match plan.amount {
        Amount::Requests(count) => format!("{count} requests"),
        Amount::Lasting(time) => format!("{} s", time.as_secs_f64()),
        Amount::Once(count) => format!("each of {count} bodies once"),
    };
    let each = if plan.keeps_connections {
        ""
    } else {
        ", a connection for each request"
    };
    format!("{clients} clients, {pace}, {amount}{each}")
}

fn latency(tally: &Tally) -> String {
    let latencies = tally.latencies();
    let quantile = |quantile| time(latencies.quantile(quantile));
    format!(
        "latency: mean {}, p50 {}, p90 {}, p99 {}, p99.9 {}, max {}",
        time(latencies.mean()),
        quantile(0.5),
        quantile(0.9),
        quantile(0.99),
        quantile(0.999),
        time(latencies.most())
    )
}

fn word(failure: Failure) -> &'static str {
    match failure {
        Failure::Refused => "refused",
        Failure::Unreachable => "without a connection",
        Failure::Untrusted => "without trust",
        Failure::Broken => "broken off",
        Failure::Late => "too late",
        Failure::Malformed => "not answered by HTTP",
        Failure::Unsent => "never sent",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use httpd::load::answer::Answer;

    fn tally() -> Tally {
        let mut tally = Tally::default();
        for status in [200, 200, 404] {
            let answer = Answer {
                status,
                content_bytes: 500_000,
                keeps_connection: true,
            };
            tally.answer(answer, Duration::from_micros(1200));
            tally.send(1_000_000);
        }
        tally.fail(Failure::Late, 1, || "no answer within 10 s".to_owned());
        tally
    }

    #[test]
    fn a_report_says_what_became_of_each_request() {
        let plan = Plan {
            clients: 3,
            threads: 1,
            pace: Pace::Open { per_second: 2.0 },
            amount: Amount::Requests(4),
            timeout: Duration::from_secs(10),
            keeps_connections: true,
        };
        let report = Report {
            tally: tally(),
            elapsed: Duration::from_secs(2),
            gave_up: false,
        };
        let found = lines("http://a/", &plan, &report, false);
        let expected = [
            "http://a/: 3 clients, 2 requests/s in all, 4 requests",
            "4 requests in 2.00 s, 1.5 answers/s, 1.500 MB/s sent, 0.750 MB/s of content received",
            "2 succeeded, 50.00 %",
            "  2 answered 200",
            "  1 answered 404",
            "  1 too late: no answer within 10 s",
            "latency: mean 1.20 ms, p50 1.20 ms, p90 1.20 ms, p99 1.20 ms, p99.9 1.20 ms, max 1.20 ms",
            "  ≤ 1.50 ms  100.00 %  ████████████████████████████████████████",
        ];
        assert_eq!(found, expected);
        let why = "2 of 4 requests failed: 1 answered 404, 1 too late (no answer within 10 s)";
        assert_eq!(failure(&tally()), why);
    }

    #[test]
    fn times_have_three_digits() {
        for (nanoseconds, expected) in [
            (0, "0 µs"),
            (42_400, "42 µs"),
            (999_400, "999 µs"),
            (999_600, "1.00 ms"),
            (12_345_678, "12.3 ms"),
            (123_456_789, "123 ms"),
            (999_600_000, "1.00 s"),
            (75_000_000_000, "75.0 s"),
        ] {
            assert_eq!(time(Duration::from_nanos(nanoseconds)), expected);
        }
    }
}
