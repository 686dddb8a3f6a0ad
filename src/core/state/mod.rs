//! What operators keep between records: by key, by pane, by timer; saved by key group.
//!
//! Where the job is configured so, [`Values`] and the [kinds](KeyedState) that stand on them lie on disk ([`Backend`])
//! and only those in use in memory. Panes and timers are in memory always: they are visited in order and all at once.
//!
//! # Time to live
//!
//! State may be given a [`TimeToLive`]. It is written with its *time*: by event time, that of the record or timer that
//! writes it (the latest of them), by processing time, the wall clock. It has expired once the clock has reached that
//! time and [`after`](TimeToLive::after) more:
//!
//! * **By event time** the clock is the watermark. State of time `t` is alive as long as a record of the time `t + after`
//!   or before may still come, so that the result does not depend on the order in which records come between two
//!   watermarks. It expires in the instant in which a timer at `t + after` would fire, just before it. A timer finds
//!   what has not expired by the timer's own time, however far the watermark has leapt. What a late record writes with
//!   a time so old is expired at once. At the end of all input everything expires, in the order of time.
//! * **By processing time** the clock is the wall clock, as it is read once per batch. It goes on while a job is down.
//!
//! What has expired is never seen again, also after a restore, and is removed soon: a value in the same instant, an entry
//! of a map or list within an eighth of the time that it lives. Until then it takes its room, and each key that has
//! something to expire takes that of a timer, in memory.
//!
//! State that was saved before it was given a time to live has no time, and expires once it has been written again.

mod backend;
mod changes;
mod deal;
mod disk;
mod keyed;
mod kinds;
mod layer;
mod look;
mod panes;
mod piece;
mod saving;
mod sections;
mod timers;
mod values;

use crate::{KeyGroup, KeyGroups};

pub use backend::{Backend, BackendError, Room, Table, View, Visit, Write};
#[cfg(test)]
pub(crate) use disk::double::Tiny;
pub use keyed::KeyedMap;
pub(crate) use kinds::Lifetimes;
pub use kinds::{
    By, Clock, Current, KeyedState, ListOf, ListState, MapOf, MapState, ReducingOf, ReducingState, Since,
    TimeToLive, ValueOf, ValueState,
};
pub use layer::{Changed, Layer, LayerKind};
pub(crate) use look::show;
pub use look::{Glance, LOOK_BYTES_MAX, LookError, Looked, group_of};
pub use panes::Panes;
pub use saving::Saving;
pub use sections::{Sections, StateError};
pub use timers::Timers;
pub use values::Values;

/// What a [`Transform`](crate::Transform) keeps between records, and what a checkpoint saves.
///
/// State of a keyed stream is written per key group, so that a restore at another parallelism can deal
/// the groups out anew. [`KeyedMap`], [`Panes`], [`Timers`], `()` and tuples of them are states; an author's own struct
/// forwards to its fields, each under a name: `self.panes.save(saving.part("panes"))`.
pub trait State: Default + Send + 'static {
    /// Called once, before anything else, with where large state may be kept. State in memory, which is the
    /// default, need not look.
    ///
    /// # Errors
    ///
    /// Where the place fails.
    fn open(&mut self, room: &Room) -> Result<(), BackendError> {
        let _ = room;
        Ok(())
    }

    /// Called at a barrier: takes everything out, by copying it, or what has changed since the last time where
    /// [that is asked for](Saving::kind). The stream waits meanwhile, so the writing is [put off](Saving::later).
    fn save(&mut self, saving: &mut Saving);

    /// Called once after a restore, before the first record: adds what was saved. The sections hold
    /// this subtask's key groups only.
    ///
    /// # Errors
    ///
    /// Where the saved bytes do not fit the state's type.
    fn load(&mut self, sections: &Sections) -> Result<(), StateError>;

    /// The key group of a key that comes as MessagePack from outside the job; `None` where nobody can
    /// [look](State::look) at the state by key, which is the default.
    fn group_of(key: &[u8], groups: KeyGroups) -> Option<Result<KeyGroup, LookError>> {
        let _ = (key, groups);
        None
    }

    /// Called between two records for somebody outside the job: what there is of a key. The default shows nothing.
    ///
    /// # Errors
    ///
    /// Where the state is not looked at by key, or the key or the piece is none of it.
    fn look(&mut self, glance: Glance<'_>) -> Looked {
        let _ = glance;
        Err(LookError::Opaque)
    }
}

impl State for () {
    fn save(&mut self, _saving: &mut Saving) {}

    fn load(&mut self, _sections: &Sections) -> Result<(), StateError> {
        Ok(())
    }
}

impl<A: State, B: State> State for (A, B) {
    fn open(&mut self, room: &Room) -> Result<(), BackendError> {
        self.0.open(room)?;
        self.1.open(room)
    }

    fn save(&mut self, saving: &mut Saving) {
        self.0.save(saving.part("0"));
        self.1.save(saving.part("1"));
    }

    fn load(&mut self, sections: &Sections) -> Result<(), StateError> {
        self.0.load(sections.get("0"))?;
        self.1.load(sections.get("1"))
    }
}
