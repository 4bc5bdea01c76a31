//! Connections whose client speaks first are given to a server once it has spoken.
//!
//! What a loop would do before that, it would do for nothing: look whether a request is
//! there, wait for it, and stop waiting when the connection ends, which often has no
//! other request. Setting the option is all that this file does.

#![allow(unsafe_code, reason = "no library has a safe form of the option")]

use std::io;
use std::net::TcpListener;
use std::os::fd::AsRawFd;

/// When the kernel asks a client that has said nothing once more; it is accepted when it
/// answers that. Until then it has no place, no timeout and no line in a log of ours, and
/// the queue of the listener bounds it. The least that there is.
const PATIENCE_SECONDS: libc::c_int = 1;

/// Lets `listener` accept a connection when its first bytes have come, or its client says
/// nothing for a second or little more (`TCP_DEFER_ACCEPT`, tcp(7)). Under a flood of
/// connections (`SYN` cookies) it is as if the option were not set.
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
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use std::io::Write;
    use std::net::TcpStream;
    use std::time::{Duration, Instant};

    #[test]
    fn a_connection_is_accepted_when_its_client_speaks() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        accept_with_data(&listener).unwrap();
        listener.set_nonblocking(true).unwrap();
        let begun = Instant::now();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let early = listener.accept();
        // On a machine that stands still meanwhile, its second may be over.
        if begun.elapsed() < Duration::from_secs(1) {
            assert_eq!(early.unwrap_err().kind(), io::ErrorKind::WouldBlock);
        }
        client.write_all(b"first").unwrap();
        let patience = Timespec {
            tv_sec: 30,
            tv_nsec: 0,
        };
        let mut waits = [PollFd::new(&listener, PollFlags::IN)];
        assert_eq!(poll(&mut waits, Some(&patience)).unwrap(), 1);
        let (_, accepted) = listener.accept().unwrap();
        assert_eq!(accepted, client.local_addr().unwrap());
    }
}
