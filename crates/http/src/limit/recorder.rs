//! What was decided about whom, counted without a lock on the way of a request.
//!
//! Each thread has a ring ([`rings`]) for every client that it decided about lately, and
//! pushes its decisions there. Whoever wants to know drains all rings into totals.
//!
//! ```text
//! thread ── decision ──▶ ring of the client ──┐
//! thread ── decision ──▶ ring of the client ──┴── drain ──▶ totals, by client and class
//! ```
//!
//! A thread takes a lock only when a client is new to it. When it has as many rings as it
//! may, that of the client which was quiet longest is drained, and is the new one's. A ring
//! that is full counts by kind what does not fit: totals are exact, however seldom someone
//! drains. Locks are taken in this order: the list of lanes, a lane, the totals.

use super::limiter::Client;
use crate::recent::Recent;
use hashbrown::DefaultHashBuilder;
use rings::{Consumer, Producer, ring};
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// Rings of one thread: more than clients are busy at once on most nodes, and 320 KiB.
const RINGS: usize = 128;

/// Events of a ring: a busy client's of a tenth of a second, in 2 KiB.
const RING_EVENTS: usize = 256;

/// Clients with totals of their own; all that come later share one. Each is several series
/// for whoever stores the totals, and a flood of addresses is to cost no more than this.
pub const RECORDED_CLIENTS: usize = 1000;

/// Classes that are told apart; those from the last one on are one.
pub const RECORDED_CLASSES: u8 = 8;

/// A class with either outcome.
const KINDS: usize = 2 * RECORDED_CLASSES as usize;

/// Decisions of all threads; shared by reference.
#[derive(Debug, Default)]
pub struct Recorder(Arc<Shared>);

/// How often one class was decided about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Decisions {
    /// Times that a client was let through.
    pub allowed: u64,
    /// Times that it was refused.
    pub refused: u64,
}

#[derive(Debug, Default)]
struct Shared {
    lanes: Mutex<Vec<Arc<Mutex<Lane>>>>,
    totals: Mutex<Totals>,
}

/// The far ends of the rings of one thread.
#[derive(Debug, Default)]
struct Lane {
    rings: Vec<(Client, Consumer)>,
    /// Its thread is gone.
    has_ended: bool,
}

#[derive(Debug, Default)]
struct Totals {
    clients: HashMap<Client, Classes>,
    others: Classes,
    overflowed: u64,
}

type Classes = [Decisions; RECORDED_CLASSES as usize];

/// The near ends of the rings of this thread, for one recorder.
struct Lines {
    shared: Weak<Shared>,
    lane: Arc<Mutex<Lane>>,
    /// The hash is quick and its seed is drawn anew for each process; whoever made addresses
    /// collide all the same would find [`RINGS`] of them.
    rings: Recent<Client, Line, DefaultHashBuilder>,
}

struct Line {
    /// Which ring of the lane this is.
    place: usize,
    producer: Producer,
}

thread_local! {
    /// For each recorder: one, but where tests run several nodes in a process.
    static LINES: RefCell<Vec<Lines>> = const { RefCell::new(Vec::new()) };
}

impl Recorder {
    /// Notes that `client` was let through or refused in `class`, a number below
    /// [`RECORDED_CLASSES`]. Takes some 20 ns, and 150 ns where a ring changes hands.
    pub fn record(&self, client: Client, class: u8, allowed: bool) {
        let event = u64::from(class.min(RECORDED_CLASSES - 1)) << 1 | u64::from(allowed);
        LINES.with_borrow_mut(|all| {
            let place = all.iter().position(|lines| lines.belongs_to(&self.0));
            let place = place.unwrap_or_else(|| begin(all, &self.0));
            all[place].push(client, event, &self.0);
        });
    }

