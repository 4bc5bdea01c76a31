//! Socket calls that `tokio` does not offer: writing with more to come, sending a
//! file, looking without reading, and shutting down one direction.

use rustix::net::{RecvFlags, SendFlags, Shutdown};
use std::fs::File;
use std::io;
use tokio::io::Interest;
use tokio::net::TcpStream;

/// Bytes of a file sent in one call: a fast client must not hold the loop.
const SEND_FILE_BYTES: u64 = 1 << 20;

/// Writes what fits; `more` says that something follows at once, so that the
/// kernel does not send a small segment of its own for the head of a file.
pub(super) fn send(stream: &TcpStream, bytes: &[u8], more: bool) -> io::Result<usize> {
    let mut flags = SendFlags::NOSIGNAL;
    if more {
        flags |= SendFlags::MORE;
    }
    stream.try_io(Interest::WRITABLE, || {
        Ok(rustix::net::send(stream, bytes, flags)?)
    })
}

/// Sends up to `length` bytes of `file` from `offset`; 0 when the file ends there.
pub(super) fn send_file(
    stream: &TcpStream,
    file: &File,
    mut offset: u64,
    length: u64,
) -> io::Result<u64> {
    let length = length.min(SEND_FILE_BYTES) as usize;
    stream.try_io(Interest::WRITABLE, || {
        let sent = rustix::fs::sendfile(stream, file, Some(&mut offset), length)?;
        Ok(sent as u64)
    })
}

/// Whether anything was received that nobody has read. The kernel is asked, since
/// the loop may not have heard of it yet.
pub(super) fn has_unread(stream: &TcpStream) -> bool {
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    let seen = rustix::net::recv(stream, &mut [0; 1][..], flags);
    seen.is_ok_and(|(length, _)| length > 0)
}

/// Lets the client see the end, while its last bytes are still read.
pub(super) fn shut_down_writing(stream: &TcpStream) {
    // An error means that the connection is gone already.
    let _ = rustix::net::shutdown(stream, Shutdown::Write);
}

/// Makes whoever reads see the end.
pub(super) fn shut_down_reading(stream: &TcpStream) {
    // As above.
    let _ = rustix::net::shutdown(stream, Shutdown::Read);
}
