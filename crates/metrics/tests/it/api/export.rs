//! Exports come back as they were, in pieces of a bounded size.

use super::source;
use crate::evaluation::memory::Memory;
use metrics::api::{Selectors, export};
use metrics::eval::{Labels, TimeRange};
use metrics::ingest::{Batch, Plain, jsonl};
use std::ops::ControlFlow;

const ALWAYS: TimeRange = TimeRange {
    start: i64::MIN,
    end: i64::MAX,
};

fn lines(memory: &Memory, selectors: &[&str], range: TimeRange) -> String {
    let selectors = Selectors::parse(selectors.iter().copied()).unwrap();
    let mut text = Vec::new();
    let flow = export(memory, &selectors, range, |chunk| {
        text.extend_from_slice(chunk);
        ControlFlow::Continue(())
    });
    assert!(flow.unwrap().is_continue());
    String::from_utf8(text).unwrap()
}

#[test]
fn what_is_exported() {
    let check = |selectors: &[&str], (start, end), expected: &str| {
        let text = lines(&source(), selectors, TimeRange { start, end });
        assert_eq!(text, expected, "{selectors:?}");
    };
    let load = "{\"metric\":{\"__name__\":\"load\",\"job\":\"a\"},\"values\":[0.5,0.75],\"timestamps\":[120000,180000]}\n";
    let up = "{\"metric\":{\"__name__\":\"up\",\"job\":\"a\"},\"values\":[1,1],\"timestamps\":[120000,180000]}\n";
    check(&["load"], (61_000, 180_000), load);
    check(
        &["up{job='a'}", "{job='a'}"],
        (120_000, 239_999),
        &format!("{load}{up}"),
    );
    check(&["load"], (700_000, 800_000), "");
    check(&["load"], (180_000, 120_000), "");
    assert_eq!(lines(&source(), &[], ALWAYS).lines().count(), 4);
}

/// Three series of 5,000 samples, which are more than a line and more than a chunk.
fn long() -> Memory {
    let mut memory = Memory::default();
    for number in 0..3 {
        let labels = Labels::new([("__name__", "m"), ("n", &number.to_string())]);
        for time in 0..5_000 {
            memory.insert(&labels, time, (time as f64).sqrt());
        }
    }
    memory
}

#[test]
fn chunks_are_whole_lines_and_come_back() {
    let (memory, selectors) = (long(), Selectors::default());
    let (mut series, mut batch) = (Plain::default(), Batch::default());
    let mut chunks = 0;
    let flow = export(&memory, &selectors, ALWAYS, |chunk| {
        assert!(chunk.len() < 200 * 1024);
        assert_eq!(chunk.last(), Some(&b'\n'));
        jsonl::parse(chunk, &mut series, &mut batch);
        chunks += 1;
        ControlFlow::Continue(())
    });
    assert!(flow.unwrap().is_continue());
    assert!(chunks > 3, "{chunks}");
    assert_eq!((series.len(), batch.refused()), (3, 0));
    for (index, point) in batch.points.iter().enumerate() {
        assert_eq!(point.series, index / 5_000);
        assert_eq!(point.sample.time, (index % 5_000) as i64);
        assert_eq!(point.sample.value, (point.sample.time as f64).sqrt());
    }
    assert_eq!(batch.points.len(), 15_000);
}

#[test]
fn whoever_has_enough_may_say_so() {
    for most in 1..4 {
        let mut chunks = 0;
        let flow = export(&long(), &Selectors::default(), ALWAYS, |_| {
            chunks += 1;
            match chunks == most {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        assert!(flow.unwrap().is_break());
        assert_eq!(chunks, most);
    }
}
