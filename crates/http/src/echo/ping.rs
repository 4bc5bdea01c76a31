//! The other side of echo: how long a round trip takes, and how many fit in a second.
//!
//! Every byte that comes back is compared with what was sent. Each connection has a
//! thread and a round trip at a time; what many round trips come to is in `rounds`.

use super::rounds::Rounds;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

pub use super::rounds::Report;

/// The longest message that fits a datagram over IPv4.
pub const MAX_DATAGRAM_BYTES: usize = 65_507;

/// Bytes at the start of a datagram that say which one it is.
pub const MIN_DATAGRAM_BYTES: usize = 8;

/// How often somebody who waits looks whether it is over.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Written before as much is read: a message that is longer than what both sides can
/// hold would otherwise never come through.
const PIECE_BYTES: usize = 16 * 1024;

/// What carries the messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// A stream for each connection.
    Tcp,
    /// Datagrams, which may be lost.
    Udp,
}

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Connections at the same time, each on a thread.
    pub connections: usize,
    /// Round trips of each; without end if there is no number.
    pub count: Option<u64>,
    /// Bytes of each; over UDP [`MIN_DATAGRAM_BYTES`] to [`MAX_DATAGRAM_BYTES`].
    pub bytes: usize,
    /// From one round trip's beginning to the next; those that take longer follow
    /// each other at once.
    pub interval: Duration,
    /// After which no round trip begins.
    pub duration: Option<Duration>,
    /// How long one may take.
    pub timeout: Duration,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            connections: 1,
            count: Some(1000),
            bytes: 64,
            interval: Duration::ZERO,
            duration: None,
            timeout: Duration::from_secs(5),
        }
    }
}

/// One round trip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Round {
    /// Which connection, from 0.
    pub connection: usize,
    /// Which of its round trips, from 0.
    pub number: u64,
    /// How long it took; nothing came back if there is none.
    pub time: Option<Duration>,
}

/// How a measurement ended.
#[derive(Debug)]
pub struct Outcome {
    /// What was measured up to then.
    pub report: Report,
    /// Why it ended before its time.
    pub failure: Option<PingError>,
}

/// Why a measurement ended before its time, or did not begin.
#[derive(Debug, thiserror::Error)]
pub enum PingError {
    /// A connection could not be made, or broke.
    #[error("{address} does not echo: {source}; is an echo server running there?")]
    Connection {
        /// The server.
        address: SocketAddr,
        /// What happened.
        source: io::Error,
    },
    /// What came back is not what was sent.
    #[error("{address} sent back other bytes than it was sent; it is no echo server")]
    Different {
        /// The server.
        address: SocketAddr,
    },
    /// Nothing came back over a connection that loses nothing.
    #[error("{address} sent nothing back for {} s; it is no echo server, or hangs", timeout.as_secs_f64())]
    Silent {
        /// The server.
        address: SocketAddr,
        /// How long it was waited for.
        timeout: Duration,
    },
    /// The plan cannot be carried out.
    #[error(
        "a datagram of {0} bytes cannot be sent; choose {MIN_DATAGRAM_BYTES} to {MAX_DATAGRAM_BYTES}"
    )]
    Length(usize),
    /// The plan cannot be carried out.
    #[error("a message of 0 bytes has no echo; choose 1 or more")]
    Empty,
    /// The machine has no room for the plan.
    #[error("a thread for connection {connection} cannot begin: {source}; use fewer connections")]
    Thread {
        /// Which one.
        connection: usize,
        /// Why.
        source: io::Error,
    },
}

/// Ends a measurement from elsewhere.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<(Mutex<bool>, Condvar)>);

impl Stop {
    /// No round trip begins any more, and those under way are given up.
    pub fn stop(&self) {
        *self.lock() = true;
        self.0.1.notify_all();
    }

    fn is_stopped(&self) -> bool {
        *self.lock()
    }

