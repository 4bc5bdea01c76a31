//! The seed of the random tests: drawn anew in each run and printed, so that a failure
//! can be replayed.

use proptest::test_runner::{Config, RngSeed};
use std::hash::{BuildHasher, RandomState};

/// So many cases, from a seed that is printed; `ATOLL_SEED` fixes it.
pub(crate) fn config(cases: u32) -> Config {
    let fixed = std::env::var("ATOLL_SEED").ok();
    let fixed = fixed.and_then(|seed| seed.parse().ok());
    // A new hasher's keys are the randomness that the standard library has.
    let seed = fixed.unwrap_or_else(|| RandomState::new().hash_one(()));
    println!("seed {seed}: replay with ATOLL_SEED={seed}");
    Config {
        cases,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(seed),
        ..Config::default()
    }
}
