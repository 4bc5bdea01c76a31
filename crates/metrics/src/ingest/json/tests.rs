//! Documents, item by item: what is taken, what is refused and why.

use super::{DocumentError, ITEMS, parse};
use crate::ingest::told::told;
use crate::ingest::{Batch, Kind, Plain};

const NOW: i64 = 1_000;

/// What a document gives, as lines: `name{labels} kind value@time` and `index: reason`.
fn outcome(text: &str, series: &mut Plain) -> Result<Vec<String>, DocumentError> {
    let mut batch = Batch::default();
    parse(text.as_bytes(), NOW, series, &mut batch)?;
    Ok(told(&batch, series, |labels, point| {
        let kind = match point.kind {
            Some(Kind::Gauge) => "gauge",
            Some(Kind::Counter) => "counter",
            Some(Kind::Histogram) => "histogram",
            Some(Kind::Summary) => "summary",
            None => "none",
        };
        let sample = point.sample;
        format!("{labels} {kind} {:?}@{}", sample.value, sample.time)
    }))
}

fn check(items: &str, expected: &[&str]) {
    let text = format!("{{\"metrics\":[{items}]}}");
    let mut series = Plain::default();
    assert_eq!(outcome(&text, &mut series).unwrap(), expected, "{items}");
    assert_eq!(
        outcome(&text, &mut series).unwrap(),
        expected,
        "known: {items}"
    );
}

fn check_error(text: &str, expected: &str) {
    let error = outcome(text, &mut Plain::default()).unwrap_err();
    assert_eq!(error.to_string(), expected, "{text}");
}

