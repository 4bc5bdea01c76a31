//! Messages made byte by byte, as senders make them and as they should not.

use super::{MESSAGE_BYTES, RequestError, decompress, parse};
use crate::ingest::told::told;
use crate::ingest::{Batch, Plain};

/// Prometheus' `value.StaleNaN`.
const STALE: u64 = 0x7ff0_0000_0000_0002;

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

fn bytes(number: u8, inner: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2], &*varint(inner.len() as u64), inner].concat()
}

fn label(name: &str, value: &str) -> Vec<u8> {
    bytes(
        1,
        &[bytes(1, name.as_bytes()), bytes(2, value.as_bytes())].concat(),
    )
}

fn labels(labels: &[(&str, &str)]) -> Vec<u8> {
    labels
        .iter()
        .flat_map(|(name, value)| label(name, value))
        .collect()
}

fn sample(bits: u64, time: i64) -> Vec<u8> {
    let value = [&[1 << 3 | 1], &bits.to_le_bytes()[..]].concat();
    bytes(
        2,
        &[value, vec![2 << 3], varint(time.cast_unsigned())].concat(),
    )
}

fn one(time: i64) -> Vec<u8> {
    sample(1_f64.to_bits(), time)
}

fn series(parts: &[Vec<u8>]) -> Vec<u8> {
    bytes(1, &parts.concat())
}

/// `labels bits@time` of the points, then the refusals.
fn outcome(message: &[u8], series: &mut Plain) -> Result<Vec<String>, RequestError> {
    let mut batch = Batch::default();
    let parsed = parse(message, series, &mut batch);
    if parsed.is_err() {
        assert!(batch.points.is_empty() && batch.refused() == 0);
    }
    parsed?;
    Ok(told(&batch, series, |labels, point| {
        let sample = point.sample;
        format!("{labels} {:x}@{}", sample.value.to_bits(), sample.time)
    }))
}

fn check(message: &[u8], expected: &[&str]) {
    let mut series = Plain::default();
    assert_eq!(outcome(message, &mut series).unwrap(), expected);
    assert_eq!(outcome(message, &mut series).unwrap(), expected, "known");
}

fn check_error(message: &[u8], expected: &str) {
    let error = outcome(message, &mut Plain::default()).unwrap_err();
    assert_eq!(error.to_string(), expected, "{message:x?}");
}

const UP: (&str, &str) = ("__name__", "up");

#[test]
fn samples_keep_their_bits() {
    let message = series(&[
        labels(&[UP, ("job", "a")]),
        one(1000),
        sample(STALE, 2000),
        sample((-0_f64).to_bits(), -1),
        sample(f64::INFINITY.to_bits(), 3000),
    ]);
    check(
        &message,
        &[
            "__name__=up,job=a 3ff0000000000000@1000",
            "__name__=up,job=a 7ff0000000000002@2000",
            "__name__=up,job=a 8000000000000000@-1",
            "__name__=up,job=a 7ff0000000000000@3000",
        ],
    );
}

#[test]
fn what_is_left_out_is_zero() {
    check(
        &series(&[labels(&[UP]), bytes(2, &[])]),
        &["__name__=up 0@0"],
    );
}

#[test]
fn fields_come_in_any_order_and_unknown_ones_are_passed() {
    let unknown = [
        vec![15 << 3, 5],
        vec![14 << 3 | 5, 1, 2, 3, 4],
        bytes(13, b"x"),
    ]
    .concat();
    let message = [
        bytes(3, b"metadata"),
        unknown.clone(),
        series(&[
            one(1),
            label("__name__", "up"),
            unknown,
            bytes(3, b"exemplar"),
            label("job", "a"),
            one(2),
        ]),
        series(&[]),
        series(&[labels(&[UP])]),
        series(&[labels(&[UP]), bytes(3, b"exemplar")]),
    ]
    .concat();
    check(
        &message,
        &[
            "__name__=up,job=a 3ff0000000000000@1",
            "__name__=up,job=a 3ff0000000000000@2",
        ],
    );
}

