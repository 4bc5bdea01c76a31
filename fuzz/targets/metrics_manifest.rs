//! Lists of parts: any text is read to an end, and one whose checksum is right says, once it
//! is written anew, what it said.

#![no_main]

use libfuzzer_sys::fuzz_target;
use metrics::database::rewrite_manifest;

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let _ = rewrite_manifest(text);
    let Ok(written) = rewrite_manifest(&sealed(text)) else {
        return;
    };
    let again = rewrite_manifest(&written).expect("what was written is read");
    assert_eq!(again, written);
});

/// These lines as those of a list.
fn sealed(lines: &str) -> String {
    let body = format!("atoll-metrics 1\n{lines}\n");
    let checksum = crc32c::crc32c(body.as_bytes());
    format!("{body}checksum {checksum:08x}\n")
}
