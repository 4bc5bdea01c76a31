//! The clients of one thread, in one loop over one epoll: free clients take requests as
//! the schedule has them due, ready sockets are advanced, what takes too long is ended.
//!
//! Epoll is used as it is, edge-triggered, and not through an asynchronous runtime: a
//! runtime's timers are a millisecond coarse, as long as several round trips to a server
//! nearby, and its tasks would take from the server whose cores they share.

use super::answer::Answer;
use super::connection::{Connection, Step};
use super::course::Course;
use super::request::Request;
use super::schedule::{Schedule, Turn};
use super::tally::{Failure, Tally};
use super::target::Target;
use super::{Amount, Plan};
use rustix::event::{Timespec, epoll};
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags};
use rustix::time::{timerfd_create, timerfd_settime};
use rustls::ClientConfig;
use std::collections::VecDeque;
use std::io;
use std::mem;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often somebody looks for what no socket tells: answers that are late, clients that
/// rested, a run that was stopped.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What is read at once; all clients of a thread share it.
const BUFFER_BYTES: usize = 64 * 1024;

/// Sockets that are told of at once: few enough that the first does not wait long.
const EVENTS: usize = 256;

/// A server that answers nothing for so many timeouts, and failed at least as many
/// requests, is left alone: whatever the plan says, a dead server holds nobody up.
const PATIENCE: u32 = 3;

/// Told of the alarm instead of a client's number.
const ALARM: u64 = u64::MAX;

/// What one thread has done.
pub(super) struct Part {
    pub tally: Tally,
    pub gave_up: bool,
}

/// One thread's clients.
pub(super) struct Worker<'a> {
    plan: &'a Plan,
    target: &'a Target,
    requests: &'a [Request],
    trust: &'a Arc<ClientConfig>,
    course: &'a Course,
    begun: Instant,
    epoll: OwnedFd,
    /// Wakes for requests that are due, to the nanosecond.
    alarm: OwnedFd,
    schedule: Schedule,
    clients: Vec<Client<'a>>,
    /// Those that may ask, who asked longest ago first.
    free: VecDeque<usize>,
    /// Those whose last request failed: they ask again after the next look, so that a
    /// server that refuses is not asked in a frenzy.
    resting: Vec<usize>,
    /// How many have sent all that is theirs.
    finished: usize,
    buffer: Vec<u8>,
    part: Part,
    /// When the last answer came, and how many requests have failed since.
    last_answer: Duration,
    failed_since: u32,
}

struct Client<'a> {
    connection: Option<Connection>,
    asking: Option<Asking<'a>>,
    /// Which of the requests is its next.
    turn: usize,
}

/// A request under way.
struct Asking<'a> {
    request: &'a Request,
    due: Duration,
    sent: Duration,
}

