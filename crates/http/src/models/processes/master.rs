//! The master: does what the [`Pool`] says, and tells it what happened.
//!
//! It runs on one thread and waits for signals, workers and time. It does nothing
//! that could hold it up: a worker that does not read its channel is ended.

use super::channel::{Channel, Line, Message, Welcome};
use super::orders::{Order, Orders};
use super::policy::Policy;
use super::pool::{Action, Facts, News, Pool, WorkerId};
use super::program::Program;
use super::scoreboard::{Scoreboard, monotonic_ms, unix_ms};
use super::worker::{first_message, runtime, unexpected};
use super::{ROLE_VARIABLE, SUCCESSOR, WORKER};
use crate::models::Strategy;
use crate::models::balance::least_loaded;
use crate::models::listen::{accept, accept_waiting, more_listeners, register};
use std::collections::BTreeMap;
use std::future::pending;
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, BorrowedFd};
use std::process::{Child, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener as AsyncListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::LocalSet;

/// How often time passes for the pool.
const TICK: Duration = Duration::from_millis(100);

/// What workers say and the master has not heard: they say one thing each.
const EVENTS: usize = 1024;

/// This process as a master, before it has workers.
#[derive(Debug)]
pub struct Master {
    /// From whom it takes over.
    inherited: Option<Inherited>,
}

#[derive(Debug)]
struct Inherited {
    channel: Channel,
    listeners: Vec<TcpListener>,
}

impl Master {
    /// The first of its kind.
    pub(super) fn first() -> Self {
        Self { inherited: None }
    }

    /// One that takes over from another.
    pub(super) fn successor(channel: Channel) -> io::Result<Self> {
        let (channel, (message, descriptors)) = first_message(channel)?;
        if message != Message::Handover || descriptors.is_empty() {
            return Err(unexpected());
        }
        let listeners = descriptors.into_iter().map(TcpListener::from).collect();
        Ok(Self {
            inherited: Some(Inherited { channel, listeners }),
        })
    }

    /// Keeps workers until it is told to end. `listen` makes as many listeners as it
    /// is asked for; it is not asked if this program takes over from another, whose
    /// listeners it has then.
    ///
    /// # Errors
    /// The policy contradicts itself, `listen` failed, or the master cannot begin.
    pub fn run(
        self,
        policy: Policy,
        program: Program,
        listen: impl FnOnce(usize) -> io::Result<Vec<TcpListener>>,
    ) -> io::Result<()> {
        if let Some(fault) = policy.fault() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, fault));
        }
        let wanted = policy.listeners();
        let (predecessor, mut slots) = match self.inherited {
            None => (None, listen(wanted)?),
            Some(Inherited { channel, listeners }) => (Some(channel), listeners),
        };
        // A program with more workers than the one before it.
        if let Some(first) = slots.first()
            && slots.len() < wanted
        {
            slots.append(&mut more_listeners(
                first.local_addr()?,
                wanted - slots.len(),
            )?);
        }
        LocalSet::new().block_on(&runtime()?, async {
            Shell::begin(policy, program, slots, predecessor)?
                .run()
                .await
        })
    }
}

/// What the master has.
struct Shell {
    pool: Pool,
    policy: Policy,
    program: Program,
    board: Scoreboard,
    /// Rows that no worker has.
    rows: Vec<usize>,
    listeners: Vec<TcpListener>,
    /// If the master accepts.
    acceptor: Option<AsyncListener>,
    /// Who got the last connection.
    last: usize,
    workers: BTreeMap<WorkerId, Process>,
    successor: Option<Child>,
    /// Whom to tell that this program serves.
    predecessor: Option<Channel>,
    is_ready: bool,
    begun: Instant,
    events: mpsc::Sender<Event>,
    receiver: mpsc::Receiver<Event>,
}

/// A worker's process.
struct Process {
    child: Child,
    line: Rc<Line>,
    row: usize,
    /// Connections that it was given.
    passed: u64,
    takes: bool,
}

/// Something happened.
enum Event {
    Ready(WorkerId),
    TakenOver,
}

