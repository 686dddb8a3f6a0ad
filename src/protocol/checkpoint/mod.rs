//! Two-phase-commit checkpoints: the machines that decide over the words of [`watershed_core::checkpoint`].
//!
//! ```text
//!            Swap, ReadMeta                     Restore, Start, Trigger, Commit, AbortNote, EndRun
//!   meta store <------------- Coordinator ------------------------------------> Participant (one a subtask)
//!            -------------->               <------------------------------------      ^ Cut
//!            Swapped, MetaRead                Restored, Voted, Declined, Committed   Alignment <- barriers
//! ```
//!
//! - [`Coordinator`]: takes the reign, begins runs, deals out what they go on from, triggers checkpoints, collects
//!   votes, decides, orders commits, finishes the job. Its module says how a driver uses it.
//! - [`Participant`]: restores one subtask, votes for it, commits for it.
//! - [`certify`]: proves that votes are a consistent cut, before a decision and offline; [`examine`]: rule by rule.
//! - [`deal`]: from a manifest to what each subtask is restored with, at any parallelism.
//! - [`Swap`]: a change of the meta store under its guard, and what may become of it.
//!
//! What holds whatever is lost, repeated, delayed or killed (the model in this crate's tests checks it over
//! these very types): nothing is visible that is not decided; all that is decided becomes visible, once; no
//! epoch is decided twice, none below another, and none in the name of an older reign or run.

mod authority;
mod certificate;
mod config;
mod coordinator;
mod layers;
mod participant;
mod permit;
mod recovery;
mod roster;
#[cfg(test)]
mod small_job;
mod swap;

pub use authority::Authority;
pub use certificate::{
    Checked, End, Finding, Measure, Mention, Moment, Positions, Rule, Violation, certify, certify_manifest,
    examine,
};
pub use config::CheckpointConfig;
pub use coordinator::{
    Answer, Coordinator, CoordinatorEffect, CoordinatorEvent, EndReason, Failure, Fork, InDoubt, Intent,
    Over, Report, RequestId, Wish,
};
pub use layers::{LAYERS_MAX, Layers, kind_on};
pub use participant::{Participant, ParticipantEffect, ParticipantEvent};
pub use permit::Permit;
pub use recovery::{Part, RecoveryError, Share, deal};
pub use roster::{Role, Roster};
pub use swap::{Swap, Swapped};
