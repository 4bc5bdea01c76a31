//! The core of the master: which workers there should be, and what has to be done
//! about it. Without processes, signals, clocks and chance: what happened, the time
//! and a seed come in, [`Action`]s come out.
//!
//! 1. Something happens: a worker is ready or gone, a second has passed, somebody
//!    asks for a reload, an upgrade or the end.
//! 2. It is noted.
//! 3. [`Pool::settle`] compares what is with what should be, and says what to do.
//!
//! A worker is replaced in this order: the new one starts, is ready, gets the slots
//! of the old one, and only then the old one lets its connections go. So there is
//! no moment at which a slot has nobody, except after a crash; then the others take
//! its slots at once.

use super::assign::{SlotSet, assign};
use super::policy::Policy;
use std::collections::BTreeMap;
use std::time::Duration;

/// A worker, for as long as the master runs; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct WorkerId(pub(super) u64);

/// What has to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Start a worker on a seat: a number below the maximum that it may share only
    /// with the one that it replaces.
    Spawn {
        worker: WorkerId,
        seat: usize,
        generation: u64,
    },
    /// From now on it accepts from these slots and no others.
    Listen { worker: WorkerId, slots: SlotSet },
    /// It accepts nothing more, and ends with its connections. If it is one of the
    /// last, nobody accepts after it.
    Drain { worker: WorkerId, is_last: bool },
    /// It is ended at once.
    Kill { worker: WorkerId },
    /// Start the program that takes over.
    Upgrade,
    /// Somebody should know.
    Tell(News),
    /// All workers have ended, and no more come.
    Finish,
}

/// What somebody should know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// A worker ended that should not have.
    Died(WorkerId),
    /// A worker ended before it was ready.
    NotStarted(WorkerId),
    /// The workers of a new generation do not start; the old ones stay.
    ReloadGivenUp,
    /// The program that should take over ended; this one stays.
    UpgradeGivenUp,
    /// Another upgrade was asked for while one is under way.
    UpgradeAwaited,
    /// An upgrade was asked for when everything ends.
    UpgradeTooLate,
    /// A worker did not become ready in time.
    Late(WorkerId),
    /// A worker gives no sign of life.
    Silent(WorkerId),
    /// A worker's connections did not end in time.
    CutOff(WorkerId),
}

/// What a worker's row of the scoreboard says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) requests: u64,
    pub(super) resident_bytes: u64,
    /// Time for which it computed, since it began.
    pub(super) computed: Duration,
    /// Since its last sign of life.
    pub(super) silent: Duration,
}

#[derive(Debug)]
pub(super) struct Pool {
    policy: Policy,
    slots: usize,
    workers: BTreeMap<WorkerId, Worker>,
    next: u64,
    /// Workers of an older one are to be replaced.
    generation: u64,
    /// How many there should be.
    wanted: usize,
    failures: Failures,
    load: LoadLooks,
    is_stopping: bool,
    /// Another program takes over, or may.
    upgrade: Upgrade,
    random: u64,
}

#[derive(Debug)]
struct Worker {
    seat: usize,
    generation: u64,
    state: State,
    begun: Duration,
    replaces: Option<WorkerId>,
    /// What it was told last.
    slots: SlotSet,
    /// Its share of what jitter takes off: 0 to 1.
    luck: f64,
    facts: Facts,
    /// What it had computed when the load was last looked at.
    computed_before: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Starting,
    Ready,
    Draining { until: Duration },
}

/// Workers that ended too soon, in a row.
#[derive(Debug, Default)]
struct Failures {
    count: u32,
    /// None is started before.
    until: Duration,
    /// If the pool is whole then, it starts afresh.
    forgotten: Duration,
}

#[derive(Debug, Default)]
struct LoadLooks {
    last: Duration,
    busy: u32,
    calm: u32,
}

#[derive(Debug, PartialEq, Eq)]
enum Upgrade {
    None,
    Starting,
    Done,
}

/// How long a pool is whole before its last failures are forgotten: a worker that
/// keeps dying in this time is not well.
const STEADY: Duration = Duration::from_secs(10);

/// How often the load is looked at: [`super::Load`] counts in these.
const LOAD_EVERY: Duration = Duration::from_secs(1);

