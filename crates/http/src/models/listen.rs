//! Listeners, and taking connections from them.
//!
//! A connection is given to its protocol before any loop knows of it: most often its
//! first request is there already, and one that is answered and ended at once is
//! never waited for.

use rustix::net::sockopt::set_socket_reuseport;
use rustix::net::{
    AddressFamily, SocketFlags, SocketType, acceptfrom_with, bind, listen, socket_with, sockopt,
};
use socket2::SockRef;
use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tokio::io::Interest;
use tokio::net::TcpStream as AsyncStream;

/// Connections that wait in the kernel for each listener; it takes the smaller one
/// of this and `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// Connections that are accepted before those that are there get their turn: a crowd
/// that comes at once must not push everybody else behind itself. It is less than the
/// tasks that the loop runs before it looks at its sockets again (61), so that a crowd
/// is served as fast as it is let in.
const ACCEPTED_AT_ONCE: u32 = 32;

/// Bytes that a connection has in the kernel and that its client has no room for. What
/// is written to a client that reads fast is on its way at once, and is not counted.
/// One that reads slowly would otherwise hold megabytes, thousands of which use up the
/// memory that all connections share (`net.ipv4.tcp_mem`), and would wake its loop for
/// every few kilobytes that it takes; with this the loop hears of it when half is gone.
const UNSENT_BYTES: u32 = 128 * 1024;

/// How long nothing is accepted when descriptors or memory are short: that passes
/// when a connection ends, and must not spin until then.
const SHORTAGE: Duration = Duration::from_millis(50);

/// How often a shortage that lasts is told.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// `count` listeners of one address, over which the kernel spreads connections
/// (`SO_REUSEPORT`). With port 0 all of them have the port that the first got.
///
/// Each belongs to a queue in the kernel, and closing one resets the connections in
/// its queue; whoever replaces workers keeps the listeners open.
///
/// # Errors
/// The address is not of this machine, is taken, or may not be used.
pub fn listeners(address: SocketAddr, count: usize) -> io::Result<Vec<TcpListener>> {
    if address.port() != 0 {
        // Listeners that share a port would share it with another server of the same
        // user as well; one that does not share finds out.
        drop(TcpListener::bind(address)?);
    }
    more_listeners(address, count)
}

/// The same, beside those that this server has at the address already.
pub(super) fn more_listeners(
    mut address: SocketAddr,
    count: usize,
) -> io::Result<Vec<TcpListener>> {
    let mut bound = Vec::with_capacity(count);
    for _ in 0..count {
        let socket = open(address, SocketType::STREAM)?;
        // A port whose last connections are still fading may be used again.
        sockopt::set_socket_reuseaddr(&socket, true)?;
        bind(&socket, &address)?;
        listen(&socket, BACKLOG)?;
        let listener = TcpListener::from(socket);
        address = listener.local_addr()?;
        bound.push(listener);
    }
    Ok(bound)
}

/// The same for datagrams: each client's go to one of them.
///
/// # Errors
/// As [`listeners`].
pub fn datagram_sockets(mut address: SocketAddr, count: usize) -> io::Result<Vec<UdpSocket>> {
    if address.port() != 0 {
        // As above.
        drop(UdpSocket::bind(address)?);
    }
    let mut bound = Vec::with_capacity(count);
    for _ in 0..count {
        let socket = open(address, SocketType::DGRAM)?;
        bind(&socket, &address)?;
        let socket = UdpSocket::from(socket);
        address = socket.local_addr()?;
        bound.push(socket);
    }
    Ok(bound)
}

fn open(address: SocketAddr, kind: SocketType) -> io::Result<OwnedFd> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let socket = socket_with(family, kind, SocketFlags::CLOEXEC, None)?;
    set_socket_reuseport(&socket, true)?;
    Ok(socket)
}

/// A listener that the loop waits for. `tokio` has listeners of its own, but what
/// they accept is registered with the loop already. To its streams, as to the
/// kernel, a listener is a socket like others.
#[derive(Debug)]
pub(super) struct Waiting {
    socket: AsyncStream,
    /// How many were accepted since others had a turn.
    in_a_row: Cell<u32>,
    complaint: Complaint,
}

/// For the loop that runs now.
pub(super) fn register(listener: TcpListener) -> io::Result<Waiting> {
    listener.set_nonblocking(true)?;
    // Answers are written whole; waiting for more would only delay them. What is
    // accepted has this from its listener.
    sockopt::set_tcp_nodelay(&listener, true)?;
    SockRef::from(&listener).set_tcp_notsent_lowat(UNSENT_BYTES)?;
    Ok(Waiting {
        socket: AsyncStream::from_std(TcpStream::from(OwnedFd::from(listener)))?,
        in_a_row: Cell::new(0),
        complaint: Complaint::default(),
    })
}

