//! What operators keep between records: by key, by pane, by timer; saved by key group.
//!
//! Where the job is configured so, [`Values`] lie on disk ([`Backend`]) and only those in use in memory. Panes and
//! timers are in memory always: they are visited in order and all at once.

mod backend;
mod changes;
mod deal;
mod disk;
mod keyed;
mod layer;
mod panes;
mod piece;
mod saving;
mod sections;
mod timers;
mod values;

pub use backend::{Backend, BackendError, Room, Table, View, Write};
pub use keyed::KeyedMap;
pub use layer::{Changed, Layer, LayerKind};
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
