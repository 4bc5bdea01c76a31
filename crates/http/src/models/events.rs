//! Events: one loop on one thread per core, and any number of connections in each.
//!
//! With a listener for each loop the kernel spreads new connections, and a
//! connection stays with the loop that accepted it: no lock, no queue and no other
//! core lies on the way of a request. [`Strategy`] names the other ways.

use super::balance::{Strategy, least_loaded};
use super::drain::{Drain, Stop, stop as stopping};
use super::event_loop::event_loop;
use super::listen::Acceptor;
use super::protocol::Protocol;
use super::tasks::Tasks;
use super::team::Team;
use crate::serve::{Handler, Settings as ConnectionSettings, Turn};
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Connections on their way from the acceptor to a loop; one that has so many
/// before it takes long anyway.
const PASSED: usize = 1024;

/// The shape of the loops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// How connections are spread.
    pub strategy: Strategy,
    /// How the loops end.
    pub drain: Drain,
}

/// Serves what `listener` accepts with `handler`, on this thread, until `stop` ends;
/// then connections end as [`Drain::default`] says.
///
/// # Errors
/// The loop cannot begin.
pub fn run<H: Handler>(
    listener: TcpListener,
    handler: H,
    settings: ConnectionSettings,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let turn = Turn::new(handler, settings);
    run_loop(&turn, Drain::default(), async {
        take_accepted(&turn, Acceptor::new([listener])?, stop).await;
        Ok(())
    })
}

/// Serves what `listeners` accept, with `workers` loops on threads of their own and
/// what `make` makes for each, until `stop` ends. This thread waits meanwhile or, if
/// the strategy needs one, is the acceptor.
///
/// [`Strategy::listeners`] says how many there should be for each address. With one
/// listener or more for each loop, loop N has every listener whose place is N modulo
/// the number of loops; with fewer, every loop has all of them.
///
/// # Errors
/// There is no listener, a thread or its loop cannot begin, `make` failed, or a loop
/// panicked.
pub fn run_all<P: Protocol>(
    listeners: Vec<TcpListener>,
    workers: usize,
    make: impl Fn(usize) -> io::Result<Rc<P>> + Send + Sync + 'static,
    settings: Settings,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    if listeners.is_empty() {
        let none = "there is no listener";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, none));
    }
    let (stopper, stopped) = stopping();
    let mut lanes = Lanes::default();
    let mut sources = Vec::with_capacity(workers);
    for index in 0..workers {
        sources.push(match settings.strategy {
            Strategy::LeastLoaded => lanes.add(),
            strategy @ (Strategy::PerSlot | Strategy::Shared) => {
                let share = strategy.share(listeners.len(), workers, index);
                let own = share.map(|slot| listeners[slot].try_clone());
                Source::Listeners(own.collect::<io::Result<_>>()?, stopped.clone())
            }
        });
    }
    // Those that no loop has: a connection that came to them would wait for ever.
    let acceptor = match settings.strategy {
        Strategy::LeastLoaded => listeners,
        Strategy::PerSlot | Strategy::Shared => Vec::new(),
    };
    let make = Arc::new(make);
    let work = sources.into_iter().enumerate().map(|(index, source)| {
        let make = Arc::clone(&make);
        move || source.run(&make(index)?, settings.drain)
    });
    let team = Team::start("loop", work);
    let waited = match &team {
        Ok(team) => wait(acceptor, lanes, team.failed(), stop),
        Err(_) => Ok(()),
    };
    stopper.stop();
    team?.join().and(waited)
}

/// Where a loop has its connections from.
enum Source {
    Listeners(Vec<TcpListener>, Stop),
    Lane(mpsc::Receiver<Passed>),
}

/// A connection on its way to a loop; it weighs on the loop until it is dropped.
struct Passed {
    stream: TcpStream,
    peer: SocketAddr,
    weight: Weight,
}

struct Weight(Arc<AtomicU64>);

