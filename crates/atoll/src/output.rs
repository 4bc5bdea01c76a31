//! Lines on the standard output. A reader that has seen enough (`| head`) ends
//! the program quietly instead of by a panic.

use std::fmt::Arguments;
use std::io::{self, Write};

/// Writes one line.
pub fn line(text: Arguments<'_>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_fmt(text)?;
    out.write_all(b"\n")?;
    out.flush()
}

/// Whether an error is only that nobody reads any more.
pub fn nobody_reads(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}