    /// Waits for `time`, or less if it is over before.
    fn wait(&self, time: Duration) {
        // A wait that a panic broke off left nothing half done.
        let _ = self
            .0
            .1
            .wait_timeout_while(self.lock(), time, |is_over| !*is_over);
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Measures the server at `address`, until the plan is done or `stop` stops it;
/// `told` is told of every round trip, by the thread that made it.
///
/// # Errors
/// The plan cannot be carried out. What goes wrong later is in the outcome.
pub fn run(
    address: SocketAddr,
    transport: Transport,
    plan: Plan,
    stop: &Stop,
    told: impl Fn(Round) + Sync,
) -> Result<Outcome, PingError> {
    let lengths = MIN_DATAGRAM_BYTES..=MAX_DATAGRAM_BYTES;
    match transport {
        Transport::Udp if !lengths.contains(&plan.bytes) => {
            return Err(PingError::Length(plan.bytes));
        }
        Transport::Tcp if plan.bytes == 0 => return Err(PingError::Empty),
        Transport::Udp | Transport::Tcp => {}
    }
    let begun = Instant::now();
    let measurement = Measurement {
        address,
        transport,
        plan,
        stop,
        told,
        end: plan.duration.map(|duration| begun + duration),
    };
    let (rounds, failures): (Vec<_>, Vec<_>) = measurement.run().into_iter().unzip();
    let mut all = Rounds::default();
    for one in &rounds {
        all.append(one);
    }
    Ok(Outcome {
        report: all.report(plan.bytes, begun.elapsed()),
        failure: failures.into_iter().flatten().next(),
    })
}

/// What all connections share.
struct Measurement<'a, F> {
    address: SocketAddr,
    transport: Transport,
    plan: Plan,
    stop: &'a Stop,
    told: F,
    end: Option<Instant>,
}

/// What came of one round trip.
enum Reply {
    /// The message.
    Same,
    /// Something else.
    Other,
    /// Nothing, in time.
    Late,
    /// It is over.
    Stopped,
}

impl<F: Fn(Round) + Sync> Measurement<'_, F> {
    /// What each connection measured, and what ended it before its time.
    fn run(&self) -> Vec<(Rounds, Option<PingError>)> {
        thread::scope(|scope| {
            let mut done = Vec::new();
            let mut threads = Vec::new();
            for connection in 0..self.plan.connections {
                let client = move || self.client(connection);
                let name = format!("ping-{connection}");
                match thread::Builder::new()
                    .name(name)
                    .spawn_scoped(scope, client)
                {
                    Ok(thread) => threads.push(thread),
                    Err(source) => {
                        self.stop.stop();
                        let failure = PingError::Thread { connection, source };
                        done.push((Rounds::default(), Some(failure)));
                        break;
                    }
                }
            }
            let join =
                |one: thread::ScopedJoinHandle<'_, _>| one.join().expect("a client does not panic");
            done.extend(threads.into_iter().map(join));
            done
        })
    }

    fn client(&self, connection: usize) -> (Rounds, Option<PingError>) {
        let mut rounds = Rounds::default();
        let done = match self.transport {
            Transport::Tcp => self.stream(connection, &mut rounds),
            Transport::Udp => self.datagrams(connection, &mut rounds),
        };
        if done.is_err() {
            // The others would only go on to measure something else.
            self.stop.stop();
        }
        (rounds, done.err())
    }

