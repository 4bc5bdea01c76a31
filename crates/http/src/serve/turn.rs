//! What one event loop shares among its connections: buffers, clock, handler, and
//! the watch over connections that have waited too long.
//!
//! The buffers exist once for each loop and not for each connection: a connection
//! that waits holds no bytes, so that ten thousand idle ones cost little. A
//! connection uses them only between two waits.

use super::handler::Handler;
use super::record::{Asked, Record};
use super::sealed::Sealed;
use super::socket::Socket;
use crate::date::response_date;
use crate::files::Moment;
use crate::h1::{Limits, Room, Waiting};
use crate::models::{Counts, Phase};
use crate::tls::Acceptor;
use http::StatusCode;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::net::{SocketAddr, TcpStream};
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::Notify;

/// Read at once. Where heads may be longer it is more than the longest, so that a
/// whole one always fits.
const READ_BYTES: usize = 64 * 1024;

/// Handshakes that one loop holds at the same time. Each keeps a few kilobytes; a
/// flood of them that never end costs those that are older, not those that come.
const MAX_HANDSHAKES: usize = 1024;

/// How often the watch looks at deadlines; they are late by this much at most.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long the time of day is not asked for: a clock that somebody sets is believed
/// after this.
const COMPARE_EVERY: Duration = Duration::from_secs(1);

/// What a loop is told to do.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    /// Bounds of each connection.
    pub limits: Limits,
    /// How long a connection may wait.
    pub timeouts: Timeouts,
    /// Whether a service that has a whole request and no answer yet is dropped when the
    /// client closes its side of a connection in clear: nobody is left to work for. One that
    /// only says that it will send no more, and reads on, looks the same and gets no answer.
    pub leaves_with_client: bool,
}

/// How long a connection may wait for its client. A client that is slow in any of
/// these ways holds a connection so long, and no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For the whole handshake of TLS.
    pub handshake: Duration,
    /// For the first byte of the next request.
    pub idle: Duration,
    /// From the first byte of a head to its last, however it trickles.
    pub head: Duration,
    /// For any byte of content; for all of one that nobody wants.
    pub body: Duration,
    /// Until the client takes any byte of a response.
    pub write: Duration,
    /// For the client's last bytes after the response that ends a connection.
    pub linger: Duration,
    /// Until anything moves over a connection that has left HTTP, in either
    /// direction; at most twice as long.
    pub silence: Duration,
    /// For the last words on a connection that has left HTTP and is to end.
    pub farewell: Duration,
}

impl Timeouts {
    /// What most servers need.
    pub const DEFAULT: Self = Self {
        handshake: Duration::from_secs(10),
        idle: Duration::from_secs(75),
        head: Duration::from_secs(15),
        body: Duration::from_secs(30),
        write: Duration::from_secs(30),
        linger: Duration::from_secs(5),
        // Longer than the time between two pings of any protocol that has them.
        silence: Duration::from_secs(120),
        farewell: Duration::from_secs(5),
    };
}

impl Default for Timeouts {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// See the module.
#[derive(Debug)]
pub struct Turn<H> {
    pub(super) handler: H,
    pub(super) settings: Settings,
    pub(super) input: RefCell<Box<[u8]>>,
    pub(super) output: RefCell<Vec<u8>>,
    pub(super) room: RefCell<Room>,
    clock: RefCell<Clock>,
    watched: RefCell<Places>,
    phase: Cell<Phase>,
    counts: Cell<Counts>,
    /// The phase is another.
    changed: Notify,
    /// The last connection has ended.
    left: Notify,
    /// Holds handshakes, when connections are encrypted.
    acceptor: Option<Acceptor>,
    /// Those that have begun one, the oldest first.
    shaking: RefCell<VecDeque<Weak<Watched>>>,
}

/// A connection as the watch sees it.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) socket: Socket,
    pub(super) peer: SocketAddr,
    /// Where it is among those that are watched.
    place: usize,
    /// Seconds of the loop's clock; [`NEVER`] while it waits for nobody.
    deadline: Cell<u32>,
    /// What it waits for as a whole, and until when. It stays while other things are
    /// waited for in between, so that nothing can set this clock again.
    awaited: Cell<Option<(Waiting, u32)>>,
    /// The watch has shut the socket down.
    pub(super) is_expired: Cell<bool>,
    /// It is between two requests.
    pub(super) is_idle: Cell<bool>,
    /// Its handshake has not ended.
    pub(super) is_shaking: Cell<bool>,
    /// It waits until its client takes what is written.
    pub(super) awaits_room: Cell<bool>,
}

