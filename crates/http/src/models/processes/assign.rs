//! Which worker accepts from which slot.

use super::policy::MAX_SLOTS;
use super::pool::WorkerId;
use crate::models::Strategy;
use std::fmt;

/// Some of the slots of a pool.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct SlotSet(pub(super) u128);

impl SlotSet {
    fn insert(&mut self, slot: usize) {
        debug_assert!(slot < MAX_SLOTS);
        self.0 |= 1 << slot;
    }

    pub(super) fn contains(self, slot: usize) -> bool {
        slot < MAX_SLOTS && self.0 >> slot & 1 == 1
    }
}

impl fmt::Debug for SlotSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slots = (0..MAX_SLOTS).filter(|slot| self.contains(*slot));
        formatter.debug_set().entries(slots).finish()
    }
}

/// The slots of each of `ready`, workers with their seats of `seats`. A slot belongs
/// to the worker on the seat that [`Strategy::share`] says; one whose seat is empty
/// to somebody else, since the kernel goes on to queue connections there.
pub(super) fn assign(
    strategy: Strategy,
    slots: usize,
    seats: usize,
    ready: &[(WorkerId, usize)],
) -> Vec<(WorkerId, SlotSet)> {
    let mut assigned: Vec<_> = ready
        .iter()
        .map(|(id, _)| (*id, SlotSet::default()))
        .collect();
    // The master accepts for the least loaded.
    if ready.is_empty() || strategy == Strategy::LeastLoaded {
        return assigned;
    }
    let mut is_owned = SlotSet::default();
    for (place, (_, seat)) in ready.iter().enumerate() {
        for slot in strategy.share(slots, seats, *seat) {
            assigned[place].1.insert(slot);
            is_owned.insert(slot);
        }
    }
    for slot in (0..slots).filter(|slot| !is_owned.contains(*slot)) {
        assigned[slot % ready.len()].1.insert(slot);
    }
    assigned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(strategy: Strategy, slots: usize, seats: usize, taken: &[usize], expected: &str) {
        let ready: Vec<_> = taken
            .iter()
            .map(|&seat| (WorkerId(seat as u64), seat))
            .collect();
        let sets: Vec<_> = assign(strategy, slots, seats, &ready)
            .into_iter()
            .map(|(_, set)| set)
            .collect();
        assert_eq!(format!("{sets:?}"), expected);
    }

    #[test]
    fn every_slot_has_somebody() {
        check(Strategy::PerSlot, 3, 3, &[0, 1, 2], "[{0}, {1}, {2}]");
        check(Strategy::PerSlot, 3, 3, &[2], "[{0, 1, 2}]");
        check(Strategy::PerSlot, 4, 4, &[0, 2], "[{0}, {1, 2, 3}]");
        check(Strategy::PerSlot, 5, 2, &[0, 1], "[{0, 2, 4}, {1, 3}]");
        check(Strategy::PerSlot, 4, 2, &[1], "[{0, 1, 2, 3}]");
        check(Strategy::PerSlot, 1, 2, &[0, 1], "[{0}, {0}]");
        check(Strategy::PerSlot, 3, 3, &[], "[]");
        check(Strategy::Shared, 1, 2, &[0, 1], "[{0}, {0}]");
        check(Strategy::LeastLoaded, 1, 2, &[0, 1], "[{}, {}]");
        check(
            Strategy::PerSlot,
            MAX_SLOTS,
            MAX_SLOTS,
            &[127],
            &format!("[{:?}]", SlotSet(u128::MAX)),
        );
    }
}
