//! The limits of all clients on all routes, for all threads.
//!
//! Clients are spread over shards by a keyed hash, each with its own lock, which
//! is held for one look-up and some arithmetic; no lock is taken while another
//! is held, but for the rules, which are only read. Each shard holds a bounded
//! number of clients and bytes. When it is full, the client that has been quiet
//! longest is forgotten: its quota is most likely whole again anyway. So a flood
//! of addresses costs memory up to the bound and no more, and a busy client
//! stays known.

use super::bucket::TokenBucket;
use super::decision::Decision;
use super::rules::{Limit, LimitError, Rules};
use super::window::SlidingWindow;
use crate::recent::Recent;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

/// Who is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Client {
    /// A known one, by an id of the caller's choice.
    Known(u128),
    /// Everyone at an address; see [`Client::at`].
    Address(IpAddr),
}

/// What is asked, by the number of its name in the limiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Route(u16);

/// A counter that says whether a client may go on. Behind this, one shared by a
/// cluster can take a [`Limiter`]'s place.
pub trait Quota: Send + Sync {
    /// Asks for `cost` at `now`, on a clock that never runs backwards.
    fn take(&self, client: Client, route: Route, cost: u32, now: Duration) -> Decision;
}

/// The limits of all clients; shared by reference.
#[derive(Debug)]
pub struct Limiter {
    routes: Vec<Box<str>>,
    rules: RwLock<Current>,
    shards: Box<[Mutex<Shard>]>,
    hasher: RandomState,
    bytes_per_shard: usize,
}

/// How much a limiter may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimiterSize {
    /// How many locks clients are spread over.
    pub shards: usize,
    /// How many pairs of client and route are remembered, in all shards.
    pub clients: usize,
    /// How many bytes they may hold.
    pub memory: usize,
}

/// What a limiter did and holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LimiterStats {
    /// Pairs of client and route that are remembered.
    pub clients: usize,
    /// Bytes that they hold, roughly.
    pub memory: usize,
    /// Requests that were let through.
    pub allowed: u64,
    /// Requests that were refused.
    pub refused: u64,
    /// Pairs forgotten for want of room.
    pub evicted: u64,
}

/// The rules in force.
#[derive(Debug)]
struct Current {
    generation: u64,
    limits: Vec<Option<Limit>>,
}

#[derive(Debug)]
struct Shard {
    states: Recent<(Client, Route), State>,
    stats: LimiterStats,
}

#[derive(Debug)]
struct State {
    /// The rules under which it was last used.
    generation: u64,
    counter: Counter,
    weight: usize,
}

#[derive(Debug)]
enum Counter {
    Window(SlidingWindow),
    Bucket(TokenBucket),
}

/// What one pair costs beside its events: key and value, twice the key, a place
/// in the map and in the list.
const PAIR_BYTES: usize = 2 * size_of::<(Client, Route)>() + size_of::<State>() + 48;

impl Default for LimiterSize {
    fn default() -> Self {
        Self {
            // More than there are threads on most machines.
            shards: 64,
            clients: 1 << 16,
            memory: 32 << 20,
        }
    }
}

impl Client {
    /// Whoever is at an address. Of IPv6 the first 64 bits count, because that
    /// is what one customer gets; a mapped IPv4 address is that address.
    pub fn at(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V6(address) => {
                let network = u128::from(address) >> 64 << 64;
                IpAddr::V6(Ipv6Addr::from(network))
            }
            address => address,
        })
    }
}

impl Limiter {
    /// Limits the routes called `names` by `rules`.
    pub fn new(names: &[&str], rules: &Rules, size: LimiterSize) -> Result<Self, LimitError> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
        if let Some(name) = names.iter().find(|name| !name.chars().all(is_plain)) {
            return Err(LimitError::RouteName((*name).to_owned()));
        }
        if names.len() > usize::from(u16::MAX) {
            return Err(LimitError::TooManyRoutes);
        }
        let routes: Vec<Box<str>> = names.iter().map(|name| Box::from(*name)).collect();
        let limits = rules.resolve(&routes)?;
        let shards = size.shards.max(1);
        let shard = || {
            Mutex::new(Shard {
                states: Recent::new(size.clients.div_ceil(shards)),
                stats: LimiterStats::default(),
            })
        };
        Ok(Self {
            routes,
            rules: RwLock::new(Current {
                generation: 0,
                limits,
            }),
            shards: (0..shards).map(|_| shard()).collect(),
            hasher: RandomState::new(),
            bytes_per_shard: size.memory.div_ceil(shards),
        })
    }

    /// The route of that name.
    pub fn route(&self, name: &str) -> Option<Route> {
        let place = self.routes.iter().position(|known| **known == *name)?;
        u16::try_from(place).ok().map(Route)
    }

    /// The name of a route, for headers.
    pub fn name(&self, route: Route) -> &str {
        self.routes
            .get(usize::from(route.0))
            .map_or("", |name| name)
    }

    /// Puts other rules in force. What clients have used so far stays counted.
    /// On an error the former rules stay.
    pub fn reload(&self, rules: &Rules) -> Result<(), LimitError> {
        let limits = rules.resolve(&self.routes)?;
        let mut current = self.rules.write().unwrap_or_else(PoisonError::into_inner);
        current.generation += 1;
        current.limits = limits;
        Ok(())
    }

    /// What it did and holds.
    pub fn stats(&self) -> LimiterStats {
        let mut sum = LimiterStats::default();
        for shard in &self.shards {
            let shard = lock(shard);
            sum.clients += shard.states.len();
            sum.memory += shard.stats.memory;
            sum.allowed += shard.stats.allowed;
            sum.refused += shard.stats.refused;
            sum.evicted += shard.stats.evicted;
        }
        sum
    }

    /// The rule of a route and its generation.
    fn rule(&self, route: Route) -> (Option<Limit>, u64) {
        let current = self.rules.read().unwrap_or_else(PoisonError::into_inner);
        let limit = current.limits.get(usize::from(route.0)).copied().flatten();
        (limit, current.generation)
    }
}