#[test]
fn items_become_points() {
    for (items, expected) in [
        (r#"{"name":"up","value":1}"#, "__name__=up gauge 1.0@1000"),
        (
            r#" { "timestamp" : -5 , "tags" : { "b" : "2" , "a" : "1" } , "type" : "counter" , "value" : -1.5e-3 , "name" : "up" } "#,
            "__name__=up,a=1,b=2 counter -0.0015@-5",
        ),
        (
            r#"{"name":"up","value":1,"type":"histogram","timestamp":"1970-01-01T00:00:02.5Z"}"#,
            "__name__=up histogram 1.0@2500",
        ),
        (
            r#"{"name":"up","value":-0,"type":"summary","tags":{}}"#,
            "__name__=up summary -0.0@1000",
        ),
        (
            r#"{"name":"up","value":1,"type":null,"tags":null,"timestamp":null}"#,
            "__name__=up gauge 1.0@1000",
        ),
        (
            r#"{"x":{"a":[1,{"b":null}]},"name":"up","y":"}","value":1,"":0}"#,
            "__name__=up gauge 1.0@1000",
        ),
        (
            r#"{"name": "up", "value": 1, "tags": {"a": "1", "b": "2"}, "timestamp": 5}"#,
            "__name__=up,a=1,b=2 gauge 1.0@5",
        ),
        (
            r#"{"n\u0061me":"u\u0070\"","value":1,"t\u0061gs":{"\u00e9":"}{\\\"","z":""},"type":"g\u0061uge"}"#,
            "__name__=up\",é=}{\\\" gauge 1.0@1000",
        ),
        (
            r#"{"name":"up","value":1,"tags":{"a":"{[]}"}}"#,
            "__name__=up,a={[]} gauge 1.0@1000",
        ),
        (
            r#"{"name":"up","value":123456789.125,"timestamp":1700000000123}"#,
            "__name__=up gauge 123456789.125@1700000000123",
        ),
    ] {
        check(items, &[expected]);
    }
}

#[test]
fn each_refusal_has_its_reason() {
    for (item, reason) in [
        ("1", "the item must be an object"),
        ("[{}]", "the item must be an object"),
        ("null", "the item must be an object"),
        ("{}", "name is missing"),
        (r#"{"value":1}"#, "name is missing"),
        (r#"{"name":"a"}"#, "value is missing"),
        (r#"{"name":null,"value":1}"#, "name must be a text"),
        (r#"{"name":7,"value":1}"#, "name must be a text"),
        (r#"{"name":"","value":1}"#, "the metric has no name"),
        (r#"{"name":"a","value":"1"}"#, "value must be a number"),
        (r#"{"name":"a","value":null}"#, "value must be a number"),
        (r#"{"name":"a","value":true}"#, "value must be a number"),
        (r#"{"name":"a","value":NaN}"#, "value must be finite"),
        (r#"{"name":"a","value":nan}"#, "value must be finite"),
        (r#"{"name":"a","value":-nan}"#, "value must be finite"),
        (r#"{"name":"a","value":Infinity}"#, "value must be finite"),
        (
            r#"{"name":"a","value": -Infinity }"#,
            "value must be finite",
        ),
        (r#"{"name":"a","value":inf}"#, "value must be finite"),
        (r#"{"name":"a","value":-inf}"#, "value must be finite"),
        (r#"{"name":"a","value":1e999}"#, "value must be finite"),
        (r#"{"name":"a","value":-1e999}"#, "value must be finite"),
        (
            r#"{"name":"a","value":1,"type":"Gauge"}"#,
            "type must be gauge, counter, histogram or summary",
        ),
        (
            r#"{"name":"a","value":1,"type":1}"#,
            "type must be gauge, counter, histogram or summary",
        ),
        (
            r#"{"name":"a","value":1,"tags":[]}"#,
            "tags must be an object of texts",
        ),
        (
            r#"{"name":"a","value":1,"tags":"a"}"#,
            "tags must be an object of texts",
        ),
        (
            r#"{"name":"a","value":1,"tags":{"a":1}}"#,
            "the tag \"a\" must be a text",
        ),
        (
            r#"{"name":"a","value":1,"tags":{"a":null}}"#,
            "the tag \"a\" must be a text",
        ),
        (
            r#"{"name":"a","value":1,"tags":{"b":"","a":{"c":[{}]}}}"#,
            "the tag \"a\" must be a text",
        ),
        (
            r#"{"name":"a","value":1,"tags":{"a":"1","\u0061":"1"}}"#,
            "the label \"a\" is given twice",
        ),
        (
            r#"{"name":"a","value":1,"tags":{"__name__":"b"}}"#,
            "the label \"__name__\" begins with \"__\", which is reserved",
        ),
        (
            r#"{"name":"a","value":1,"tags":{"":"b"}}"#,
            "a label has an empty name",
        ),
        (
            r#"{"name":"a\n","value":1}"#,
            "the metric's name has the control character '\\n'",
        ),
        (
            r#"{"name":"a","value":1,"timestamp":1.5}"#,
            "timestamp must be whole milliseconds since 1970, or a text as in RFC 3339",
        ),
        (
            r#"{"name":"a","value":1,"timestamp":{}}"#,
            "timestamp must be whole milliseconds since 1970, or a text as in RFC 3339",
        ),
        (
            r#"{"name":"a","value":1,"timestamp":99999999999999999999}"#,
            "timestamp must be whole milliseconds since 1970, or a text as in RFC 3339",
        ),
        (
            r#"{"name":"a","value":1,"timestamp":1700000000000000000}"#,
            "the timestamp is further from 1970 than 2^51 milliseconds",
        ),
        (
            r#"{"name":"a","value":1,"timestamp":"now"}"#,
            "the timestamp is not a date and time like 2006-01-02T15:04:05Z",
        ),
        (
            r#"{"name":"a","name":"a","value":1}"#,
            "name is given twice",
        ),
        (
            r#"{"value":NaN,"name":"a","value":1}"#,
            "value must be finite",
        ),
        (
            r#"{"name":"a","value":1,"tags":null,"tags":{}}"#,
            "tags is given twice",
        ),
        (
            r#"{"name":"a","value":1,"type":null,"type":null}"#,
            "type is given twice",
        ),
        (
            r#"{"name":"a","value":1,"timestamp":1,"timestamp":1}"#,
            "timestamp is given twice",
        ),
    ] {
        let refused = format!("1: {reason}");
        let items = format!(r#"{{"name":"x","value":0}},{item},{{"name":"y","value":2}}"#);
        let taken = ["__name__=x gauge 0.0@1000", "__name__=y gauge 2.0@1000"];
        check(&items, &[taken[0], taken[1], &refused]);
    }
}

#[test]
fn what_is_no_document_says_where() {
    for (text, expected) in [
        ("", "no valid JSON at byte 0: expected a value"),
        ("{", "no valid JSON at byte 1: expected a key in quotes"),
        (
            "[]",
            "expected an object like {\"metrics\":[...]} at byte 0",
        ),
        (
            " 7",
            "expected an object like {\"metrics\":[...]} at byte 1",
        ),
        (
            r#"{"metrics":{}}"#,
            "expected an object like {\"metrics\":[...]} at byte 11",
        ),
        ("{}", "the key \"metrics\" is missing"),
        (r#"{"metric":[{}]}"#, "the key \"metrics\" is missing"),
        (
            r#"{"metrics":[]}"#,
            "\"metrics\" has no items; send 1 to 1000",
        ),
        (
            r#"{"metrics":[1],"metrics":[2]}"#,
            "the key \"metrics\" is given twice, at byte 23 again",
        ),
        (
            r#"{"metrics":[{"name":"a","value":1}]} x"#,
            "no valid JSON at byte 37: something follows the end of the value",
        ),
        (
            r#"{"metrics":[{"name":"a","value":1}"#,
            "no valid JSON at byte 34: expected `,` or `]`",
        ),
        (
            r#"{"metrics":[{"name":"a","value":01}]}"#,
            "no valid JSON at byte 32: expected a value",
        ),
        (
            r#"{"metrics":[{"name":"a","value":NaNs}]}"#,
            "no valid JSON at byte 35: expected `,` or `}`",
        ),
        (
            r#"{"metrics":[{"name":"a","x":NaN,"value":1}]}"#,
            "no valid JSON at byte 28: expected a value",
        ),
        (
            r#"{"metrics":[{"name":"a","value":1,"timestamp":-}]}"#,
            "no valid JSON at byte 46: expected a value",
        ),
        // Tags that are only passed are held to the grammar too, whatever else is wrong.
        (
            r#"{"metrics":[{"name":"a","value":1,"tags":{"a" "b"}}]}"#,
            "no valid JSON at byte 46: expected `:`",
        ),
        (
            r#"{"metrics":[{"name":"a","tags":{"a":"\x"}}]}"#,
            "no valid JSON at byte 37: an unknown escape",
        ),
        (
            r#"{"metrics":[{"tags":{"__a":"1",},"value":1,"name":"a"}]}"#,
            "no valid JSON at byte 31: expected a key in quotes",
        ),
        (
            r#"{"metrics":[{"name":"a","value":1,"tags":{"a":"b"}"#,
            "no valid JSON at byte 50: expected `,` or `}`",
        ),
        (
            r#"{"metrics":[{"name":"a","value":1,"tags":{"a":"b"#,
            "no valid JSON at byte 48: the string has no end",
        ),
        ("\u{feff}{}", "no valid JSON at byte 0: expected a value"),
    ] {
        check_error(text, expected);
    }
}

#[test]
fn a_document_has_so_many_items() {
    let document = |count: usize| {
        let items = vec![r#"{"name":"a","value":1}"#; count];
        format!("{{\"metrics\":[{}]}}", items.join(","))
    };
    let points = outcome(&document(ITEMS), &mut Plain::default()).unwrap();
    assert_eq!(points.len(), ITEMS);
    check_error(
        &document(ITEMS + 1),
        "\"metrics\" has more than 1000 items; send 1 to 1000 at once",
    );
}

#[test]
fn an_error_leaves_an_empty_batch() {
    let mut batch = Batch::default();
    let text = br#"{"metrics":[{"name":"a","value":1},{},"#;
    parse(text, NOW, &mut Plain::default(), &mut batch).unwrap_err();
    assert_eq!((batch.points.len(), batch.refused()), (0, 0));
}

#[test]
fn spellings_of_one_series_have_one_id() {
    let mut series = Plain::default();
    let text = r#"{"metrics":[
        {"name":"a","value":1,"tags":{"x":"1","y":"2"}},
        {"name":"a","value":1,"tags":{"y":"2","x":"1"}},
        {"name":"\u0061","value":1,"tags":{ "x":"1","y":"2","z":"" }},
        {"name":"a","value":1}, {"name":"a","value":1,"tags":{}}]}"#;
    outcome(text, &mut series).unwrap();
    assert_eq!(series.len(), 2);
}

#[test]
fn the_series_may_refuse() {
    let items = r#"{"name":"a","value":1},{"name":"b","value":1},{"name":"a","value":2}"#;
    let text = format!("{{\"metrics\":[{items}]}}");
    let given = outcome(&text, &mut Plain::with_limit(1)).unwrap();
    assert_eq!(
        given,
        [
            "__name__=a gauge 1.0@1000",
            "__name__=a gauge 2.0@1000",
            "1: the store already has 1 series, as many as it may have",
        ]
    );
}
