//! Echo over UDP: datagrams go back to where they came from.
//!
//! There are no connections, so nothing has to end: what a loop has received when it
//! stops has been answered, unless `answers` says that it had better not be.
//! An answer that finds no room is dropped, as any datagram may be. An answer is never
//! longer than the datagram it answers, so that the service amplifies nothing.

use super::answers::Answers;
use std::io;
use std::net::UdpSocket;
use tokio::net::UdpSocket as AsyncSocket;
use tokio::time::Instant;

/// The longest datagram there is.
const DATAGRAM_BYTES: usize = 65_535;

/// Answers what comes to `socket`, on this thread, until `stop` ends. Returns how
/// many datagrams were answered.
///
/// # Errors
/// The loop cannot begin.
pub fn run(socket: UdpSocket, stop: impl Future<Output = ()>) -> io::Result<u64> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(serve(socket, stop))
}

/// The same within a loop that runs.
///
/// # Errors
/// The socket cannot be registered with the loop.
pub async fn serve(socket: UdpSocket, stop: impl Future<Output = ()>) -> io::Result<u64> {
    socket.set_nonblocking(true)?;
    let socket = AsyncSocket::from_std(socket)?;
    let answers = Answers::at(socket.local_addr()?.port()).map_err(io::Error::other)?;
    let mut answered = 0;
    tokio::select! {
        biased;
        () = stop => {}
        () = answer_all(&socket, &answers, &mut answered) => {}
    }
    Ok(answered)
}

async fn answer_all(socket: &AsyncSocket, answers: &Answers, answered: &mut u64) {
    let begun = Instant::now();
    let mut buffer = vec![0; DATAGRAM_BYTES];
    loop {
        // An error belongs to a datagram that was sent before: its target is not
        // there. The others go on.
        let Ok((length, peer)) = socket.recv_from(&mut buffer).await else {
            continue;
        };
        if answers.are_due(peer, length, begun.elapsed())
            && socket.try_send_to(&buffer[..length], peer).is_ok()
        {
            *answered += 1;
        }
    }
}
