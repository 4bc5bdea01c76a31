//! The pool in a world without processes: workers start, fail, end and fall silent
//! as a seed says.

use super::assign::SlotSet;
use super::policy::{Load, Policy, Recycle};
use super::pool::{Action, Facts, News, Pool, WorkerId};
use crate::models::{Drain, Strategy};
use proptest::prelude::{Just, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::strategy::Strategy as Generator;
use std::collections::BTreeMap;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// What has been done to the workers.
struct World {
    pool: Pool,
    policy: Policy,
    now: Duration,
    workers: BTreeMap<WorkerId, Process>,
    news: Vec<News>,
    upgrades: u32,
    is_finished: bool,
}

#[derive(Clone, Copy, Debug)]
struct Process {
    seat: usize,
    generation: u64,
    slots: SlotSet,
    state: Is,
    facts: Facts,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Is {
    Starting,
    Ready,
    Draining,
    Killed,
}

impl World {
    fn new(policy: Policy) -> Self {
        let (pool, actions) = Pool::new(policy, policy.listeners(), 7);
        let mut world = Self {
            pool,
            policy,
            now: Duration::ZERO,
            workers: BTreeMap::new(),
            news: Vec::new(),
            upgrades: 0,
            is_finished: false,
        };
        world.perform(actions);
        world
    }

    fn perform(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Spawn {
                    worker,
                    seat,
                    generation,
                } => {
                    let process = Process {
                        seat,
                        generation,
                        slots: SlotSet::default(),
                        state: Is::Starting,
                        facts: Facts::default(),
                    };
                    assert!(self.workers.insert(worker, process).is_none());
                }
                Action::Listen { worker, slots } => {
                    let process = self.worker(worker);
                    assert_eq!(process.state, Is::Ready);
                    process.slots = slots;
                }
                Action::Drain { worker, is_last } => {
                    let process = self.worker(worker);
                    assert_eq!(process.state, Is::Ready);
                    process.state = Is::Draining;
                    process.slots = SlotSet::default();
                    if !is_last {
                        self.check_slots();
                    }
                }
                Action::Kill { worker } => self.worker(worker).state = Is::Killed,
                Action::Upgrade => self.upgrades += 1,
                Action::Tell(news) => self.news.push(news),
                Action::Finish => self.is_finished = true,
            }
        }
        assert!(self.workers.len() <= self.policy.processes());
        assert!(self.is_finished || self.ids(Is::Ready).is_empty() || self.is_covered());
    }

    /// As long as anybody serves, every slot has somebody.
    fn check_slots(&self) {
        assert!(self.is_covered(), "{:?}", self.workers);
    }

    fn is_covered(&self) -> bool {
        let all = self.workers.values().fold(0, |all, one| all | one.slots.0);
        let slots = match self.policy.strategy {
            Strategy::LeastLoaded => return true,
            Strategy::PerSlot | Strategy::Shared => self.policy.listeners(),
        };
        all == u128::MAX >> (128 - slots)
    }

    fn worker(&mut self, id: WorkerId) -> &mut Process {
        self.workers.get_mut(&id).expect("it was spawned")
    }

    fn ids(&self, state: Is) -> Vec<WorkerId> {
        let of_state = |process: &Process| process.state == state;
        let found = self.workers.iter().filter(|(_, one)| of_state(one));
        found.map(|(id, _)| *id).collect()
    }

    fn ready(&mut self, id: WorkerId) {
        self.worker(id).state = Is::Ready;
        let actions = self.pool.ready(id, self.now);
        self.perform(actions);
    }

    fn exit(&mut self, id: WorkerId) {
        self.workers.remove(&id);
        let actions = self.pool.exited(id, self.now);
        self.perform(actions);
    }

    fn tick(&mut self, passed: Duration) {
        self.now += passed;
        let facts: BTreeMap<_, _> = self
            .workers
            .iter()
            .map(|(id, one)| (*id, one.facts))
            .collect();
        let actions = self.pool.tick(self.now, |id| facts[&id]);
        self.perform(actions);
    }

    /// All workers do what they are told, until nothing happens any more.
    fn obey(&mut self) {
        loop {
            let (starting, killed) = (self.ids(Is::Starting), self.ids(Is::Killed));
            let draining = self.ids(Is::Draining);
            if starting.is_empty() && killed.is_empty() && draining.is_empty() {
                return;
            }
            for id in starting {
                // One that was surplus meanwhile was killed.
                if self.worker(id).state == Is::Starting {
                    self.ready(id);
                }
            }
            for id in killed.into_iter().chain(draining) {
                self.exit(id);
            }
        }
    }

    /// Seats and generations of those that are ready.
    fn serving(&self) -> Vec<(usize, u64)> {
        let ready = self.workers.values().filter(|one| one.state == Is::Ready);
        let mut serving: Vec<_> = ready.map(|one| (one.seat, one.generation)).collect();
        serving.sort_unstable();
        serving
    }
}

