//! The listener: the node is one process on the events model of `httpd`, one loop
//! and one listener per core, and its router is a `tower` service in each of them.
//!
//! This is the only file that knows what carries the router, which does not know it
//! either. How many connections there may be is decided here; how they are counted and
//! turned away, by `httpd::models`, and how one is served, by `httpd::serve`.

use crate::throttle::Peer;
use axum::Router;
use http::Request;
use httpd::files::{Answer, Moment};
use httpd::h1::Limits;
use httpd::h1::RequestHead;
use httpd::models::{Admission, Bounds, Drain, Slots, Strategy, events, listeners};
use httpd::serve::{Answering, Begun, Handler, Incoming, Settings, Timeouts, Tower, Turn};
use httpd::tls::Acceptor;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::rc::Rc;
use std::task::Context;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::watch;

/// What a connection may do. What is asked for in the query of a head is long: 512
/// versions take some 20 KiB. Bodies are bounded by those who read them.
const LIMITS: Limits = Limits {
    request_line_bytes: 64 * 1024,
    head_bytes: 128 * 1024,
    ..Limits::DEFAULT
};

/// How long a connection may wait for its client. Clients let go of idle
/// connections after 15 s, so none is closed under a request. The content of a
/// request is waited for in [`crate::api`], which can tell the client so; what is
/// left of one that nobody reads has to come in the same time here. An answer may
/// lie unread as long as it may wait for its reader inside the node.
const TIMEOUTS: Timeouts = Timeouts {
    idle: Duration::from_secs(30),
    head: Duration::from_secs(30),
    body: Duration::from_secs(60),
    write: Duration::from_secs(60),
    ..Timeouts::DEFAULT
};

/// How running requests end when the node is asked to stop: a client that keeps a
/// connection busy asks again at once, and feeds end by themselves.
const DRAIN: Drain = Drain {
    grace: Duration::from_millis(200),
    deadline: Duration::from_secs(10),
};

/// How the node treats each connection.
pub const SETTINGS: Settings = Settings {
    limits: LIMITS,
    timeouts: TIMEOUTS,
    // A query of metrics may be much work, and clients ask again when they have waited.
    leaves_with_client: true,
};

/// Connections held at once, where the process may have so many files open; each
/// costs a socket, and while a service answers it some 20 KiB. Those of one address,
/// before anyone has signed in, are many clients behind one router, but never all.
const CONNECTIONS: Bounds = Bounds {
    total: 4096,
    per_address: 512,
};

/// The open files that a node can use at most: all connections, unfinished uploads,
/// downloads and segments, twice.
pub const DESCRIPTORS: u64 = 16_384;

/// The open files that a node needs before any client comes: its log, its database and the
/// readers of it, its segments, the scrub, and a folder of its own with its watcher. One
/// that rests has 65 open with a folder, the loops' among them; scrub and sync take more.
pub const OWN_DESCRIPTORS: usize = 128;

/// And so that some clients find room beside them, with the files that they ask for.
pub const LEAST_FOR_CLIENTS: usize = 64;

/// Why the node cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Another program has the port.
    #[error(
        "port {} of {} is taken by another program: choose another port with --listen, or take \
         a free one with --listen {}", .0.port(), .0.ip(), SocketAddr::new(.0.ip(), 0)
    )]
    Taken(SocketAddr),
    /// No interface of this machine has it.
    #[error(
        "{} is no address of this machine: listen on all of them with --listen {}, or \
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

/// Listeners that serve nothing yet, one for each core.
pub struct Bound {
    listeners: Vec<TcpListener>,
    address: SocketAddr,
}

/// Loops that serve; stopped by the `stop` channel they were given.
pub struct Serving(JoinHandle<()>);

impl Bound {
    /// Binds `address` for `loops` of them; port 0 takes a free one.
    ///
    /// # Errors
    /// [`ListenError`].
    pub fn new(address: SocketAddr, loops: usize) -> Result<Self, ListenError> {
        let io_error = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => ListenError::Taken(address),
            io::ErrorKind::AddrNotAvailable => ListenError::NotHere(address),
            io::ErrorKind::PermissionDenied => ListenError::Kept(address),
            _ => ListenError::Io { address, source },
        };
        let wanted = Strategy::PerSlot.listeners(loops.max(1));
        let listeners = listeners(address, wanted).map_err(io_error)?;
        let address = listeners[0].local_addr().map_err(io_error)?;
        Ok(Self { listeners, address })
    }

    /// Where it listens, with the real port.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts the loops, which serve `router` until `stop` holds true, over TLS if
    /// there is an `acceptor`, with as many connections as `descriptors`, the open
    /// files that the process may have, leave room for, each treated as `settings`
    /// say. If the loops end before, `failed` is told why.
    ///
    /// # Errors
    /// The operating system's, when it gives no thread.
    pub fn serve(
        self,
        router: Router,
        acceptor: Option<Acceptor>,
        settings: Settings,
        descriptors: u64,
        stop: watch::Receiver<bool>,
        failed: impl FnOnce(&io::Error) + Send + 'static,
    ) -> io::Result<Serving> {
        let others = descriptors.saturating_sub(OWN_DESCRIPTORS as u64);
        let slots = Slots::new(CONNECTIONS.within(others));
        let loops = self.listeners.len();
        let make = move |_| {
            let door = Door(Tower::new(router.clone()));
            let turn = match &acceptor {
                Some(acceptor) => Turn::secured(door, settings, acceptor.clone()),
                None => Turn::new(door, settings),
            };
            Ok(Rc::new(Admission::new(turn, &slots)))
        };
        let shape = events::Settings {
            strategy: Strategy::PerSlot,
            drain: DRAIN,
        };
        let run = move || {
            let stopped = stopped(stop);
            if let Err(error) = events::run_all(self.listeners, loops, make, shape, stopped) {
                failed(&error);
            }
        };
        let thread = std::thread::Builder::new().name("http".to_owned());
        thread.spawn(run).map(Serving)
    }
}

impl Serving {
    /// Waits until every loop has finished its requests.
    pub fn join(self) {
        // A loop that panicked has been told of.
        let _ = self.0.join();
    }
}

/// The router, told who asks.
struct Door(Tower<Router>);

impl Handler for Door {
    fn file(&self, _: &RequestHead<'_, '_>, _: Moment) -> Option<Answer> {
        None
    }

    fn call(&self, peer: SocketAddr, mut request: Request<Incoming>) -> Answering {
        request.extensions_mut().insert(Peer(peer.ip()));
        self.0.call(peer, request)
    }

    fn begin(
        &self,
        peer: SocketAddr,
        mut request: Request<Incoming>,
        context: &mut Context<'_>,
    ) -> Begun {
        request.extensions_mut().insert(Peer(peer.ip()));
        self.0.begin(peer, request, context)
    }
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    // The sender's end means the same.
    let _ = stop.wait_for(|stop| *stop).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_named() {
        let first = Bound::new("127.0.0.1:0".parse().unwrap(), 2).unwrap();
        let second = Bound::new(first.address(), 2);
        let message = second.err().unwrap().to_string();
        assert!(
            message.contains(&first.address().port().to_string()),
            "{message}"
        );
    }
}
