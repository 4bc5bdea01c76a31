//! Commands, commits, outcomes and versions: any bytes are refused or understood,
//! and what is understood is encoded to bytes that mean the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use state::{Command, Commit, Version, decode_outcomes, encode_outcomes};

fuzz_target!(|input: &[u8]| {
    let Some((&kind, bytes)) = input.split_first() else {
        return;
    };
    match kind % 4 {
        0 => {
            if let Ok(command) = Command::decode(bytes) {
                let encoded = command
                    .encode()
                    .expect("what was decoded is within the limits");
                assert_eq!(Command::decode(&encoded).as_ref(), Ok(&command));
            }
        }
        1 => {
            if let Ok(commit) = Commit::decode(bytes) {
                assert_eq!(Commit::decode(&commit.encode()).as_ref(), Ok(&commit));
            }
        }
        2 => {
            if let Ok(version) = Version::decode(bytes) {
                assert_eq!(Version::decode(&version.encode()).as_ref(), Ok(&version));
            }
        }
        _ => {
            if let Ok(outcomes) = decode_outcomes(bytes) {
                let encoded = encode_outcomes(&outcomes);
                assert_eq!(decode_outcomes(&encoded).as_ref(), Ok(&outcomes));
            }
        }
    }
});
