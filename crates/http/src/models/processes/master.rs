//! The master: does what the [`Pool`] says, and tells it what happened.
//!
//! It runs on one thread and waits for signals, workers and time. It does nothing
//! that could hold it up: a worker that does not read its channel is ended.

use super::alone::{Alone, Ending, cut_off};
use super::channel::{Channel, Line, Message, Welcome};
use super::orders::{Order, Orders};
use super::policy::{MAX_SLOTS, Policy};
use super::pool::{Action, Facts, News, Pool, WorkerId};
use super::program::Program;
use super::scoreboard::{Scoreboard, monotonic_ms, unix_ms};
use super::successor::{Predecessor, Successor, tell_awaited, tell_too_late};
use super::{ROLE_VARIABLE, WORKER};
use crate::models::Strategy;
use crate::models::activation::{Notice, notify};
use crate::models::balance::least_loaded;
use crate::models::event_loop::event_loop;
use crate::models::listen::{Acceptor, more_listeners};
use std::collections::BTreeMap;
use std::future::pending;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::{Child, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// How often time passes for the pool.
const TICK: Duration = Duration::from_millis(100);

/// What workers say and the master has not heard: they say one thing each.
const EVENTS: usize = 1024;

/// This process as a master, before it has workers.
#[derive(Debug)]
pub struct Master {
    /// From whom it takes over.
    predecessor: Option<Predecessor>,
}

impl Master {
    /// The first of its kind.
    pub(super) fn first() -> Self {
        Self { predecessor: None }
    }

    /// One that takes over from another.
    pub(super) fn successor(channel: Channel) -> io::Result<Self> {
        Ok(Self {
            predecessor: Some(Predecessor::hear(channel)?),
        })
    }

    /// The listeners of the program that this one takes over from, once; whoever
    /// takes them gives them back to what it runs.
    pub fn take_listeners(&mut self) -> Vec<TcpListener> {
        let listeners = self.predecessor.as_mut().map(|one| &mut one.listeners);
        listeners.map(std::mem::take).unwrap_or_default()
    }

    /// This process without workers, as it hears signals from now on.
    ///
    /// # Errors
    /// Signals cannot be heard.
    pub fn alone(self) -> io::Result<Alone> {
        Alone::new(self.predecessor)
    }

    /// Keeps workers until it is told to end. `listen` makes as many listeners as it
    /// is asked for, of each address; it is not asked if this program has those of
    /// another that it takes over from.
    ///
    /// # Errors
    /// The policy contradicts itself, `listen` failed, the master or its first
    /// workers cannot begin, or it was told to end twice.
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
        let (predecessor, mut slots) = match self.predecessor {
            None => (None, Vec::new()),
            Some(mut one) => {
                let listeners = std::mem::take(&mut one.listeners);
                (Some(one), listeners)
            }
        };
        if slots.is_empty() {
            slots = listen(wanted)?;
        } else if let (Some(first), 1..) = (slots.first(), wanted.saturating_sub(slots.len())) {
            // A program with more workers than the one before it.
            let more = more_listeners(first.local_addr()?, wanted - slots.len())?;
            slots.extend(more);
        }
        if slots.len() > MAX_SLOTS {
            let text = format!("{} listeners for workers: at most {MAX_SLOTS}", slots.len());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        event_loop()?.block_on(async {
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
    acceptor: Option<Acceptor>,
    /// Who got the last connection.
    last: usize,
    workers: BTreeMap<WorkerId, Process>,
    successor: Option<Successor>,
    /// Whom to tell that this program serves.
    predecessor: Option<Predecessor>,
    /// What the workers of each generation are given, as [`Program::check`] gave it.
    given: BTreeMap<u64, Vec<OwnedFd>>,
    is_ready: bool,
    ending: Ending,
    /// Why everything ends.
    failure: Option<io::Error>,
    begun: Instant,
    events: mpsc::Sender<Event>,
    receiver: mpsc::Receiver<Event>,
}

/// A worker's process.
struct Process {
    child: Child,
    line: Rc<Line>,
    row: usize,
    generation: u64,
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
        mut program: Program,
        listeners: Vec<TcpListener>,
        predecessor: Option<Predecessor>,
    ) -> io::Result<Self> {
        if listeners.is_empty() {
            let none = "there is no listener";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, none));
        }
        let acceptor = match policy.strategy {
            Strategy::LeastLoaded => Some(Acceptor::new(copies(&listeners)?)?),
            Strategy::PerSlot | Strategy::Shared => None,
        };
        for listener in &listeners {
            listener.set_nonblocking(true)?;
        }
        let given = (program.check)().map_err(io::Error::other)?;
        let seed = unix_ms() ^ u64::from(std::process::id()) << 32;
        let (pool, actions) = Pool::new(policy, listeners.len(), seed);
        let (events, receiver) = mpsc::channel(EVENTS);
        let given = BTreeMap::from([(pool.generation(), given)]);
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
            given,
            is_ready: false,
            ending: Ending::default(),
            failure: None,
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
        self.failure.map_or(Ok(()), Err)
    }

    fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    fn obey(&mut self, order: Order) -> bool {
        tracing::info!(?order, "the master is told");
        let now = self.now();
        let actions = match order {
            Order::Stop if self.ending.is_urged() => {
                self.failure = Some(cut_off());
                self.kill_all();
                Vec::new()
            }
            Order::Stop => {
                notify(Notice::Stopping);
                if !self.ending.has_begun() {
                    // One that does not serve yet would go on without anybody.
                    self.successor.take().into_iter().for_each(Successor::end);
                }
                self.ending.begin();
                self.pass_waiting();
                self.pool.stop(now)
            }
            Order::Reload => self.reload(now),
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

    fn reload(&mut self, now: Duration) -> Vec<Action> {
        notify(Notice::Reloading);
        let actions = match (self.program.check)() {
            Ok(given) => {
                let oldest = self.workers.values().map(|one| one.generation).min();
                self.given
                    .retain(|generation, _| oldest.is_none_or(|oldest| *generation >= oldest));
                let actions = self.pool.reload(now);
                self.given.insert(self.pool.generation(), given);
                actions
            }
            Err(fault) => {
                tracing::error!("the former configuration stays: {fault}");
                Vec::new()
            }
        };
        notify(Notice::Ready);
        actions
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
            && !matches!(successor.child.try_wait(), Ok(None))
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
                if let Some(successor) = &self.successor {
                    notify(Notice::MainProcess(successor.child.id()));
                }
                self.ending.begin();
                self.acceptor = None;
                self.pool.taken_over(now)
            }
        };
        let is_over = self.perform(actions);
        if self.pool.is_ready() && !self.is_ready {
            self.is_ready = true;
            (self.program.ready)();
            notify(Notice::Ready);
            if let Some(predecessor) = self.predecessor.take() {
                predecessor.tell();
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
                Action::Tell(News::NotStarted(_)) if !self.is_ready => {
                    waiting.extend(self.give_up());
                }
                Action::Tell(news) => tell_news(news),
                Action::Finish => is_over = true,
            }
        }
        is_over
    }

    /// What does not even begin will not get better: whoever started this must know.
    fn give_up(&mut self) -> Vec<Action> {
        if self.failure.is_none() {
            let text = "a worker ended before it was ready, and none was before it";
            self.failure = Some(io::Error::other(text));
        }
        self.pool.stop(self.begun.elapsed())
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
        let given = self.given.get(&generation).into_iter().flatten();
        let descriptors: Vec<BorrowedFd<'_>> = std::iter::once(self.board.file())
            .chain(listeners)
            .chain(extras)
            .chain(given.map(AsFd::as_fd))
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
            generation,
            passed: 0,
            takes: false,
        })
    }

    fn start_successor(&mut self) -> io::Result<()> {
        let successor = Successor::start((self.program.successor)(), &self.listeners)?;
        self.listen_to(&successor.line, Event::TakenOver);
        self.successor = Some(successor);
        Ok(())
    }

    /// Passes `event` on when the other side says that it is ready. That it has
    /// ended is heard from the kernel.
    fn listen_to(&self, line: &Rc<Line>, event: Event) {
        let (line, events) = (Rc::clone(line), self.events.clone());
        tokio::task::spawn_local(async move {
            if line.serves().await {
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

    fn kill_all(&mut self) {
        let all: Vec<_> = self.workers.keys().copied().collect();
        for id in all {
            self.kill(id);
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
            acceptor.accept_waiting(|stream, _| self.pass(&stream));
        }
    }
}

/// Connections that a worker has, with those that are on their way.
fn load(board: &Scoreboard, process: &Process) -> u64 {
    let counts = board.worker(process.row).map(|status| status.counts);
    let counts = counts.unwrap_or_default();
    counts.open + process.passed.saturating_sub(counts.connections)
}

fn copies(listeners: &[TcpListener]) -> io::Result<Vec<TcpListener>> {
    listeners.iter().map(TcpListener::try_clone).collect()
}

/// The next connection; never one without a listener.
async fn accept_if(acceptor: Option<&Acceptor>) -> TcpStream {
    match acceptor {
        Some(acceptor) => acceptor.accept().await.0,
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
        News::UpgradeAwaited => tell_awaited(),
        News::UpgradeTooLate => tell_too_late(),
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
