//! Parts of any bytes: opened, read whole and checked, to an end.

#![no_main]

use libfuzzer_sys::fuzz_target;
use metrics::eval::{Select, Texts, TimeRange};
use metrics::part::Part;
use std::path::Path;
use store::fs::{FileSystem, Open, SimulatedFileSystem};

const ALWAYS: TimeRange = TimeRange {
    start: i64::MIN,
    end: i64::MAX,
};

fuzz_target!(|input: &[u8]| {
    let fs = SimulatedFileSystem::new();
    let path = Path::new("part");
    let file = fs.open(path, Open::CreateNew).expect("the disk takes it");
    file.write_all_at(input, 0).expect("the disk takes it");
    let Ok(part) = Part::open(&fs, path) else {
        return;
    };
    let mut names = Texts::all();
    let _ = part.label_names(&[], ALWAYS, &mut names);
    if let Ok(mut series) = part.select(&[], ALWAYS) {
        while let Ok(true) = series.advance() {
            let _ = series.samples();
        }
    }
    let _ = part.verify(&mut |_| true);
});
