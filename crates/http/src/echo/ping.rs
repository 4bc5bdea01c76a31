//! The other side of echo: how long a round trip takes, and how many fit in a second.
//!
//! Every byte that comes back is compared with what was sent.

use super::rounds::Rounds;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

pub use super::rounds::Report;

/// The longest message that fits a datagram over IPv4.
pub const MAX_DATAGRAM_BYTES: usize = 65_507;

/// Bytes at the start of a datagram that say which one it is.
const NUMBER_BYTES: usize = 8;

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Connections at the same time, each on a thread.
    pub clients: usize,
    /// Round trips of each.
    pub rounds: u64,
    /// Bytes of each; over UDP at least 8 and at most [`MAX_DATAGRAM_BYTES`].
    pub bytes: usize,
    /// How long one may take.
    pub timeout: Duration,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            clients: 1,
            rounds: 1000,
            bytes: 64,
            timeout: Duration::from_secs(5),
        }
    }
}

/// Why a measurement ended.
#[derive(Debug, thiserror::Error)]
pub enum PingError {
    /// A connection could not be made, or broke.
    #[error("{address} does not echo: {source}; is a server running there?")]
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
    /// The plan cannot be carried out.
    #[error(
        "a datagram of {0} bytes cannot be sent; choose {NUMBER_BYTES} to {MAX_DATAGRAM_BYTES}"
    )]
    Length(usize),
}

/// Measures the server at `address` over TCP.
///
/// # Errors
/// A connection broke, or other bytes came back.
pub fn tcp(address: SocketAddr, plan: Plan) -> Result<Report, PingError> {
    measure(plan, move |client| tcp_client(address, plan, client))
}

/// Measures the server at `address` over UDP. A datagram that does not come back in
/// time counts as lost.
///
/// # Errors
/// Nobody is there, or other bytes came back.
pub fn udp(address: SocketAddr, plan: Plan) -> Result<Report, PingError> {
    if !(NUMBER_BYTES..=MAX_DATAGRAM_BYTES).contains(&plan.bytes) {
        return Err(PingError::Length(plan.bytes));
    }
    measure(plan, move |client| udp_client(address, plan, client))
}

fn measure(
    plan: Plan,
    client: impl Fn(usize) -> Result<Rounds, PingError> + Sync,
) -> Result<Report, PingError> {
    let begun = Instant::now();
    let done: Vec<_> = thread::scope(|scope| {
        let client = &client;
        let threads: Vec<_> = (0..plan.clients)
            .map(|index| scope.spawn(move || client(index)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("a client does not panic"))
            .collect()
    });
    let elapsed = begun.elapsed();
    let mut all = Rounds::default();
    for rounds in done {
        all.append(rounds?);
    }
    Ok(all.report(plan.bytes, elapsed))
}

fn tcp_client(address: SocketAddr, plan: Plan, client: usize) -> Result<Rounds, PingError> {
    let broken = |source| PingError::Connection { address, source };
    let mut stream = TcpStream::connect_timeout(&address, plan.timeout).map_err(broken)?;
    stream.set_nodelay(true).map_err(broken)?;
    stream
        .set_read_timeout(Some(plan.timeout))
        .map_err(broken)?;
    stream
        .set_write_timeout(Some(plan.timeout))
        .map_err(broken)?;
    let mut writer = stream.try_clone().map_err(broken)?;
    let mut rounds = Rounds::default();
    let mut received = vec![0; plan.bytes];
    for round in 0..plan.rounds {
        let sent = message(plan.bytes, client, round);
        let begun = Instant::now();
        exchange(&mut writer, &mut stream, &sent, &mut received).map_err(broken)?;
        rounds.add(begun.elapsed());
        if sent != received {
            return Err(PingError::Different { address });
        }
    }
    Ok(rounds)
}

/// Sends `sent` and receives as much, in pieces: a message that is longer than what
/// both sides can hold would otherwise never come through.
fn exchange(
    writer: &mut TcpStream,
    reader: &mut TcpStream,
    sent: &[u8],
    received: &mut [u8],
) -> io::Result<()> {
    const PIECE_BYTES: usize = 16 * 1024;
    let pieces = sent.chunks(PIECE_BYTES);
    for (sent, received) in pieces.zip(received.chunks_mut(PIECE_BYTES)) {
        writer.write_all(sent)?;
        reader.read_exact(received)?;
    }
    Ok(())
}

fn udp_client(address: SocketAddr, plan: Plan, client: usize) -> Result<Rounds, PingError> {
    let broken = |source| PingError::Connection { address, source };
    let socket = connected(address, plan.timeout).map_err(broken)?;
    let mut rounds = Rounds::default();
    let mut received = vec![0; plan.bytes + 1];
    for round in 0..plan.rounds {
        let sent = message(plan.bytes, client, round);
        let begun = Instant::now();
        socket.send(&sent).map_err(broken)?;
        loop {
            match socket.recv(&mut received) {
                Ok(length) if received[..length] == sent => {
                    rounds.add(begun.elapsed());
                    break;
                }
                // One that was given up.
                Ok(length) if is_late(&received[..length], &sent) => {}
                Ok(_) => return Err(PingError::Different { address }),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    rounds.lose();
                    break;
                }
                Err(error) => return Err(broken(error)),
            }
        }
    }
    Ok(rounds)
}

fn connected(address: SocketAddr, timeout: Duration) -> io::Result<UdpSocket> {
    let any: SocketAddr = match address {
        SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
        SocketAddr::V6(_) => ([0_u16; 8], 0).into(),
    };
    let socket = UdpSocket::bind(any)?;
    socket.connect(address)?;
    socket.set_read_timeout(Some(timeout))?;
    Ok(socket)
}

/// Whether `received` answers an earlier datagram of the client that sent `sent`.
fn is_late(received: &[u8], sent: &[u8]) -> bool {
    let number = |message: &[u8]| message.first_chunk().copied().map(u64::from_le_bytes);
    received.len() == sent.len() && number(received) < number(sent)
}

/// Bytes that no other round has, beginning with the round's number.
fn message(bytes: usize, client: usize, round: u64) -> Vec<u8> {
    let pattern = (0_u8..251).cycle().skip((client + round as usize) % 251);
    let number = round.to_le_bytes().into_iter();
    number.chain(pattern).take(bytes).collect()
}
