//! A job whose tasks share state, a thousand times, each time in another order.
//!
//! ```text
//!     site 0                 site 1                 site 2
//!     source 0 ----+         source 1 ---+----------- source 2     each channel first in, first out
//!        |         +----------+ |   +----|-------------+ |
//!     worker 0 <---+------- worker 1 <---+---------- worker 2      barriers align here
//!        |                      |                        |
//!     replica 0 <=== loses, doubles and reorders ===> replica 2
//! ```
//!
//! Replicas, sessions and the clocks on channels are those that run. Tasks read and write shared state and send records
//! with their clocks; checkpoints cut the job, and some are given up when all is saved. Every update also carries, beside
//! the protocol and unseen by it, the names of all that its writer knew: the truth that the clocks are held against.
//!
//! ```text
//!   SEED=7 cargo test -p watershed-protocol --test causal_simulation    repeats one
//! ```
//!
//! Then each rule is broken once, and the simulation must see it.

mod cut;
mod invariants;
mod lots;
mod network;
mod still;
mod task;
mod world;

use std::collections::{BTreeMap, BTreeSet};

use world::{Rules, Violation, World};

const SEEDS: u64 = 1000;

/// What goes wrong with these rules, and in how many of the seeds.
fn violations(rules: Rules) -> BTreeMap<Violation, usize> {
    let mut found = BTreeMap::new();
    for seed in 0..SEEDS {
        let once: BTreeSet<Violation> = World::new(seed, rules).run();
        once.into_iter().for_each(|violation| *found.entry(violation).or_default() += 1);
    }
    println!("{rules:?} in {SEEDS} seeds: {found:?}");
    found
}

#[test]
fn every_checkpoint_is_a_cut_and_no_task_finds_the_past() {
    let only = std::env::var("SEED").ok().map(|seed| seed.parse().expect("a seed is a number"));
    for seed in only.map_or(0..SEEDS, |seed| seed..seed + 1) {
        let mut world = World::new(seed, Rules::default());
        let violations = world.run();
        assert!(violations.is_empty(), "{violations:?}: repeat with SEED={seed}");
        assert!(world.heals(), "the sites do not come together: repeat with SEED={seed}");
    }
}

#[test]
fn the_simulation_meets_what_it_is_about() {
    let worlds = (0..SEEDS).map(|seed| {
        let mut world = World::new(seed, Rules::default());
        world.run();
        world
    });
    let [mut cuts, mut given_up, mut waits, mut settled] = [0; 4];
    for world in worlds {
        cuts += world.decided;
        given_up += world.given_up;
        waits += world.waits;
        settled += world.settled;
    }
    println!(
        "{cuts} checkpoints, {given_up} given up, {waits} waits before a batch, {settled} settled epochs"
    );
    assert!([cuts, given_up, waits, settled].iter().all(|met| *met > 100));
}

#[test]
fn one_counter_for_all_epochs_makes_cuts_that_are_none() {
    let found = violations(Rules { lanes: false, ..Rules::default() });
    assert!(found.contains_key(&Violation::NotThePrefix), "{found:?}");
}

#[test]
fn tasks_that_see_later_epochs_make_orphans() {
    let found = violations(Rules { filter: false, ..Rules::default() });
    assert!(found.contains_key(&Violation::Orphan), "{found:?}");
}

#[test]
fn a_batch_that_does_not_wait_finds_the_past() {
    let found = violations(Rules { wait: false, ..Rules::default() });
    assert!(found.contains_key(&Violation::FoundThePast), "{found:?}");
}