impl Waiting {
    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        if self.in_a_row.get() == ACCEPTED_AT_ONCE {
            self.in_a_row.set(0);
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        loop {
            ready!(self.socket.poll_read_ready(context))?;
            let attempt = || accept_now(&self.socket);
            match self.socket.try_io(Interest::READABLE, attempt) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.in_a_row.set(0),
                accepted => {
                    self.in_a_row.set(self.in_a_row.get() + 1);
                    return Poll::Ready(accepted);
                }
            }
        }
    }
}

/// What is said of connections that cannot be accepted.
#[derive(Debug, Default)]
struct Complaint {
    told: Cell<Option<Instant>>,
}

impl Complaint {
    /// Waits until others may be accepted. A client that left before it was accepted
    /// costs nothing.
    async fn pause_for(&self, error: &io::Error) {
        if is_about_one(error) {
            return;
        }
        let now = Instant::now();
        let told = self.told.get();
        if told.is_none_or(|told| now - told >= TOLD_EVERY) {
            self.told.set(Some(now));
            tracing::warn!("connections cannot be accepted now: {error}");
        }
        tokio::time::sleep(SHORTAGE).await;
    }
}

/// Listeners that one loop accepts from: an address has one or more of them, and a
/// server one or more addresses.
#[derive(Debug)]
pub(super) struct Acceptor {
    listeners: Vec<Waiting>,
    /// Which is asked first, so that a busy one leaves the others their turn.
    first: Cell<usize>,
    complaint: Complaint,
}

impl Acceptor {
    /// For the loop that runs now.
    pub(super) fn new(listeners: impl IntoIterator<Item = TcpListener>) -> io::Result<Self> {
        let listeners = listeners.into_iter().map(register);
        Ok(Self {
            listeners: listeners.collect::<io::Result<_>>()?,
            first: Cell::new(0),
            complaint: Complaint::default(),
        })
    }

    /// The next connection, which does not block and which no loop knows yet; what
    /// went wrong with others is passed over. Only one task may wait for it.
    pub(super) async fn accept(&self) -> (TcpStream, SocketAddr) {
        loop {
            match poll_fn(|context| self.poll(context)).await {
                Ok(accepted) => return accepted,
                Err(error) => self.complaint.pause_for(&error).await,
            }
        }
    }

    fn poll(&self, context: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let count = self.listeners.len();
        for step in 0..count {
            let index = (self.first.get() + step) % count;
            if let Poll::Ready(accepted) = self.listeners[index].poll_accept(context) {
                self.first.set((index + 1) % count);
                return Poll::Ready(accepted);
            }
        }
        Poll::Pending
    }

    /// As [`accept_waiting`], from all of them.
    pub(super) fn accept_waiting(&self, mut take: impl FnMut(TcpStream, SocketAddr)) {
        for listener in &self.listeners {
            accept_waiting(&listener.socket, &mut take);
        }
    }
}

/// The next connection of one listener, as [`Acceptor::accept`].
pub(super) async fn accept(listener: &Waiting) -> (TcpStream, SocketAddr) {
    loop {
        match poll_fn(|context| listener.poll_accept(context)).await {
            Ok(accepted) => return accepted,
            Err(error) => listener.complaint.pause_for(&error).await,
        }
    }
}

/// Whether others can be accepted all the same.
fn is_about_one(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

/// Takes what waits already: a listener that is closed resets it. The loop is not
/// asked, since it may not have heard of the last ones yet.
pub(super) fn accept_waiting(listener: impl AsFd, mut take: impl FnMut(TcpStream, SocketAddr)) {
    loop {
        match accept_now(&listener) {
            Ok((stream, peer)) => take(stream, peer),
            Err(error) if is_about_one(&error) => {}
            Err(_) => return,
        }
    }
}

fn accept_now(listener: impl AsFd) -> io::Result<(TcpStream, SocketAddr)> {
    let (socket, peer) = acceptfrom_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)?;
    let peer = peer.and_then(|peer| SocketAddr::try_from(peer).ok());
    // One that is gone already is none.
    let peer = peer.ok_or(io::ErrorKind::ConnectionAborted)?;
    Ok((TcpStream::from(socket), peer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn they_share_a_port_with_each_other_and_nobody_else() {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let own = listeners(any, 3).unwrap();
        let addresses: HashSet<_> = own.iter().map(|one| one.local_addr().unwrap()).collect();
        assert_eq!(addresses.len(), 1);
        let taken = own[0].local_addr().unwrap();
        let refused = listeners(taken, 1).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AddrInUse);
        assert_eq!(
            more_listeners(taken, 1).unwrap()[0].local_addr().unwrap(),
            taken
        );

        let own = datagram_sockets(any, 2).unwrap();
        let refused = datagram_sockets(own[0].local_addr().unwrap(), 1).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AddrInUse);
    }
}
