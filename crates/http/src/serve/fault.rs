//! Files that cannot be sent to their end: what was announced cannot be kept, so the
//! connection breaks, and only the log can say whose fault that is.

use crate::files::FileRange;
use std::io::{Error, ErrorKind};
use std::os::fd::AsRawFd;

/// Tells the log that `range` cannot be sent for `error`, if that is its file's and not
/// the client's.
pub(super) fn tell(range: &FileRange, error: &Error) {
    if let Some(fault) = fault(range, error) {
        tracing::error!("{fault}");
    }
}

/// What is wrong with the file of `range`, if `error` is its.
fn fault(range: &FileRange, error: &Error) -> Option<String> {
    if is_of_client(error.kind()) {
        return None;
    }
    // Where it lies now; a file that was removed meanwhile is said to be.
    let link = format!("/proc/self/fd/{}", range.file.as_raw_fd());
    let path = std::fs::read_link(link).unwrap_or_default();
    let (offset, length) = (range.span.offset, range.span.length);
    let reason = match error.kind() {
        ErrorKind::UnexpectedEof => "it ends before that".to_owned(),
        _ => error.to_string(),
    };
    Some(format!(
        "cannot send {length} bytes of {path:?} from byte {offset} on: {reason}"
    ))
}

/// Whether `kind` says that a socket, or what encrypts it, goes no further.
fn is_of_client(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::WouldBlock
            | ErrorKind::Interrupted
            | ErrorKind::BrokenPipe
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::NotConnected
            | ErrorKind::TimedOut
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::NetworkDown
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::Span;
    use std::sync::Arc;

    #[test]
    fn only_the_faults_of_files_are_told() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let range = FileRange {
            file: Arc::new(file.reopen().unwrap()),
            span: Span {
                offset: 7,
                length: 9,
            },
            tally: None,
        };
        let check = |error: Error, reason: Option<&str>| {
            let told = fault(&range, &error);
            let whole = |reason| {
                let path = file.path();
                format!("cannot send 9 bytes of {path:?} from byte 7 on: {reason}")
            };
            assert_eq!(told, reason.map(whole), "{error}");
        };
        let eio = Error::from_raw_os_error(5);
        check(eio, Some("Input/output error (os error 5)"));
        check(ErrorKind::UnexpectedEof.into(), Some("it ends before that"));
        for kind in [
            ErrorKind::WouldBlock,
            ErrorKind::BrokenPipe,
            ErrorKind::ConnectionReset,
            ErrorKind::TimedOut,
        ] {
            check(kind.into(), None);
        }
    }
}
