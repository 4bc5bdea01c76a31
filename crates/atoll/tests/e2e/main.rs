//! The binary as a user runs it: real processes, real folders, real sockets.
//!
//! Run by `cargo xtask test` on the release build; what single parts do is
//! tested beside their code.

use std::process::Command;

#[test]
fn help_succeeds() {
    let output = Command::new(env!("CARGO_BIN_EXE_atoll"))
        .arg("--help")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}
