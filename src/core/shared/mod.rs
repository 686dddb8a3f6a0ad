//! State that all subtasks of a job share, on all of its nodes: rules, dimension tables, counters, votes.
//!
//! Every node holds all of it. An update is applied at once where it is made and travels to the others, which apply it
//! after all that its writer had seen (causal order); updates that know nothing of each other are joined by the state's
//! [`Resolver`], which is why the order among them does not matter. A checkpoint cuts shared state where it cuts the
//! stream: what a task has done behind a barrier is not seen by one that has not passed it yet.
//!
//! After: Lloyd et al., *Don't Settle for Eventual* (2011; "causal+"); Shapiro et al., *Conflict-free Replicated Data
//! Types* (2011); Almeida et al., *Delta State Replicated Data Types* (2018).

mod resolver;

pub use resolver::{Refusal, Resolver, Settled, Stamp};
