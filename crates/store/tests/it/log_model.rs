//! The segment layer, as raft will use it, against a plain list: any sequence of
//! appends, cuts, purges, restarts and power cuts.

use base::SeededRandom;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::proptest;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use store::fs::SimulatedFileSystem;
use store::log::{Entry, HardState, Position, Segments};

const SEGMENT_BYTES: u64 = 600;

#[derive(Debug, Clone)]
enum Operation {
    /// So many entries of such a length, in a term so much higher.
    Append {
        count: u8,
        length: u8,
        term: u8,
    },
    /// Voids the last entries.
    Truncate {
        count: u8,
    },
    /// Goes on so far behind the end, as after a snapshot.
    Restart {
        gap: u8,
    },
    Vote(u8),
    Purge {
        keep: u8,
    },
    Sync,
    /// Writes the zeros of a segment to come, if it is time.
    Zeros,
    Reopen,
    PowerCut(u64),
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        6 => (1..5_u8, any::<u8>(), 0..2_u8)
            .prop_map(|(count, length, term)| Operation::Append { count, length, term }),
        2 => (0..6_u8).prop_map(|count| Operation::Truncate { count }),
        1 => (0..3_u8).prop_map(|gap| Operation::Restart { gap }),
        1 => any::<u8>().prop_map(Operation::Vote),
        2 => (0..8_u8).prop_map(|keep| Operation::Purge { keep }),
        3 => Just(Operation::Sync),
        2 => Just(Operation::Zeros),
        1 => Just(Operation::Reopen),
        1 => any::<u64>().prop_map(Operation::PowerCut),
    ]
}

/// What the log should hold.
#[derive(Debug, Clone, PartialEq)]
struct Model {
    base: Position,
    entries: BTreeMap<u64, Entry>,
    hard_state: HardState,
}

impl Model {
    fn last(&self) -> Position {
        let last = self.entries.values().next_back();
        last.map_or(self.base, |entry| Position {
            index: entry.index,
            term: entry.term,
        })
    }
}

struct World {
    disk: SimulatedFileSystem,
    log: Segments,
    /// Every state since the last sync, a record apart; the last one is now.
    states: Vec<Model>,
    purged: u64,
}

fn open(disk: &SimulatedFileSystem) -> Segments {
    let fs = Arc::new(disk.clone());
    Segments::open(fs, Path::new("log"), SEGMENT_BYTES, &SeededRandom::new(1)).unwrap()
}

fn entries_of(log: &Segments) -> Vec<Entry> {
    let reader = log.reader();
    let mut entries = Vec::new();
    let mut from = reader.first();
    while from <= reader.last().index {
        let next = reader.read(from, u64::MAX, 300).unwrap();
        from += next.len() as u64;
        entries.extend(next);
    }
    entries
}

impl World {
    fn new() -> Self {
        let disk = SimulatedFileSystem::new();
        let log = open(&disk);
        let empty = Model {
            base: Position::default(),
            entries: BTreeMap::new(),
            hard_state: HardState::default(),
        };
        Self {
            disk,
            log,
            states: vec![empty],
            purged: 0,
        }
    }

    fn now(&self) -> Model {
        self.states.last().unwrap().clone()
    }

    fn push(&mut self, change: impl FnOnce(&mut Model)) {
        let mut model = self.now();
        change(&mut model);
        self.states.push(model);
    }

    fn synced(&mut self) {
        self.states = vec![self.now()];
    }

    /// Whether the log is `model`, but for what a purge may have removed.
    fn is(&self, model: &Model) -> bool {
        let first = self.log.reader().first();
        let expected = model.entries.values().filter(|entry| entry.index >= first);
        let kept = model.base.index + 1 == first || first <= self.purged + 1;
        kept && self.log.last() == model.last()
            && self.log.hard_state() == model.hard_state
            && entries_of(&self.log).iter().eq(expected)
    }

    fn apply(&mut self, operation: &Operation) {
        match *operation {
            Operation::Append {
                count,
                length,
                term,
            } => self.append(count, length, term),
            Operation::Truncate { count } => {
                let last = self.now().last().index;
                let from = (last + 1 - u64::from(count).min(last)).max(self.log.reader().first());
                self.log.truncate_suffix(from).unwrap();
                self.push(|model| drop(model.entries.split_off(&from)));
            }
            Operation::Restart { gap } => {
                let last = self.now().last();
                let at = Position {
                    index: last.index + u64::from(gap),
                    term: last.term + 1,
                };
                self.log.restart_after(at).unwrap();
                self.push(|model| {
                    model.base = at;
                    model.entries.clear();
                });
            }
            Operation::Vote(vote) => {
                let state = HardState {
                    term: 3,
                    vote: vote.into(),
                    commit: 2,
                };
                self.log.set_hard_state(state).unwrap();
                self.push(|model| model.hard_state = state);
            }
            Operation::Purge { keep } => {
                // Only what is durable is purged, as a snapshot demands.
                self.log.sync().unwrap();
                self.synced();
                let through = self.now().last().index.saturating_sub(keep.into());
                self.log.purge_prefix(through).unwrap();
                self.purged = self.purged.max(through);
            }
            Operation::Sync => {
                self.log.sync().unwrap();
                self.synced();
            }
            Operation::Zeros => {
                if let Some(mut zeros) = self.log.zeros_due() {
                    while zeros.write_some() {}
                }
            }
            Operation::Reopen => {
                self.log = open(&self.disk);
                self.synced();
            }
            Operation::PowerCut(seed) => {
                self.disk = self.disk.after_crash(seed);
                self.log = open(&self.disk);
                let found = self.states.iter().rposition(|state| self.is(state));
                let found = found.expect("the log is as it was at some moment since the last sync");
                self.states = vec![self.states[found].clone()];
            }
        }
        assert!(self.is(&self.now()), "after {operation:?}");
    }

    fn append(&mut self, count: u8, length: u8, term: u8) {
        let mut last = self.now().last();
        last.term += u64::from(term);
        let entries: Vec<_> = (1..=u64::from(count))
            .map(|number| Entry {
                index: last.index + number,
                term: last.term,
                kind: length,
                bytes: vec![length; length.into()].into(),
            })
            .collect();
        self.log.append(&entries).unwrap();
        for entry in entries {
            self.push(|model| drop(model.entries.insert(entry.index, entry)));
        }
    }
}

proptest! {
    #[test]
    fn segments_agree_with_a_list(operations in proptest::collection::vec(operation(), 1..60)) {
        let mut world = World::new();
        for operation in &operations {
            world.apply(operation);
        }
    }
}
