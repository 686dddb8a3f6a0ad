//! A map of which each field is written by itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use watershed_core::Data;
use watershed_core::shared::{Refusal, Resolver, Settled, Stamp};

use super::{Write, Written};

/// Keeps fields with their values. Of each field the last writer wins, as with [`LastWriter`](super::LastWriter), and
/// writers of different fields do not meet.
///
/// ```
/// use watershed_actors::resolver::{FieldMap, FieldWrite};
/// use watershed_core::shared::Resolver;
/// use watershed_core::testing::Stamps;
///
/// let (mut here, mut there) = (Stamps::of(0), Stamps::of(1));
/// let mut settings = Default::default();
/// let wide = FieldMap.update(&settings, FieldWrite::Put('w', 40), &here.at(1))?;
/// let high = FieldMap.update(&settings, FieldWrite::Put('h', 30), &there.at(1))?;
/// FieldMap.join(&mut settings, &wide);
/// FieldMap.join(&mut settings, &high);
/// assert_eq!(FieldMap.value(&settings), [('h', 30), ('w', 40)].into());
/// # Ok::<(), watershed_core::shared::Refusal>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct FieldMap;

/// What a writer does to a field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Data)]
pub enum FieldWrite<F, V> {
    /// Puts a value into the field.
    Put(F, V),
    /// Takes the field away.
    Remove(F),
}

impl<F: Data + Ord, V: Data> Resolver<(F, V)> for FieldMap {
    type State = BTreeMap<F, Written<V>>;
    type Update = FieldWrite<F, V>;
    type Value = BTreeMap<F, V>;

    fn update(
        &self,
        _: &Self::State,
        update: FieldWrite<F, V>,
        stamp: &Stamp,
    ) -> Result<Self::State, Refusal> {
        let (field, write) = match update {
            FieldWrite::Put(field, value) => (field, Write::Put(value)),
            FieldWrite::Remove(field) => (field, Write::Remove),
        };
        Ok([(field, Written::new(write, stamp))].into())
    }

    fn join(&self, state: &mut Self::State, other: &Self::State) {
        for (field, theirs) in other {
            if state.get(field).is_none_or(|ours| theirs.is_later_than(ours)) {
                state.insert(field.clone(), theirs.clone());
            }
        }
    }

    fn value(&self, state: &Self::State) -> BTreeMap<F, V> {
        let present = state.iter().filter_map(|(field, written)| Some((field, written.value()?)));
        present.map(|(field, value)| (field.clone(), value.clone())).collect()
    }

    fn check(&self, _: &Self::State, delta: &Self::State, stamp: &Stamp) -> Result<(), Refusal> {
        if delta.len() != 1 {
            return Err(Refusal::Update(format!("{} writes {} fields, not one", stamp.dot, delta.len())));
        }
        delta.values().try_for_each(|written| written.check(stamp))
    }

    fn settle(&self, state: &mut Self::State, settled: Settled) -> bool {
        state.retain(|_, written| !written.is_spent(settled));
        state.values().any(Written::is_removal)
    }
}

#[cfg(test)]
mod tests {
    use watershed_core::causal::HybridTime;
    use watershed_core::testing::Stamps;
    use watershed_core::{Epoch, Run};

    use super::*;

    fn fields(updates: Vec<(FieldWrite<char, u8>, Stamp)>) -> BTreeMap<char, Written<u8>> {
        let mut state = BTreeMap::new();
        for (update, stamp) in updates {
            let delta = FieldMap.update(&state, update, &stamp).unwrap();
            assert_eq!(FieldMap.check(&state, &delta, &stamp), Ok(()));
            FieldMap.join(&mut state, &delta);
        }
        state
    }

    #[test]
    fn the_last_writer_of_each_field_wins() {
        let (mut here, mut there) = (Stamps::of(0), Stamps::of(1));
        let state = fields(vec![
            (FieldWrite::Put('a', 1), here.at(20)),
            (FieldWrite::Put('a', 2), there.at(10)),
            (FieldWrite::Put('b', 3), there.at(11)),
            (FieldWrite::Remove('b'), here.at(21)),
        ]);
        assert_eq!(FieldMap.value(&state), [('a', 1)].into());
    }

    #[test]
    fn a_field_that_is_gone_is_forgotten_when_no_older_write_can_come() {
        let mut here = Stamps::of(0);
        let mut state =
            fields(vec![(FieldWrite::Put('a', 1), here.at(1)), (FieldWrite::Remove('b'), here.at(5))]);
        let settled = |time| Settled { run: Run(1), epoch: Epoch(1), time: HybridTime::at(time) };
        assert!(FieldMap.settle(&mut state, settled(4)), "it can go later");
        assert_eq!(state.len(), 2);
        assert!(!FieldMap.settle(&mut state, settled(5)));
        assert_eq!(state.into_keys().collect::<Vec<_>>(), ['a']);
    }

    #[test]
    fn an_update_of_several_fields_is_refused() {
        let mut here = Stamps::of(0);
        let stamp = here.at(1);
        let state = fields(vec![(FieldWrite::Put('a', 1), stamp), (FieldWrite::Put('b', 1), stamp)]);
        assert!(FieldMap.check(&BTreeMap::new(), &state, &stamp).is_err());
        assert!(FieldMap.check(&BTreeMap::new(), &BTreeMap::<char, Written<u8>>::new(), &stamp).is_err());
    }
}