fn of(minimum: usize, maximum: usize) -> Policy {
    Policy {
        minimum,
        maximum,
        ..Policy::default()
    }
}

#[test]
fn it_starts_with_the_least() {
    let mut world = World::new(of(2, 4));
    assert!(!world.pool.is_ready());
    world.obey();
    assert!(world.pool.is_ready());
    assert_eq!(world.serving(), [(0, 0), (1, 0)]);
    // Two workers, but all four slots.
    world.check_slots();
}

#[test]
fn the_dead_are_replaced_and_their_slots_given_away_at_once() {
    let mut world = World::new(of(3, 3));
    world.obey();
    let dead = world.ids(Is::Ready)[1];
    world.exit(dead);
    assert_eq!(world.news, [News::Died(dead)]);
    world.check_slots();
    assert_eq!(world.ids(Is::Starting), [], "only after a pause");
    world.tick(SECOND);
    world.obey();
    assert_eq!(world.serving(), [(0, 0), (1, 0), (2, 0)]);
}

#[test]
fn what_keeps_failing_is_tried_less_and_less() {
    let mut world = World::new(of(1, 1));
    let mut tries = Vec::new();
    while world.now < Duration::from_secs(100) {
        for id in world.ids(Is::Starting) {
            tries.push(world.now.as_secs());
            world.exit(id);
        }
        world.tick(SECOND);
    }
    let gaps: Vec<_> = tries.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.is_sorted(), "{tries:?}");
    assert_eq!(gaps.last(), Some(&30));
    assert!(tries.len() < 15, "{tries:?}");
}

#[test]
fn a_reload_replaces_one_by_one() {
    let mut world = World::new(of(3, 3));
    world.obey();
    let actions = world.pool.reload(world.now);
    world.perform(actions);
    for done in 0..3 {
        assert_eq!(world.ids(Is::Ready).len(), 3);
        let starting = world.ids(Is::Starting);
        assert_eq!(starting.len(), 1, "after {done}");
        world.ready(starting[0]);
        for id in world.ids(Is::Draining) {
            world.exit(id);
        }
    }
    assert_eq!(world.serving(), [(0, 1), (1, 1), (2, 1)]);
    world.tick(SECOND);
    assert_eq!(world.ids(Is::Starting), []);
}

#[test]
fn a_reload_that_does_not_start_is_given_up() {
    let mut world = World::new(of(2, 2));
    world.obey();
    let actions = world.pool.reload(world.now);
    world.perform(actions);
    let starting = world.ids(Is::Starting)[0];
    world.exit(starting);
    assert_eq!(
        world.news,
        [News::NotStarted(starting), News::ReloadGivenUp]
    );
    for _ in 0..100 {
        world.tick(SECOND);
    }
    assert_eq!(world.serving(), [(0, 0), (1, 0)]);
    assert_eq!(world.ids(Is::Starting), []);
}

