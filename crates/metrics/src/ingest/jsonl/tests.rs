//! Lines, read and written, and lines that are refused.

use super::{ORDINARY_NAN, parse, write};
use crate::chunk::Sample;
use crate::ingest::told::told;
use crate::ingest::{Batch, Plain};

const STALE: u64 = 0x7ff0_0000_0000_0002;

/// `labels bits@time` of the points, then the refusals.
fn outcome(body: &str, series: &mut Plain) -> Vec<String> {
    let mut batch = Batch::default();
    parse(body.as_bytes(), series, &mut batch);
    told(&batch, series, |labels, point| {
        let sample = point.sample;
        format!("{labels} {:x}@{}", sample.value.to_bits(), sample.time)
    })
}

fn check(body: &str, expected: &[&str]) {
    let mut series = Plain::default();
    assert_eq!(outcome(body, &mut series), expected, "{body}");
    assert_eq!(outcome(body, &mut series), expected, "known: {body}");
}

#[test]
fn lines_become_samples() {
    check(
        concat!(
            "{\"metric\":{\"__name__\":\"up\",\"job\":\"a\",\"z\":\"\"},\"values\":[1,-2.5],\"timestamps\":[1000,2000]}\r\n",
            "\n  \n",
            "{ \"timestamps\" : [ -3 ] , \"x\" : {} , \"values\" : [ 0 ] , \"metric\" : { \"__name__\" : \"up\", \"__a\":\"b\" } }",
        ),
        &[
            "__name__=up,job=a 3ff0000000000000@1000",
            "__name__=up,job=a c004000000000000@2000",
            "__a=b,__name__=up 0@-3",
        ],
    );
    check("", &[]);
}

#[test]
fn what_is_no_number_has_names() {
    for (value, bits) in [
        ("null", ORDINARY_NAN),
        ("\"NaN\"", ORDINARY_NAN),
        ("\"Infinity\"", f64::INFINITY.to_bits()),
        ("\"inf\"", f64::INFINITY.to_bits()),
        ("\"-Infinity\"", f64::NEG_INFINITY.to_bits()),
        ("\"-Inf\"", f64::NEG_INFINITY.to_bits()),
        ("-0", (-0_f64).to_bits()),
    ] {
        let line = format!(
            "{{\"metric\":{{\"__name__\":\"m\"}},\"values\":[{value}],\"timestamps\":[1]}}"
        );
        check(&line, &[&format!("__name__=m {bits:x}@1")]);
    }
}

#[test]
fn nans_have_their_bits() {
    check(
        "{\"nans\":[\"7ff0000000000002\",\"fff8000000000000\"],\"metric\":{\"__name__\":\"m\"},\"values\":[null,1,null],\"timestamps\":[1,2,3]}",
        &[
            "__name__=m 7ff0000000000002@1",
            "__name__=m 3ff0000000000000@2",
            "__name__=m fff8000000000000@3",
        ],
    );
}