    /// Moves everything that was recorded since the last call into the totals.
    pub fn drain(&self) {
        lock(&self.0.lanes).retain(|lane| {
            let mut lane = lock(lane);
            let mut totals = lock(&self.0.totals);
            for (client, consumer) in &mut lane.rings {
                totals.take(*client, consumer);
            }
            !lane.has_ended
        });
    }

    /// Tells the totals as of the last [`Recorder::drain`], of each client and class about
    /// which anything was decided. No client: those beyond [`RECORDED_CLIENTS`].
    pub fn totals(&self, each: &mut dyn FnMut(Option<Client>, u8, Decisions)) {
        let totals = lock(&self.0.totals);
        let clients = totals.clients.iter();
        let clients = clients.map(|(client, classes)| (Some(*client), classes));
        for (client, classes) in clients.chain([(None, &totals.others)]) {
            for (class, decisions) in (0..).zip(classes) {
                if *decisions != Decisions::default() {
                    each(client, class, *decisions);
                }
            }
        }
    }

    /// How many decisions found their ring full, as of the last [`Recorder::drain`]. They
    /// are in the totals as well.
    pub fn overflowed(&self) -> u64 {
        lock(&self.0.totals).overflowed
    }
}

/// Begins the lines of this thread to a recorder, and forgets those to recorders that are
/// no more.
fn begin(all: &mut Vec<Lines>, shared: &Arc<Shared>) -> usize {
    all.retain(|lines| lines.shared.strong_count() > 0);
    let lane = Arc::default();
    lock(&shared.lanes).push(Arc::clone(&lane));
    all.push(Lines {
        shared: Arc::downgrade(shared),
        lane,
        rings: Recent::new(RINGS),
    });
    all.len() - 1
}

impl Lines {
    /// A weak pointer keeps the place in memory, so no two recorders have the same.
    fn belongs_to(&self, shared: &Arc<Shared>) -> bool {
        self.shared.as_ptr() == Arc::as_ptr(shared)
    }

    fn push(&mut self, client: Client, event: u64, shared: &Shared) {
        if let Some(line) = self.rings.get(&client) {
            return line.producer.push(event);
        }
        let mut line = match self.rings.len() < RINGS {
            true => None,
            false => self.rings.pop_oldest(),
        }
        .map_or_else(
            || lock(&self.lane).lay(client),
            |(_, line)| {
                lock(&self.lane).hand_over(line.place, client, &shared.totals);
                line
            },
        );
        line.producer.push(event);
        self.rings.put(client, line);
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        lock(&self.lane).has_ended = true;
    }
}

impl Lane {
    fn lay(&mut self, client: Client) -> Line {
        let (producer, consumer) = ring(RING_EVENTS, KINDS);
        self.rings.push((client, consumer));
        Line {
            place: self.rings.len() - 1,
            producer,
        }
    }

    /// Counts what the ring holds of its client, and makes it another's.
    fn hand_over(&mut self, place: usize, client: Client, totals: &Mutex<Totals>) {
        let (former, consumer) = &mut self.rings[place];
        lock(totals).take(*former, consumer);
        *former = client;
    }
}

impl Totals {
    fn take(&mut self, client: Client, consumer: &mut Consumer) {
        let mut new = Classes::default();
        self.overflowed += consumer.drain(&mut |event, count| {
            let decisions = &mut new[usize::from((event >> 1) as u8)];
            match event & 1 {
                0 => decisions.refused += count,
                _ => decisions.allowed += count,
            }
        });
        if new == Classes::default() {
            return;
        }
        let has_room = self.clients.len() < RECORDED_CLIENTS;
        let sums = match self.clients.contains_key(&client) || has_room {
            true => self.clients.entry(client).or_default(),
            false => &mut self.others,
        };
        for (sum, new) in sums.iter_mut().zip(new) {
            sum.allowed += new.allowed;
            sum.refused += new.refused;
        }
    }
}

