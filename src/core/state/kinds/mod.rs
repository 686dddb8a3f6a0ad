//! Kinds of state for large and for several things under one key: a value, a map, a list, a reduced value.
//!
//! Each kind keeps an entry of its own for each element, so that on disk one element is read and written without the
//! others, and a checkpoint saves the elements that have changed:
//!
//! ```text
//!   ValueState    key          -> value
//!   ReducingState key          -> value
//!   MapState      (key, inner) -> value
//!   ListState     (key, n)     -> value       and    key -> the span of n
//! ```
//!
//! Entries belong to the key group of the stream's key, so that a key's elements move together. A key's elements are
//! walked in the order of the MessagePack of their inner keys, in memory as on disk and after a restore: numbers from 0
//! up, texts by length and then by bytes. See `entries` for how.
//!
//! An author's struct of kinds derives [`KeyedState`], and a [`StatefulOperator`](crate::StatefulOperator) works with
//! it.

mod current;
mod entries;
mod entry;
mod lifetime;
mod list;
mod map;
mod reducing;
#[cfg(test)]
mod tests;
mod value;

pub use current::{Clock, Current};
pub use lifetime::{By, Since, TimeToLive};
pub use list::{ListOf, ListState};
pub use map::{MapOf, MapState};
pub use reducing::{ReducingOf, ReducingState};
pub use value::{ValueOf, ValueState};

pub(crate) use lifetime::Lifetimes;

use crate::state::State;
use crate::{Key, ProcessingTime};

/// State of which each key has its own: a kind, or a struct of kinds that derives this.
///
/// ```
/// use watershed_core::KeyedState;
/// use watershed_core::state::{ListState, MapState, ValueState};
///
/// #[derive(Default, KeyedState)]
/// struct Visits {
///     pages: MapState<u64, String, u32>,
///     #[state(alias = "recent")]
///     latest: ListState<u64, String>,
///     first: ValueState<u64, String>,
/// }
/// ```
///
/// The derive also implements [`State`]: each field is saved under its name. A field that was saved under another name
/// says so by `alias`; one that is new begins empty. What was saved of a field that is gone is refused, which
/// `checkpoint migrate --dry-run` tells beforehand, unless the struct says `#[state(dropped = "name")]`.
pub trait KeyedState: State {
    /// The stream's key.
    type Key: Key;

    /// Drops all that a key has.
    fn clear_key(&mut self, key: &Self::Key);

    /// Drops what has [expired](TimeToLive) by now.
    fn expire(&mut self, clock: Clock);

    /// When the wall clock will have something expire.
    fn deadline(&self) -> Option<ProcessingTime>;
}
