//! A set of which elements are added and removed at once.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use watershed_core::Data;
use watershed_core::shared::{Refusal, Resolver, Settled, Stamp};

use super::Dotted;

/// Keeps a set. Who removes an element removes what it has seen of it: an element that somebody adds at the same time,
/// or adds again, stays.
///
/// ```
/// use watershed_actors::resolver::{AddSet, SetUpdate};
/// use watershed_core::shared::Resolver;
/// use watershed_core::testing::Stamps;
///
/// let (mut here, mut there) = (Stamps::of(0), Stamps::of(1));
/// let mut ports = Default::default();
/// let added = AddSet.update(&ports, SetUpdate::Add(80), &here.at(1))?;
/// AddSet.join(&mut ports, &added);
///
/// let removed = AddSet.update(&ports, SetUpdate::Remove(80), &here.at(2))?;
/// let again = AddSet.update(&ports, SetUpdate::Add(80), &there.at(2))?;
/// AddSet.join(&mut ports, &again);
/// AddSet.join(&mut ports, &removed);
/// assert_eq!(AddSet.value(&ports), [80].into());
/// # Ok::<(), watershed_core::shared::Refusal>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct AddSet;

/// What a writer does to a set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Data)]
pub enum SetUpdate<V> {
    /// Adds an element.
    Add(V),
    /// Removes an element, as far as the writer has seen it.
    Remove(V),
    /// Removes all that the writer has seen.
    Clear,
}

impl<V: Data + Ord> Resolver<V> for AddSet {
    type State = Dotted<V>;
    type Update = SetUpdate<V>;
    type Value = BTreeSet<V>;

    fn update(&self, state: &Dotted<V>, update: SetUpdate<V>, stamp: &Stamp) -> Result<Dotted<V>, Refusal> {
        Ok(match update {
            // The new dot takes the place of the old ones, so that an element added often has few.
            SetUpdate::Add(value) => {
                Dotted::delta(state.dots(|present| *present == value), Some(value.clone()), stamp)
            }
            SetUpdate::Remove(value) => Dotted::delta(state.dots(|present| *present == value), None, stamp),
            SetUpdate::Clear => Dotted::delta(state.dots(|_| true), None, stamp),
        })
    }

    fn join(&self, state: &mut Dotted<V>, other: &Dotted<V>) {
        state.join(other);
    }

    fn value(&self, state: &Dotted<V>) -> BTreeSet<V> {
        state.values().cloned().collect()
    }

    fn check(&self, _: &Dotted<V>, delta: &Dotted<V>, stamp: &Stamp) -> Result<(), Refusal> {
        delta.check(stamp)
    }

    fn settle(&self, state: &mut Dotted<V>, settled: Settled) -> bool {
        state.settle(settled);
        false
    }
}

#[cfg(test)]
mod tests {
    use watershed_core::testing::Stamps;

    use super::*;

    fn apply(state: &mut Dotted<u8>, update: SetUpdate<u8>, stamps: &mut Stamps) -> Dotted<u8> {
        let delta = AddSet.update(state, update, &stamps.at(1)).unwrap();
        AddSet.join(state, &delta);
        delta
    }

    #[test]
    fn an_element_added_often_is_kept_once() {
        let (mut here, mut state) = (Stamps::of(0), Dotted::default());
        (0..9).for_each(|_| drop(apply(&mut state, SetUpdate::Add(5), &mut here)));
        assert_eq!(state.values().collect::<Vec<_>>(), [&5]);
    }

    #[test]
    fn clearing_leaves_what_was_added_at_the_same_time() {
        let (mut here, mut there) = (Stamps::of(0), Stamps::of(1));
        let (mut state, mut elsewhere) = (Dotted::default(), Dotted::default());
        let first = apply(&mut state, SetUpdate::Add(1), &mut here);
        AddSet.join(&mut elsewhere, &first);
        let second = apply(&mut elsewhere, SetUpdate::Add(2), &mut there);
        apply(&mut state, SetUpdate::Clear, &mut here);
        assert_eq!(AddSet.value(&state), [].into());
        AddSet.join(&mut state, &second);
        assert_eq!(AddSet.value(&state), [2].into());
    }

    #[test]
    fn an_element_that_is_not_there_is_removed_in_vain() {
        let (mut here, mut state) = (Stamps::of(0), Dotted::default());
        apply(&mut state, SetUpdate::Add(1), &mut here);
        apply(&mut state, SetUpdate::Remove(2), &mut here);
        assert_eq!(AddSet.value(&state), [1].into());
    }
}