impl Weight {
    fn on(load: &Arc<AtomicU64>) -> Self {
        load.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(load))
    }
}

impl Drop for Weight {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Source {
    fn run<P: Protocol>(self, protocol: &Rc<P>, drain: Drain) -> io::Result<()> {
        run_loop(protocol, drain, async {
            match self {
                Self::Listeners(listeners, mut stop) => {
                    let stop = async {
                        stop.stopped().await;
                    };
                    take_accepted(protocol, Acceptor::new(listeners)?, stop).await;
                }
                // It ends when the acceptor has passed the last one.
                Self::Lane(lane) => take_passed(protocol, lane).await,
            }
            Ok(())
        })
    }
}

/// A loop on this thread: takes connections until `taking` ends, then drains.
fn run_loop<P: Protocol>(
    protocol: &Rc<P>,
    drain: Drain,
    taking: impl Future<Output = io::Result<()>>,
) -> io::Result<()> {
    event_loop()?.block_on(async {
        tokio::task::spawn_local(Rc::clone(protocol).watch());
        taking.await?;
        if !drain.run(&**protocol, Instant::now()).await {
            tracing::warn!(open = protocol.counts().open, "connections were cut off");
        }
        Ok(())
    })
}

async fn take_accepted<P: Protocol>(
    protocol: &Rc<P>,
    acceptor: Acceptor,
    stop: impl Future<Output = ()>,
) {
    let tasks = Tasks::new();
    let begin = |stream, peer| tasks.run(Rc::clone(protocol).serve(stream, peer));
    let accepting = async {
        loop {
            let (stream, peer) = acceptor.accept().await;
            begin(stream, peer);
        }
    };
    tokio::select! {
        biased;
        () = stop => {}
        () = accepting => {}
    }
    acceptor.accept_waiting(begin);
}

async fn take_passed<P: Protocol>(protocol: &Rc<P>, mut lane: mpsc::Receiver<Passed>) {
    while let Some(passed) = lane.recv().await {
        let Passed {
            stream,
            peer,
            weight,
        } = passed;
        let serving = Rc::clone(protocol).serve(stream, peer);
        tokio::task::spawn_local(async move {
            serving.await;
            drop(weight);
        });
    }
}

/// The ways from the acceptor to each loop.
#[derive(Default)]
struct Lanes {
    lanes: Vec<(mpsc::Sender<Passed>, Arc<AtomicU64>)>,
    last: usize,
}

impl Lanes {
    fn add(&mut self) -> Source {
        let (sender, receiver) = mpsc::channel(PASSED);
        self.lanes.push((sender, Arc::default()));
        Source::Lane(receiver)
    }

    /// Passes a connection on; one that finds no room is cut off.
    fn pass(&mut self, stream: TcpStream, peer: SocketAddr) {
        let loads = self
            .lanes
            .iter()
            .map(|(_, load)| load.load(Ordering::Relaxed));
        let Some(index) = least_loaded(loads, self.last) else {
            return;
        };
        self.last = index;
        let (sender, load) = &self.lanes[index];
        let weight = Weight::on(load);
        let passed = Passed {
            stream,
            peer,
            weight,
        };
        if sender.try_send(passed).is_err() {
            tracing::warn!(%peer, "a connection was cut off: no loop takes more");
        }
    }
}

/// The thread of the caller, until the end.
fn wait(
    listeners: Vec<TcpListener>,
    mut lanes: Lanes,
    failed: impl Future<Output = ()>,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    event_loop()?.block_on(async {
        // Without listeners it never has anything to pass.
        let acceptor = Acceptor::new(listeners)?;
        let accepting = async {
            loop {
                let (stream, peer) = acceptor.accept().await;
                lanes.pass(stream, peer);
            }
        };
        tokio::select! {
            biased;
            () = stop => {}
            () = failed => {}
            () = accepting => {}
        }
        acceptor.accept_waiting(|stream, peer| lanes.pass(stream, peer));
        Ok(())
    })
}
