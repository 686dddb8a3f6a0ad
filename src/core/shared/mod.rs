//! State that all subtasks of a job share, on all of its nodes: rules, dimension tables, counters, votes.
//!
//! Every node holds all of it. An update is applied at once where it is made and travels to the others, which apply it
//! after all that its writer had seen (causal order); updates that know nothing of each other are joined by the state's
//! [`Resolver`], which is why the order among them does not matter. A checkpoint cuts shared state where it cuts the
//! stream: what a task has done behind a barrier is not seen by one that has not passed it yet.
//!
//! | to | look at |
//! | --- | --- |
//! | declare and use it | [`Pipeline::shared`](crate::Pipeline::shared), [`Shared`], [`KeyContext::read`](crate::KeyContext::read) |
//! | say how updates are joined | [`Resolver`] |
//! | have values agreed on, instead of joined | [`Agrees`] |
//! | hold it, save it, restore it | [`Table`], [`AnyTable`] |
//! | run tasks that use it | [`Replica`], [`LocalReplica`] |
//! | see what it is good for | [`Propagation`], which takes some of it away |
//!
//! # What is saved
//!
//! A saved table is one MessagePack array, so that any MessagePack reader can take it apart:
//!
//! ```text
//! array 3
//!   0   uint    the format, 1
//!   1   str     the name of the shared state
//!   2   array   the entries, in the order of the bytes of their keys
//!         array 2
//!           0   bin   the key as MessagePack
//!           1   bin   its state as MessagePack, structs as maps by the names of their fields
//! ```
//!
//! Equal states have equal bytes, and a key whose state is the default has no entry. So two sites that hold the same save
//! the same, byte for byte, and a hash tells whether they do. Which epoch it is as of is said by what names the bytes.
//!
//! After: Lloyd et al., *Don't Settle for Eventual* (2011; "causal+"); Shapiro et al., *Conflict-free Replicated Data
//! Types* (2011); Almeida et al., *Delta State Replicated Data Types* (2018).

mod agree;
mod any_table;
#[cfg(test)]
pub(crate) mod doubles;
mod handle;
pub(crate) mod laws;
mod local;
pub(crate) mod msgpack;
mod propagation;
mod recall;
mod replica;
mod resolver;
mod saved;
mod table;
mod versions;

pub use agree::{AGREED, Agrees, AnyAgrees};
pub use any_table::{AnyTable, Applied, TableError};
pub use handle::{AnyShared, NAME_BYTES_MAX, Shared};
pub use local::{LocalReplica, SavedReplica};
pub use msgpack::{DELTA_BYTES_MAX, KEY_BYTES_MAX, encode_key};
pub use propagation::Propagation;
pub(crate) use recall::Recall;
pub use replica::Replica;
pub use resolver::{Refusal, Resolver, Settled, Stamp};
pub use table::Table;
