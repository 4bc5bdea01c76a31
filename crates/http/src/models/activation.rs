//! What a service manager gives a program, and is told by it: listeners that it
//! opened (`LISTEN_FDS`, `sd_listen_fds(3)`), and how the program is
//! (`NOTIFY_SOCKET`, `sd_notify(3)`).
//!
//! Both are a few words in the environment and on a socket; without them nothing
//! happens. What the listeners are used for is in `inherit`.

use rustix::net::{SocketType, sockopt};
use rustix::process::{
    ForeignRawFd, Pid, PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open,
};
use rustix::time::{ClockId, clock_gettime};
use std::env::{var, var_os};
use std::ffi::OsStr;
use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The first descriptor that is given (`SD_LISTEN_FDS_START`).
const FIRST: ForeignRawFd = 3;

/// More than any service has; what is said beyond is a mistake.
const MOST: ForeignRawFd = 1024;

/// Whether this program, or the one that it takes over from, was given listeners:
/// those are used then, whatever a configuration says.
pub fn is_activated() -> bool {
    var_os("LISTEN_FDS").is_some_and(|count| !count.is_empty())
}

/// The listeners that a service manager gave this process, and no other.
///
/// They are copies: the service manager's own descriptors stay open beside them, as
/// they do in the service manager.
///
/// # Errors
/// Something is given that is no listener for TCP.
pub fn given_listeners() -> io::Result<Vec<TcpListener>> {
    let own = getpid();
    let number = |name| var(name).ok().and_then(|text| text.parse().ok());
    if number("LISTEN_PID") != Some(own.as_raw_nonzero().get()) {
        return Ok(Vec::new());
    }
    let count = number("LISTEN_FDS").unwrap_or(0).clamp(0, MOST);
    let names = var("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = names.split(':');
    (FIRST..FIRST + count)
        .map(|number| {
            let name = names.next().unwrap_or_default();
            given_listener(own, number).map_err(|error| unusable(number, name, &error))
        })
        .collect()
}

fn given_listener(own: Pid, number: ForeignRawFd) -> io::Result<TcpListener> {
    // A number alone is no proof that the descriptor is ours to own; the kernel
    // gives a copy that is.
    let process = pidfd_open(own, PidfdFlags::empty())?;
    let socket: OwnedFd = pidfd_getfd(process, number, PidfdGetfdFlags::empty())?;
    let streams = sockopt::socket_type(&socket) == Ok(SocketType::STREAM);
    let listens = sockopt::socket_acceptconn(&socket) == Ok(true);
    let listener = TcpListener::from(socket);
    // One of another family has no such address.
    let has_address = listener.local_addr().is_ok();
    match streams && listens && has_address {
        true => Ok(listener),
        false => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is no listening TCP socket; give it as ListenStream=ADDRESS:PORT",
        )),
    }
}

fn unusable(number: ForeignRawFd, name: &str, error: &io::Error) -> io::Error {
    let named = match name {
        "" => String::new(),
        name => format!(" ({name:?})"),
    };
    let text = format!("descriptor {number}{named} of LISTEN_FDS cannot be used: {error}");
    io::Error::new(error.kind(), text)
}

/// What a service manager is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// It serves, with the configuration that it has now.
    Ready,
    /// It reads its configuration anew.
    Reloading,
    /// It ends.
    Stopping,
    /// From now on another process is the service.
    MainProcess(u32),
}

/// Tells the service manager that started this program, if one did and wants to
/// know.
pub fn notify(notice: Notice) {
    let Some(path) = var_os("NOTIFY_SOCKET") else {
        return;
    };
    if let Err(error) = send(&path, notice.text().as_bytes()) {
        tracing::warn!("the service manager is not told {notice:?}: {error}");
    }
}

impl Notice {
    fn text(self) -> String {
        match self {
            Self::Ready => "READY=1".to_owned(),
            Self::Reloading => {
                // It tells this reload from one before (`Type=notify-reload`).
                let now = clock_gettime(ClockId::Monotonic);
                let micros = now.tv_sec as u64 * 1_000_000 + now.tv_nsec as u64 / 1000;
                format!("RELOADING=1\nMONOTONIC_USEC={micros}")
            }
            Self::Stopping => "STOPPING=1".to_owned(),
            Self::MainProcess(pid) => format!("MAINPID={pid}"),
        }
    }
}

fn send(path: &OsStr, text: &[u8]) -> io::Result<()> {
    let address = match path.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        path => SocketAddr::from_pathname(OsStr::from_bytes(path))?,
    };
    let socket = UnixDatagram::unbound()?;
    // A service manager that does not read must not hold its service.
    socket.set_nonblocking(true)?;
    socket.send_to_addr(text, &address)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_are_told_by_path_and_by_abstract_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let name = format!("httpd-notify-{}", std::process::id());
        let abstract_name = SocketAddr::from_abstract_name(&name).unwrap();
        for (socket, told) in [
            (UnixDatagram::bind(&path).unwrap(), path.into_os_string()),
            (
                UnixDatagram::bind_addr(&abstract_name).unwrap(),
                format!("@{name}").into(),
            ),
        ] {
            for (notice, expected) in [
                (Notice::Ready, "READY=1"),
                (Notice::Reloading, "RELOADING=1\nMONOTONIC_USEC="),
                (Notice::Stopping, "STOPPING=1"),
                (Notice::MainProcess(7), "MAINPID=7"),
            ] {
                send(&told, notice.text().as_bytes()).unwrap();
                let mut text = [0; 100];
                let length = socket.recv(&mut text).unwrap();
                let text = std::str::from_utf8(&text[..length]).unwrap();
                assert!(text.starts_with(expected), "{text}");
            }
        }
        assert!(send(OsStr::new("/nowhere/at/all"), b"x").is_err());
    }

    #[test]
    fn what_is_no_listener_is_named() {
        let error = given_listener(getpid(), 1_000_000).unwrap_err();
        let text = unusable(5, "web", &error).to_string();
        assert!(text.starts_with("descriptor 5 (\"web\") of"), "{text}");
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let number = std::os::fd::AsRawFd::as_raw_fd(&socket);
        let error = given_listener(getpid(), number).unwrap_err();
        assert!(error.to_string().contains("ListenStream"), "{error}");
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let number = std::os::fd::AsRawFd::as_raw_fd(&socket);
        let copy = given_listener(getpid(), number).unwrap();
        assert_eq!(copy.local_addr().unwrap(), socket.local_addr().unwrap());
    }
}