impl Watched {
    /// What it waited for has come.
    #[inline]
    pub(super) fn has_come(&self) {
        self.awaited.set(None);
    }

    /// The rest of a head did not come in time.
    pub(super) fn is_head_late(&self) -> bool {
        let awaits_head = matches!(self.awaited.get(), Some((Waiting::Head, _)));
        awaits_head && self.is_expired.get()
    }

    /// Ends what it waits for.
    fn expire(&self) {
        self.deadline.set(NEVER);
        self.is_expired.set(true);
        // Whoever waits for the socket is woken by its end: a reader by the end of
        // what comes, a writer by nothing but the end of both.
        if self.awaits_room.get() {
            self.socket.shut_down_both();
        } else {
            self.socket.shut_down_reading();
        }
    }
}

const NEVER: u32 = u32::MAX;

/// The connections that are watched, each in a place of its own.
#[derive(Debug, Default)]
struct Places {
    /// A free place has nobody.
    entries: Vec<Weak<Watched>>,
    free: Vec<usize>,
}

impl Places {
    /// A place for somebody.
    fn take(&mut self) -> usize {
        self.free.pop().unwrap_or_else(|| {
            self.entries.push(Weak::new());
            self.entries.len() - 1
        })
    }

    fn give_back(&mut self, place: usize) {
        self.entries[place] = Weak::new();
        self.free.push(place);
    }

    fn open(&self) -> impl Iterator<Item = Rc<Watched>> {
        self.entries.iter().filter_map(Weak::upgrade)
    }
}

/// The time that has passed is asked for with each turn; the time of day, once a
/// second.
#[derive(Debug)]
struct Clock {
    begun: Instant,
    /// Of the last reading.
    moment: Moment,
    /// When the time of day was asked for, on both clocks.
    compared: Option<Moment>,
    second: u64,
    date: [u8; 29],
}

impl<H: Handler> Turn<H> {
    /// A connection has ended.
    pub(super) fn leave(&self) {
        let mut counts = self.counts.get();
        counts.open -= 1;
        self.counts.set(counts);
        if counts.open == 0 {
            self.left.notify_waiters();
            // A worker that has nothing to serve keeps no time either.
            self.handler.tick();
        }
    }

    /// Ends connections whose deadline has passed; runs as long as the loop.
    pub async fn watch(&self) {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            ticks.tick().await;
            self.end_expired();
            self.handler.tick();
        }
    }

    /// Tells the handler of a response that has ended now.
    pub(super) fn tell(
        &self,
        peer: SocketAddr,
        asked: Option<Asked<'_>>,
        status: StatusCode,
        bytes: u64,
        begun: Moment,
    ) {
        self.handler.record(&Record {
            peer,
            asked,
            status,
            bytes,
            since_epoch: begun.since_epoch,
            duration: self.now().elapsed.saturating_sub(begun.elapsed),
        });
    }
}

impl<H> Turn<H> {
    /// A loop's own.
    pub fn new(handler: H, settings: Settings) -> Rc<Self> {
        Self::build(handler, settings, None)
    }

    /// The same for connections that are encrypted, over which HTTP/2 is spoken with
    /// those who know it.
    pub fn secured(handler: H, settings: Settings, acceptor: Acceptor) -> Rc<Self> {
        Self::build(handler, settings, Some(acceptor))
    }

