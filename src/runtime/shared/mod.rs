//! Shared state at work: a replica for each site of a run, and what ties it to the stream.
//!
//! ```text
//!   subtask --read, update--> SiteReplica { tables, machine } <--words-- Crew <==links==> crews of the other sites
//!      |                          ^    |
//!   Sharing: what the subtask     |    +--> what of it a checkpoint saves: SharedDraft -> objects in the store
//!   has seen; waits for ----------+
//! ```
//!
//! What decides is `watershed_protocol::causal`; here it is done. Reads go straight to the tables, from any thread. Writes
//! and whatever comes from elsewhere go under one lock, which is held for no longer than it takes to join a delta.
//!
//! A subtask that uses shared state does not wait at a read, which could be in the middle of a record, but before the
//! batch: by then its site has applied all that the batch's sender had seen. So a read finds what it has to find at
//! once, and what is read within one batch is never older than what came with it. Subtasks that use none wait for nothing
//! and hand on what they were told; a job without shared state has no replica, sends no clocks and does nothing of this.
//!
//! A replica lives for one run. What of it outlives the run are the objects of the checkpoint that the next one begins
//! from: one [base](saved::Base), and the [logs](saved::Log) of the sites behind it.

mod contents;
mod operation;
mod restore;
mod saved;
mod share;
mod sharing;
mod site;
mod word;

pub use contents::{HeldOfKey, SharedContents, shared_contents};
pub(crate) use operation::Operation;
pub(crate) use restore::{Tables, read_back};
pub(crate) use share::SharedDraft;
pub(crate) use sharing::{Seen, Sharing};
pub(crate) use site::{NotWritten, Outgoing, Said, SiteReplica, SiteSettings, Turn};
pub(crate) use word::Word;