/// Whatever panicked, counters are at worst a few short.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use std::time::Instant;

    /// By client (none: the rest) and class: how often allowed, how often refused.
    type Told = BTreeMap<(Option<u128>, u8), (u64, u64)>;

    fn told(recorder: &Recorder) -> Told {
        let mut told = Told::new();
        recorder.drain();
        recorder.totals(&mut |client, class, decisions| {
            let client = client.map(|client| match client {
                Client::Known(number) => number,
                Client::Address(_) => panic!("no address was recorded"),
            });
            told.insert((client, class), (decisions.allowed, decisions.refused));
        });
        told
    }

    fn count(told: &mut Told, client: Option<u128>, class: u8, allowed: bool, times: u64) {
        let sums = told.entry((client, class)).or_default();
        match allowed {
            true => sums.0 += times,
            false => sums.1 += times,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        /// More clients than rings, more events than fit, drained so seldom that rings change
        /// hands full: totals are those of a plain map.
        #[test]
        fn totals_are_exact(
            steps in proptest::collection::vec(
                (0..2 * RINGS as u128, 0..10u8, any::<bool>(), 1..2 * RING_EVENTS as u64, 0..200u8),
                0..500,
            ),
        ) {
            let (recorder, mut model) = (Recorder::default(), Told::new());
            for (client, class, allowed, times, drains) in steps {
                for _ in 0..times {
                    recorder.record(Client::Known(client), class, allowed);
                }
                let class = class.min(RECORDED_CLASSES - 1);
                count(&mut model, Some(client), class, allowed, times);
                if drains == 0 {
                    prop_assert_eq!(&told(&recorder), &model);
                }
            }
            prop_assert_eq!(told(&recorder), model);
        }
    }

    #[test]
    fn what_does_not_fit_is_counted_and_told() {
        let recorder = Recorder::default();
        for _ in 0..RING_EVENTS + 7 {
            recorder.record(Client::Known(1), 3, false);
        }
        let expected = Told::from([((Some(1), 3), (0, RING_EVENTS as u64 + 7))]);
        assert_eq!(told(&recorder), expected);
        assert_eq!(recorder.overflowed(), 7);
    }

    #[test]
    fn late_clients_share_a_total() {
        let recorder = Recorder::default();
        for client in 0..RECORDED_CLIENTS as u128 + 20 {
            recorder.record(Client::Known(client), 0, true);
            recorder.drain();
        }
        let told = told(&recorder);
        assert_eq!(told.len(), RECORDED_CLIENTS + 1);
        assert_eq!(told[&(None, 0)], (20, 0));
    }

    /// Threads that end, and two recorders that are not mixed up.
    #[test]
    fn nothing_of_a_thread_is_lost_when_it_ends() {
        let (first, second) = (Recorder::default(), Recorder::default());
        std::thread::scope(|threads| {
            for _ in 0..4 {
                threads.spawn(|| {
                    for client in 0..200 {
                        first.record(Client::Known(client), 1, true);
                        second.record(Client::Known(client), 1, false);
                    }
                });
            }
            first.drain();
        });
        let expected = |sums| (0..200).map(|client| ((Some(client), 1), sums)).collect();
        // A thread ends a little after its scope was told; its rings are there either way.
        assert_eq!(told(&first), Told::from_iter::<Vec<_>>(expected((4, 0))));
        assert_eq!(told(&second), Told::from_iter::<Vec<_>>(expected((0, 4))));
    }

    /// `cargo test --release --package httpd --lib recorder -- --ignored --nocapture`
    #[test]
    #[ignore = "measures, and asserts nothing"]
    fn cost_of_a_decision() {
        const DECISIONS: u32 = 10_000_000;
        let recorder = Recorder::default();
        for clients in [1, 100, 1000] {
            let begun = Instant::now();
            for number in 0..DECISIONS {
                recorder.record(Client::Known(u128::from(number % clients)), 1, true);
            }
            println!("{clients} clients: {:?} each", begun.elapsed() / DECISIONS);
        }
    }
}
