//! A whole cluster in one thread, harmed and healed by the draw of a seed.
//!
//! ```text
//!   seed -> graph, nodes, faults, dice
//!
//!      Agenda: what is to happen, by time. One thing happens, then the properties are looked at, then the next.
//!
//!      node 0 .. 4                                           not of any node, and never lost
//!      +--------------------------------------------+        +---------------------------------------+
//!      | Coordinator, where it leads                |--swap->| meta store: one cell, compare-and-swap |
//!      |   and Quarantine, Agreeing                 |--put-->| checkpoint store: what is synced       |
//!      | subtasks: Participant, Alignment, Credit,  |--deeds>| the systems behind the sinks           |
//!      |           WatermarkMerge, Session          |        |                                       |
//!      | Replica of shared state, tokens            |<-asks--| clients, callers                      |
//!      +--------------------------------------------+        +---------------------------------------+
//!             | frames of watershed-wire, MessagePack
//!      network: late, lost, repeated, reordered, cut; links that break
//! ```
//!
//! The machines, the codec, the certificate, the dealing out of a checkpoint and the guard of the meta store are those
//! that run. What is simulated is what they live in, and the drivers that perform their effects, in which each rule can
//! be broken once ([`Mutant`]): a simulation that does not find these finds nothing.
//!
//! Beside the records there are people. Clients read and update shared state through any node, and must never be answered
//! without what they have seen, but be told what a roll-back has undone. Callers agree on registers through whoever leads,
//! and their histories are judged. Others have the job go on with other parallelism, from its newest checkpoint or a
//! savepoint. And some records cannot be borne: just these come out as dead letters.
//!
//! There are two acts. In the first, nodes die, stand still and come back as zombies, links are cut, disks are full,
//! clocks are wrong, answers stay away, and two nodes lead at once or none ([`Harm`]). In the second nothing goes wrong any
//! more. What must never happen is looked at after each step of both; that the job comes to its end, with every record once
//! in every sink and once in every count, after the second. What goes wrong is drawn for the time that the job takes, and
//! counted ([`Tally`]): what finds nothing to harm shows nothing.
//!
//! ```text
//!   cargo test -p watershed-simulation                                                   200 seeds
//!   cargo test -p watershed-simulation --test seeds -- --ignored --nocapture many_seeds  10,000 of them, or SIMULATION_SEEDS
//!   SIMULATION_SEED=7 cargo test -p watershed-simulation -- one_seed --nocapture         one, step by step
//!   cargo test -p watershed-simulation --test mutants -- --ignored --nocapture           each mutant, from seed 0 on
//! ```

mod agenda;
mod agree;
mod client;
mod dice;
mod faults;
mod graph;
mod message;
mod meta;
mod mutant;
mod network;
mod node;
mod properties;
mod record;
mod reign;
mod report;
mod reshape;
mod shrink;
mod sink;
mod store;
mod tally;
mod world;

pub use faults::{Fault, Harm};
pub use mutant::Mutant;
pub use properties::Broken;
pub use reign::{AFTER_NO_MAJORITY, OF_A_MAJORITY};
pub use report::{Report, Summary};
pub use shrink::shrink;
pub use tally::Tally;

/// Lets the world of a seed run, with a rule broken where there is a mutant.
pub fn simulate(seed: u64, mutant: Option<Mutant>) -> Report {
    world::World::draw(seed, mutant, None, false).run()
}

/// The same, with these faults instead of those that the seed draws.
pub fn simulate_with(seed: u64, mutant: Option<Mutant>, faults: Vec<Fault>) -> Report {
    world::World::draw(seed, mutant, Some(faults), false).run()
}

/// The same, and says on standard output what happens.
pub fn narrate(seed: u64, mutant: Option<Mutant>, faults: Option<Vec<Fault>>) -> Report {
    world::World::draw(seed, mutant, faults, true).run()
}
