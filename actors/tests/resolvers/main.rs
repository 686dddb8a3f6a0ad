//! The laws of the built-in resolvers, in executions of several sites whose updates cross.
//!
//! [`world`] makes an execution out of a seed; [`scripts`] say what the authors in it do and, by looking at all updates
//! at once, what has to come of it; [`broken`] holds resolvers with the mistakes that are easily made, which must be
//! found out.

#![expect(clippy::unwrap_used, reason = "a test that is surprised has failed")]

mod broken;
mod laws;
mod scripts;
mod site;
mod world;

use scripts::{Ballots, Counts, Elements, Extremes, Fields, Growth, Kept, Merges, Writes};
use watershed_actors::resolver::{
    AddSet, Counter, FieldMap, GrowCounter, LastWriter, Majority, Max, Mean, Median, Min, Siblings,
};
use world::Script;

/// How many executions each resolver has to stand.
const SEEDS: u64 = 1_000;

/// Runs all executions of a script, and names the first seed that goes wrong.
fn hold<S: Script>() {
    for seed in 0..SEEDS {
        if let Err(why) = world::run::<S>(seed) {
            panic!("with seed {seed}: {why}");
        }
    }
}

#[test]
fn the_last_writer_wins_on_all_sites() {
    hold::<Writes<LastWriter>>();
}

#[test]
fn a_counter_counts_everything_once() {
    hold::<Counts<Counter>>();
}

#[test]
fn a_counter_that_grows_counts_everything_once() {
    hold::<Growth<GrowCounter>>();
}

#[test]
fn a_set_has_what_nobody_removed_who_had_seen_it() {
    hold::<Elements<AddSet>>();
}

#[test]
fn the_greatest_and_the_least_stay() {
    hold::<Extremes<Max>>();
    hold::<Extremes<Min>>();
}

#[test]
fn siblings_are_what_no_later_writer_saw() {
    hold::<Kept<Siblings>>();
}

#[test]
fn the_last_writer_of_each_field_wins_on_all_sites() {
    hold::<Fields<FieldMap>>();
}

#[test]
fn what_an_author_merges_is_merged() {
    hold::<Merges>();
}

#[test]
fn votes_come_to_one_mean() {
    hold::<Ballots<Mean>>();
}

#[test]
fn votes_come_to_one_median() {
    hold::<Ballots<Median>>();
}

#[test]
fn votes_come_to_one_majority() {
    hold::<Ballots<Majority>>();
}
