//! Shared state in causal order: what one site's replica of it does, and what a task has to wait for.
//!
//! ```text
//!             site 0                                              site 1
//!   task --stamp, Wrote--> Replica ========Broadcast(Update)=====> Replica --Apply--> table
//!                             <=========Gossip, Pull, Answer=======>
//!
//!   task --Session::touched--> clock --ClockWriter--> frame --ClockReader--> Session::hear --> task
//!                                                                 may_work? only when Replica::applied covers it
//! ```
//!
//! - [`Replica`]: applies each update of the run once, after all that it depends on; brings lost ones back; knows which
//!   lanes are closed and settled.
//! - [`Session`]: what one task has seen, so that it never finds shared state older than who it hears from.
//! - [`ClockWriter`], [`ClockReader`]: a session's clock on one channel, only what has changed.
//! - [`Bundle`]: updates as they travel, by the same technique.
//! - [`HybridClock`], [`Clocks`]: times that respect causes, and whose wall clock is ahead.
//! - [`Token`]: what a client has seen, signed, so that no node answers it with older state.
//! - [`RollBacks`]: to which checkpoints a job was set back, and so what of a token never happened.
//! - [`translate`]: what a token of another run comes to here: wait, go on without, or a refusal that says why.
//!
//! # Lanes, and why a checkpoint is a cut
//!
//! The counter of a site begins anew with each epoch ([`watershed_core::causal`] says why), and an update belongs to the
//! epoch of the task that made it. A task sees only lanes up to its own epoch; its updates depend only on those, and its
//! frames name no others. So nothing before barrier N knows of anything behind it: the whole lanes up to N, the tasks'
//! snapshots at N and the channels cut at N are one consistent cut.
//!
//! # How much is taken for a dependency
//!
//! An update depends on all that its site has applied in lanes up to its epoch, not only on what its task has read. That
//! is more than need be, and costs a wait now and then. It is closed under causality by itself, it needs no record of
//! who has read what, and as a task works on nothing before its site has caught up with its session, nothing that the
//! task knows is ever left out.
//!
//! # One life for each site
//!
//! The sites of a run are those it was begun with. Any loss ends the run, and the next one begins from the base of the
//! last checkpoint with new lanes and empty clocks. So nobody joins or leaves, no counter is restored, and what is to be
//! said of departed nodes is said by the base.

mod applied;
mod bundle;
mod delta;
mod hybrid;
#[cfg(test)]
mod names;
mod replica;
mod rollback;
mod session;
mod skew;
mod token;
mod translate;
mod update;

pub use applied::Applied;
pub use bundle::{BUNDLE_UPDATES_MAX, Bundle, BundleError};
pub use delta::{ClockEntry, ClockError, ClockReader, ClockWriter, FrameClock};
pub use hybrid::HybridClock;
pub use replica::{
    Gap, Gossip, Lag, Replica, ReplicaConfig, ReplicaEffect, ReplicaEvent, ReplicaLimits, StampError, Tally,
};
pub use rollback::{Fate, ROLL_BACKS_MAX, RollBacks};
pub use session::Session;
pub use skew::{ClockOffset, Clocks};
pub use token::{JobToken, KeyId, Submitted, TOKEN_BYTES_MAX, TOKEN_JOBS_MAX, Token, TokenError, TokenKey};
pub use translate::{Needs, Place, Translation, Undone, is_durable, translate};
pub use update::{Size, Update};
