//! Rows as they are written and read, and what is no row.

use super::*;

fn place(page: u64, packing: Packing, position: usize, length: usize) -> Place {
    Place {
        page,
        packing,
        position,
        length,
    }
}

fn times(count: usize, start: i64, end: i64, column: Option<Place>) -> Times {
    Times {
        count,
        start,
        end,
        column,
    }
}

fn rows() -> Vec<(&'static [u8], Vec<Span>)> {
    let regular = times(3, -20, 20, None);
    let jittery = times(2, 50, 99, Some(place(16, Packing::Varints, 7, 5)));
    let old = times(8192, 100, 99_999, Some(place(16, Packing::Pco, 0, 700)));
    let constant = |times, value| Span {
        times,
        values: Values::Constant(value),
    };
    let column = |times, place| Span {
        times,
        values: Values::Column(place),
    };
    vec![
        (
            b"a\xff1\xff",
            vec![constant(regular, 1.0), constant(jittery, f64::NAN)],
        ),
        (
            b"a\xff2\xff",
            vec![column(regular, place(16, Packing::Varints, 12, 9))],
        ),
        (
            b"a\xff22\xff",
            vec![column(old, place(999, Packing::Varints, 0, 1))],
        ),
        (
            b"b\xff",
            vec![
                column(regular, place(999, Packing::Varints, 1, 300)),
                column(old, place(999, Packing::Pco, 0, 70_000)),
            ],
        ),
        (
            b"c\xff",
            vec![constant(times(1, i64::MIN, i64::MIN, None), -0.0)],
        ),
        (
            b"d\xff",
            vec![constant(times(2, i64::MIN, i64::MAX, None), 0.5)],
        ),
    ]
}

fn written(rows: &[(&[u8], Vec<Span>)]) -> Vec<u8> {
    let mut writer = TableWriter::default();
    for (labels, spans) in rows {
        writer.begin(labels, spans.len());
        for span in spans {
            writer.span(span);
        }
    }
    let (bytes, count) = writer.finish();
    assert_eq!((count as usize, writer.size()), (rows.len(), 0));
    bytes
}

#[test]
fn rows_come_back() {
    let rows = rows();
    let mut reader = TableReader::new(written(&rows));
    for (labels, spans) in &rows {
        assert_eq!(reader.advance(), Ok(true));
        assert_eq!(reader.labels(), *labels);
        // Compared as texts, because no NaN is equal to itself.
        assert_eq!(format!("{:?}", reader.spans()), format!("{spans:?}"));
    }
    assert_eq!(reader.advance(), Ok(false));
}

#[test]
fn what_is_like_the_row_before_takes_few_bytes() {
    let regular = times(
        480,
        1_795_996_800_000,
        1_795_996_800_000 + 479 * 15_000,
        None,
    );
    let row = |position| {
        let values = Values::Column(place(1 << 40, Packing::Pco, position, 100));
        vec![Span {
            times: regular,
            values,
        }]
    };
    let one = written(&[(b"a\xff1\xff", row(0))]).len();
    let two = written(&[(b"a\xff1\xff", row(0)), (b"a\xff2\xff", row(100))]).len();
    assert_eq!(two - one, 2 + 2 + 1 + 1 + 2, "labels, spans, times, place");
}

#[test]
fn damage_is_told() {
    let check = |row: &[u8]| {
        let read = TableReader::new(row.to_vec()).advance();
        assert!(read.is_err(), "{row:x?}");
    };
    // Labels longer than they are; no spans; times that are not told; a span without samples; more
    // than a step between two times of no step; unequal steps; times beyond the last.
    check(b"\x01\x00");
    check(b"\x00\x00\x00");
    check(b"\x00\x00\x01\x02\x00\x00");
    check(b"\x00\x00\x01\x00\x00\x00\x00\x00\x00");
    check(b"\x00\x00\x01\x00\x01\x00\x05\x00\x00");
    check(b"\x00\x00\x01\x00\x03\x00\x05\x00\x00");
    check(b"\x00\x00\x01\x00\x02\x02\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00\x00");
    // Spans that are not one behind the other; a column of no length.
    check(b"\x00\x00\x02\x00\x01\x00\x00\x00\x00\x02\x00\x00");
    check(b"\x00\x00\x01\x00\x01\x00\x00\x01\x00\x00");
    let whole = written(&rows());
    for length in 1..whole.len() {
        let mut reader = TableReader::new(whole[..length].to_vec());
        let mut read = 0;
        while reader.advance() == Ok(true) {
            read += 1;
        }
        assert!(read < rows().len());
    }
}
