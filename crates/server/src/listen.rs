//! The listener: one current-thread runtime per core, each accepting from the
//! same socket and running the router through hyper's HTTP/1.1.
//!
//! This is the only file that knows hyper; the router is a `tower` service and
//! does not know what carries it.

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

/// A client gets this long to send a request's head, waiting between requests
/// included: longer than clients keep idle connections (15 s), so that none is
/// closed under a request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);

/// Longest head of a request, and what is read of a body at once: 512 versions
/// in a query take some 20 KiB.
const BUFFER_BYTES: usize = 128 * 1024;

/// Running requests get this long when the node is asked to stop.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Connections held at once; each costs a socket and some 20 KiB of buffers.
const CONNECTIONS: usize = 4096;

/// What a connection beyond [`CONNECTIONS`] is told, before a byte of it is read.
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
         add --plain if the network is trusted"
    )]
    NotLoopback(SocketAddr),
    /// Another program has the port.
    #[error("port {} of {} is taken: choose another with --listen {}:0", .0.port(), .0.ip(), .0.ip())]
    Taken(SocketAddr),
    /// The operating system refused.
    #[error("cannot listen on {address}: {source}")]
    Io {
        /// Where.
        address: SocketAddr,
        /// Its answer.
        source: io::Error,
    },
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

    /// Starts `threads` runtimes that serve `router` until `stop` holds true.
    ///
    /// # Errors
    /// The operating system's, when it gives no thread or descriptor.
    pub fn serve(
        self,
        router: &Router,
        threads: usize,
        stop: &watch::Receiver<bool>,
    ) -> io::Result<Serving> {
        let slots = Arc::new(Semaphore::new(CONNECTIONS));
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

/// What one runtime thread runs.
struct Acceptor {
    router: Router,
    slots: Arc<Semaphore>,
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
                    Ok((stream, _)) => self.start(stream, &mut connections),
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

    fn start(&self, stream: TcpStream, connections: &mut JoinSet<()>) {
        let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() else {
            // A fresh socket's buffer takes the line at once; there is nobody
            // else to tell when it does not.
            let _ = stream.try_write(FULL);
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
    let connection =
        builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
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
