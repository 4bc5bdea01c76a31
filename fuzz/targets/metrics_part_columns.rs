//! Parts whose checksums are right and whose blocks hold anything: columns of times and
//! values, rows and postings.

#![no_main]

use libfuzzer_sys::fuzz_target;
use metrics::eval::{Select, Texts, TimeRange};
use metrics::part::Part;
use metrics::promql::{LabelMatcher, MatchOperator};
use std::path::Path;
use store::fs::{FileSystem, Open, SimulatedFileSystem};

const ALWAYS: TimeRange = TimeRange {
    start: i64::MIN,
    end: i64::MAX,
};

/// A part of one series.
struct Forged(Vec<u8>);

impl Forged {
    fn new() -> Self {
        let mut header = b"ATOLLPRT\x01\0\0\0".to_vec();
        seal(&mut header);
        Self(header)
    }

    /// Adds a block; gives its offset.
    fn block(&mut self, kind: u32, packed: &[u8], plain: &[u8]) -> u64 {
        let offset = self.0.len() as u64;
        let compressed = stored(packed);
        let mut block = kind.to_le_bytes().to_vec();
        for length in [compressed.len(), packed.len(), plain.len()] {
            block.extend((length as u32).to_le_bytes());
        }
        block.extend(compressed);
        block.extend(plain);
        let crc = crc32c::crc32c_append(crc32c::crc32c(&offset.to_le_bytes()), &block);
        self.0.extend(crc.to_le_bytes());
        self.0.extend(block);
        offset
    }

    fn footer(&mut self, index: u64) {
        let length = self.0.len() as u64 + 56;
        let (start, end) = (i64::MIN as u64, i64::MAX as u64);
        let mut footer = Vec::new();
        for field in [index, 1, 1, start, end, length, 0] {
            footer.extend(u64::to_le_bytes(field));
        }
        footer.truncate(52);
        seal(&mut footer);
        self.0.extend(footer);
    }
}

fn seal(bytes: &mut Vec<u8>) {
    let crc = crc32c::crc32c(bytes);
    bytes.extend(crc.to_le_bytes());
}

/// A frame of zstd that compresses nothing (RFC 8878, section 3.1.1).
fn stored(bytes: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0xa0];
    frame.extend((bytes.len() as u32).to_le_bytes());
    let header = (bytes.len() as u32) << 3 | 1;
    frame.extend(&header.to_le_bytes()[..3]);
    frame.extend(bytes);
    frame
}

fn number(bytes: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// A row whose values, and times if `is_column`, are all of the input.
fn row(length: usize, samples: usize, is_pco: bool, is_column: bool) -> Vec<u8> {
    let mut row = b"\0\x04a\xffb\xff\x01".to_vec();
    let place = |row: &mut Vec<u8>, page: u8| {
        number(row, length << 2 | usize::from(is_pco) << 1 | 1);
        row.extend([page, 0]);
    };
    row.push(u8::from(is_column));
    number(&mut row, samples);
    row.push(0);
    number(&mut row, samples - 1);
    if is_column {
        place(&mut row, 2 * 16);
        place(&mut row, 0);
    } else {
        place(&mut row, 2 * 16);
    }
    row
}

fuzz_target!(|input: &[u8]| {
    let Some((&[mode, low, high], bytes)) = input.split_first_chunk::<3>() else {
        return;
    };
    // Longer ones may tell of very many samples, and a block of zstd is at most 128 KiB.
    if bytes.len() > 8 << 10 {
        return;
    }
    let samples = usize::from(u16::from_le_bytes([low, high])) % 8192 + 1;
    let is_pco = mode & 1 != 0;
    let mut forged = Forged::new();
    if is_pco {
        forged.block(1, &[], bytes);
    } else {
        forged.block(1, bytes, &[]);
    }
    let rows = match mode & 2 {
        0 => row(bytes.len().max(1), samples, is_pco, mode & 4 != 0),
        _ => bytes.to_vec(),
    };
    let series = forged.block(2, &rows, &[]);
    let entries: &[u8] = match mode & 8 {
        0 => b"\0\x04a\xffb\xff\x02\0\0",
        _ => bytes,
    };
    let postings = forged.block(3, entries, &[]);
    let mut index = vec![1];
    number(&mut index, series as usize);
    index.extend([1, 1]);
    number(&mut index, postings as usize);
    index.extend(b"\0\x04a\xffb\xff");
    let index = match mode & 16 {
        0 => index,
        _ => bytes.to_vec(),
    };
    let index = forged.block(4, &index, &[]);
    forged.footer(index);

    let fs = SimulatedFileSystem::new();
    let path = Path::new("part");
    let file = fs.open(path, Open::CreateNew).expect("the disk takes it");
    file.write_all_at(&forged.0, 0).expect("the disk takes it");
    let opened = Part::open(&fs, path);
    if mode & 16 == 0 {
        assert!(opened.is_ok(), "the index is right");
    }
    let Ok(part) = opened else { return };
    let is_b = LabelMatcher::new("a", MatchOperator::Equal, "b").expect("no pattern");
    for matchers in [&[][..], &[is_b]] {
        let Ok(mut series) = part.select(matchers, ALWAYS) else {
            continue;
        };
        while let Ok(true) = series.advance() {
            let _ = series.samples();
        }
    }
    let mut found = Texts::all();
    let _ = part.label_names(&[], ALWAYS, &mut found);
    let _ = part.label_values("a", &[], ALWAYS, &mut found);
    let _ = part.verify(&mut |_| true);
});