#[track_caller]
fn check_recycled(recycle: Recycle, facts: Facts, at: Duration, expected: bool) {
    let policy = Policy {
        recycle,
        ..of(1, 1)
    };
    let mut world = World::new(policy);
    world.obey();
    let id = world.ids(Is::Ready)[0];
    world.worker(id).facts = facts;
    world.tick(at);
    assert_eq!(!world.ids(Is::Starting).is_empty(), expected);
}

#[test]
fn a_worker_goes_after_its_time() {
    let requests = |requests| Facts {
        requests,
        ..Facts::default()
    };
    let after = Recycle {
        requests: Some(100),
        ..Recycle::default()
    };
    check_recycled(after, requests(99), SECOND, false);
    check_recycled(after, requests(100), SECOND, true);
    let early = Recycle {
        jitter: 1.0,
        ..after
    };
    check_recycled(early, requests(99), SECOND, true);
    let old = Recycle {
        age: Some(10 * SECOND),
        ..Recycle::default()
    };
    check_recycled(old, requests(0), 9 * SECOND, false);
    check_recycled(old, requests(0), 10 * SECOND, true);
    let large = Recycle {
        resident_bytes: Some(1000),
        ..Recycle::default()
    };
    let resident = |resident_bytes| Facts {
        resident_bytes,
        ..Facts::default()
    };
    check_recycled(large, resident(999), SECOND, false);
    check_recycled(large, resident(1000), SECOND, true);
    check_recycled(Recycle::default(), requests(u64::MAX), 9999 * SECOND, false);
}

#[test]
fn the_pool_follows_the_load() {
    let policy = Policy {
        load: Load {
            looks_up: 2,
            looks_down: 3,
            ..Load::default()
        },
        ..of(1, 3)
    };
    let mut world = World::new(policy);
    world.obey();
    let mut run = |share: f64, seconds: u32| {
        for _ in 0..seconds {
            for one in world.workers.values_mut() {
                one.facts.computed += SECOND.mul_f64(share);
            }
            world.tick(SECOND);
            world.obey();
        }
        world.serving().len()
    };
    assert_eq!(run(0.7, 10), 1);
    assert_eq!(run(0.9, 1), 1);
    assert_eq!(run(0.9, 1), 2);
    assert_eq!(run(0.9, 10), 3);
    // Two could do it only at three quarters each: not calm.
    assert_eq!(run(0.5, 10), 3);
    assert_eq!(run(0.1, 2), 3);
    assert_eq!(run(0.1, 1), 2);
    assert_eq!(run(0.1, 10), 1);
}

#[test]
fn whoever_takes_too_long_is_ended() {
    let policy = Policy {
        drain: Drain {
            grace: SECOND,
            deadline: 5 * SECOND,
        },
        ..of(1, 1)
    };
    let mut world = World::new(policy);
    let late = world.ids(Is::Starting)[0];
    world.tick(policy.start);
    assert_eq!(
        (world.ids(Is::Killed), &*world.news),
        (vec![late], &[News::Late(late)][..])
    );
    world.exit(late);
    world.tick(SECOND);
    world.obey();

    let silent = world.ids(Is::Ready)[0];
    world.worker(silent).facts.silent = policy.silence;
    world.tick(SECOND);
    assert_eq!(world.ids(Is::Killed), [silent]);
    world.exit(silent);
    world.tick(SECOND);
    world.obey();

    let actions = world.pool.stop(world.now);
    world.perform(actions);
    let slow = world.ids(Is::Draining)[0];
    world.tick(5 * SECOND);
    assert_eq!(world.ids(Is::Killed), []);
    world.tick(SECOND);
    assert_eq!(world.ids(Is::Killed), [slow]);
    assert_eq!(world.news.last(), Some(&News::CutOff(slow)));
    world.exit(slow);
    assert!(world.is_finished);
}

