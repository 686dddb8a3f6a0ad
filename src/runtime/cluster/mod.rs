//! Jobs on many nodes.
//!
//! ```text
//!            ┌───────────── node ─────────────┐
//!   people ──► NodeHandle ──Request──► Leader (on the node that leads)
//!            │                          │ Coordinator, one a job
//!            │                          ▼ Enlist, Relay, Discharge   over links, to itself too
//!            │                        Worker (on each node)
//!            │                          │ Crew, one a job
//!            │                          ▼
//!            │                        subtasks ──frames──► subtasks of other nodes
//!            └────────────────────────────────┘
//! ```
//!
//! Every node runs the same program and the same three parts: `watershed-link` (connections), `watershed-cluster`
//! (who is there, who leads, what is decided) and this one, which runs jobs with them. All of a job's safety lies in
//! its coordinator's compare-and-swaps in the replicated meta store; who leads, who is alive and which link is up only
//! decide when something is tried.
//!
//! **Fail-over is of the whole job**, never of the part of its graph that a lost node had to do with. A run has one
//! number, which fences all that an older one still does: sinks, frames, votes, shared state. Parts with numbers of their
//! own would make each of these a vector, to win little: most graphs hang together (dead letters alone see to that), a
//! subtask goes on from the copy of its state that lies on its own node, and with a checkpoint each 200 ms the first one
//! behind the kill of one node of three was complete after 0.25 to 0.6 s (`tests/cluster_harm`).

mod agreeing;
mod asking;
mod carrier;
mod depots;
mod envoy;
mod identity;
mod leader;
mod line;
mod load;
pub(crate) mod message;
mod node;
mod programs;
mod request;
mod told;
mod vitals;
mod worker;

pub use depots::Depots;
#[cfg(test)]
pub(crate) use leader::{Elected, Leader};
pub use node::{NodeError, NodeHandle, NodeSettings, run_node};
pub use programs::{OpenBackend, Planned, Programs};
pub use request::{Answer, CancelHow, JobReport, JobState, NodeReport, Problem, ProblemKind, Request};
pub use watershed_cluster::{JobSpec, Outcome, Placement, Timings};
