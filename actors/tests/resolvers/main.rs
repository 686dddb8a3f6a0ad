//! The laws of the built-in resolvers, in executions of several sites whose updates cross.
//!
//! [`world`] makes an execution out of a seed; [`scripts`] say what the authors in it do and, by looking at all updates
//! at once, what has to come of it; [`broken`] holds resolvers with the mistakes that are easily made, which must be
//! found out.
//!
//! The tests of the built-in ones bear the name of the invariant, C5: after the healing equal clocks and equal bases are
//! equal hashes.

#![expect(clippy::unwrap_used, reason = "a test that is surprised has failed")]

mod broken;
mod laws;
mod scripts;
mod site;
mod world;

use std::collections::BTreeSet;

use scripts::{Ballots, Counts, Elements, Extremes, Fields, Growth, Kept, Merges, Writes};
use watershed_actors::resolver::{
    AddSet, Counter, FieldMap, GrowCounter, LastWriter, Majority, Max, Mean, Median, Min, Siblings,
};
use world::Script;

/// How many executions each resolver has to stand.
const SEEDS: u64 = 1_000;

/// Runs all executions of a script, and names the first seed that goes wrong: above all one behind whose healing equal
/// clocks and equal bases are not equal hashes.
fn hold<S: Script>() {
    let mut hashes = BTreeSet::new();
    for seed in 0..SEEDS {
        match world::run::<S>(seed) {
            Ok(hash) => drop(hashes.insert(*hash.as_bytes())),
            Err(why) => panic!("with seed {seed}: {why}"),
        }
    }
    // Else it would say nothing that the sites of one execution have the same.
    assert!(hashes.len() > 4, "{} outcomes of {SEEDS} executions", hashes.len());
}

#[test]
fn c5_the_last_writer_wins_on_all_sites() {
    hold::<Writes<LastWriter>>();
}

#[test]
fn c5_a_counter_counts_everything_once() {
    hold::<Counts<Counter>>();
}

#[test]
fn c5_a_counter_that_grows_counts_everything_once() {
    hold::<Growth<GrowCounter>>();
}

#[test]
fn c5_a_set_has_what_nobody_removed_who_had_seen_it() {
    hold::<Elements<AddSet>>();
}

#[test]
fn c5_the_greatest_and_the_least_stay() {
    hold::<Extremes<Max>>();
    hold::<Extremes<Min>>();
}

#[test]
fn c5_siblings_are_what_no_later_writer_saw() {
    hold::<Kept<Siblings>>();
}

#[test]
fn c5_the_last_writer_of_each_field_wins_on_all_sites() {
    hold::<Fields<FieldMap>>();
}

#[test]
fn c5_what_an_author_merges_is_merged() {
    hold::<Merges>();
}

#[test]
fn c5_votes_come_to_one_mean() {
    hold::<Ballots<Mean>>();
}

#[test]
fn c5_votes_come_to_one_median() {
    hold::<Ballots<Median>>();
}

#[test]
fn c5_votes_come_to_one_majority() {
    hold::<Ballots<Majority>>();
}
