//! The HTTP API of metrics: whatever is asked, the answer is JSON of one of the known
//! statuses, and the same when the parameters come as a form.
//!
//! The first byte of the input says where is asked; the rest is the query string.

#![no_main]

use libfuzzer_sys::fuzz_target;
use metrics::api::{Api, Endpoint, Interruption, Request, Response, Settings, Status};
use metrics::chunk::Sample;
use metrics::eval::{EvalError, Labels, Select, SeriesCursor, TimeRange};
use metrics::head::HeadFigures;
use metrics::ingest::Kind;
use metrics::promql::LabelMatcher;
use std::cell::Cell;
use std::collections::BTreeMap;

const PATHS: [&str; 11] = [
    "query",
    "query_range",
    "format_query",
    "labels",
    "label/job/values",
    "label/U__a_2e_b/values",
    "series",
    "metadata",
    "status/tsdb",
    "status/runtimeinfo",
    "query_exemplars",
];

/// Looks at who waits until they have gone: a query of a few bytes may ask for many steps.
const PATIENCE: usize = 200;

/// Three series of four samples.
struct Few([Labels; 3]);

/// Those that were chosen, the one that is looked at first.
struct Chosen<'s>(Vec<&'s Labels>, bool);

const SAMPLES: [Sample; 4] = [
    Sample {
        time: 0,
        value: 1.5,
    },
    Sample {
        time: 60_000,
        value: f64::NAN,
    },
    Sample {
        time: 120_000,
        value: f64::NEG_INFINITY,
    },
    Sample {
        time: 180_000,
        value: 1e300,
    },
];

impl Select for Few {
    fn select<'s>(
        &'s self,
        matchers: &[LabelMatcher],
        _: TimeRange,
    ) -> Result<Box<dyn SeriesCursor + 's>, EvalError> {
        let is_chosen = |labels: &&Labels| {
            let mut matchers = matchers.iter();
            matchers.all(|matcher| matcher.matches(labels.get(matcher.name())))
        };
        Ok(Box::new(Chosen(
            self.0.iter().filter(is_chosen).collect(),
            false,
        )))
    }
}

impl SeriesCursor for Chosen<'_> {
    fn advance(&mut self) -> Result<bool, EvalError> {
        if std::mem::replace(&mut self.1, true) {
            self.0.remove(0);
        }
        Ok(!self.0.is_empty())
    }

    fn labels(&self) -> &Labels {
        self.0[0]
    }

    fn samples(&mut self) -> Result<&[Sample], EvalError> {
        Ok(&SAMPLES)
    }
}

fn answer(path: &str, query_string: &str, form: &[u8]) -> Response {
    let source = Few([
        Labels::new([("__name__", "a"), ("job", "x")]),
        Labels::new([("__name__", "a"), ("job", "y\"\n")]),
        Labels::new([("__name__", "b"), ("a.b", "\u{1}")]),
    ]);
    let metadata = BTreeMap::from([("a".to_owned(), Kind::Gauge)]);
    let mut settings = Settings {
        answer_bytes: 1 << 20,
        ..Settings::default()
    };
    settings.eval.limits.points = 100_000;
    settings.eval.limits.samples = 100_000;
    let api = Api {
        source: &source,
        metadata: &metadata,
        status: &Status::default,
        figures: &|_| Ok(HeadFigures::default()),
        settings,
    };
    let asked = Cell::new(0);
    let interruption = |_| {
        asked.set(asked.get() + 1);
        (asked.get() > PATIENCE).then_some(Interruption::TimedOut)
    };
    let endpoint = match Endpoint::at(path) {
        Ok(endpoint) => endpoint,
        Err(error) => return error.into(),
    };
    let request = Request {
        endpoint: &endpoint,
        query_string,
        form,
    };
    api.answer(request, 200_000, &interruption)
}

fuzz_target!(|input: (u8, &str)| {
    let (place, parameters) = input;
    let path = PATHS[usize::from(place) % PATHS.len()];
    let response = answer(path, parameters, b"");
    assert!(
        matches!(response.status, 200 | 400 | 422 | 503),
        "{}",
        response.status
    );
    let body: serde_json::Value = serde_json::from_slice(&response.body)
        .unwrap_or_else(|error| panic!("{path}?{parameters}: {error}"));
    let said = if response.status == 200 {
        "success"
    } else {
        "error"
    };
    assert_eq!(body["status"], said, "{path}?{parameters}");
    assert_eq!(
        answer(path, "", parameters.as_bytes()),
        response,
        "{path}?{parameters}"
    );
});
