//! What operators keep between records: by key, by pane, by timer; saved by key group.

mod keyed;
mod layer;
mod panes;
mod saving;
mod sections;
mod timers;

pub use keyed::KeyedMap;
pub use layer::{Changed, Layer, LayerKind};
pub use panes::Panes;
pub use saving::Saving;
pub use sections::{Sections, StateError};
pub use timers::Timers;

/// What a [`Transform`](crate::Transform) keeps between records, and what a checkpoint saves.
///
/// State of a keyed stream is written per key group, so that a restore at another parallelism can deal
/// the groups out anew. [`KeyedMap`], [`Panes`], [`Timers`], `()` and tuples of them are states; an author's own struct
/// forwards to its fields, each under a name: `self.panes.save(saving.part("panes"))`.
pub trait State: Default + Send + 'static {
    /// Called at a barrier: takes everything out, by copying it. The stream waits meanwhile, so the writing is
    /// [put off](Saving::later).
    fn save(&self, saving: &mut Saving);

    /// Called once after a restore, before the first record: adds what was saved. The sections hold
    /// this subtask's key groups only.
    ///
    /// # Errors
    ///
    /// Where the saved bytes do not fit the state's type.
    fn load(&mut self, sections: &Sections) -> Result<(), StateError>;
}

impl State for () {
    fn save(&self, _saving: &mut Saving) {}

    fn load(&mut self, _sections: &Sections) -> Result<(), StateError> {
        Ok(())
    }
}

impl<A: State, B: State> State for (A, B) {
    fn save(&self, saving: &mut Saving) {
        self.0.save(saving.part("0"));
        self.1.save(saving.part("1"));
    }

    fn load(&mut self, sections: &Sections) -> Result<(), StateError> {
        self.0.load(sections.get("0"))?;
        self.1.load(sections.get("1"))
    }
}