impl Pool {
    /// A pool over `slots` listeners, which starts its first workers at once.
    pub(super) fn new(policy: Policy, slots: usize, seed: u64) -> (Self, Vec<Action>) {
        let mut pool = Self {
            policy,
            slots,
            workers: BTreeMap::new(),
            next: 0,
            generation: 0,
            wanted: policy.minimum,
            failures: Failures::default(),
            load: LoadLooks::default(),
            is_stopping: false,
            upgrade: Upgrade::None,
            random: seed,
        };
        let actions = pool.settle(Duration::ZERO);
        (pool, actions)
    }

    /// A worker has said that it is ready.
    pub(super) fn ready(&mut self, id: WorkerId, now: Duration) -> Vec<Action> {
        let Some(worker) = self.workers.get_mut(&id) else {
            return Vec::new();
        };
        if worker.state == State::Starting {
            worker.state = State::Ready;
        }
        self.settle(now)
    }

    /// A worker is gone, whatever the reason.
    pub(super) fn exited(&mut self, id: WorkerId, now: Duration) -> Vec<Action> {
        let Some(worker) = self.workers.remove(&id) else {
            return Vec::new();
        };
        let mut actions = Vec::new();
        match worker.state {
            State::Draining { .. } => {}
            State::Starting => {
                self.failures.add(now, self.policy.pause);
                actions.push(Action::Tell(News::NotStarted(id)));
                self.give_up_reload(worker.generation, &mut actions);
            }
            State::Ready => {
                self.failures.add(now, self.policy.pause);
                actions.push(Action::Tell(News::Died(id)));
            }
        }
        actions.append(&mut self.settle(now));
        actions
    }

    /// Time has passed; `facts` are those of each worker.
    pub(super) fn tick(&mut self, now: Duration, facts: impl Fn(WorkerId) -> Facts) -> Vec<Action> {
        for (id, worker) in &mut self.workers {
            worker.facts = facts(*id);
        }
        if self.ready_count() >= self.wanted {
            self.failures.forget(now);
        }
        self.look_at_load(now);
        let mut actions = self.end_late(now);
        actions.append(&mut self.settle(now));
        actions
    }

    /// Replaces all workers, one by one.
    pub(super) fn reload(&mut self, now: Duration) -> Vec<Action> {
        self.generation += 1;
        self.failures = Failures::default();
        self.settle(now)
    }

    /// Lets another program take over.
    pub(super) fn upgrade(&mut self) -> Vec<Action> {
        if self.is_stopping {
            return vec![Action::Tell(News::UpgradeTooLate)];
        }
        if self.upgrade == Upgrade::Starting {
            return vec![Action::Tell(News::UpgradeAwaited)];
        }
        self.upgrade = Upgrade::Starting;
        vec![Action::Upgrade]
    }

    /// The other program serves: this one need not.
    pub(super) fn taken_over(&mut self, now: Duration) -> Vec<Action> {
        self.upgrade = Upgrade::Done;
        self.stop(now)
    }

    /// The other program has ended before it served.
    pub(super) fn not_taken_over(&mut self) -> Vec<Action> {
        if self.upgrade != Upgrade::Starting {
            return Vec::new();
        }
        self.upgrade = Upgrade::None;
        vec![Action::Tell(News::UpgradeGivenUp)]
    }

    /// Lets everything end.
    pub(super) fn stop(&mut self, now: Duration) -> Vec<Action> {
        self.is_stopping = true;
        self.settle(now)
    }

    /// That of workers that are started now.
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether enough workers are ready to take over from another program.
    pub(super) fn is_ready(&self) -> bool {
        self.ready_count() >= self.policy.minimum
    }

    fn ready_count(&self) -> usize {
        self.in_state(State::Ready).count()
    }

    fn in_state(&self, state: State) -> impl Iterator<Item = (WorkerId, &Worker)> {
        self.workers
            .iter()
            .filter(move |(_, worker)| worker.state == state)
            .map(|(id, worker)| (*id, worker))
    }