impl<'a> Worker<'a> {
    pub(super) fn new(
        number: usize,
        plan: &'a Plan,
        target: &'a Target,
        requests: &'a [Request],
        trust: &'a Arc<ClientConfig>,
        course: &'a Course,
        begun: Instant,
    ) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let alarm = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        let told = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(&epoll, &alarm, epoll::EventData::new_u64(ALARM), told)?;
        let clients: Vec<_> = (number..plan.clients)
            .step_by(plan.threads)
            .map(|turn| Client {
                connection: None,
                asking: None,
                turn,
            })
            .collect();
        let mut worker = Self {
            plan,
            target,
            requests,
            trust,
            course,
            begun,
            epoll,
            alarm,
            schedule: Schedule::new(plan.pace, plan.amount, number, plan.threads),
            free: VecDeque::with_capacity(clients.len()),
            resting: Vec::new(),
            finished: 0,
            clients,
            buffer: vec![0; BUFFER_BYTES],
            part: Part {
                tally: Tally::default(),
                gave_up: false,
            },
            last_answer: Duration::ZERO,
            failed_since: 0,
        };
        (0..worker.clients.len()).for_each(|client| worker.release(client));
        Ok(worker)
    }

    /// Until the schedule is over and everybody was answered, or the course is stopped.
    pub(super) fn run(mut self) -> io::Result<Part> {
        let mut events = Vec::with_capacity(EVENTS);
        let mut looked = self.now();
        while !self.course.is_stopped() && !self.part.gave_up {
            let is_over = self.begin_due()?;
            let is_over = is_over || self.finished == self.clients.len();
            let idle = self.free.len() + self.resting.len() + self.finished;
            if is_over && idle == self.clients.len() {
                break;
            }
            self.wait(&mut events, looked + LOOK_EVERY)?;
            for event in &events {
                match event.data.u64() {
                    ALARM => {}
                    client => self.ready(client as usize),
                }
            }
            if self.now() >= looked + LOOK_EVERY {
                looked = self.now();
                self.look(looked);
            }
        }
        self.count_the_rest();
        Ok(self.part)
    }

    /// Lets free clients take what is due. True when nothing ever will be.
    fn begin_due(&mut self) -> io::Result<bool> {
        while let Some(&client) = self.free.front() {
            match self.schedule.next(self.now()) {
                Turn::Now(due) => {
                    self.free.pop_front();
                    self.begin(client, due);
                }
                Turn::At(due) => {
                    self.set_alarm(due)?;
                    return Ok(false);
                }
                Turn::Over => return Ok(true),
            }
        }
        Ok(false)
    }

    fn begin(&mut self, number: usize, due: Duration) {
        let sent = self.now();
        let client = &mut self.clients[number];
        let request = &self.requests[client.turn % self.requests.len()];
        let stride = match self.plan.amount {
            Amount::Once(_) => self.plan.clients,
            Amount::Requests(_) | Amount::Lasting(_) => 1,
        };
        client.turn = client.turn.wrapping_add(stride);
        client.asking = Some(Asking { request, due, sent });
        let step = match &mut client.connection {
            Some(connection) => connection.ask(request),
            None => self.connect(number, request),
        };
        self.take(number, step);
    }

    fn connect(&mut self, number: usize, request: &Request) -> Step {
        let connection = match Connection::connect(self.target, self.trust, request) {
            Ok(connection) => connection,
            Err(step) => return step,
        };
        let told = epoll::EventFlags::IN
            | epoll::EventFlags::OUT
            | epoll::EventFlags::RDHUP
            | epoll::EventFlags::ET;
        let data = epoll::EventData::new_u64(number as u64);
        match epoll::add(&self.epoll, &connection, data, told) {
            Ok(()) => self.clients[number].connection = Some(connection),
            Err(error) => return Step::Failed(Failure::Unreachable, error.to_string()),
        }
        Step::Waits
    }

    /// The socket of a client has something to say.
    fn ready(&mut self, number: usize) {
        let client = &mut self.clients[number];
        let Some(connection) = &mut client.connection else {
            return;
        };
        match &client.asking {
            Some(asking) => {
                let step = connection.advance(asking.request, &mut self.buffer);
                self.take(number, step);
            }
            None if connection.is_quiet(&mut self.buffer) => {}
            // The server ended it between two requests, as it may.
            None => client.connection = None,
        }
    }

    fn take(&mut self, number: usize, step: Step) {
        match step {
            Step::Waits => {}
            Step::Answered(answer) => self.answered(number, answer),
            Step::Failed(failure, example) => self.failed(number, failure, example),
        }
    }

    fn answered(&mut self, number: usize, answer: Answer) {
        let now = self.now();
        let client = &mut self.clients[number];
        let Some(asking) = client.asking.take() else {
            return;
        };
        if !answer.keeps_connection || !self.plan.keeps_connections {
            client.connection = None;
        }
        let tally = &mut self.part.tally;
        tally.answer(answer, now.saturating_sub(asking.due));
        tally.send(asking.request.bytes().len() as u64);
        self.course.count_answer();
        self.last_answer = now;
        self.failed_since = 0;
        self.release(number);
    }

    /// A client may ask again, if it has anything to ask.
    fn release(&mut self, number: usize) {
        match self.left(number) {
            0 => self.finished += 1,
            _ => self.free.push_back(number),
        }
    }

    /// How many requests a client has not sent: they have no end where they are repeated.
    fn left(&self, number: usize) -> usize {
        let behind = self
            .requests
            .len()
            .saturating_sub(self.clients[number].turn);
        match self.plan.amount {
            Amount::Once(_) => behind.div_ceil(self.plan.clients),
            Amount::Requests(_) | Amount::Lasting(_) => usize::MAX,
        }
    }

    fn failed(&mut self, number: usize, failure: Failure, example: String) {
        let client = &mut self.clients[number];
        client.connection = None;
        client.asking = None;
        self.part.tally.fail(failure, 1, || example);
        self.course.count_failure();
        self.failed_since = self.failed_since.saturating_add(1);
        self.resting.push(number);
    }

    /// Ends what takes too long, and lets those who rested ask again.
    fn look(&mut self, now: Duration) {
        for number in mem::take(&mut self.resting) {
            self.release(number);
        }
        let timeout = self.plan.timeout;
        for number in 0..self.clients.len() {
            let client = &self.clients[number];
            let is_late = |asking: &Asking<'_>| now.saturating_sub(asking.sent) >= timeout;
            if client.asking.as_ref().is_some_and(is_late) {
                let is_made = client.connection.as_ref().is_some_and(Connection::is_made);
                let (failure, what) = match is_made {
                    true => (Failure::Late, "no answer"),
                    false => (Failure::Unreachable, "no connection"),
                };
                let example = format!("{what} within {} s", timeout.as_secs_f64());
                self.failed(number, failure, example);
            }
        }
        let silence = now.saturating_sub(self.last_answer);
        let patience = timeout.saturating_mul(PATIENCE);
        self.part.gave_up = self.failed_since >= PATIENCE && silence >= patience;
    }

    /// What was begun and not answered, what was due by now and nobody took, and of requests
    /// that are sent once those that were not. Who was stopped by somebody counts only what
    /// ended before.
    fn count_the_rest(&mut self) {
        if self.course.is_stopped() {
            return;
        }
        // Of a server that was left alone.
        let asking = self.clients.iter().filter(|client| client.asking.is_some());
        let (asking, example) = (asking.count() as u64, || "no answer any more".to_owned());
        self.part.tally.fail(Failure::Late, asking, example);
        let (unsent, why) = match self.plan.amount {
            Amount::Once(_) => {
                let left = (0..self.clients.len()).map(|client| self.left(client) as u64);
                (left.sum(), "the server was left alone before")
            }
            Amount::Requests(_) | Amount::Lasting(_) => {
                let overdue = self.schedule.overdue(self.now());
                (overdue, "no client was free in time")
            }
        };
        let example = || why.to_owned();
        self.part.tally.fail(Failure::Unsent, unsent, example);
    }

    fn wait(&self, events: &mut Vec<epoll::Event>, until: Duration) -> io::Result<()> {
        events.clear();
        let time = timespec(until.saturating_sub(self.now()));
        let spare = rustix::buffer::spare_capacity(events);
        match epoll::wait(&self.epoll, spare, Some(&time)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Wakes the loop at `due`, which lies ahead.
    fn set_alarm(&self, due: Duration) -> io::Result<()> {
        // A time of zero would stop it.
        let rest = due.saturating_sub(self.now()).max(Duration::from_nanos(1));
        let spec = Itimerspec {
            it_interval: timespec(Duration::ZERO),
            it_value: timespec(rest),
        };
        timerfd_settime(&self.alarm, TimerfdTimerFlags::empty(), &spec)?;
        Ok(())
    }

    fn now(&self) -> Duration {
        self.begun.elapsed()
    }
}

fn timespec(time: Duration) -> Timespec {
    Timespec {
        // Nobody waits longer than such a number has room for.
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: time.subsec_nanos().into(),
    }
}
