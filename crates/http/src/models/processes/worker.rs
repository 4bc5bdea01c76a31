//! A worker: one event loop that does what its master says.
//!
//! A master that is gone without a word is one that says: end, and take what waits.
//! Nobody else ends a worker in order.

use super::assign::SlotSet;
use super::channel::{Channel, Line, Message, Received, Welcome};
use super::scoreboard::{
    Scoreboard, WorkerState, WorkerStatus, computed, monotonic_ms, resident_bytes, unix_ms,
};
use crate::models::drain::Drain;
use crate::models::event_loop::event_loop;
use crate::models::listen::{accept, accept_waiting, register};
use crate::models::protocol::Protocol;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity, set_name};
use std::cell::Cell;
use std::ffi::CString;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval, timeout};

/// How often a worker writes its row.
const BEAT: Duration = Duration::from_millis(250);

/// How long whoever started this process may take to say who it is.
const WELCOME: Duration = Duration::from_secs(10);

/// This process as a worker, before it serves.
#[derive(Debug)]
pub struct Worker {
    channel: Channel,
    welcome: Welcome,
    board: Rc<Scoreboard>,
    listeners: Vec<TcpListener>,
    extras: Vec<OwnedFd>,
}

impl Worker {
    /// Hears from the master who it is.
    pub(super) fn begin(channel: Channel) -> io::Result<Self> {
        let (channel, (message, descriptors)) = first_message(channel)?;
        let Message::Welcome(welcome) = message else {
            return Err(unexpected());
        };
        let mut descriptors = descriptors.into_iter();
        let board = descriptors.next().ok_or_else(unexpected)?;
        let listeners = descriptors.by_ref().take(welcome.listeners as usize);
        let worker = Self {
            channel,
            welcome,
            board: Rc::new(Scoreboard::open(board)?),
            listeners: listeners.map(TcpListener::from).collect(),
            extras: descriptors.collect(),
        };
        take_name()?;
        if welcome.is_pinned {
            pin(welcome.seat as usize)?;
        }
        Ok(worker)
    }

    /// Its place in the pool, below the maximum of workers.
    pub fn seat(&self) -> usize {
        self.welcome.seat as usize
    }

    /// How many reloads there were before it.
    pub fn generation(&self) -> u64 {
        self.welcome.generation
    }

    /// What all workers say about themselves.
    pub fn scoreboard(&self) -> Rc<Scoreboard> {
        Rc::clone(&self.board)
    }

    /// The descriptors of [`Program::extras`](super::Program::extras), once.
    pub fn take_extras(&mut self) -> Vec<OwnedFd> {
        std::mem::take(&mut self.extras)
    }

    /// Serves with `protocol` until the master wants no more. `reopen_logs` is
    /// called when it says so.
    ///
    /// # Errors
    /// The loop cannot begin, or the master cannot be understood.
    pub fn run<P: Protocol>(self, protocol: &Rc<P>, reopen_logs: impl Fn()) -> io::Result<()> {
        event_loop()?.block_on(async {
            ignore_signals()?;
            tokio::task::spawn_local(Rc::clone(protocol).watch());
            let drain = Drain {
                grace: self.welcome.grace,
                deadline: self.welcome.deadline,
            };
            let line = self.channel.register()?;
            let row = Row {
                board: self.board,
                welcome: self.welcome,
                begun_ms: unix_ms(),
                state: Cell::new(WorkerState::Ready),
            };
            let mut serving = Serving {
                protocol: Rc::clone(protocol),
                row: Rc::new(row),
                accepting: self.listeners.iter().map(|_| None).collect(),
                listeners: self.listeners,
            };
            serving.row.write(&**protocol);
            line.send(&Message::Ready, &[])?;
            let row = Rc::clone(&serving.row);
            let is_last = tokio::select! {
                biased;
                is_last = serving.obey(&line, reopen_logs) => is_last?,
                never = beat(&row, &**protocol) => never,
            };
            serving.end(is_last);
            drop(serving);
            tokio::select! {
                biased;
                _ = drain.run(&**protocol, Instant::now()) => {}
                () = beat(&row, &**protocol) => {}
            }
            // The last numbers stay when it has gone.
            row.write(&**protocol);
            Ok(())
        })
    }
}

/// What a worker is at.
struct Serving<P> {
    protocol: Rc<P>,
    row: Rc<Row>,
    listeners: Vec<TcpListener>,
    /// For each slot: who accepts from it.
    accepting: Vec<Option<JoinHandle<()>>>,
}

impl<P: Protocol> Serving<P> {
    /// Does what the master says until it says to end; whether this is the last
    /// worker then.
    async fn obey(&mut self, line: &Line, reopen_logs: impl Fn()) -> io::Result<bool> {
        loop {
            let Some((message, descriptors)) = line.receive().await? else {
                return Ok(true);
            };
            match message {
                Message::Listen(slots) => self.listen(slots)?,
                Message::Connection => self.take(descriptors),
                Message::Drain { is_last } => return Ok(is_last),
                Message::ReopenLogs => reopen_logs(),
                Message::Welcome(_) | Message::Handover | Message::Ready => {
                    return Err(unexpected());
                }
            }
        }
    }

