//! How operators fuse: a chain of stages compiles to one loop.
//!
//! Each stage is generic over what follows it, so a record passes from the head of a chain to its tail by
//! static calls that inline; one virtual call is paid per batch, at the chain's [task](crate::task). A stage is its own
//! blueprint: the builder holds one with empty state, and each subtask gets a clone.

mod assign;
mod care;
mod context;
mod elementwise;
mod identity;
mod key_values;
mod outbox;
mod pair;
mod process;
mod sharing;
mod side;
mod stateful;
mod tail;
mod trace;
mod transform;
mod with_key;

pub use assign::AssignTimes;
pub use care::{AtHand, Care, Shunned};
pub use context::{Counters, Hold, TaskContext, TaskError, TaskInfo};
pub use elementwise::{Filter, FlatMap, Inspect, Map};
pub use identity::Identity;
pub use key_values::KeyValues;
pub use outbox::{MAIN, Outbox, Outgoing, OutputInfo};
pub use pair::Pair;
pub use process::{CoProcess, Process};
pub use sharing::SharedUse;
pub(crate) use side::SideOf;
pub use side::{DEAD_LETTERS, SideFactory};
pub use stateful::{Pieces, Stateful};
pub use tail::{Broadcast, Discard, Exchange, Shared, SinkTail, Tail};
pub use trace::{KeyTrace, Place, take_place};
pub(crate) use trace::{StageTrace, TimerTrace};
pub use transform::Transformed;
pub use with_key::{WithKey, WithKeys, WithLeftKey};

use std::collections::BTreeMap;
use std::time::Duration;

use crate::state::{BackendError, Glance, LayerKind, LookError, Looked, Saving, Sections, StateError};
use crate::{EventTime, KeyGroup, KeyGroups, ProcessingTime, Record, Step, Watermark};

/// The saved state of a chain: sections by the uid of their stage.
pub type Snapshot = BTreeMap<String, Sections>;

/// The state of a chain that has been taken and is to be written: by the uid of its stage.
pub type Taken = BTreeMap<String, Saving>;

/// An operator inside a chain, with its state.
///
/// Authors write [`Operator`](crate::Operator) and [`Transform`](crate::Transform); stages are how the
/// builder puts them together.
pub trait Stage: Clone + Send + 'static {
    /// What comes in.
    type In: 'static;
    /// What goes out.
    type Out: 'static;

    /// Whether one record may become many: the head then looks for a full outbox between records.
    const EXPANDS: bool;

    /// Called once on the subtask, before anything else, with the number that this stage has in its
    /// chain; returns the next stage's.
    fn open(&mut self, number: u16) -> u16;

    /// Called for each record.
    fn record<D: Downstream<Self::Out>>(
        &mut self,
        value: Self::In,
        time: EventTime,
        cx: &mut TaskContext,
        next: &mut D,
    );

    /// Called for records that come together. Where one may become many, it stops at a full outbox and leaves
    /// the rest in the iterator.
    ///
    /// The default calls [`Stage::record`] for each. A stage that turns each record into one hands the turned
    /// iterator on instead, so that the next one can do once what it need not do for each.
    #[inline(always)]
    fn records<I: Iterator<Item = Record<Self::In>>, D: Downstream<Self::Out>>(
        &mut self,
        records: &mut I,
        cx: &mut TaskContext,
        next: &mut D,
    ) {
        for Record { value, time } in records.by_ref() {
            self.record(value, time, cx, next);
            if (Self::EXPANDS || D::EXPANDS) && cx.outbox.is_full() {
                return;
            }
        }
    }

    /// Called when the watermark advances; hands it on when all that it releases has been emitted.
    fn watermark<D: Downstream<Self::Out>>(
        &mut self,
        watermark: Watermark,
        cx: &mut TaskContext,
        next: &mut D,
    ) -> Step;

    /// Called when the wall clock has reached [`Stage::deadline`].
    fn processing_time<D: Downstream<Self::Out>>(&mut self, cx: &mut TaskContext, next: &mut D) -> Step {
        let _ = (cx, next);
        Step::Done
    }

    /// When the stage wants to be called by the wall clock.
    fn deadline(&self) -> Option<ProcessingTime> {
        None
    }

    /// Called after the subtask was woken.
    fn wake<D: Downstream<Self::Out>>(&mut self, cx: &mut TaskContext, next: &mut D) {
        let _ = (cx, next);
    }

    /// How far a split has come, where this stage knows.
    fn split_watermark(&self, split: usize) -> Option<Watermark> {
        let _ = split;
        None
    }

    /// After how much silence a split is left out of the watermark, where this stage says so.
    fn split_idle_after(&self) -> Option<Duration> {
        None
    }

    /// Adds the shared states that the stage uses, each with the stage's number, as far as it has been opened.
    fn shared(&self, uses: &mut Vec<SharedUse>) {
        let _ = uses;
    }

    /// Finds a place for the stage's state.
    ///
    /// # Errors
    ///
    /// Where the place fails.
    fn open_state(&mut self, cx: &TaskContext) -> Result<(), BackendError> {
        let _ = cx;
        Ok(())
    }

    /// Takes the stage's state out under the uid that `info` holds for its number, for a layer
    /// of this kind.
    fn save(&mut self, kind: LayerKind, info: &TaskInfo, taken: &mut Taken) {
        let _ = (kind, info, taken);
    }

    /// Adds what was saved.
    ///
    /// # Errors
    ///
    /// Where the saved bytes do not fit the state's type.
    fn load(&mut self, uids: &[String], snapshot: &Snapshot) -> Result<(), StateError> {
        let _ = (uids, snapshot);
        Ok(())
    }

    /// The key group of a key, for the stage of this number; `None` where nobody can look at its state by key.
    fn group_of(&self, number: u16, key: &[u8], groups: KeyGroups) -> Option<Result<KeyGroup, LookError>> {
        let _ = (number, key, groups);
        None
    }

    /// What the stage of this number has of a key; `None` where it is not here.
    fn look(&mut self, number: u16, glance: Glance<'_>) -> Option<Looked> {
        let _ = (number, glance);
        None
    }
}

/// What follows a stage in its chain.
pub trait Downstream<T> {
    /// Whether it holds a stage in which one record may become many.
    const EXPANDS: bool = false;

    /// Takes a record.
    fn record(&mut self, value: T, time: EventTime, cx: &mut TaskContext);

    /// Takes records that come together, as [`Stage::records`] does.
    #[inline(always)]
    fn records<I: Iterator<Item = Record<T>>>(&mut self, records: &mut I, cx: &mut TaskContext) {
        for Record { value, time } in records {
            self.record(value, time, cx);
        }
    }
}
