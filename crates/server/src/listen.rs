//! The listener: one current-thread runtime per core, each accepting from the
//! same socket and running the router through hyper's HTTP/1.1.
//!
//! This is the only file that knows hyper; the router is a `tower` service and
//! does not know what carries it.

use crate::descriptors::connections;
use crate::stall::Stall;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A client gets this long to send a request's head, waiting between requests
/// included: longer than clients keep idle connections (15 s), so that none is
/// closed under a request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);

/// Longest head of a request, and what is read of a body at once: 512 versions
/// in a query take some 20 KiB.
const BUFFER_BYTES: usize = 128 * 1024;

/// A client may leave what is written to it unread this long: the same as an
/// answer may wait for it inside the node.
const UNREAD_TIMEOUT: Duration = Duration::from_secs(60);

/// Running requests get this long when the node is asked to stop.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Connections held at once, where the process may have so many files open; each
/// costs a socket and some 20 KiB of buffers.
const CONNECTIONS: usize = 4096;

/// Of those, what one address may hold before anyone has signed in: many clients
/// behind one router, but never all connections. Loopback is exempt, for a
/// reverse proxy on this machine speaks for everyone.
const CONNECTIONS_PER_ADDRESS: usize = 512;

/// What a connection beyond these is told, before a byte of it is read.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n\
    Content-Length: 0\r\nConnection: close\r\n\r\n";

/// Pause after `accept` failed for want of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Why the node cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Other machines could read the traffic.
    #[error(
        "{0} is reachable from other machines and the connection is not encrypted: \
         add --plain if the network is trusted, or stay on this machine with \
         --listen 127.0.0.1:{port}", port = .0.port()
    )]
    NotLoopback(SocketAddr),
    /// Another program has the port.
    #[error(
        "port {} of {} is taken by another program: choose another port with --listen, or take \
         a free one with --listen {}", .0.port(), .0.ip(), SocketAddr::new(.0.ip(), 0)
    )]
    Taken(SocketAddr),
    /// No interface of this machine has it.
    #[error(
        "{} is no address of this machine: listen on all of them with --listen {} --plain, or \
         on this machine only with --listen 127.0.0.1:{}", .0.ip(), everywhere(*.0), .0.port()
    )]
    NotHere(SocketAddr),
    /// Only the system's own programs may have it.
    #[error(
        "port {} is kept for the system: choose one from 1024 on, such as --listen {}",
        .0.port(), SocketAddr::new(.0.ip(), 8080)
    )]
    Kept(SocketAddr),
    /// The operating system refused.
    #[error("cannot listen on {address}: {source}")]
    Io {
        /// Where.
        address: SocketAddr,
        /// Its answer.
        source: io::Error,
    },
}

/// All addresses of this machine, of the same family.
fn everywhere(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    SocketAddr::new(ip, address.port())
}

/// A bound socket that serves nothing yet.
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
}

/// Threads that serve; stopped by the `stop` channel they were given.
pub struct Serving(Vec<JoinHandle<()>>);

impl Bound {
    /// Binds `address`; port 0 takes a free one.
    ///
    /// # Errors
    /// [`ListenError`]; beyond loopback only when `plain`.
    pub fn new(address: SocketAddr, plain: bool) -> Result<Self, ListenError> {
        if !address.ip().is_loopback() && !plain {
            return Err(ListenError::NotLoopback(address));
        }
        let io_error = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => ListenError::Taken(address),
            io::ErrorKind::AddrNotAvailable => ListenError::NotHere(address),
            io::ErrorKind::PermissionDenied => ListenError::Kept(address),
            _ => ListenError::Io { address, source },
        };
        let listener = TcpListener::bind(address).map_err(io_error)?;
        listener.set_nonblocking(true).map_err(io_error)?;
        let address = listener.local_addr().map_err(io_error)?;
        Ok(Self { listener, address })
    }

    /// Where it listens, with the real port.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts `threads` runtimes that serve `router` until `stop` holds true, with
    /// as many connections as `descriptors`, the open files that the process may
    /// have, leave room for.
    ///
    /// # Errors
    /// The operating system's, when it gives no thread or descriptor.
    pub fn serve(
        self,
        router: &Router,
        threads: usize,
        descriptors: u64,
        stop: &watch::Receiver<bool>,
    ) -> io::Result<Serving> {
        let slots = Arc::new(Slots::new(connections(descriptors, CONNECTIONS)));
        let start = |number: usize| {
            let listener = self.listener.try_clone()?;
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            let acceptor = Acceptor {
                router: router.clone(),
                slots: Arc::clone(&slots),
                stop: stop.clone(),
            };
            std::thread::Builder::new()
                .name(format!("http-{number}"))
                .spawn(move || {
                    runtime.block_on(acceptor.run(listener));
                })
        };
        (0..threads.max(1))
            .map(start)
            .collect::<io::Result<_>>()
            .map(Serving)
    }
}

impl Serving {
    /// Waits until every thread has finished its requests.
    pub fn join(self) {
        for thread in self.0 {
            let _ = thread.join();
        }
    }
}

/// The connections that may be held, in all and by each address.
struct Slots {
    total: usize,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// One connection's place among them, until it is dropped.
struct Slot {
    slots: Arc<Slots>,
    address: IpAddr,
}

impl Slots {
    fn new(total: usize) -> Self {
        Self {
            total,
            held: Mutex::default(),
        }
    }

