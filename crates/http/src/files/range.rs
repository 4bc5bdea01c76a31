//! Byte ranges (RFC 9110 section 14): which bytes of a representation are sent.
//!
//! A range that is not understood is ignored, as section 14.2 allows, so that
//! the answer is whole and never wrong. Ranges that overlap or nearly touch are
//! merged; a request with more than [`MAX_RANGES`] is answered whole. So no
//! request makes an answer that is much larger than the file (section 17.15).

/// A run of bytes; never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// The first byte.
    pub offset: u64,
    /// How many.
    pub length: u64,
}

/// What a `Range` asks for, of so many bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// Everything: 200.
    Whole,
    /// One run: 206.
    One(Span),
    /// Several runs, none of which touch: 206 `multipart/byteranges`.
    Several(Vec<Span>),
    /// Nothing that exists: 416.
    Unsatisfiable,
}

/// More ranges than this are answered whole. Readers of documents and archives
/// ask for a dozen; hundreds are an attack or a mistake.
pub const MAX_RANGES: usize = 32;

/// What a part costs besides its bytes: boundary and two header lines. A gap
/// smaller than that is cheaper to send than to leave out (section 15.3.7.2).
const PART_OVERHEAD: u64 = 128;

impl Span {
    /// The byte after the last.
    pub fn end(self) -> u64 {
        self.offset + self.length
    }
}

/// What `value`, a `Range` field, selects of `size` bytes.
pub fn select(value: &[u8], size: u64) -> Selection {
    let Some(set) = ranges_of_bytes(value) else {
        return Selection::Whole;
    };
    let mut spans = Vec::new();
    let mut count = 0;
    for text in set.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
        if text.is_empty() {
            continue;
        }
        count += 1;
        match parse_one(text, size) {
            _ if count > MAX_RANGES => return Selection::Whole,
            None => return Selection::Whole,
            Some(One::Beyond) => {}
            Some(One::Everything) => return Selection::Whole,
            Some(One::Span(span)) => spans.push(span),
        }
    }
    match (count, spans.as_slice()) {
        (0, _) => Selection::Whole,
        (_, []) => Selection::Unsatisfiable,
        (_, [span]) => Selection::One(*span),
        _ => merged(spans, size),
    }
}

/// One `range-spec`, against the size.
enum One {
    Span(Span),
    /// All of a representation that has no bytes: no `Content-Range` can say so.
    Everything,
    Beyond,
}

/// What follows `bytes=`; `None` for other units.
fn ranges_of_bytes(value: &[u8]) -> Option<&[u8]> {
    let equals = value.iter().position(|byte| *byte == b'=')?;
    let (unit, set) = value.split_at(equals);
    unit.trim_ascii()
        .eq_ignore_ascii_case(b"bytes")
        .then(|| &set[1..])
}

/// ```text
/// int-range    = first-pos "-" [ last-pos ]
/// suffix-range = "-" suffix-length
/// ```
/// `None` where the syntax is wrong.
fn parse_one(text: &[u8], size: u64) -> Option<One> {
    let dash = text.iter().position(|byte| *byte == b'-')?;
    let (first, last) = (&text[..dash], &text[dash + 1..]);
    if first.is_empty() {
        let length = number(last)?.min(size);
        return Some(match (length, size) {
            (0, 0) if number(last) != Some(0) => One::Everything,
            (0, _) => One::Beyond,
            _ => One::Span(Span {
                offset: size - length,
                length,
            }),
        });
    }
    let first = number(first)?;
    let last = if last.is_empty() {
        u64::MAX
    } else {
        number(last)?
    };
    if last < first {
        return None;
    }
    if first >= size {
        return Some(One::Beyond);
    }
    let length = last.min(size - 1) - first + 1;
    Some(One::Span(Span {
        offset: first,
        length,
    }))
}

/// Digits only; what does not fit is as far as one can go.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits.iter().fold(0u64, |value, digit| {
        value
            .saturating_mul(10)
            .saturating_add(u64::from(digit - b'0'))
    });
    Some(value)
}