    /// Compares what is with what should be.
    fn settle(&mut self, now: Duration) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.is_stopping {
            self.end_all(now, &mut actions);
            return actions;
        }
        self.fill_seats(now, &mut actions);
        self.give_slots(&mut actions);
        // Only now: whoever takes the slots of another has them.
        self.end_replaced(now, &mut actions);
        self.end_surplus(now, &mut actions);
        self.begin_replacement(now, &mut actions);
        actions
    }

    fn end_all(&mut self, now: Duration, actions: &mut Vec<Action>) {
        let ids: Vec<_> = self.workers.keys().copied().collect();
        for id in ids {
            self.drain(id, now, actions);
        }
        if self.workers.is_empty() {
            actions.push(Action::Finish);
        }
    }

    /// Starts what is missing: all of it, unless the last ones failed.
    fn fill_seats(&mut self, now: Duration, actions: &mut Vec<Action>) {
        while let Some(seat) = self.empty_seat() {
            let is_first = self.in_state(State::Starting).count() == 0;
            let may_start = self.failures.count == 0 || is_first;
            if !may_start || !self.has_room(now) {
                return;
            }
            self.spawn(seat, None, now, actions);
        }
    }

    fn empty_seat(&self) -> Option<usize> {
        (0..self.wanted).find(|seat| !self.serving().any(|worker| worker.seat == *seat))
    }

    /// Those that serve, or will.
    fn serving(&self) -> impl Iterator<Item = &Worker> {
        let ends = |worker: &Worker| matches!(worker.state, State::Draining { .. });
        self.workers.values().filter(move |worker| !ends(worker))
    }

    fn has_room(&self, now: Duration) -> bool {
        now >= self.failures.until && self.workers.len() < self.policy.processes()
    }

    /// Starts the replacement of one worker, if none is under way.
    fn begin_replacement(&mut self, now: Duration, actions: &mut Vec<Action>) {
        let is_busy = self.in_state(State::Starting).next().is_some();
        if is_busy || !self.has_room(now) {
            return;
        }
        let due = self
            .in_state(State::Ready)
            .filter(|(_, worker)| self.is_due(worker, now))
            .min_by_key(|(id, worker)| (worker.generation, *id))
            .map(|(id, worker)| (id, worker.seat));
        if let Some((id, seat)) = due {
            self.spawn(seat, Some(id), now, actions);
        }
    }

    fn is_due(&self, worker: &Worker, now: Duration) -> bool {
        let recycle = &self.policy.recycle;
        let shortened = 1.0 - recycle.jitter.clamp(0.0, 1.0) * worker.luck;
        let requests = recycle.requests.map(|most| most as f64 * shortened);
        let age = recycle.age.map(|most| most.mul_f64(shortened));
        worker.generation < self.generation
            || requests.is_some_and(|most| worker.facts.requests as f64 >= most)
            || age.is_some_and(|most| now.saturating_sub(worker.begun) >= most)
            || recycle
                .resident_bytes
                .is_some_and(|most| worker.facts.resident_bytes >= most)
    }

    fn spawn(
        &mut self,
        seat: usize,
        replaces: Option<WorkerId>,
        now: Duration,
        actions: &mut Vec<Action>,
    ) {
        let id = WorkerId(self.next);
        self.next += 1;
        let worker = Worker {
            seat,
            generation: self.generation,
            state: State::Starting,
            begun: now,
            replaces,
            slots: SlotSet::default(),
            luck: self.draw(),
            facts: Facts::default(),
            computed_before: Duration::ZERO,
        };
        actions.push(Action::Spawn {
            worker: id,
            seat,
            generation: worker.generation,
        });
        self.workers.insert(id, worker);
    }

    /// Gives every slot to somebody who is ready.
    fn give_slots(&mut self, actions: &mut Vec<Action>) {
        let Policy {
            strategy, maximum, ..
        } = self.policy;
        let replaced: Vec<_> = self.replaced().collect();
        let ready: Vec<_> = self
            .in_state(State::Ready)
            .filter(|(id, worker)| !replaced.contains(id) && worker.seat < self.wanted)
            .map(|(id, worker)| (id, worker.seat))
            .collect();
        for (id, slots) in assign(strategy, self.slots, maximum, &ready) {
            let Some(worker) = self.workers.get_mut(&id) else {
                continue;
            };
            if worker.slots != slots {
                worker.slots = slots;
                actions.push(Action::Listen { worker: id, slots });
            }
        }
    }

    /// Workers whose replacement is ready.
    fn replaced(&self) -> impl Iterator<Item = WorkerId> {
        self.in_state(State::Ready)
            .filter_map(|(_, worker)| worker.replaces)
            .filter(|id| self.workers.contains_key(id))
    }

    fn end_replaced(&mut self, now: Duration, actions: &mut Vec<Action>) {
        let replaced: Vec<_> = self.replaced().collect();
        for id in replaced {
            self.drain(id, now, actions);
        }
    }

    /// Ends workers on seats that are not wanted any more.
    fn end_surplus(&mut self, now: Duration, actions: &mut Vec<Action>) {
        let surplus: Vec<_> = self
            .workers
            .iter()
            .filter(|(_, worker)| worker.seat >= self.wanted)
            .map(|(id, _)| *id)
            .collect();
        for id in surplus {
            self.drain(id, now, actions);
        }
    }

    fn drain(&mut self, id: WorkerId, now: Duration, actions: &mut Vec<Action>) {
        let until = now + self.policy.drain.deadline + self.policy.drain.grace;
        let is_last = self.is_stopping && self.upgrade != Upgrade::Done;
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        match worker.state {
            State::Draining { .. } => return,
            // It has no connections, and may not be able to listen.
            State::Starting => actions.push(Action::Kill { worker: id }),
            State::Ready => actions.push(Action::Drain {
                worker: id,
                is_last,
            }),
        }
        worker.state = State::Draining { until };
    }

    /// Ends those that take too long.
    fn end_late(&mut self, now: Duration) -> Vec<Action> {
        let mut actions = Vec::new();
        for (&id, worker) in &self.workers {
            let news = match worker.state {
                State::Starting if now >= worker.begun + self.policy.start => News::Late(id),
                State::Ready if worker.facts.silent >= self.policy.silence => News::Silent(id),
                State::Draining { until } if now >= until => News::CutOff(id),
                _ => continue,
            };
            actions.push(Action::Tell(news));
            actions.push(Action::Kill { worker: id });
        }
        actions
    }

    /// A generation that does not start is no reason to lose the one that serves.
    fn give_up_reload(&mut self, failed: u64, actions: &mut Vec<Action>) {
        let serving = self.in_state(State::Ready).map(|(_, one)| one.generation);
        if let Some(newest) = serving.max()
            && newest < failed
        {
            self.generation = newest;
            actions.push(Action::Tell(News::ReloadGivenUp));
        }
    }

    /// Once a second, by how much the workers computed in it.
    fn look_at_load(&mut self, now: Duration) {
        let elapsed = now.saturating_sub(self.load.last);
        if elapsed < LOAD_EVERY {
            return;
        }
        self.load.last = now;
        let mut computed = Duration::ZERO;
        let mut ready = 0;
        for worker in self.workers.values_mut() {
            let before = std::mem::replace(&mut worker.computed_before, worker.facts.computed);
            if worker.state == State::Ready {
                computed += worker.facts.computed.saturating_sub(before);
                ready += 1;
            }
        }
        self.follow_load(computed.as_secs_f64() / elapsed.as_secs_f64(), ready);
    }

    /// `total` is the load of all `ready` workers, each of which has 1 at most.
    fn follow_load(&mut self, total: f64, ready: usize) {
        let load = &self.policy.load;
        let is_settled = ready == self.wanted;
        let is_busy = is_settled && total > load.busy * ready as f64;
        let is_calm = is_settled && total < load.calm * (ready - 1) as f64;
        self.load.busy = if is_busy { self.load.busy + 1 } else { 0 };
        self.load.calm = if is_calm { self.load.calm + 1 } else { 0 };
        if self.load.busy >= load.looks_up && self.wanted < self.policy.maximum {
            self.wanted += 1;
            self.load.busy = 0;
        } else if self.load.calm >= load.looks_down && self.wanted > self.policy.minimum {
            self.wanted -= 1;
            self.load.calm = 0;
        }
    }

    /// A number from 0 to 1 (SplitMix64; chance only has to differ).
    fn draw(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        (mixed >> 11) as f64 / (1_u64 << 53) as f64
    }
}

impl Failures {
    /// Each failure doubles the pause.
    fn add(&mut self, now: Duration, (least, most): (Duration, Duration)) {
        let doubled = 2_u32.saturating_pow(self.count);
        let pause = least.saturating_mul(doubled).min(most);
        self.count += 1;
        self.until = now + pause;
        self.forgotten = self.until + STEADY;
    }

    fn forget(&mut self, now: Duration) {
        if self.count > 0 && now >= self.forgotten {
            *self = Self::default();
        }
    }
}