#[test]
fn each_refusal_has_its_reason() {
    let metric = r#""metric":{"__name__":"m"}"#;
    let rest = r#""values":[1],"timestamps":[1]"#;
    for (line, reason) in [
        ("[]".to_owned(), "the line must be an object"),
        (
            "{".to_owned(),
            "no valid JSON at byte 1: expected a key in quotes",
        ),
        (
            "{} {}".to_owned(),
            "no valid JSON at byte 3: something follows the end of the value",
        ),
        (format!("{{{rest}}}"), "the key \"metric\" is missing"),
        (
            format!("{{{metric},\"timestamps\":[1]}}"),
            "the key \"values\" is missing",
        ),
        (
            format!("{{{metric},\"values\":[],\"timestamps\":[]}}"),
            "the key \"values\" is missing",
        ),
        (
            format!("{{{metric},\"values\":[1]}}"),
            "there are 1 values and 0 timestamps",
        ),
        (
            format!("{{{metric},\"values\":[1,2],\"timestamps\":[1]}}"),
            "there are 2 values and 1 timestamps",
        ),
        (
            format!("{{{metric},{metric},{rest}}}"),
            "the key \"metric\" is given twice",
        ),
        (
            format!("{{{metric},{rest},{rest}}}"),
            "the key \"values\" is given twice",
        ),
        (
            format!("{{\"metric\":[],{rest}}}"),
            "\"metric\" must be an object of texts, and at byte 10 it is not",
        ),
        (
            format!("{{\"metric\":{{\"__name__\":1}},{rest}}}"),
            "\"metric\" must be an object of texts, and at byte 22 it is not",
        ),
        (
            format!("{{\"metric\":{{}},{rest}}}"),
            "the metric has no name",
        ),
        (
            format!("{{\"metric\":{{\"__name__\":\"\"}},{rest}}}"),
            "the metric has no name",
        ),
        (
            format!("{{\"metric\":{{\"__name__\":\"m\",\"a\":\"\",\"a\":\"1\"}},{rest}}}"),
            "the label \"a\" is given twice",
        ),
        (
            format!("{{{metric},\"values\":1,\"timestamps\":[1]}}"),
            "\"values\" must be an array, and at byte 36 it is not",
        ),
        (
            format!("{{{metric},\"values\":[1,true],\"timestamps\":[1,2]}}"),
            "\"values\" must be numbers, null, \"Infinity\" or \"-Infinity\", and at byte 39 it is not",
        ),
        (
            format!("{{{metric},\"values\":[\"1\"],\"timestamps\":[1]}}"),
            "\"values\" must be numbers, null, \"Infinity\" or \"-Infinity\", and at byte 37 it is not",
        ),
        (
            format!("{{{metric},\"values\":[1e999],\"timestamps\":[1]}}"),
            "\"values\" must be numbers, null, \"Infinity\" or \"-Infinity\", and at byte 37 it is not",
        ),
        (
            format!("{{{metric},\"values\":[1],\"timestamps\":[1.5]}}"),
            "\"timestamps\" must be whole milliseconds within 2^51 of 1970, and at byte 54 it is not",
        ),
        (
            format!("{{{metric},\"values\":[1],\"timestamps\":[2251799813685249]}}"),
            "\"timestamps\" must be whole milliseconds within 2^51 of 1970, and at byte 54 it is not",
        ),
        (
            format!("{{{metric},{rest},\"nans\":[\"7ff0000000000002\"]}}"),
            "there are 0 values that are NaN, and 1 in \"nans\"",
        ),
        (
            format!("{{{metric},{rest},\"nans\":[\"3ff0000000000000\"]}}"),
            "\"nans\" must be the bits of NaNs as 16 hexadecimal digits, and at byte 65 it is not",
        ),
        (
            format!("{{{metric},{rest},\"nans\":[\"+ff0000000000002\"]}}"),
            "\"nans\" must be the bits of NaNs as 16 hexadecimal digits, and at byte 65 it is not",
        ),
        (
            format!("{{{metric},{rest},\"nans\":[null]}}"),
            "\"nans\" must be the bits of NaNs as 16 hexadecimal digits, and at byte 65 it is not",
        ),
    ] {
        let good = format!("{{{metric},{rest}}}");
        let body = format!("{line}\n{good}\n");
        let refused = format!("1: {reason}");
        check(&body, &["__name__=m 3ff0000000000000@1", &refused]);
    }
}

#[test]
fn lines_are_written_as_they_are_read() {
    let values = [
        1.0,
        0.1,
        -0.0,
        1e300,
        -5e-324,
        123_456_789_012.5,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::from_bits(ORDINARY_NAN),
    ];
    let samples: Vec<_> = (0..)
        .zip(values)
        .map(|(time, value)| Sample { time, value })
        .collect();
    let mut line = String::new();
    let labels = [("__name__", "up"), ("a\"\\\n\u{1}é", "\t\r")];
    write(&mut line, labels, &samples);
    assert_eq!(
        line,
        concat!(
            r#"{"metric":{"__name__":"up","a\"\\\n\u0001é":"\t\r"},"#,
            r#""values":[1,0.1,-0,1e300,-5e-324,123456789012.5,"Infinity","-Infinity",null],"#,
            r#""timestamps":[0,1,2,3,4,5,6,7,8]}"#,
            "\n"
        )
    );

    let stale = [1.0, f64::from_bits(STALE), f64::from_bits(ORDINARY_NAN)];
    let samples: Vec<_> = (0..)
        .zip(stale)
        .map(|(time, value)| Sample { time, value })
        .collect();
    let mut line = String::new();
    write(&mut line, [("__name__", "up")], &samples);
    assert_eq!(
        line,
        concat!(
            r#"{"metric":{"__name__":"up"},"values":[1,null,null],"timestamps":[0,1,2],"#,
            r#""nans":["7ff0000000000002","7ff8000000000001"]}"#,
            "\n"
        )
    );

    let mut nothing = String::new();
    write(&mut nothing, [("__name__", "up")], &[]);
    assert_eq!(nothing, "");
}
