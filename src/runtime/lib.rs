//! The actix actors that perform what the protocol machines decide.
//!
//! One node actor a process keeps the arbiters, one a core. One coordinator actor a job starts it and decides
//! when its output may be seen. One actor a subtask, a source's or not, drives a task
//! whose record types are hidden here: this crate is generic over none.
//!
//! ```text
//!              Deploy                Connect, Hear, Trigger, Stop
//!  Node <------------- Coordinator ------------------------------+
//!    | brings to life       ^ Tell, Ended, Refused, Failed        |
//!    v                      |                                     v
//!  SourceActor --Deliver--> SubtaskActor --Deliver--> SubtaskActor
//!        <------GiveBack----      <--------GiveBack---
//! ```
//!
//! A batch is sent against credit, and the emptied batch brings the credit back. A receiver on the same
//! arbiter is fed in place.

mod board;
mod clock;
mod config;
mod convoy;
mod coordinator;
mod deploy;
mod element;
mod error;
pub mod guarantee;
mod guard;
mod harm;
mod inbound;
mod job;
mod launch;
mod local;
mod message;
mod migration;
mod node;
mod outbound;
mod pace;
mod participation;
mod request;
mod source;
mod split;
mod station;
mod storage;
mod subtask;
mod vigil;
mod wake;

#[cfg(test)]
mod tests;

pub use board::{CheckpointReport, VertexReport};
pub use config::Config;
pub use coordinator::JobEnd;
pub use error::{Cause, Failure, JobError, RecordAtHand};
pub use guard::{Caught, guarded};
pub use job::{JobHandle, Summary, run};
pub use migration::{Migration, Obstacle, Reshaped, migration};
pub use request::{Asked, RequestError};
pub use storage::Storage;
pub use watershed_protocol::checkpoint::{CheckpointConfig, Fork, Wish};
pub use watershed_protocol::{PoisonConfig, PoisonPolicy};
pub use watershed_state::IngressLimits;
