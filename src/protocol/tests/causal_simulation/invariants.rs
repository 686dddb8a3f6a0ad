//! The invariants by their names: none is broken in the first seeds, in which all that could break it happens.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use crate::world::{Rules, Violation, World};

const SEEDS: u64 = 200;

/// What happened in all of these worlds together.
#[derive(Default)]
struct Played {
    found: BTreeSet<Violation>,
    decided: usize,
    waits: usize,
}

static PLAYED: LazyLock<Played> = LazyLock::new(|| {
    let mut played = Played::default();
    for seed in 0..SEEDS {
        let mut world = World::new(seed, Rules::default());
        played.found.extend(world.run());
        played.decided += world.decided;
        played.waits += world.waits;
    }
    played
});

fn never(violations: &[Violation]) {
    let found: Vec<_> = violations.iter().filter(|violation| PLAYED.found.contains(violation)).collect();
    assert!(found.is_empty(), "{found:?} within the first {SEEDS} seeds");
}

#[test]
fn c2_a_sender_tells_all_that_it_knew_and_its_receiver_finds_it() {
    assert!(PLAYED.waits > 100, "batches had to wait {} times", PLAYED.waits);
    never(&[Violation::Untold, Violation::FoundThePast]);
}

#[test]
fn c3_nothing_is_joined_before_its_causes() {
    assert!(PLAYED.waits > 100, "batches had to wait {} times", PLAYED.waits);
    never(&[Violation::BeforeItsCause]);
}

#[test]
fn c6_every_checkpoint_of_shared_state_is_a_consistent_cut() {
    assert!(PLAYED.decided > 100, "{} checkpoints were decided", PLAYED.decided);
    never(&[Violation::NotThePrefix, Violation::Orphan, Violation::ClockBeyond, Violation::NotClosed]);
}