#[test]
fn another_program_takes_over_only_when_it_is_ready() {
    let mut world = World::new(of(2, 2));
    world.obey();
    for _ in 0..2 {
        // Once at a time.
        let actions = world.pool.upgrade();
        world.perform(actions);
    }
    assert_eq!(world.upgrades, 1);
    let actions = world.pool.not_taken_over();
    world.perform(actions);
    let news = [News::UpgradeAwaited, News::UpgradeGivenUp];
    assert_eq!(world.news, news);
    assert_eq!(world.serving().len(), 2);

    let actions = world.pool.upgrade();
    world.perform(actions);
    assert_eq!(world.upgrades, 2);
    let draining = world.pool.taken_over(world.now);
    let keeps = |action: &Action| matches!(action, Action::Drain { is_last: false, .. });
    assert!(draining.iter().all(keeps), "{draining:?}");
    assert_eq!(draining.len(), 2);
    let late = world.pool.upgrade();
    assert_eq!(late, [Action::Tell(News::UpgradeTooLate)]);
    for id in [WorkerId(0), WorkerId(1)] {
        let actions = world.pool.exited(id, world.now);
        world.is_finished = actions.contains(&Action::Finish);
    }
    assert!(world.is_finished);
}

/// What may happen next.
#[derive(Clone, Debug)]
enum Event {
    Ready(prop::sample::Index),
    Exit(prop::sample::Index),
    Tick(u16),
    Requests(prop::sample::Index),
    Compute(prop::sample::Index),
    Reload,
}

fn event() -> impl Generator<Value = Event> {
    prop_oneof![
        6 => any::<prop::sample::Index>().prop_map(Event::Ready),
        2 => any::<prop::sample::Index>().prop_map(Event::Exit),
        4 => (0..20_000_u16).prop_map(Event::Tick),
        2 => any::<prop::sample::Index>().prop_map(Event::Requests),
        3 => any::<prop::sample::Index>().prop_map(Event::Compute),
        1 => Just(Event::Reload),
    ]
}

proptest! {
    /// Whatever happens, no slot is forgotten while anybody serves (see
    /// [`World::perform`]); and when it is over, the pool is whole and new.
    #[test]
    fn it_comes_to_rest(
        events in prop::collection::vec(event(), 0..200),
        minimum in 1..4_usize,
        more in 0..3_usize,
        strategy in prop_oneof![
            Just(Strategy::PerSlot), Just(Strategy::Shared), Just(Strategy::LeastLoaded)
        ],
    ) {
        let recycle = Recycle { requests: Some(1000), jitter: 0.5, ..Recycle::default() };
        let policy = Policy { strategy, recycle, ..of(minimum, minimum + more) };
        let mut world = World::new(policy);
        for event in events {
            let all: Vec<_> = world.workers.keys().copied().collect();
            match event {
                Event::Ready(index) => {
                    let starting = world.ids(Is::Starting);
                    if !starting.is_empty() {
                        world.ready(*index.get(&starting));
                    }
                }
                Event::Exit(index) if !all.is_empty() => world.exit(*index.get(&all)),
                Event::Tick(ms) => world.tick(Duration::from_millis(ms.into())),
                Event::Requests(index) if !all.is_empty() => {
                    world.worker(*index.get(&all)).facts.requests += 400;
                }
                Event::Compute(index) if !all.is_empty() => {
                    world.worker(*index.get(&all)).facts.computed += 5 * SECOND;
                }
                Event::Exit(_) | Event::Requests(_) | Event::Compute(_) => {}
                Event::Reload => {
                    let actions = world.pool.reload(world.now);
                    world.perform(actions);
                }
            }
        }
        for _ in 0..1000 {
            world.obey();
            world.tick(SECOND);
        }
        prop_assert_eq!(world.serving().len(), minimum);
        prop_assert_eq!(world.ids(Is::Starting).len(), 0);
        world.check_slots();
        let actions = world.pool.stop(world.now);
        world.perform(actions);
        world.obey();
        prop_assert!(world.is_finished);
    }
}