    /// A place for a connection from `address`, while there is one.
    fn take(slots: &Arc<Self>, address: IpAddr) -> Option<Slot> {
        let address = holder(address);
        let mut held = slots.lock();
        if held.all >= slots.total {
            return None;
        }
        let of_address = held.by_address.get(&address).copied().unwrap_or(0);
        if of_address >= CONNECTIONS_PER_ADDRESS && !address.is_loopback() {
            return None;
        }
        held.all += 1;
        held.by_address.insert(address, of_address + 1);
        drop(held);
        let slots = Arc::clone(slots);
        Some(Slot { slots, address })
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut held = self.slots.lock();
        held.all -= 1;
        if let Some(count) = held.by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                held.by_address.remove(&self.address);
            }
        }
    }
}

/// Whom an address counts for: one machine has a whole /64 of IPv6.
fn holder(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(ip) if !ip.is_loopback() => {
            let prefix = u128::from(ip) >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from(prefix))
        }
        ip => ip,
    }
}

/// What one runtime thread runs.
struct Acceptor {
    router: Router,
    slots: Arc<Slots>,
    stop: watch::Receiver<bool>,
}

impl Acceptor {
    async fn run(self, listener: TcpListener) {
        let listener = match tokio::net::TcpListener::from_std(listener) {
            Ok(listener) => listener,
            Err(error) => return tracing::error!("cannot watch the listener: {error}"),
        };
        let mut connections = JoinSet::new();
        let stop = self.stop.clone();
        loop {
            tokio::select! {
                () = stopped(stop.clone()) => break,
                Some(_) = connections.join_next() => {}
                accepted = listener.accept() => match accepted {
                    Ok((stream, from)) => self.start(stream, from.ip(), &mut connections),
                    Err(error) => {
                        tracing::warn!("cannot accept a connection: {error}");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        drop(listener);
        let drained = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN_TIMEOUT, drained).await.is_err() {
            tracing::warn!(
                "requests still ran after {} s and were cut",
                DRAIN_TIMEOUT.as_secs()
            );
        }
    }

    fn start(&self, stream: TcpStream, from: IpAddr, connections: &mut JoinSet<()>) {
        let Some(slot) = Slots::take(&self.slots, from) else {
            // A fresh socket's buffer takes the line at once; there is nobody else to
            // tell when it does not. Not through the runtime, which knows of no
            // readiness yet.
            if let Ok(mut stream) = stream.into_std() {
                let _ = io::Write::write(&mut stream, FULL);
            }
            return;
        };
        let (router, stop) = (self.router.clone(), self.stop.clone());
        connections.spawn(async move {
            serve_connection(stream, router, stop).await;
            drop(slot);
        });
    }
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    // The sender's end means the same.
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn serve_connection(stream: TcpStream, router: Router, stop: watch::Receiver<bool>) {
    // Answers are often one small segment; waiting to fill it costs 40 ms.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!("connection lost at once: {error}");
        return;
    }
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(BUFFER_BYTES);
    let connection = builder.serve_connection(
        TokioIo::new(Stall::new(stream, UNREAD_TIMEOUT)),
        TowerToHyperService::new(router),
    );
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopped(stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!("connection ended: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_loopback_needs_plain() {
        let any = "0.0.0.0:0".parse().unwrap();
        assert!(matches!(
            Bound::new(any, false),
            Err(ListenError::NotLoopback(_))
        ));
        assert_ne!(Bound::new(any, true).unwrap().address().port(), 0);
    }

    #[test]
    fn one_address_cannot_hold_all_connections() {
        let slots = Arc::new(Slots::new(CONNECTIONS));
        let take = |address: &str| Slots::take(&slots, address.parse().unwrap());
        let mut held: Vec<_> = (0..CONNECTIONS_PER_ADDRESS)
            .map(|_| take("192.0.2.1").unwrap())
            .collect();
        assert!(take("192.0.2.1").is_none());
        assert!(take("::ffff:192.0.2.1").is_none(), "the same in IPv6");
        assert!(take("192.0.2.2").is_some());
        held.pop();
        assert!(take("192.0.2.1").is_some());

        let network: Vec<_> = (0..CONNECTIONS_PER_ADDRESS)
            .map(|host| take(&format!("2001:db8::{host:x}")).unwrap())
            .collect();
        assert!(take("2001:db8::ffff").is_none(), "the same /64");
        assert!(take("2001:db8:0:1::1").is_some());

        let rest: Vec<_> = std::iter::from_fn(|| take("127.0.0.1")).collect();
        assert!(rest.len() > CONNECTIONS_PER_ADDRESS, "a proxy for many");
        assert!(take("192.0.2.9").is_none(), "there are no more in all");
        drop((held, rest));
        assert!(take("192.0.2.9").is_some());
        drop(network);
        assert!(slots.lock().by_address.is_empty());
    }

    #[test]
    fn a_taken_port_is_named() {
        let first = Bound::new("127.0.0.1:0".parse().unwrap(), false).unwrap();
        let second = Bound::new(first.address(), false);
        let message = second.err().unwrap().to_string();
        assert!(
            message.contains(&first.address().port().to_string()),
            "{message}"
        );
    }
}
