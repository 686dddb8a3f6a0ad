//! Every protocol of Watershed as a pure state machine.
//!
//! A machine hears an event together with the time and says which effects it wants; it owns no clock, no
//! socket and no randomness, and its state has no hash order. So the same code runs under the actors, under
//! exhaustive exploration and under simulation, and a failing run can be repeated from the list of its
//! events.
//!
//! - [`Machine`], [`Tick`] and [`Outcome`]: the shape that all of them share.
//! - [`WatermarkMerge`]: how far event time has come, over several inputs of which some may be idle.
//! - [`Alignment`]: where a checkpoint cuts the channels of one subtask.
//! - [`checkpoint`]: two-phase-commit checkpoints: coordinator, participant, certificate, recovery.
//! - [`agree`]: values that a job agrees on, decided once by compare-and-swap.
//! - [`causal`]: shared state in causal order: replicas, sessions, clocks, and the tokens of clients.
//! - [`Quarantine`]: what becomes of records that make their subtask panic.
//! - [`placement`]: which node each slot of a job is on.
//! - [`Credit`] and [`Grant`]: how much may be under way on one channel, seen from both of its ends.

pub mod agree;
mod alignment;
pub mod causal;
pub mod checkpoint;
mod credit;
#[cfg(test)]
mod explore;
mod machine;
pub mod placement;
mod quarantine;
mod watermark;

pub use alignment::{Alignment, AlignmentEffect, AlignmentEvent, EPOCH_JUMP_MAX};
pub use credit::{Credit, Grant};
pub use machine::{Machine, Outcome, Tick};
pub use quarantine::{
    CareOrder, Culprit, LeaveOut, Panicked, PoisonConfig, PoisonPolicy, Quarantine, Refusal, Verdict,
};
pub use watermark::{WatermarkEffect, WatermarkEvent, WatermarkMerge};