/// Joins spans whose gap is not worth a part. The order asked for is kept where
/// nothing was joined, because it may be the order of use (section 15.3.7.2).
fn merged(spans: Vec<Span>, size: u64) -> Selection {
    let mut sorted = spans.clone();
    sorted.sort_unstable();
    let mut joined: Vec<Span> = Vec::with_capacity(sorted.len());
    for span in sorted {
        match joined.last_mut() {
            Some(last) if span.offset <= last.end().saturating_add(PART_OVERHEAD) => {
                last.length = last.end().max(span.end()) - last.offset;
            }
            _ => joined.push(span),
        }
    }
    let sent: u64 = joined.iter().map(|span| span.length).sum();
    match joined.as_slice() {
        [span] => Selection::One(*span),
        several if sent + PART_OVERHEAD * several.len() as u64 >= size => Selection::Whole,
        several if several.len() == spans.len() => Selection::Several(spans),
        _ => Selection::Several(joined),
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_RANGES, PART_OVERHEAD, Selection, Span, select};
    use proptest::prelude::*;

    fn span(offset: u64, length: u64) -> Span {
        Span { offset, length }
    }

    #[test]
    fn single_ranges() {
        let check = |value: &str, size, expected| {
            assert_eq!(
                select(value.as_bytes(), size),
                expected,
                "{value} of {size}"
            );
        };
        check("bytes=0-0", 10, Selection::One(span(0, 1)));
        check("bytes=0-", 10, Selection::One(span(0, 10)));
        check("BYTES = 2-5 ", 10, Selection::One(span(2, 4)));
        check(
            "bytes=2-99999999999999999999999",
            10,
            Selection::One(span(2, 8)),
        );
        check("bytes=-3", 10, Selection::One(span(7, 3)));
        check("bytes=-30", 10, Selection::One(span(0, 10)));
        check("bytes=,,4-4,", 10, Selection::One(span(4, 1)));
        check("bytes=9-9,10-", 10, Selection::One(span(9, 1)));
        check("bytes=10-", 10, Selection::Unsatisfiable);
        check("bytes=-0", 10, Selection::Unsatisfiable);
        check("bytes=0-", 0, Selection::Unsatisfiable);
        check("bytes=-5", 0, Selection::Whole);
        check("bytes=99999999999999999999-", 10, Selection::Unsatisfiable);
        for nonsense in [
            "bytes=",
            "bytes=,",
            "bytes",
            "bytes=5-2",
            "bytes=a-",
            "bytes=1-b",
            "bytes=+1-2",
            "bytes=1",
            "bytes=--1",
            "bytes=0-1,x",
            "items=0-1",
            "bytes=0-0,5-2",
            "",
        ] {
            check(nonsense, 10, Selection::Whole);
        }
    }

    #[test]
    fn several_ranges() {
        let check = |value: &str, expected| {
            assert_eq!(select(value.as_bytes(), 10_000), expected, "{value}");
        };
        check(
            "bytes=0-9,5000-5009",
            Selection::Several(vec![span(0, 10), span(5000, 10)]),
        );
        check(
            "bytes=5000-5009,0-9",
            Selection::Several(vec![span(5000, 10), span(0, 10)]),
        );
        check("bytes=0-9,5-20", Selection::One(span(0, 21)));
        check("bytes=0-9,50-59", Selection::One(span(0, 60)));
        check(
            "bytes=9000-,0-9,5-20",
            Selection::Several(vec![span(0, 21), span(9000, 1000)]),
        );
        check(
            "bytes=0-5000,6000-",
            Selection::Several(vec![span(0, 5001), span(6000, 4000)]),
        );
        check("bytes=0-5000,5200-", Selection::Whole);
        let many = |count: usize| {
            let ranges: Vec<_> = (0..count).map(|i| format!("{0}-{0}", i * 200)).collect();
            select(format!("bytes={}", ranges.join(",")).as_bytes(), 1 << 20)
        };
        assert!(matches!(many(MAX_RANGES), Selection::Several(spans) if spans.len() == MAX_RANGES));
        assert_eq!(many(MAX_RANGES + 1), Selection::Whole);
    }

    proptest! {
        /// Whatever is asked: within the file, never touching, never more than the file.
        #[test]
        fn never_more_than_there_is(value in "bytes=([0-9]{0,3}-[0-9]{0,3},?){0,9}", size in 0..2000u64) {
            match select(value.as_bytes(), size) {
                Selection::Whole | Selection::Unsatisfiable => {}
                Selection::One(span) => {
                    prop_assert!(span.length > 0 && span.end() <= size);
                }
                Selection::Several(mut spans) => {
                    let total: u64 = spans.iter().map(|span| span.length).sum();
                    prop_assert!(total + PART_OVERHEAD * (spans.len() as u64) < size);
                    prop_assert!(spans.len() > 1);
                    spans.sort_unstable();
                    prop_assert!(spans.windows(2).all(|two| two[0].end() < two[1].offset));
                    prop_assert!(spans.iter().all(|span| span.length > 0 && span.end() <= size));
                }
            }
        }
    }
}