    fn listen(&mut self, slots: SlotSet) -> io::Result<()> {
        for (slot, accepting) in self.accepting.iter_mut().enumerate() {
            match (slots.contains(slot), &accepting) {
                (true, None) => {
                    let listener = register(self.listeners[slot].try_clone()?)?;
                    let protocol = Rc::clone(&self.protocol);
                    *accepting = Some(tokio::task::spawn_local(async move {
                        loop {
                            let (stream, peer) = accept(&listener).await;
                            tokio::task::spawn_local(Rc::clone(&protocol).serve(stream, peer));
                        }
                    }));
                }
                (false, Some(task)) => {
                    task.abort();
                    *accepting = None;
                }
                (true, Some(_)) | (false, None) => {}
            }
        }
        Ok(())
    }

    /// A connection that the master accepted. It counts on the scoreboard at once,
    /// where the master compares.
    fn take(&self, descriptors: Vec<OwnedFd>) {
        for descriptor in descriptors {
            let stream = TcpStream::from(descriptor);
            // One that is gone already is none.
            if let Ok(peer) = stream.peer_addr() {
                self.begin_counted(stream, peer);
            }
        }
    }

    fn begin_counted(&self, stream: TcpStream, peer: SocketAddr) {
        let serving = Rc::clone(&self.protocol).serve(stream, peer);
        let (row, protocol) = (Rc::clone(&self.row), Rc::clone(&self.protocol));
        row.count(&*protocol);
        tokio::task::spawn_local(async move {
            serving.await;
            row.count(&*protocol);
        });
    }

    /// Accepts nothing more. Whoever is the last takes what waits.
    fn end(&mut self, is_last: bool) {
        for accepting in self.accepting.drain(..).flatten() {
            accepting.abort();
        }
        self.row.state.set(WorkerState::Draining);
        self.row.write(&*self.protocol);
        if is_last {
            for listener in &self.listeners {
                accept_waiting(listener, |stream, peer| {
                    tokio::task::spawn_local(Rc::clone(&self.protocol).serve(stream, peer));
                });
            }
        }
    }
}

/// The worker's row of the scoreboard.
struct Row {
    board: Rc<Scoreboard>,
    welcome: Welcome,
    begun_ms: u64,
    state: Cell<WorkerState>,
}

impl Row {
    fn write<P: Protocol>(&self, protocol: &P) {
        let status = WorkerStatus {
            pid: std::process::id(),
            seat: self.welcome.seat as usize,
            generation: self.welcome.generation,
            state: self.state.get(),
            begun_ms: self.begun_ms,
            alive_ms: monotonic_ms(),
            counts: protocol.counts(),
            resident_bytes: resident_bytes(),
            computed: computed(),
            figures: protocol.figures(),
        };
        self.board.write(self.welcome.row as usize, &status);
    }

    fn count<P: Protocol>(&self, protocol: &P) {
        self.board
            .count(self.welcome.row as usize, protocol.counts());
    }
}

/// Writes the row now and then. Never ends.
async fn beat<P: Protocol, T>(row: &Row, protocol: &P) -> T {
    let mut beats = interval(BEAT);
    loop {
        beats.tick().await;
        row.write(protocol);
    }
}

/// The first thing that is said on a channel, and the channel.
pub(super) fn first_message(channel: Channel) -> io::Result<(Channel, Received)> {
    event_loop()?.block_on(async {
        let line = channel.register()?;
        let first = timeout(WELCOME, line.receive()).await??;
        let first = first.ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok((line.into_channel()?, first))
    })
}

pub(super) fn unexpected() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "the master says what this version does not understand",
    )
}

/// What a terminal or a service manager sends to all processes is for the master,
/// which tells the workers. TERM too: one that ended by itself would leave its slots
/// to nobody, since the master gives them to others before it lets a worker end.
fn ignore_signals() -> io::Result<()> {
    for kind in [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
        SignalKind::user_defined1(),
        SignalKind::user_defined2(),
    ] {
        // Heard by nobody, and not deadly any more.
        drop(signal(kind)?);
    }
    Ok(())
}

/// The kernel calls a process after the file that was started, which for a worker is
/// `/proc/self/exe`: whoever looks for the program must find it.
fn take_name() -> io::Result<()> {
    let called = std::env::args_os().next().unwrap_or_default();
    let name = Path::new(&called).file_name().unwrap_or_default();
    let name = CString::new(name.as_bytes()).unwrap_or_default();
    Ok(set_name(&name)?)
}

/// Keeps this thread on one of the processors that it may use.
fn pin(seat: usize) -> io::Result<()> {
    let allowed = sched_getaffinity(None)?;
    let allowed: Vec<_> = (0..CpuSet::MAX_CPU)
        .filter(|cpu| allowed.is_set(*cpu))
        .collect();
    if let Some(index) = seat.checked_rem(allowed.len()) {
        let mut only = CpuSet::new();
        only.set(allowed[index]);
        sched_setaffinity(None, &only)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seat_is_one_processor_however_many_there_are() {
        for seat in [0, 1, 127] {
            // The thread is gone with its processor.
            let pinned = std::thread::spawn(move || {
                pin(seat).unwrap();
                sched_getaffinity(None).unwrap().count()
            });
            assert_eq!(pinned.join().unwrap(), 1);
        }
    }
}