    fn stream(&self, connection: usize, rounds: &mut Rounds) -> Result<(), PingError> {
        let Self { address, plan, .. } = *self;
        let mut stream = TcpStream::connect_timeout(&address, plan.timeout)
            .and_then(|stream| {
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(LOOK_EVERY))?;
                stream.set_write_timeout(Some(LOOK_EVERY))?;
                Ok(stream)
            })
            .map_err(|source| self.broken(source))?;
        let mut received = vec![0; plan.bytes.min(PIECE_BYTES)];
        self.each(connection, rounds, |sent, deadline| {
            for piece in sent.chunks(PIECE_BYTES) {
                let received = &mut received[..piece.len()];
                match self.exchange(&mut stream, piece, received, deadline)? {
                    Reply::Same => {}
                    other => return Ok(other),
                }
            }
            Ok(Reply::Same)
        })
    }

    /// Sends `sent` and receives as much.
    fn exchange(
        &self,
        stream: &mut TcpStream,
        mut unsent: &[u8],
        received: &mut [u8],
        deadline: Instant,
    ) -> io::Result<Reply> {
        let (sent, mut filled) = (unsent, 0);
        loop {
            let step = if unsent.is_empty() {
                match stream.read(&mut received[filled..]) {
                    Ok(0) => Err(io::Error::new(
                        ErrorKind::UnexpectedEof,
                        "the connection was closed before all came back",
                    )),
                    read => read.map(|read| filled += read),
                }
            } else {
                stream
                    .write(unsent)
                    .map(|written| unsent = &unsent[written..])
            };
            match step {
                Ok(()) if filled == received.len() && received == sent => return Ok(Reply::Same),
                Ok(()) if received[..filled] != sent[..filled] => return Ok(Reply::Other),
                Ok(()) => {}
                Err(error) if is_timeout(&error) => {}
                Err(error) => return Err(error),
            }
            if let Some(reply) = self.overdue(deadline) {
                return Ok(reply);
            }
        }
    }

    fn datagrams(&self, connection: usize, rounds: &mut Rounds) -> Result<(), PingError> {
        let socket = connected(self.address).map_err(|source| self.broken(source))?;
        let mut received = vec![0; self.plan.bytes + 1];
        self.each(connection, rounds, |sent, deadline| {
            socket.send(sent)?;
            loop {
                match socket.recv(&mut received) {
                    Ok(length) if received[..length] == *sent => return Ok(Reply::Same),
                    // One that was given up.
                    Ok(length) if is_late(&received[..length], sent) => {}
                    Ok(_) => return Ok(Reply::Other),
                    Err(error) if is_timeout(&error) => {}
                    Err(error) => return Err(error),
                }
                if let Some(reply) = self.overdue(deadline) {
                    return Ok(reply);
                }
            }
        })
    }

    /// Makes one round trip after another; `trip` is given the message and how long
    /// it may take.
    fn each(
        &self,
        connection: usize,
        rounds: &mut Rounds,
        mut trip: impl FnMut(&[u8], Instant) -> io::Result<Reply>,
    ) -> Result<(), PingError> {
        let Self { address, plan, .. } = *self;
        let mut number = 0;
        while plan.count.is_none_or(|count| number < count) && !self.is_over() {
            let sent = message(plan.bytes, connection, number);
            let begun = Instant::now();
            rounds.begin();
            let reply = trip(&sent, begun + plan.timeout);
            let time = begun.elapsed();
            let told = |time| {
                (self.told)(Round {
                    connection,
                    number,
                    time,
                });
            };
            match reply.map_err(|source| self.broken(source))? {
                Reply::Same => {
                    rounds.add(time);
                    told(Some(time));
                }
                Reply::Late => {
                    rounds.lose();
                    told(None);
                    if self.transport == Transport::Tcp {
                        let timeout = plan.timeout;
                        return Err(PingError::Silent { address, timeout });
                    }
                }
                Reply::Other => return Err(PingError::Different { address }),
                Reply::Stopped => return Ok(()),
            }
            number += 1;
            if plan.count != Some(number) {
                self.pause(begun);
            }
        }
        Ok(())
    }
}

impl<F> Measurement<'_, F> {
    fn broken(&self, source: io::Error) -> PingError {
        let address = self.address;
        PingError::Connection { address, source }
    }

    fn is_over(&self) -> bool {
        self.stop.is_stopped() || self.end.is_some_and(|end| end <= Instant::now())
    }

    /// Why nobody waits any longer for what must come until `deadline`.
    fn overdue(&self, deadline: Instant) -> Option<Reply> {
        if self.stop.is_stopped() {
            return Some(Reply::Stopped);
        }
        (deadline <= Instant::now()).then_some(Reply::Late)
    }

    /// Lets the interval pass that began at `begun`.
    fn pause(&self, begun: Instant) {
        let rest = self.plan.interval.saturating_sub(begun.elapsed());
        let left = self
            .end
            .map(|end| end.saturating_duration_since(Instant::now()));
        let rest = left.map_or(rest, |left| left.min(rest));
        if !rest.is_zero() {
            self.stop.wait(rest);
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    // Which of them it is depends on the system.
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}

fn connected(address: SocketAddr) -> io::Result<UdpSocket> {
    let any: SocketAddr = match address {
        SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
        SocketAddr::V6(_) => ([0_u16; 8], 0).into(),
    };
    let socket = UdpSocket::bind(any)?;
    socket.connect(address)?;
    socket.set_read_timeout(Some(LOOK_EVERY))?;
    Ok(socket)
}

/// Whether `received` answers an earlier datagram of the client that sent `sent`.
fn is_late(received: &[u8], sent: &[u8]) -> bool {
    let number = |message: &[u8]| message.first_chunk().copied().map(u64::from_le_bytes);
    received.len() == sent.len() && number(received) < number(sent)
}

/// Bytes that no other round has, beginning with the round's number.
fn message(bytes: usize, connection: usize, round: u64) -> Vec<u8> {
    let pattern = (0_u8..251)
        .cycle()
        .skip((connection + round as usize) % 251);
    let number = round.to_le_bytes().into_iter();
    number.chain(pattern).take(bytes).collect()
}
