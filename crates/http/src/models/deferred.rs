//! Connections whose client speaks first are given to a server once it has spoken.
//!
//! What a loop would do before that, it would do for nothing: look whether a request is
//! there, wait for it, and stop waiting when the connection ends, which often has no
//! other request. The kernel has no safe form of the option, and this is all that the
//! file does.

#![allow(unsafe_code, reason = "no library has this option of a socket")]

use std::io;
use std::net::TcpListener;
use std::os::fd::AsRawFd;

/// A client that has said nothing for so long is accepted all the same, and then what
/// bounds silent clients holds for it too. The least that the kernel knows.
const PATIENCE_SECONDS: libc::c_int = 1;

/// Lets `listener` accept a connection when its first bytes have come (tcp(7),
/// `TCP_DEFER_ACCEPT`), or a second after it was made.
///
/// # Errors
/// The operating system's.
pub fn accept_with_data(listener: &TcpListener) -> io::Result<()> {
    let seconds = PATIENCE_SECONDS;
    // SAFETY: the kernel reads `size_of_val(&seconds)` bytes from `seconds`, which lives
    // until it has; the descriptor is open as long as `listener` is borrowed.
    let result = unsafe {
        libc::setsockopt(
            listener.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_DEFER_ACCEPT,
            (&raw const seconds).cast(),
            size_of_val(&seconds) as libc::socklen_t,
        )
    };
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::TcpStream;

    #[test]
    fn a_connection_is_accepted_when_its_client_speaks() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        accept_with_data(&listener).unwrap();
        let address = listener.local_addr().unwrap();
        let silent = TcpStream::connect(address).unwrap();
        let mut other = TcpStream::connect(address).unwrap();
        other.write_all(b"first").unwrap();
        let (_, first) = listener.accept().unwrap();
        assert_eq!(first, other.local_addr().unwrap());
        // And the silent one after all.
        let (_, second) = listener.accept().unwrap();
        assert_eq!(second, silent.local_addr().unwrap());
    }
}