impl Shell {
    fn begin(
        policy: Policy,
        program: Program,
        listeners: Vec<TcpListener>,
        predecessor: Option<Channel>,
    ) -> io::Result<Self> {
        let acceptor = match (policy.strategy, listeners.first()) {
            (_, None) => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    "there is no listener",
                ));
            }
            (Strategy::LeastLoaded, Some(first)) => Some(register(first.try_clone()?)?),
            (Strategy::PerSlot | Strategy::Shared, _) => None,
        };
        for listener in &listeners {
            listener.set_nonblocking(true)?;
        }
        let seed = unix_ms() ^ u64::from(std::process::id()) << 32;
        let (pool, actions) = Pool::new(policy, listeners.len(), seed);
        let (events, receiver) = mpsc::channel(EVENTS);
        let mut shell = Self {
            pool,
            policy,
            program,
            board: Scoreboard::create(policy.processes())?,
            rows: (0..policy.processes()).rev().collect(),
            listeners,
            acceptor,
            last: 0,
            workers: BTreeMap::new(),
            successor: None,
            predecessor,
            is_ready: false,
            begun: Instant::now(),
            events,
            receiver,
        };
        shell.perform(actions);
        Ok(shell)
    }

    async fn run(mut self) -> io::Result<()> {
        let mut orders = Orders::new()?;
        let mut children = signal(SignalKind::child())?;
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let mut is_over = false;
        while !is_over {
            let accepting = accept_if(self.acceptor.as_ref().filter(|_| self.has_takers()));
            is_over = tokio::select! {
                order = orders.next() => self.obey(order),
                _ = children.recv() => self.reap(),
                Some(event) = self.receiver.recv() => self.note(&event),
                _ = ticks.tick() => self.tick(),
                stream = accepting => {
                    self.pass(&stream);
                    false
                }
            };
        }
        Ok(())
    }

    fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    fn obey(&mut self, order: Order) -> bool {
        tracing::info!(?order, "the master is told");
        let now = self.now();
        let actions = match order {
            Order::Stop => {
                self.pass_waiting();
                self.pool.stop(now)
            }
            Order::Reload => match (self.program.check)() {
                Ok(()) => self.pool.reload(now),
                Err(fault) => {
                    tracing::error!("the configuration is not reloaded: {fault}");
                    Vec::new()
                }
            },
            Order::ReopenLogs => {
                (self.program.reopen_logs)();
                let workers: Vec<_> = self.workers.keys().copied().collect();
                for id in workers {
                    self.tell(id, &Message::ReopenLogs);
                }
                Vec::new()
            }
            Order::Upgrade => self.pool.upgrade(),
        };
        let is_over = self.perform(actions);
        if matches!(order, Order::Stop) {
            // The workers have what waited; nobody may come to wait now.
            self.acceptor = None;
            self.listeners.clear();
        }
        is_over
    }

    /// Who has ended?
    fn reap(&mut self) -> bool {
        let mut actions = Vec::new();
        let ended = |process: &mut Process| !matches!(process.child.try_wait(), Ok(None));
        let gone: Vec<_> = self
            .workers
            .iter_mut()
            .filter_map(|(id, one)| ended(one).then_some(*id))
            .collect();
        for id in gone {
            actions.append(&mut self.forget(id));
        }
        if let Some(successor) = &mut self.successor
            && !matches!(successor.try_wait(), Ok(None))
        {
            self.successor = None;
            actions.append(&mut self.pool.not_taken_over());
        }
        self.perform(actions)
    }

    /// A process has ended.
    fn forget(&mut self, id: WorkerId) -> Vec<Action> {
        if let Some(process) = self.workers.remove(&id) {
            self.board.clear(process.row);
            self.rows.push(process.row);
        }
        self.pool.exited(id, self.begun.elapsed())
    }

    fn note(&mut self, event: &Event) -> bool {
        let now = self.now();
        let actions = match *event {
            Event::Ready(id) => {
                if let Some(process) = self.workers.get_mut(&id) {
                    process.takes = true;
                }
                self.pool.ready(id, now)
            }
            Event::TakenOver => {
                self.acceptor = None;
                self.pool.taken_over(now)
            }
        };
        let is_over = self.perform(actions);
        if self.pool.is_ready() && !self.is_ready {
            self.is_ready = true;
            (self.program.ready)();
            if let Some(predecessor) = self.predecessor.take() {
                // One that is gone meanwhile needs not know.
                let _ = predecessor.send(&Message::Ready, &[]);
            }
        }
        is_over
    }

    fn tick(&mut self) -> bool {
        let now_ms = monotonic_ms();
        let (board, workers) = (&self.board, &self.workers);
        let facts = |id: WorkerId| {
            let status = workers.get(&id).and_then(|one| board.worker(one.row));
            status.map_or_else(Facts::default, |status| Facts {
                requests: status.counts.requests,
                resident_bytes: status.resident_bytes,
                computed: status.computed,
                silent: Duration::from_millis(now_ms.saturating_sub(status.alive_ms)),
            })
        };
        let actions = self.pool.tick(self.begun.elapsed(), facts);
        // Should a signal have been missed.
        self.perform(actions) || self.reap()
    }

    /// Does it; true if that was the end.
    fn perform(&mut self, actions: Vec<Action>) -> bool {
        let mut is_over = false;
        let mut waiting = std::collections::VecDeque::from(actions);
        while let Some(action) = waiting.pop_front() {
            match action {
                Action::Spawn {
                    worker,
                    seat,
                    generation,
                } => {
                    if let Err(error) = self.spawn(worker, seat, generation) {
                        tracing::error!("a worker could not be started: {error}");
                        waiting.extend(self.forget(worker));
                    }
                }
                Action::Listen { worker, slots } => self.tell(worker, &Message::Listen(slots)),
                Action::Drain { worker, is_last } => {
                    if let Some(process) = self.workers.get_mut(&worker) {
                        process.takes = false;
                    }
                    self.tell(worker, &Message::Drain { is_last });
                }
                Action::Kill { worker } => self.kill(worker),
                Action::Upgrade => {
                    if let Err(error) = self.start_successor() {
                        tracing::error!("no program takes over: {error}");
                        waiting.extend(self.pool.not_taken_over());
                    }
                }
                Action::Tell(news) => tell_news(news),
                Action::Finish => is_over = true,
            }
        }
        is_over
    }

    fn spawn(&mut self, id: WorkerId, seat: usize, generation: u64) -> io::Result<()> {
        let row = self.rows.pop().ok_or(io::ErrorKind::OutOfMemory)?;
        match self.start(id, row, seat, generation) {
            Ok(process) => {
                self.workers.insert(id, process);
                Ok(())
            }
            Err(error) => {
                self.rows.push(row);
                Err(error)
            }
        }
    }

    fn start(&self, id: WorkerId, row: usize, seat: usize, generation: u64) -> io::Result<Process> {
        let welcome = Message::Welcome(Welcome {
            row: row as u32,
            seat: seat as u32,
            generation,
            listeners: self.listeners.len() as u32,
            grace: self.policy.drain.grace,
            deadline: self.policy.drain.deadline,
            is_pinned: self.program.is_pinned,
        });
        let listeners = self.listeners.iter().map(AsFd::as_fd);
        let extras = self.program.extras.iter().map(AsFd::as_fd);
        let descriptors: Vec<BorrowedFd<'_>> = std::iter::once(self.board.file())
            .chain(listeners)
            .chain(extras)
            .collect();
        let (channel, theirs) = Channel::pair()?;
        channel.send(&welcome, &descriptors)?;
        let line = Rc::new(channel.register()?);
        let child = (self.program.worker)()
            .env(ROLE_VARIABLE, WORKER)
            .stdin(Stdio::from(theirs))
            .spawn()?;
        self.listen_to(&line, Event::Ready(id));
        Ok(Process {
            child,
            line,
            row,
            passed: 0,
            takes: false,
        })
    }

    fn start_successor(&mut self) -> io::Result<()> {
        let (channel, theirs) = Channel::pair()?;
        let listeners: Vec<_> = self.listeners.iter().map(AsFd::as_fd).collect();
        channel.send(&Message::Handover, &listeners)?;
        let line = Rc::new(channel.register()?);
        let child = (self.program.successor)()
            .env(ROLE_VARIABLE, SUCCESSOR)
            .stdin(Stdio::from(theirs))
            .spawn()?;
        self.listen_to(&line, Event::TakenOver);
        self.successor = Some(child);
        Ok(())
    }

    /// Passes `event` on when the other side says that it is ready. That it has
    /// ended is heard from the kernel.
    fn listen_to(&self, line: &Rc<Line>, event: Event) {
        let (line, events) = (Rc::clone(line), self.events.clone());
        tokio::task::spawn_local(async move {
            if let Ok(Some((Message::Ready, _))) = line.receive().await {
                // A master that is over does not listen.
                let _ = events.send(event).await;
            }
        });
    }

    /// A worker that does not take what it is told does not work.
    fn tell(&mut self, id: WorkerId, message: &Message) {
        let told = match self.workers.get(&id) {
            Some(process) => process.line.send(message, &[]),
            None => Ok(()),
        };
        if let Err(error) = told {
            tracing::warn!(worker = id.0, "a worker does not listen: {error}");
            self.kill(id);
        }
    }

    fn kill(&mut self, id: WorkerId) {
        if let Some(process) = self.workers.get_mut(&id) {
            // One that has ended already needs no end.
            let _ = process.child.kill();
        }
    }

    fn has_takers(&self) -> bool {
        self.workers.values().any(|process| process.takes)
    }

    /// Gives a connection to the worker that has the fewest; if that does not
    /// listen, to the next.
    fn pass(&mut self, stream: &TcpStream) {
        let mut takers: Vec<_> = self.workers.values_mut().filter(|one| one.takes).collect();
        while !takers.is_empty() {
            let loads = takers.iter().map(|one| load(&self.board, one));
            let Some(index) = least_loaded(loads, self.last) else {
                return;
            };
            self.last = index;
            let chosen = takers.swap_remove(index);
            let sent = chosen.line.send(&Message::Connection, &[stream.as_fd()]);
            if sent.is_ok() {
                chosen.passed += 1;
                return;
            }
        }
        tracing::warn!("a connection was cut off: no worker takes more");
    }

    fn pass_waiting(&mut self) {
        if let Some(acceptor) = self.acceptor.take() {
            accept_waiting(&acceptor, |stream, _| self.pass(&stream));
        }
    }
}

