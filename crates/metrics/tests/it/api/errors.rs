//! Requests that have no answer, in the words of Prometheus, and those that nobody waits
//! for any more.

use super::{ask, check, check_response};
use crate::evaluation::memory::Memory;
use metrics::api::{Api, Endpoint, FORM_BYTES, Interruption, Request, Settings, Status};
use metrics::eval::Labels;
use metrics::head::HeadFigures;
use std::cell::Cell;
use std::collections::BTreeMap;

fn body(kind: &str, error: &str) -> String {
    let error = serde_json::to_string(error).unwrap();
    format!("{{\"status\":\"error\",\"errorType\":\"{kind}\",\"error\":{error}}}")
}

fn bad(path: &str, query_string: &str, error: &str) {
    check(path, query_string, 400, &body("bad_data", error));
}

#[test]
fn parameters_that_cannot_be() {
    let range = "start=0&end=1&step=1";
    for (path, query_string, error) in [
        (
            "query",
            "",
            "invalid parameter \"query\": 1:1: parse error: no expression found in input",
        ),
        (
            "query",
            "query=up+%3C",
            "invalid parameter \"query\": 1:5: parse error: unexpected end of input",
        ),
        (
            "query",
            "query=1&time=x",
            "invalid parameter \"time\": invalid time value for 'time': cannot parse \"x\" to a valid timestamp",
        ),
        (
            "query",
            "query=1&timeout=x",
            "invalid parameter \"timeout\": cannot parse \"x\" to a valid duration",
        ),
        (
            "query",
            "query=1&timeout=1e300",
            "invalid parameter \"timeout\": cannot parse \"1e300\" to a valid duration. It overflows int64",
        ),
        (
            "query",
            "query=1&lookback_delta=x",
            "error parsing lookback delta duration: cannot parse \"x\" to a valid duration",
        ),
        (
            "query",
            "query=1&limit=x",
            "invalid parameter \"limit\": strconv.Atoi: parsing \"x\": invalid syntax",
        ),
        (
            "query",
            "query=1&limit=-1",
            "invalid parameter \"limit\": limit must be non-negative",
        ),
        (
            "query",
            "query=1&time=1e300",
            "the query looks at times that are out of range",
        ),
        (
            "query",
            "query=%zz",
            "error parsing form values: invalid URL escape \"%zz\"",
        ),
        (
            "query_range",
            "query=up&end=1&step=1",
            "invalid parameter \"start\": cannot parse \"\" to a valid timestamp",
        ),
        (
            "query_range",
            "query=up&start=0&step=1",
            "invalid parameter \"end\": cannot parse \"\" to a valid timestamp",
        ),
        (
            "query_range",
            "query=up&start=1&end=0&step=1",
            "invalid parameter \"end\": end timestamp must not be before start time",
        ),
        (
            "query_range",
            "query=up&start=0&end=1",
            "invalid parameter \"step\": cannot parse \"\" to a valid duration",
        ),
        (
            "query_range",
            "query=up&start=0&end=1&step=0",
            "invalid parameter \"step\": zero or negative query resolution step widths are not accepted. Try a positive integer",
        ),
        (
            "query_range",
            "query=up&start=0&end=11001&step=1",
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)",
        ),
        (
            "query_range",
            &format!("query=up[5m]&{range}"),
            "invalid parameter \"query\": invalid expression type \"range vector\" for range query, must be Scalar or instant Vector",
        ),
        (
            "format_query",
            "query=(",
            "invalid parameter \"query\": 1:2: parse error: unclosed left parenthesis",
        ),
        (
            "labels",
            "start=x",
            "invalid parameter \"start\": invalid time value for 'start': cannot parse \"x\" to a valid timestamp",
        ),
        (
            "labels",
            "match[]={a",
            "1:3: parse error: unexpected end of input inside braces",
        ),
        (
            "labels",
            "match[]={a=~%22.*%22}",
            "match[] must contain at least one non-empty matcher",
        ),
        (
            "labels",
            "limit=9223372036854775808",
            "invalid parameter \"limit\": strconv.Atoi: parsing \"9223372036854775808\": value out of range",
        ),
        ("label//values", "", "invalid label name: \"\""),
        (
            "label/job/values",
            "end=x",
            "invalid parameter \"end\": invalid time value for 'end': cannot parse \"x\" to a valid timestamp",
        ),
        (
            "label/%zz/values",
            "",
            "error parsing form values: invalid URL escape \"%zz\"",
        ),
        ("series", "", "no match[] parameter provided"),
        (
            "series",
            "match[]=up%5B5m%5D",
            "invalid parameter \"match[]\": 1:3: parse error: unexpected \"[\"",
        ),
        (
            "series",
            "match[]={}",
            "invalid parameter \"match[]\": match[] must contain at least one non-empty matcher",
        ),
        ("metadata", "limit=x", "limit must be a number"),
        (
            "metadata",
            "limit_per_metric=x",
            "limit_per_metric must be a number",
        ),
        ("status/tsdb", "limit=0", "limit must be a positive number"),
        ("status/tsdb", "limit=10001", "limit must not exceed 10000"),
    ] {
        bad(path, query_string, error);
    }
}

