//! Tokens over roll-backs: clients that read and write while the job is set back again and again.
//!
//! Two or three sites with one or two tasks each share state. Chance delivers updates in any order, takes checkpoints and
//! gives them up, sets the job back at any moment, now and then by hand to an older checkpoint, and leaves nodes of
//! runs that are over behind, which answer and take writes as if nothing had happened. Clients go from node to node with
//! their tokens. What each of them has really seen is known to the simulation alone, and every answer is measured by it:
//!
//! - C1: a dot names one update, over all runs.
//! - C4: reads are monotonic, and clients read their own writes.
//! - C6: every checkpoint that is decided is a consistent cut (by the certificate that the coordinator uses).
//! - C7: a durable token is never refused in its lineage, and is met in the end.
//! - C8: a token that has seen an undone update is never accepted silently. A refusal names all that was undone, and
//!   nothing else; nobody is shown an update that never happened.
//! - In the end, when nothing is lost any more, everybody gets a definite answer from every node.
//!
//! What is decided is decided by the rules of the meta store ([`Change`](watershed_core::checkpoint::Change)), and tokens
//! are sealed and opened each time. The replicas are the real ones ([`Replica`](watershed_protocol::causal::Replica)), but
//! where a rule of theirs is broken: then they are the least that a replica can be.
//!
//! ```text
//!   cargo test -p watershed-protocol --test token_simulation                                     seconds
//!   TOKEN_SEEDS=0..100000 cargo test -p watershed-protocol --test token_simulation -- --ignored  minutes, or one seed
//! ```

mod client;
mod cluster;
mod dice;
mod fault;
mod history;
mod invariants;
mod replica;
mod site;
mod violation;

use std::collections::BTreeMap;
use std::ops::Range;

use client::Answer;
use cluster::{Cluster, Tally};
use fault::Fault;
use violation::{Invariant, Violation};

const STEPS: usize = 400;
/// How many seeds the ordinary tests play, and in how many of these a fault must show itself at least once.
const SEEDS: Range<u64> = 0..1_500;

fn play(seed: u64, fault: Fault) -> Result<Tally, Violation> {
    let mut cluster = Cluster::new(seed, fault);
    for _ in 0..STEPS {
        cluster.step()?;
    }
    cluster.heal()?;
    Ok(cluster.tally)
}

/// Plays the protocol as it is, and adds up what happened.
fn play_all(seeds: Range<u64>) -> Tally {
    let mut all = Tally::default();
    for seed in seeds {
        let tally = play(seed, Fault::None).unwrap_or_else(|Violation { invariant, what }| {
            panic!(
                "seed {seed}: {invariant:?}: {what}\nrepeat it: TOKEN_SEEDS={seed}..{} cargo test -p watershed-protocol \
                 --test token_simulation -- --ignored",
                seed + 1
            )
        });
        all.runs += tally.runs;
        all.forks += tally.forks;
        all.checkpoints += tally.checkpoints;
        all.updates += tally.updates;
        all.durable_shown += tally.durable_shown;
        tally
            .answers
            .into_iter()
            .for_each(|(answer, count)| *all.answers.entry(answer).or_default() += count);
    }
    println!("{all:?}");
    all
}

#[test]
fn tokens_keep_their_promises_over_roll_backs() {
    let tally = play_all(SEEDS);
    // That it can happen at all.
    let games = SEEDS.end;
    assert!(tally.runs > 2 * games && tally.forks > 0 && tally.checkpoints > games, "{tally:?}");
    assert!(tally.updates > 10 * games && tally.durable_shown > games, "{tally:?}");
    for answer in [Answer::Served, Answer::Waits, Answer::RolledBack, Answer::Forked, Answer::Ahead] {
        assert!(tally.answers.get(&answer) > Some(&(games / 10)), "{answer:?} in {tally:?}");
    }
}

#[test]
#[ignore = "takes as long as TOKEN_SEEDS says; see the top of the file"]
fn more_seeds_hold_no_surprise() {
    let text = std::env::var("TOKEN_SEEDS").unwrap_or_else(|_| "0..20000".to_owned());
    let (from, to) = text.split_once("..").expect("TOKEN_SEEDS is FROM..TO");
    let number = |text: &str| text.parse().expect("TOKEN_SEEDS is FROM..TO, in numbers");
    play_all(number(from)..number(to));
}

#[test]
fn vectors_stay_small_over_a_thousand_recoveries_and_a_hundred_joins_and_leaves() {
    let mut cluster = Cluster::new(0, Fault::None);
    while cluster.tally.runs < 1_000 || cluster.tally.moves < 100 {
        cluster.step().unwrap_or_else(|Violation { invariant, what }| panic!("{invariant:?}: {what}"));
    }
    let Tally { runs, moves, sizes, .. } = &cluster.tally;
    let most = sizes.iter().fold((0, 0), |most, size| (most.0.max(size.0), most.1.max(size.1)));
    let (early, late) = sizes.split_at(sizes.len() / 2);
    let sum =
        |sizes: &[(usize, usize)]| sizes.iter().fold((0, 0), |sum, size| (sum.0 + size.0, sum.1 + size.1));
    let (early, late) = (sum(early), sum(late));
    println!(
        "{runs} runs, {moves} moves: {most:?} entries and bytes at most; {early:?} and then {late:?} in all"
    );
    assert!(most.0 > 1 && most.0 < 64 && most.1 < 1024, "{most:?}");
    assert!(2 * late.0 < 3 * early.0 && 2 * late.1 < 3 * early.1, "they grow: {early:?}, then {late:?}");
}

/// Breaks a rule: the invariant must be found broken by it.
fn must_break(fault: Fault, invariant: Invariant) {
    let mut broken: BTreeMap<Invariant, u64> = BTreeMap::new();
    let mut first = None;
    for seed in SEEDS {
        if let Err(violation) = play(seed, fault) {
            *broken.entry(violation.invariant).or_default() += 1;
            if violation.invariant == invariant {
                first = first.or(Some((seed, violation.what)));
            }
        }
    }
    println!("{fault:?}: {broken:?} of {} seeds; first {first:?}", SEEDS.end);
    assert!(first.is_some(), "{fault:?} does not break {invariant:?}");
}

#[test]
fn counters_that_are_restored_are_caught() {
    must_break(Fault::CountersRestored, Invariant::DotsAreUnique);
}

#[test]
fn tokens_that_are_not_translated_are_caught() {
    must_break(Fault::NoTranslation, Invariant::Answered);
}

#[test]
fn a_base_that_is_compared_one_too_low_is_caught() {
    must_break(Fault::BaseExclusive, Invariant::DurableTokensHold);
}

#[test]
fn a_base_that_is_compared_one_too_high_is_caught() {
    must_break(Fault::BaseTooFar, Invariant::NothingUndoneIsAccepted);
}

#[test]
fn tokens_that_are_called_durable_by_their_number_are_caught() {
    must_break(Fault::DurableByNumber, Invariant::DurableTokensHold);
}

#[test]
fn a_checkpoint_that_is_taken_for_applied_is_caught() {
    must_break(Fault::CompletedTakenForApplied, Invariant::MonotonicReads);
}

#[test]
fn tasks_that_see_too_much_are_caught_by_the_certificate() {
    must_break(Fault::NoFilter, Invariant::ConsistentCut);
}

#[test]
fn gossip_of_runs_that_are_over_is_caught() {
    must_break(Fault::OldRunsHeard, Invariant::NothingUndoneIsShown);
}
