//! Which worker gets the next connection: the strategies, and how the least loaded
//! is found.

use serde::Deserialize;

/// How new connections are spread over workers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// A listener for each slot; the kernel chooses by a hash of both addresses.
    /// Nothing is shared, and counts are even in the long run; but a connection
    /// that fell to a busy worker waits for it though another is idle.
    #[default]
    PerSlot,
    /// One listener that all workers accept from: whoever is awake takes the next.
    /// Nobody waits for a busy worker; but an idle one wins every race, so that
    /// long connections gather at few workers, and one connection wakes several.
    Shared,
    /// An acceptor gives each connection to the worker that has the fewest. Even at
    /// any moment, also with long connections; at the price of a hop.
    LeastLoaded,
}

impl Strategy {
    /// All of them, with their names.
    pub const NAMES: [(&'static str, Self); 3] = [
        ("per-slot", Self::PerSlot),
        ("shared", Self::Shared),
        ("least-loaded", Self::LeastLoaded),
    ];

    /// How many listeners `workers` need for one address.
    pub fn listeners(self, workers: usize) -> usize {
        match self {
            Self::PerSlot => workers,
            Self::Shared | Self::LeastLoaded => 1,
        }
    }
}

impl Strategy {
    /// Which of `listeners` the worker at `index` of `workers` accepts from. With
    /// fewer listeners than workers nobody can have one of its own.
    pub(super) fn share(
        self,
        listeners: usize,
        workers: usize,
        index: usize,
    ) -> impl Iterator<Item = usize> {
        let has_own = self == Self::PerSlot && listeners >= workers;
        (0..listeners).filter(move |slot| !has_own || slot % workers == index)
    }
}

/// The index of the least of `loads`; of equal ones the next after `last`, so that
/// idle workers take turns. None if there is none.
pub(super) fn least_loaded(loads: impl Iterator<Item = u64>, last: usize) -> Option<usize> {
    loads
        .enumerate()
        .min_by_key(|&(index, load)| (load, index <= last, index))
        .map(|(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(loads: &[u64], last: usize, expected: Option<usize>) {
        assert_eq!(least_loaded(loads.iter().copied(), last), expected);
    }

    #[test]
    fn every_listener_has_a_worker_and_every_worker_a_listener() {
        let check = |strategy: Strategy, listeners, workers, expected: &[&[usize]]| {
            let shares: Vec<Vec<_>> = (0..workers)
                .map(|index| strategy.share(listeners, workers, index).collect())
                .collect();
            assert_eq!(shares, expected, "{strategy:?} {listeners} {workers}");
        };
        check(Strategy::PerSlot, 2, 2, &[&[0], &[1]]);
        check(Strategy::PerSlot, 5, 2, &[&[0, 2, 4], &[1, 3]]);
        check(Strategy::PerSlot, 2, 3, &[&[0, 1], &[0, 1], &[0, 1]]);
        check(Strategy::Shared, 2, 2, &[&[0, 1], &[0, 1]]);
    }

    #[test]
    fn the_least_loaded_is_found_and_equals_take_turns() {
        check(&[], 0, None);
        check(&[5], 0, Some(0));
        check(&[3, 1, 2], 0, Some(1));
        check(&[1, 1, 1], 0, Some(1));
        check(&[1, 1, 1], 1, Some(2));
        check(&[1, 1, 1], 2, Some(0));
        check(&[1, 2, 1], 0, Some(2));
        check(&[1, 2, 3], 0, Some(0));
    }
}
