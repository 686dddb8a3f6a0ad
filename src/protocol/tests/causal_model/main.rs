//! Every order in which two or three replicas of shared state can hear of each other.
//!
//! The replicas are those that run, with all waits set to nothing. Around them is a network that delivers what was ever
//! sent in any order, again and again or never; sites whose tasks write, pass barriers and hear of completed checkpoints
//! when they like; and from each single world a healing in which all that is under way is lost.
//!
//! ```text
//!   cargo test -p watershed-protocol --test causal_model                            seconds
//!   cargo test -p watershed-protocol --test causal_model -- --ignored --nocapture   larger worlds, minutes
//! ```
//!
//! Every world is explored to its end. That the properties can fail is shown by breaking each rule once ([`Fault`]).
//!
//! What the worlds leave out: wall clocks that are wrong (explored beside [`watershed_protocol::causal::Clocks`]) and
//! full buffers; messages, barriers that align, and what a task sees are in the causal simulation.

mod fault;
mod model;
mod properties;
mod world;

use std::collections::BTreeSet;

use stateright::{Checker, HasDiscoveries, Model as _};

use fault::Fault;
use model::Model;
use properties::{CLOSED, ONE_NAME};

/// Two sites, an update of each, one barrier: what is lost is pulled, and what is known everywhere is forgotten.
const PAIR: Model =
    Model { sites: 2, tasks: 1, writes: [1, 1, 0], speaks: 1, epochs: 2, old_gossip: false, fault: None };

/// The same with gossip out of order, of one update.
const OLD_GOSSIP: Model = Model { writes: [1, 0, 0], old_gossip: true, ..PAIR };

/// Two tasks on a site pass the barrier at different moments.
const TWO_TASKS: Model = Model { tasks: 2, writes: [2, 0, 0], speaks: 0, ..PAIR };

/// Three sites and one epoch: who hears of what in which order.
const CAUSES: Model = Model { sites: 3, writes: [2, 1, 1], speaks: 0, epochs: 1, ..PAIR };

/// Three sites and a barrier: what two know that the third does not.
const CLOSING: Model = Model { sites: 3, writes: [1, 0, 0], speaks: 0, ..PAIR };

/// Explores a whole world: what must always hold does, and what must be able to happen can.
fn explore(name: &str, model: Model) {
    let checker = model.checker().threads(2).spawn_bfs().join();
    println!("{name}: {} states, depth {}", checker.unique_state_count(), checker.max_depth());
    checker.assert_properties();
}

#[test]
fn two_sites_agree_about_what_is_closed_and_settled() {
    explore("pair", PAIR);
}

#[test]
fn gossip_may_overtake_gossip() {
    explore("old gossip", OLD_GOSSIP);
}

#[test]
fn tasks_of_a_site_may_be_in_different_epochs() {
    explore("two tasks", TWO_TASKS);
}

#[test]
fn c3_updates_are_joined_in_causal_order_however_they_come() {
    explore("causes", CAUSES);
}

#[test]
fn c9_clocks_stay_small_where_three_sites_forget_together() {
    explore("closing", CLOSING);
}

#[test]
#[ignore = "takes minutes; see the top of the file"]
fn larger_worlds_hold_no_surprise() {
    explore("gossip of both out of order", Model { old_gossip: true, ..PAIR });
    explore("pulls among three", Model { speaks: 1, epochs: 1, writes: [1, 1, 0], ..CAUSES });
    explore("closing, two writers", Model { writes: [1, 1, 0], ..CLOSING });
    explore("two tasks on each of two sites", Model { tasks: 2, ..PAIR });
    explore("two barriers", Model { epochs: 3, ..PAIR });
}

/// Breaks a rule and lets the checker find the property broken by it.
fn must_break(model: Model, fault: Fault, property: &'static str) {
    let model = Model { fault: Some(fault), ..model };
    let finish = HasDiscoveries::AllOf(BTreeSet::from([property]));
    let checker = model.checker().threads(2).finish_when(finish).spawn_bfs().join();
    let steps = checker.discovery(property).map(|path| path.into_actions().len());
    println!("{fault:?} breaks {property} in {steps:?} steps, {} states", checker.unique_state_count());
    assert!(steps.is_some(), "{fault:?} does not break {property}");
}

#[test]
fn updates_that_do_not_name_their_causes_are_caught() {
    must_break(CAUSES, Fault::NoDependencies, CLOSED);
}

#[test]
fn lanes_that_are_forgotten_before_all_have_them_are_caught() {
    must_break(Model { writes: [2, 0, 0], ..PAIR }, Fault::ForgottenEarly, CLOSED);
}

#[test]
fn counters_that_begin_again_within_a_run_are_caught() {
    must_break(PAIR, Fault::CountersRestored, ONE_NAME);
}
