//! Threads: a fixed number of workers, each with one connection at a time, behind a
//! bounded queue that one acceptor fills.
//!
//! What finds the queue full is told so before anything of it is read. While others
//! wait, a connection has its share of time and is let go after it ([`Patience`]);
//! so more clients than workers are served in turns, and an idle one starves nobody.

use super::drain::{Stop, Stopper, stop as stopping};
use super::event_loop::event_loop;
use super::listen::Acceptor;
use super::one::{Patience, serve_one};
use super::protocol::Protocol;
use super::queue::Queue;
use super::refuse::Refused;
use super::team::Team;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::sleep;

/// The shape of the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Threads, and so connections that are served at the same time.
    pub workers: usize,
    /// Connections that wait for one.
    pub queue: usize,
    /// How patient a worker is.
    pub patience: Patience,
}

impl Default for Settings {
    /// Threads that mostly wait cost little; what waits in the queue waits for a
    /// share of each before it.
    fn default() -> Self {
        Self {
            workers: 16,
            queue: 256,
            patience: Patience::default(),
        }
    }
}

/// Clients that found no room and are listened to until they have heard so, at the
/// same time; more are cut off.
const REFUSED: usize = 256;

type Waiting = Queue<(TcpStream, SocketAddr)>;

/// What a client is told that finds no room, once a worker has said so. Before any has
/// begun there are no words, and hardly a queue that is full.
type Words = OnceLock<&'static [u8]>;

/// Serves what `listeners` accept, with what `make` makes for each worker, until
/// `stop` ends and what was accepted by then is served.
///
/// # Errors
/// A thread or its loop cannot begin, `make` failed, or a worker panicked.
pub fn run<P: Protocol>(
    listeners: Vec<TcpListener>,
    make: impl Fn(usize) -> io::Result<Rc<P>> + Send + Sync + 'static,
    settings: Settings,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let queue = Arc::new(Waiting::new(settings.queue));
    let (stopper, stopped) = stopping();
    let (make, words) = (Arc::new(make), Arc::new(Words::new()));
    let work = (0..settings.workers).map(|index| {
        let (make, queue) = (Arc::clone(&make), Arc::clone(&queue));
        let (stopped, words) = (stopped.clone(), Arc::clone(&words));
        move || {
            let protocol = make(index)?;
            words.get_or_init(|| protocol.busy());
            work(&protocol, &queue, settings.patience, &stopped)
        }
    });
    let team = Team::start("worker", work);
    let accepted = match &team {
        Ok(team) => accept_all(listeners, (&queue, &words), &stopper, team.failed(), stop),
        Err(_) => Ok(()),
    };
    stopper.stop();
    queue.close();
    team?.join().and(accepted)
}

/// A worker: one connection after another.
fn work<P: Protocol>(
    protocol: &Rc<P>,
    queue: &Waiting,
    patience: Patience,
    stop: &Stop,
) -> io::Result<()> {
    let runtime = event_loop()?;
    runtime.spawn_local(Rc::clone(protocol).watch());
    while let Some((stream, peer)) = queue.take() {
        runtime.block_on(async {
            let crowded = crowded(queue, patience.share);
            serve_one(protocol, (stream, peer), patience, crowded, stop).await;
        });
    }
    Ok(())
}

/// Ends when others wait. Looked at now and then: nobody is told when a queue that
/// has no idle worker grows, and a share is the most that is lost by that.
async fn crowded(queue: &Waiting, share: Duration) {
    loop {
        sleep(share).await;
        if queue.is_crowded() {
            return;
        }
    }
}

/// The acceptor, on the thread of the caller.
fn accept_all(
    listeners: Vec<TcpListener>,
    (queue, words): (&Waiting, &Words),
    stopper: &Stopper,
    failed: impl Future<Output = ()>,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    event_loop()?.block_on(async {
        let acceptor = Acceptor::new(listeners)?;
        let refused = Refused::new(Arc::new(Semaphore::new(REFUSED)));
        let hand_over = |stream: TcpStream, peer: SocketAddr| {
            if let Err((stream, _)) = queue.put((stream, peer)) {
                refused.add(stream, words.get().copied().unwrap_or_default());
            }
        };
        tokio::select! {
            biased;
            () = stop => {}
            () = failed => {}
            () = async {
                loop {
                    let (stream, peer) = acceptor.accept().await;
                    hand_over(stream, peer);
                }
            } => {}
        }
        stopper.stop();
        acceptor.accept_waiting(hand_over);
        drop(acceptor);
        queue.close();
        // The last to be refused may still read why.
        refused.gone().await;
        Ok(())
    })
}