    fn build(handler: H, settings: Settings, acceptor: Option<Acceptor>) -> Rc<Self> {
        Rc::new(Self {
            handler,
            settings,
            input: RefCell::new(vec![0; read_bytes(&settings.limits)].into_boxed_slice()),
            output: RefCell::new(Vec::with_capacity(READ_BYTES)),
            room: RefCell::default(),
            clock: RefCell::new(Clock::new()),
            watched: RefCell::default(),
            phase: Cell::new(Phase::default()),
            counts: Cell::new(Counts::default()),
            changed: Notify::new(),
            left: Notify::new(),
            acceptor,
            shaking: RefCell::default(),
        })
    }

    /// The handler.
    pub fn handler(&self) -> &H {
        &self.handler
    }

    /// Whether connections are encrypted.
    pub(super) fn is_secured(&self) -> bool {
        self.acceptor.is_some()
    }

    /// What has been done up to now.
    pub fn counts(&self) -> Counts {
        self.counts.get()
    }

    /// Lets connections end, as [`Phase`] says.
    pub(super) fn enter_phase(&self, phase: Phase) {
        if phase != Phase::Serving && phase <= self.phase.get() {
            return;
        }
        self.phase.set(phase);
        self.changed.notify_waiters();
        if phase == Phase::Ending {
            for connection in self.watched.borrow().open() {
                if connection.is_idle.get() {
                    // Its reader sees what came before, and then the end.
                    connection.socket.shut_down_reading();
                }
            }
        }
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// Ends when connections are to end.
    pub(super) async fn last_requests(&self) {
        while self.phase.get() == Phase::Serving {
            self.changed.notified().await;
        }
    }

    /// Ends when the phase, from now on, becomes another one.
    pub(super) fn phase_changed(&self) -> impl Future<Output = ()> {
        self.changed.notified()
    }

    /// Ends when no connection is open any more.
    pub(super) async fn emptied(&self) {
        while self.counts.get().open > 0 {
            self.left.notified().await;
        }
    }

    /// A request has been received.
    pub(super) fn count_request(&self) {
        let mut counts = self.counts.get();
        counts.requests += 1;
        self.counts.set(counts);
    }

    fn end_expired(&self) {
        let now = self.seconds();
        for connection in self.watched.borrow().open() {
            if connection.deadline.get() <= now {
                connection.expire();
            }
        }
    }

    /// Takes a connection in; with what seals it, if it is to be encrypted.
    pub(super) fn enter(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
    ) -> (Rc<Watched>, Option<Box<Sealed>>) {
        let mut counts = self.counts.get();
        counts.open += 1;
        counts.connections += 1;
        self.counts.set(counts);
        let socket = Socket::new(stream);
        if self.phase.get() == Phase::Ending {
            socket.shut_down_reading();
        }
        let mut places = self.watched.borrow_mut();
        let place = places.take();
        let watched = Rc::new(Watched {
            socket,
            peer,
            place,
            deadline: Cell::new(NEVER),
            awaited: Cell::new(None),
            is_expired: Cell::new(false),
            is_idle: Cell::new(true),
            is_shaking: Cell::new(self.acceptor.is_some()),
            awaits_room: Cell::new(false),
        });
        places.entries[place] = Rc::downgrade(&watched);
        drop(places);
        let sealed = self
            .acceptor
            .as_ref()
            .map(|acceptor| self.begin_handshake(acceptor, &watched));
        (watched, sealed)
    }

    fn begin_handshake(&self, acceptor: &Acceptor, connection: &Rc<Watched>) -> Box<Sealed> {
        let mut shaking = self.shaking.borrow_mut();
        if shaking.len() >= MAX_HANDSHAKES {
            let is_shaking = |one: Rc<Watched>| one.is_shaking.get();
            shaking.retain(|one| one.upgrade().is_some_and(is_shaking));
        }
        if shaking.len() >= MAX_HANDSHAKES
            && let Some(oldest) = shaking.pop_front().and_then(|oldest| oldest.upgrade())
        {
            oldest.expire();
        }
        shaking.push_back(Rc::downgrade(connection));
        Box::new(Sealed::new(acceptor.begin()))
    }

    /// Nobody waits for `connection` any more, and what it lay in is free for the
    /// next.
    pub(super) fn forget(&self, connection: &Watched) {
        self.watched.borrow_mut().give_back(connection.place);
    }

    /// Lets `connection` wait for `patience`, from `since`.
    pub(super) fn expect(&self, connection: &Watched, since: Moment, patience: Duration) {
        connection.deadline.set(deadline(since, patience));
    }

    /// Lets `connection` wait for all of what it waits for, for `patience` from the
    /// first wait; a wait that goes on has the end that it had.
    pub(super) fn expect_whole(
        &self,
        connection: &Watched,
        waiting: Waiting,
        since: Moment,
        patience: Duration,
    ) {
        let until = match connection.awaited.get() {
            Some((awaited, until)) if awaited == waiting => until,
            _ => deadline(since, patience),
        };
        connection.awaited.set(Some((waiting, until)));
        connection.deadline.set(until);
    }

    /// Lets `connection` wait for somebody other than its client.
    pub(super) fn expect_nothing(&self, connection: &Watched) {
        connection.deadline.set(NEVER);
    }

    /// Now, on both clocks.
    pub(super) fn now(&self) -> Moment {
        self.clock.borrow_mut().read()
    }

    /// Now, in whole seconds of the loop's clock.
    pub(super) fn seconds(&self) -> u32 {
        seconds(self.now())
    }

    /// The last reading of the clock: now, for whoever has not waited since.
    pub(super) fn moment(&self) -> Moment {
        self.clock.borrow().moment
    }

    /// The `Date` of the last reading.
    pub(super) fn date(&self) -> [u8; 29] {
        self.clock.borrow().date
    }
}

/// Room for a whole head, or trailer section, with an empty line before it, and a byte
/// that is too many.
fn read_bytes(limits: &Limits) -> usize {
    let longest = limits.head_bytes.max(limits.trailer_bytes) as usize;
    READ_BYTES.max("\r\n".len() + longest + 1)
}

impl Clock {
    fn new() -> Self {
        let mut clock = Self {
            begun: Instant::now(),
            moment: Moment {
                elapsed: Duration::ZERO,
                since_epoch: Duration::ZERO,
            },
            compared: None,
            second: u64::MAX,
            date: [b' '; 29],
        };
        clock.read();
        clock
    }

    fn read(&mut self) -> Moment {
        let elapsed = self.begun.elapsed();
        let recent = self
            .compared
            .filter(|compared| elapsed - compared.elapsed < COMPARE_EVERY);
        let compared = recent.unwrap_or_else(|| Moment {
            elapsed,
            // Before 1970 the clock is wrong, and the date with it.
            since_epoch: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default(),
        });
        self.compared = Some(compared);
        self.moment = Moment {
            elapsed,
            since_epoch: compared.since_epoch + (elapsed - compared.elapsed),
        };
        let second = self.moment.since_epoch.as_secs();
        if second != self.second {
            self.second = second;
            self.date = response_date(self.moment.unix_seconds());
        }
        self.moment
    }
}

/// The second in which `patience` has surely passed since `since`.
fn deadline(since: Moment, patience: Duration) -> u32 {
    let patience = u32::try_from(patience.as_secs()).unwrap_or(NEVER);
    seconds(since).saturating_add(patience).saturating_add(1)
}

/// Whole seconds of the loop's clock.
fn seconds(moment: Moment) -> u32 {
    moment.elapsed.as_secs() as u32
}

#[cfg(test)]
#[path = "turn_tests.rs"]
mod tests;
