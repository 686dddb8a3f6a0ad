//! The actix actors that perform what the protocol machines decide.
//!
//! One coordinator actor a job starts it and decides when its output may be seen. One crew actor a job and process
//! brings its subtasks to life, on arbiters of its own, one a core. One actor a subtask, a source's or not, drives a
//! task whose record types are hidden here: this crate is generic over none.
//!
//! ```text
//!              Deploy, Pass, Dismiss
//!   Crew <------------------------------ Coordinator
//!    | brings to life, connects             ^ Report
//!    v                                      |
//!  SourceActor --Deliver--> SubtaskActor --Deliver--> SubtaskActor
//!        <------GiveBack----      <--------GiveBack---
//! ```
//!
//! A batch is sent against credit, and the emptied batch brings the credit back. A receiver on the same
//! arbiter is fed in place; one on another node gets a frame, see `far`. Where a job runs on many nodes, the same
//! messages pass between coordinator and crews over links, see [`cluster`].

pub mod agree;
mod board;
mod breakage;
mod clock;
pub mod cluster;
mod config;
mod convoy;
mod coordinator;
mod crew;
mod deploy;
mod element;
mod error;
mod far;
pub mod guarantee;
mod guard;
mod harm;
mod inbound;
mod job;
mod launch;
mod local;
mod message;
mod migration;
mod outbound;
mod pace;
mod participation;
pub mod query;
mod request;
mod shared;
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
pub use shared::{HeldOfKey, SharedContents, shared_contents};
pub use storage::Storage;
pub use watershed_protocol::checkpoint::{CheckpointConfig, Fork, InDoubt, Wish};
pub use watershed_protocol::{PoisonConfig, PoisonPolicy};
pub use watershed_state::IngressLimits;
