//! The report for programs; its keys are documented in docs/load.md and stay.

use httpd::load::tally::{Failure, Tally};
use httpd::load::{Amount, Pace, Plan, Report};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// One object.
pub fn object(url: &str, plan: &Plan, report: &Report, is_stopped: bool) -> Value {
    let tally = &report.tally;
    let seconds = report.elapsed.as_secs_f64();
    let (all, succeeded) = (tally.requests(), tally.succeeded());
    json!({
        "url": url,
        "clients": plan.clients,
        "threads": plan.threads,
        "rate": match plan.pace {
            Pace::Closed => None,
            Pace::Open { per_second } => Some(per_second),
        },
        "planned_requests": match plan.amount {
            Amount::Requests(count) | Amount::Once(count) => Some(count),
            Amount::Lasting(_) => None,
        },
        "planned_seconds": match plan.amount {
            Amount::Requests(_) | Amount::Once(_) => None,
            Amount::Lasting(time) => Some(time.as_secs_f64()),
        },
        "once": matches!(plan.amount, Amount::Once(_)),
        "keep_alive": plan.keeps_connections,
        "stopped": is_stopped,
        "gave_up": report.gave_up,
        "seconds": seconds,
        "requests": all,
        "answered": tally.answered(),
        "succeeded": succeeded,
        "failed": all - succeeded,
        "success_rate": succeeded as f64 / all.max(1) as f64,
        "answers_per_second": tally.answered() as f64 / seconds,
        "sent_bytes": tally.sent_bytes(),
        "content_bytes": tally.content_bytes(),
        "statuses": statuses(tally),
        "failures": failures(tally),
        "latency_us": latency(tally),
    })
}

fn statuses(tally: &Tally) -> Map<String, Value> {
    let statuses = tally.statuses().iter();
    statuses
        .map(|(status, count)| (status.to_string(), json!(count)))
        .collect()
}

/// Every kind, so that a program finds the key of each.
fn failures(tally: &Tally) -> Map<String, Value> {
    let each = Failure::NAMES.map(|(failure, name)| {
        let failed = tally.failures().get(&failure);
        let count = failed.map_or(0, |failed| failed.count);
        let example = failed.map(|failed| &failed.example);
        (
            name.to_owned(),
            json!({ "count": count, "example": example }),
        )
    });
    each.into_iter().collect()
}

fn latency(tally: &Tally) -> Value {
    let latencies = tally.latencies();
    let micros = |time: Duration| time.as_nanos() as f64 / 1e3;
    let quantile = |quantile| micros(latencies.quantile(quantile));
    json!({
        "min": micros(latencies.least()),
        "mean": micros(latencies.mean()),
        "p50": quantile(0.5),
        "p90": quantile(0.9),
        "p99": quantile(0.99),
        "p99_9": quantile(0.999),
        "max": micros(latencies.most()),
    })
}
