//! Steps without windows: remembering, limiting, looking up.
//!
//! Those with state per key are reached through [`KeyedSteps`], the others through [`Steps`].

pub(crate) mod alarm;
mod fluent;
mod map_with_state;

pub use fluent::KeyedSteps;
pub use map_with_state::MapWithState;