#[test]
fn labels_are_held_to_the_specification() {
    let many: Vec<String> = (0..64).map(|n| format!("l{n:02}")).collect();
    let mut many: Vec<_> = many.iter().map(|name| (name.as_str(), "v")).collect();
    many.insert(0, UP);
    for (given, reason) in [
        (vec![], "the metric has no name"),
        (vec![("job", "a")], "the metric has no name"),
        (
            vec![("__name__", "")],
            "the label \"__name__\" has an empty value",
        ),
        (vec![UP, ("a", "")], "the label \"a\" has an empty value"),
        (vec![("", "x"), UP], "a label has an empty name"),
        (
            vec![UP, ("b", "1"), ("a", "1")],
            "the label \"a\" is not in the order of names",
        ),
        (
            vec![("a", "1"), UP],
            "the label \"__name__\" is not in the order of names",
        ),
        (
            vec![UP, ("a", "1"), ("a", "1")],
            "the label \"a\" is given twice",
        ),
        (
            vec![UP, ("a\0", "1")],
            "a label's name has the control character '\\0'",
        ),
        (
            many,
            "the series has more than 64 labels, its name among them",
        ),
    ] {
        let message = [
            series(&[labels(&given), one(1)]),
            series(&[labels(&[UP, ("é.ü", "π")]), one(2)]),
        ]
        .concat();
        let refused = format!("0: {reason}");
        check(
            &message,
            &["__name__=up,é.ü=π 3ff0000000000000@2", &refused],
        );
    }
}

#[test]
fn histograms_and_absurd_times_are_refused() {
    let message = [
        series(&[labels(&[UP]), bytes(4, b"h"), one(1), bytes(4, b"h")]),
        series(&[labels(&[UP]), bytes(4, b"h")]),
        series(&[labels(&[UP]), one(i64::MAX), one(2)]),
    ]
    .concat();
    check(
        &message,
        &[
            "__name__=up 3ff0000000000000@1",
            "__name__=up 3ff0000000000000@2",
            "0: 2 native histograms are not supported; classic ones are",
            "1: 1 native histograms are not supported; classic ones are",
            "2: the timestamp 9223372036854775807 is in the future: samples are taken until \
             2251799813685248, in milliseconds since 1970",
        ],
    );
}

#[test]
fn what_is_no_message_says_where() {
    let good = series(&[labels(&[UP]), one(1)]);
    let behind = |bad: &[u8]| [&*good, bad].concat();
    assert_eq!(good.len(), 31);
    for (message, expected) in [
        (
            behind(&[0x0a]),
            "byte 32: a field goes on beyond the end of its message",
        ),
        (
            behind(&[0x0a, 5, 1]),
            "byte 32: a field goes on beyond the end of its message",
        ),
        (
            behind(&[0x09, 1, 2]),
            "byte 32: a field goes on beyond the end of its message",
        ),
        (
            behind(&[0x80]),
            "byte 32: a field goes on beyond the end of its message",
        ),
        (behind(&[0x00, 1]), "byte 31: a field has the number 0"),
        (
            behind(&[0x0b]),
            "byte 31: a field has the wire type 3, which is unknown",
        ),
        (
            behind(&[0x0f]),
            "byte 31: a field has the wire type 7, which is unknown",
        ),
        (
            behind(&[0x08, 1]),
            "byte 31: a known field has another wire type",
        ),
        (
            behind(&[0xff; 11]),
            "byte 31: a number has more than 64 bits",
        ),
        (
            series(&[bytes(1, &bytes(1, b"a\xff")), one(1)]),
            "byte 7: a text is not UTF-8",
        ),
        (
            series(&[labels(&[UP]), vec![0x10, 1]]),
            "byte 18: a known field has another wire type",
        ),
        (
            series(&[labels(&[UP]), bytes(2, &[0x08, 1])]),
            "byte 20: a known field has another wire type",
        ),
        (
            series(&[labels(&[UP]), bytes(2, &[0x11, 1, 1, 1, 1, 1, 1, 1, 1])]),
            "byte 20: a known field has another wire type",
        ),
    ] {
        check_error(&message, &format!("no valid protobuf at {expected}"));
    }
}

#[test]
fn bodies_are_bounded_before_they_are_decompressed() {
    let message = series(&[labels(&[UP]), one(1)]);
    let body = snap::raw::Encoder::new().compress_vec(&message).unwrap();
    let mut buffer = vec![7; 1000];
    assert_eq!(decompress(&body, &mut buffer).unwrap(), message);

    let zeros = vec![0; 1 << 20];
    let body = snap::raw::Encoder::new().compress_vec(&zeros).unwrap();
    assert_eq!(decompress(&body, &mut buffer).unwrap(), zeros);

    let mut fresh = Vec::new();
    let large = varint(MESSAGE_BYTES as u64 + 1);
    assert_eq!(
        decompress(&large, &mut fresh).unwrap_err().to_string(),
        "the body decompresses to 33554433 bytes, and may have 33554432; send smaller ones"
    );
    for body in [
        &[][..],
        &[0xff; 9],
        &varint(MESSAGE_BYTES as u64),
        b"\x05hello",
        &[200, 1, 9],
    ] {
        let error = decompress(body, &mut fresh).unwrap_err();
        assert_eq!(error, RequestError::NotSnappy, "{body:x?}");
    }
    assert!(fresh.capacity() < 1000);
}
