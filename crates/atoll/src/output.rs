//! Lines on the standard output, and how a command ends. A reader that has seen enough
//! (`| head`) ends the program quietly instead of by a panic.

use std::fmt::{self, Arguments, Display};
use std::io::{self, Write};
use std::process::ExitCode;
use sync::printable::printable;

/// What was asked for cannot be done, whatever else is there: the command was called
/// wrongly, in a way that its arguments alone do not tell.
#[derive(Debug)]
pub struct WrongUsage(pub String);

impl Display for WrongUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for WrongUsage {}

/// What was found was being told when nobody read any more: there is something to find.
#[derive(Debug)]
pub struct FoundUnread;

impl Display for FoundUnread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nobody reads what was found")
    }
}

impl std::error::Error for FoundUnread {}

/// What a wrong command line exits with.
const WRONG_USAGE: u8 = 2;

/// What a command that failed exits with.
pub fn exit_code(error: &anyhow::Error) -> ExitCode {
    if error.is::<WrongUsage>() {
        ExitCode::from(WRONG_USAGE)
    } else {
        ExitCode::FAILURE
    }
}

/// How a command ends whose reader has seen enough.
pub fn unread_code(error: &anyhow::Error) -> ExitCode {
    if error.is::<FoundUnread>() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

/// Writes one line to the standard error output. Where that is gone, or its disk full,
/// there is nobody left to tell.
pub fn complain(text: Arguments<'_>) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Writes one line, with nothing in it that would steer a terminal.
pub fn line(text: Arguments<'_>) -> io::Result<()> {
    painted(&printable(&text.to_string()))
}

/// Writes one line with colours in it: all else in it is printable already.
pub fn painted(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.write_all(b"\n"))
        .and_then(|()| out.flush())
        .map_err(|error| {
            let told = format!("cannot write to the standard output: {error}");
            io::Error::new(error.kind(), told)
        })
}

/// The whole chain of causes on one line, `a: b: c`, without those that were
/// said by the one before.
pub fn told(error: &anyhow::Error) -> String {
    let mut told = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if told.contains(&cause) {
            continue;
        }
        if !told.is_empty() {
            told.push_str(": ");
        }
        told.push_str(&cause);
    }
    printable(&told).into_owned()
}

/// Whether an error is only that nobody reads any more.
pub fn nobody_reads(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::{Context, anyhow};

    #[test]
    fn causes_are_told_once() {
        let error = Err::<(), _>(anyhow!("no room"))
            .context("cannot write x: no room")
            .context("cannot sync\x1b");
        assert_eq!(
            told(&error.unwrap_err()),
            "cannot sync\\u001b: cannot write x: no room"
        );
    }
}
