//! Who belongs to a cluster, who leads it, and what it has decided.
//!
//! ```text
//!             ┌──────────────────────────── Cluster ────────────────────────────┐
//!             │  members()   who is there, and alive       gossip  (chitchat)   │
//!             │  leader()    who leads                     group   (openraft)   │
//!             │  view()      what is decided               decided (pure)       │
//!             │  job(..)     the MetaStore of one job                           │
//!             └───────────────▲─────────────────────────────────▲───────────────┘
//!                      tell   │                            ask  │
//!                             └────────── Transport ────────────┘
//! ```
//!
//! | to | look at |
//! | --- | --- |
//! | take part | [`Cluster::open`] |
//! | carry its messages | [`Transport`] |
//! | know what may be decided | [`ClusterState::apply`] |
//! | know why a lost disk harms nothing | the crate's module `group` |
//!
//! Three kinds of knowledge, of different strength. What is *decided* is linearizable and survives as long as a majority
//! of the coordinators' disks does. Who *leads* may be old by the time it is read: whatever a leader does must be guarded
//! by its term, and what it decides is. Who is *alive* is an opinion of this node: others may have another one.

mod cluster;
mod config;
pub mod decided;
mod error;
mod gossip;
mod group;
mod job;
mod message;
mod request;
#[cfg(test)]
mod tests;
mod transport;

pub use cluster::{Cluster, ClusterView, Leader};
pub use config::{Bounds, ClusterConfig, Founding, Timings};
pub use decided::{
    Change, ClusterChange, ClusterState, JobRecord, JobSpec, NodeRecord, Outcome, Placement, Refusal,
    TokenSecret, Wanted,
};
pub use error::{AnswerError, ClusterError, ProposeError, ViewError};
pub use gossip::{About, Load, Member};
pub use job::JobMeta;
pub use transport::{Transport, TransportError};
