//! The HTTP API from outside: what is answered to whom, byte for byte.

mod answers;
mod errors;
mod export;
mod properties;

use crate::evaluation::memory::Memory;
use metrics::api::{Api, Endpoint, Interruption, Request, Response, Settings, Status};
use metrics::eval::{EvalError, Labels};
use metrics::head::HeadFigures;
use metrics::ingest::Kind;
use std::collections::BTreeMap;

/// When it is asked, in milliseconds: within the samples of [`source`].
const NOW: i64 = 600_000;

/// `up` of two jobs, `load` with all that numbers can be, and a name that is no word;
/// a sample each minute from 0 to 600 s.
fn source() -> Memory {
    let mut memory = Memory::default();
    let mut insert = |labels: &[(&str, &str)], value: fn(i64) -> f64| {
        let labels = Labels::new(labels.iter().copied());
        for minute in 0..=10 {
            memory.insert(&labels, minute * 60_000, value(minute));
        }
    };
    insert(&[("__name__", "up"), ("job", "a")], |_| 1.0);
    insert(&[("__name__", "up"), ("job", "b")], |minute| {
        (minute % 2) as f64
    });
    insert(&[("__name__", "load"), ("job", "a")], |minute| {
        minute as f64 / 4.0
    });
    insert(
        &[("__name__", "http.time"), ("path.name", "/\"x\"")],
        |_| f64::INFINITY,
    );
    memory
}

/// What the tests' node says of itself.
fn status() -> Status {
    Status {
        version: "atoll 1.2.3".to_owned(),
        hostname: "vm".to_owned(),
        started: 1_795_998_558_550,
        threads: 2,
        retention: "15d".to_owned(),
    }
}

/// What the tests' node says of its series in memory.
fn figures(most: usize) -> Result<HeadFigures, EvalError> {
    let listed = |counts: &[(&str, u64)]| {
        let counts = counts.iter().take(most);
        let counts = counts.map(|(name, count)| ((*name).to_owned(), *count));
        counts.collect()
    };
    Ok(HeadFigures {
        series: 4,
        label_pairs: 6,
        chunks: 5,
        first_time: -1,
        last_time: NOW,
        series_by_metric: listed(&[("up", 2), ("load", 1)]),
        values_by_label: listed(&[("__name__", 3), ("job", 2)]),
        bytes_by_label: listed(&[("__name__", 17), ("path.name", 4)]),
        series_by_pair: listed(&[("__name__=up", 2), ("path.name=/\"x\"", 1)]),
    })
}

/// A request to the tests' node, with these settings and this patience.
fn ask(
    path: &str,
    query_string: &str,
    form: &str,
    settings: Settings,
    interruption: &dyn Fn(u64) -> Option<Interruption>,
) -> Response {
    let endpoint = match Endpoint::at(path) {
        Ok(endpoint) => endpoint,
        Err(error) => return error.into(),
    };
    let metadata = BTreeMap::from([
        ("load".to_owned(), Kind::Gauge),
        ("requests_total".to_owned(), Kind::Counter),
    ]);
    let api = Api {
        source: &source(),
        metadata: &metadata,
        status: &status,
        figures: &figures,
        settings,
    };
    let request = Request {
        endpoint: &endpoint,
        query_string,
        form: form.as_bytes(),
    };
    api.answer(request, NOW, interruption)
}

/// What a response to a patient client must be.
fn check(path: &str, query_string: &str, status: u16, expected: &str) {
    let response = ask(path, query_string, "", Settings::default(), &|_| None);
    check_response(
        &response,
        status,
        expected,
        &format!("{path}?{query_string}"),
    );
}

fn check_response(response: &Response, status: u16, expected: &str, asked: &str) {
    let body = std::str::from_utf8(&response.body).unwrap();
    assert_eq!(body, expected, "{asked}");
    assert_eq!(response.status, status, "{asked}");
    let json: serde_json::Value = serde_json::from_str(body).unwrap();
    let said = json["status"].as_str().unwrap();
    assert_eq!(said == "success", status == 200, "{asked}");
}