#[test]
fn more_than_is_read() {
    let bytes = FORM_BYTES + 1;
    bad(
        "query",
        &"x".repeat(bytes),
        &format!("error parsing form values: {bytes} bytes, and {FORM_BYTES} are read"),
    );
    bad(
        "query",
        &"&x".repeat(257),
        "error parsing form values: more than 256 parameters",
    );
    bad(
        "labels",
        &"&match[]=up".repeat(65),
        "65 selectors, and 64 are taken; join some with =~",
    );
}

#[test]
fn addresses_that_there_are_not() {
    for path in [
        "",
        "nothing",
        "parse_query",
        "query/",
        "label/job",
        "status",
    ] {
        let error = format!("there is no endpoint {path:?}");
        check(path, "", 404, &body("not_found", &error));
    }
}

#[test]
fn queries_that_fail() {
    let error = "vector cannot contain metrics with the same labelset";
    check(
        "query",
        "query=count_over_time({job=~%22.%2B%22}[5m])",
        422,
        &body("execution", error),
    );
}

#[test]
fn what_costs_too_much() {
    let check = |settings: Settings, path: &str, query_string: &str, error: &str| {
        let response = ask(path, query_string, "", settings, &|_| None);
        check_response(&response, 422, &body("execution", error), query_string);
    };
    let mut settings = Settings {
        answer_bytes: 100,
        ..Settings::default()
    };
    let error = "the answer has more than 100 bytes; select fewer series, shorten the range, or \
                 use a longer step";
    check(settings, "query", "query=up", error);
    check(
        settings,
        "query_range",
        "query=1&start=0&end=100&step=1",
        error,
    );
    check(settings, "series", "match[]=up&match[]=load", error);
    let error = "the names or values take more than 100 bytes of memory; select fewer series, or \
                 give a limit";
    check(settings, "labels", "", error);
    check(settings, "labels", "match[]=up", error);
    check(settings, "label/job/values", "", error);
    check(settings, "label/job/values", "match[]=up", error);
    let first =
        r#"{"status":"success","data":["a"],"warnings":["results truncated due to limit"]}"#;
    let response = ask("label/job/values", "limit=1", "", settings, &|_| None);
    check_response(&response, 200, first, "limit=1");
    settings = Settings::default();
    settings.eval.limits.series = 1;
    let error = "more than 1 series are selected; select fewer, or give a limit";
    check(settings, "series", "match[]=up", error);
    let error = "the query reads more than 1 series; select fewer";
    check(settings, "query", "query=up", error);
}

#[test]
fn a_source_that_fails() {
    let mut memory = Memory::default();
    memory.insert_native(&Labels::new([("__name__", "up")]), 0);
    let api = Api {
        source: &memory,
        metadata: &BTreeMap::new(),
        status: &Status::default,
        figures: &|_| Ok(HeadFigures::default()),
        settings: Settings::default(),
    };
    for (path, query_string) in [
        ("query", "query=up"),
        ("series", "match[]=up"),
        ("labels", ""),
        ("label/job/values", ""),
    ] {
        let request = Request {
            endpoint: &Endpoint::at(path).unwrap(),
            query_string,
            form: b"",
        };
        let response = api.answer(request, 0, &|_| None);
        let error = "expanding series: native histograms are not supported: {__name__=\"up\"}";
        check_response(&response, 500, &body("internal", error), path);
    }
}

#[test]
fn nobody_waits_for_ever() {
    let check = |interruption, status, expected: &str| {
        for (path, query_string) in [
            ("query", "query=up"),
            ("query_range", "query=up&start=0&end=600&step=60"),
            ("series", "match[]=up"),
            ("labels", ""),
        ] {
            // However far it had come.
            for patience in 0..4 {
                let asked = Cell::new(0);
                let ask_patience = |_| {
                    asked.set(asked.get() + 1);
                    (asked.get() > patience).then_some(interruption)
                };
                let response = ask(path, query_string, "", Settings::default(), &ask_patience);
                if asked.get() > patience {
                    check_response(&response, status, expected, query_string);
                } else {
                    assert_eq!(response.status, 200);
                }
            }
        }
    };
    let timeout = body("timeout", "query timed out in query execution");
    check(Interruption::TimedOut, 503, &timeout);
    let canceled = body("canceled", "query was canceled in query execution");
    check(Interruption::Canceled, 499, &canceled);
}

#[test]
fn a_request_may_be_less_patient() {
    let check = |query_string: &str, expected: u64| {
        let last = Cell::new(0);
        ask("query", query_string, "", Settings::default(), &|timeout| {
            last.set(timeout);
            None
        });
        assert_eq!(last.get(), expected, "{query_string}");
    };
    check("query=up", 120_000);
    check("query=up&timeout=1.5", 1_500);
    check("query=up&timeout=1m30s", 90_000);
    check("query=up&timeout=1h", 120_000);
    check("query=up&timeout=0", 0);
    check("query=up&timeout=-1", 0);
}