/// Connections that a worker has, with those that are on their way.
fn load(board: &Scoreboard, process: &Process) -> u64 {
    let counts = board.worker(process.row).map(|status| status.counts);
    let counts = counts.unwrap_or_default();
    counts.open + process.passed.saturating_sub(counts.connections)
}

/// The next connection; never one without a listener.
async fn accept_if(listener: Option<&AsyncListener>) -> TcpStream {
    match listener {
        Some(listener) => accept(listener).await.0,
        None => pending().await,
    }
}

fn tell_news(news: News) {
    match news {
        News::Died(WorkerId(worker)) => tracing::error!(worker, "a worker died and is replaced"),
        News::NotStarted(WorkerId(worker)) => {
            tracing::error!(worker, "a worker ended before it was ready");
        }
        News::ReloadGivenUp => {
            tracing::error!("workers do not start after the reload; the old ones stay");
        }
        News::UpgradeGivenUp => {
            tracing::error!("the program that should take over ended; this one stays");
        }
        News::Late(WorkerId(worker)) => tracing::error!(worker, "a worker did not become ready"),
        News::Silent(WorkerId(worker)) => tracing::error!(worker, "a worker hangs and is replaced"),
        News::CutOff(WorkerId(worker)) => {
            tracing::warn!(worker, "a worker's connections were cut off");
        }
    }
}
