//! Echo over TCP.
//!
//! Nothing is read before the last byte of what was read has been taken, so a
//! client that sends and never reads holds one buffer's worth, and then waits. A
//! loop has one buffer: a connection owns bytes only while its client is slow.

use super::udp;
use crate::models::{Counts, Phase, Protocol};
use std::cell::{Cell, RefCell};
use std::future::{Future, pending};
use std::io;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::rc::Rc;
use std::time::Duration;
use tokio::net::TcpStream as AsyncStream;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// Read at once, and the most that waits for a slow client.
const BUFFER_BYTES: usize = 16 * 1024;

/// How patient the server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// A connection over which nothing moved for so long is ended. This also ends
    /// those whose client has vanished without a word.
    pub idle: Duration,
    /// The same when its loop ends, or others wait for its place. A stream of bytes
    /// has no last request: it is over when it falls silent.
    pub pause: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(60),
            pause: Duration::from_secs(1),
        }
    }
}

/// Echo, as one event loop has it.
#[derive(Debug)]
pub struct Echo {
    settings: Settings,
    buffer: RefCell<Box<[u8]>>,
    counts: Cell<Counts>,
    phase: Cell<Phase>,
    /// The phase is another.
    changed: Notify,
    /// The last connection has ended.
    left: Notify,
    /// Datagrams to this are answered as well, until the loop serves it.
    datagrams: RefCell<Option<UdpSocket>>,
}

/// One connection.
struct Connection {
    echo: Rc<Echo>,
    stream: AsyncStream,
    peer: SocketAddr,
    begun: Instant,
    /// Something was received or sent then.
    moved: Cell<Instant>,
    bytes: Cell<u64>,
}

impl Echo {
    /// A loop's own.
    pub fn new(settings: Settings) -> Rc<Self> {
        Rc::new(Self::build(settings, None))
    }

    /// The same, which answers datagrams to `socket` in the same loop. A worker of
    /// the threads model has a loop only while it has a connection; [`super::udp`]
    /// needs threads of its own there.
    pub fn with_datagrams(settings: Settings, socket: UdpSocket) -> Rc<Self> {
        Rc::new(Self::build(settings, Some(socket)))
    }

    fn build(settings: Settings, datagrams: Option<UdpSocket>) -> Self {
        Self {
            settings,
            buffer: RefCell::new(vec![0; BUFFER_BYTES].into_boxed_slice()),
            counts: Cell::default(),
            phase: Cell::default(),
            changed: Notify::new(),
            left: Notify::new(),
            datagrams: RefCell::new(datagrams),
        }
    }

    fn count(&self, change: impl FnOnce(&mut Counts)) -> Counts {
        let mut counts = self.counts.get();
        change(&mut counts);
        self.counts.set(counts);
        counts
    }

    fn begin(self: Rc<Self>, stream: TcpStream, peer: SocketAddr) -> io::Result<Connection> {
        let stream = AsyncStream::from_std(stream)?;
        self.count(|counts| {
            counts.open += 1;
            counts.connections += 1;
        });
        let now = Instant::now();
        Ok(Connection {
            echo: self,
            stream,
            peer,
            begun: now,
            moved: Cell::new(now),
            bytes: Cell::new(0),
        })
    }
}

impl Protocol for Echo {
    fn serve(
        self: Rc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
    ) -> impl Future<Output = ()> + 'static {
        let connection = self.begin(stream, peer);
        async move {
            match connection {
                Ok(connection) => connection.run().await,
                Err(error) => tracing::warn!(%peer, "echo: a connection was cut off: {error}"),
            }
        }
    }

    async fn watch(self: Rc<Self>) {
        // Every connection keeps its own time; datagrams need none.
        let socket = self.datagrams.take();
        if let Some(socket) = socket
            && let Err(error) = udp::serve(socket, pending()).await
        {
            tracing::error!("echo: datagrams are not answered: {error}");
        }
    }

    fn enter(&self, phase: Phase) {
        if phase != Phase::Serving && phase <= self.phase.get() {
            return;
        }
        self.phase.set(phase);
        self.changed.notify_waiters();
    }

    async fn emptied(&self) {
        while self.counts.get().open > 0 {
            self.left.notified().await;
        }
    }

    fn counts(&self) -> Counts {
        self.counts.get()
    }
}

impl Connection {
    async fn run(self) {
        let ended = tokio::select! {
            biased;
            ended = self.relay() => ended,
            () = self.fall_idle() => Err(io::ErrorKind::TimedOut.into()),
        };
        let (peer, bytes) = (self.peer, self.bytes.get());
        let seconds = self.begun.elapsed().as_secs_f64();
        let end = ended
            .err()
            .map_or("by its client".to_owned(), |error| error.to_string());
        tracing::info!(%peer, bytes, seconds, end, "echo: a connection ended");
    }

    /// Sends back what comes, until the client has sent all.
    async fn relay(&self) -> io::Result<()> {
        loop {
            self.stream.readable().await?;
            let rest = {
                let mut buffer = self.echo.buffer.borrow_mut();
                let received = match self.stream.try_read(&mut buffer) {
                    Ok(0) => return Ok(()),
                    Ok(received) => &buffer[..received],
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                    Err(error) => return Err(error),
                };
                self.echo.count(|counts| counts.requests += 1);
                self.moved.set(Instant::now());
                let sent = self.send(received)?;
                received[sent..].to_vec()
            };
            self.send_all(&rest).await?;
        }
    }

    async fn send_all(&self, mut rest: &[u8]) -> io::Result<()> {
        while !rest.is_empty() {
            self.stream.writable().await?;
            rest = &rest[self.send(rest)?..];
        }
        Ok(())
    }

    /// Sends what the socket takes.
    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        match self.stream.try_write(bytes) {
            Ok(sent) => {
                self.bytes.set(self.bytes.get() + sent as u64);
                self.moved.set(Instant::now());
                Ok(sent)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// Ends when nothing has moved for too long.
    async fn fall_idle(&self) {
        loop {
            let settings = &self.echo.settings;
            let patience = match self.echo.phase.get() {
                Phase::Serving | Phase::LastRequests => settings.idle,
                Phase::Ending => settings.pause,
            };
            let end = self.moved.get() + patience;
            if end <= Instant::now() {
                return;
            }
            tokio::select! {
                () = sleep_until(end) => {}
                () = self.echo.changed.notified() => {}
            }
        }
    }
}

/// However it ends: by itself, with its loop, or by a panic.
impl Drop for Connection {
    fn drop(&mut self) {
        if self.echo.count(|counts| counts.open -= 1).open == 0 {
            self.echo.left.notify_waiters();
        }
    }
}