impl Quota for Limiter {
    fn take(&self, client: Client, route: Route, cost: u32, now: Duration) -> Decision {
        let (Some(limit), generation) = self.rule(route) else {
            return Decision::Unlimited;
        };
        let key = (client, route);
        let place = self.hasher.hash_one(key) as usize % self.shards.len();
        let mut shard = lock(&self.shards[place]);
        let decision = shard.take(key, &limit, generation, cost, now);
        shard.shrink(self.bytes_per_shard);
        decision
    }
}

impl Shard {
    fn take(
        &mut self,
        key: (Client, Route),
        limit: &Limit,
        generation: u64,
        cost: u32,
        now: Duration,
    ) -> Decision {
        if self.states.get(&key).is_none() {
            let state = State::new(limit, generation);
            self.stats.memory += state.weight;
            let gone = self.states.put(key, state);
            self.forgotten(gone);
        }
        let state = self
            .states
            .get(&key)
            .expect("it was there, or has just been put there");
        let before = state.weight;
        let decision = state.take(limit, generation, cost, now);
        self.stats.memory = self.stats.memory + state.weight - before;
        match decision.is_allowed() {
            true => self.stats.allowed += 1,
            false => self.stats.refused += 1,
        }
        decision
    }

    /// Forgets the quietest until it fits into `bytes`.
    fn shrink(&mut self, bytes: usize) {
        while self.stats.memory > bytes && self.states.len() > 1 {
            let gone = self.states.pop_oldest();
            self.forgotten(gone);
        }
    }

    fn forgotten(&mut self, gone: Option<((Client, Route), State)>) {
        if let Some((_, state)) = gone {
            self.stats.memory -= state.weight;
            self.stats.evicted += 1;
        }
    }
}

impl State {
    fn new(limit: &Limit, generation: u64) -> Self {
        Self {
            generation,
            counter: Counter::new(limit),
            weight: PAIR_BYTES,
        }
    }

    fn take(&mut self, limit: &Limit, generation: u64, cost: u32, now: Duration) -> Decision {
        if self.generation != generation {
            self.generation = generation;
            self.counter.adapt(limit, now);
        }
        let decision = match (&mut self.counter, *limit) {
            (Counter::Window(window), Limit::Window { count, period }) => {
                window.take(count, period, cost, now)
            }
            (
                Counter::Bucket(bucket),
                Limit::Bucket {
                    count,
                    period,
                    burst,
                },
            ) => bucket.take(count, period, burst, cost, now),
            _ => unreachable!("adapt makes the counter one of the limit's kind"),
        };
        self.weight = PAIR_BYTES + self.counter.weight();
        decision
    }
}

impl Counter {
    fn new(limit: &Limit) -> Self {
        match limit {
            Limit::Window { .. } => Self::Window(SlidingWindow::default()),
            Limit::Bucket { .. } => Self::Bucket(TokenBucket::default()),
        }
    }

    /// Counts on under another limit; one of another kind starts anew.
    fn adapt(&mut self, limit: &Limit, now: Duration) {
        match (&mut *self, *limit) {
            (Self::Window(_), Limit::Window { .. }) => {}
            (
                Self::Bucket(bucket),
                Limit::Bucket {
                    count,
                    period,
                    burst,
                },
            ) => {
                bucket.adapt(count, period, burst, now);
            }
            _ => *self = Self::new(limit),
        }
    }

    fn weight(&self) -> usize {
        match self {
            Self::Window(window) => window.weight(),
            Self::Bucket(_) => 0,
        }
    }
}

/// A panic elsewhere leaves counters that are at worst one event off.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
