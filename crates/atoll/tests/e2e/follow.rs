//! One folder follows another through a node, whatever dies meanwhile.

use crate::{LIMIT, binary};
use base::{Random, SeededRandom};
use harness::compare::expect_rsync_agrees;
use harness::scene::{Scene, Victim};
use harness::tree::Gardener;
use std::time::Duration;

/// Every edit of a tree arrives, in whatever order edits and looks fall.
#[test]
fn edits_arrive() {
    let top = tempfile::tempdir().unwrap();
    let mut gardener = Gardener::new(&top.path().join("a"), 11).unwrap();
    gardener.work(300).unwrap();
    let mut scene = Scene::start(binary(), top.path(), LIMIT).unwrap();
    for _ in 0..10 {
        gardener.work(40).unwrap();
        scene.quiet().unwrap();
    }
    expect_rsync_agrees(scene.edited(), scene.following()).unwrap();
    scene.finish().unwrap();
}

/// So many die before all is made good.
const KILLS_UNTIL_QUIET: u32 = 3;

/// A process that dies at any moment costs nothing but time. `ATOLL_SEED`
/// replays or varies the moments; `cargo xtask judge` does the same for long.
/// More is killed before the first death was made good.
#[test]
fn kills_cost_only_time() {
    let seed = match std::env::var("ATOLL_SEED") {
        Ok(text) => text.parse().expect("ATOLL_SEED is a number"),
        Err(_) => 12,
    };
    println!("seed {seed}");
    let random = SeededRandom::new(seed);
    let top = tempfile::tempdir().unwrap();
    let mut gardener = Gardener::new(&top.path().join("a"), random.next_u64()).unwrap();
    gardener.work(200).unwrap();
    let mut scene = Scene::start(binary(), top.path(), LIMIT).unwrap();
    for round in 0..12 {
        gardener.work(60).unwrap();
        // Not for order: the moment of the kill is what varies.
        std::thread::sleep(Duration::from_millis(random.below(300)));
        let victim = Victim::ALL[random.below(Victim::ALL.len() as u64) as usize];
        println!("round {round}: {victim:?}");
        scene = scene.kill_and_restart(victim).unwrap();
        if round % KILLS_UNTIL_QUIET == KILLS_UNTIL_QUIET - 1 {
            scene.quiet().unwrap();
        }
    }
    scene.finish().unwrap();
}
