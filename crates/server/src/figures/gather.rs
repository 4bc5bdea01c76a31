//! The list of all figures, with their values of this moment.

use super::{Figure, process};
use crate::api::Service;
use crate::node::Node;
use crate::throttle::Throttle;
use httpd::limit::Client;
use std::sync::atomic::Ordering;

/// Hexadecimal digits by which a client is told from others: 48 bits, so that a thousand
/// are hardly ever mistaken.
const CLIENT_DIGITS: usize = 12;

/// Every figure of the node. Waits for nothing but locks that are held for a moment.
pub fn gather(service: &Service) -> Vec<Figure> {
    let mut figures = requests(service);
    figures.push(service.latencies.figure());
    figures.extend(log(service));
    figures.extend(store(service));
    figures.extend(samples(service));
    figures.extend(decisions(service));
    figures.extend(process::figures());
    figures
}

fn requests(service: &Service) -> Vec<Figure> {
    let refused = Figure::counter("atoll_http_refused_total", "Requests that came too often.");
    let refused = service.throttle.refused().fold(refused, |figure, one| {
        let (class, count) = one;
        figure.with(vec![("class", class.to_owned())], count as f64)
    });
    vec![
        Figure::counter("atoll_http_requests_total", "Requests received.")
            .of(service.requests.load(Ordering::Relaxed)),
        Figure::counter(
            "atoll_unreadable_contents_total",
            "Contents asked for that are damaged or missing here; the log names them, \
             POST /api/scrub finds all.",
        )
        .of(service.unreadable.load(Ordering::Relaxed)),
        refused,
    ]
}

fn log(service: &Service) -> [Figure; 3] {
    let node = &service.node;
    [
        Figure::gauge("atoll_log_applied_index", "Last log entry applied.").of(node.cursor().index),
        Figure::gauge("atoll_log_committed_index", "Last log entry committed.")
            .of(node.committed()),
        Figure::gauge("atoll_sync_sessions", "Folders that sync now.")
            .of(service.syncs.count(node.now()) as u64),
    ]
}

fn store(service: &Service) -> [Figure; 6] {
    let now = service.node.metrics().statistics();
    [
        Figure::gauge("atoll_metrics_series", "Series that got samples lately.").of(now.series),
        Figure::gauge(
            "atoll_metrics_waiting_samples",
            "Samples that wait to be written.",
        )
        .of(now.waiting as u64),
        Figure::gauge("atoll_metrics_parts", "Parts of the store of samples.").of(now.parts as u64),
        Figure::gauge("atoll_metrics_part_samples", "Samples in parts.").of(now.part_samples),
        Figure::gauge("atoll_metrics_part_bytes", "Bytes of parts.").of(now.part_bytes),
        Figure::gauge("atoll_metrics_damaged_parts", "Parts that cannot be read.")
            .of(now.damaged as u64),
    ]
}

fn samples(service: &Service) -> [Figure; 3] {
    let mut accepted = Figure::counter(
        "atoll_metrics_samples_total",
        "Samples from clients that were taken in.",
    );
    let mut refused = Figure::counter(
        "atoll_metrics_refused_samples_total",
        "Samples from clients that were refused, each with its reason.",
    );
    for (format, tally) in service.pushes.tallies().iter() {
        let labels = vec![("format", format.to_owned())];
        accepted = accepted.with(labels.clone(), tally.accepted() as f64);
        refused = refused.with(labels, tally.refused() as f64);
    }
    let queries = Figure::counter(
        "atoll_metrics_queries_total",
        "Questions to the API of Prometheus that were answered.",
    );
    let queries = queries.of(service.answered.load(Ordering::Relaxed));
    [accepted, refused, queries]
}

fn decisions(service: &Service) -> [Figure; 2] {
    let recorder = service.throttle.decisions();
    recorder.drain();
    let mut made = Figure::counter(
        "atoll_limit_decisions_total",
        "Requests, or lots of samples, that limits let through or refused.",
    );
    recorder.totals(&mut |client, class, decisions| {
        let client = client_label(&service.node, client);
        let outcomes = [
            ("allowed", decisions.allowed),
            ("refused", decisions.refused),
        ];
        for (outcome, count) in outcomes.into_iter().filter(|(_, count)| *count > 0) {
            let labels = vec![
                ("client", client.clone()),
                ("class", Throttle::class_name(class).to_owned()),
                ("decision", outcome.to_owned()),
            ];
            made.push("", labels, count as f64);
        }
    });
    let overflowed = Figure::counter(
        "atoll_limit_overflowed_total",
        "Decisions that found their ring full; they are counted all the same.",
    );
    [made, overflowed.of(recorder.overflowed())]
}

/// A client as anyone may know it: the same at every time on this node, and nobody without
/// the node's secret finds an address or device by trying all.
fn client_label(node: &Node, client: Option<Client>) -> String {
    let told = match client {
        None => return "other".to_owned(),
        Some(Client::Known(number)) => format!("known {number}"),
        Some(Client::Address(address)) => format!("at {address}"),
    };
    let secret = node.admin_token();
    let mut hash = base::Hash::of(format!("client of a limit {secret} {told}").as_bytes()).to_hex();
    hash.truncate(CLIENT_DIGITS);
    hash
}
