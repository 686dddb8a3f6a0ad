//! The last writer wins.

use watershed_core::Data;
use watershed_core::shared::{Refusal, Resolver, Settled, Stamp};

use super::{Write, Written};

/// Keeps the value that was written last: that with the greatest hybrid time, and of equal times with the greatest dot.
///
/// Who writes after having seen a value always wins over it, whatever the clocks of the nodes say. Among writers that
/// know nothing of each other the clocks decide, within the skew that is allowed.
///
/// ```
/// use watershed_actors::resolver::{LastWriter, Write};
/// use watershed_core::shared::Resolver;
/// use watershed_core::testing::Stamps;
///
/// let (mut here, mut there) = (Stamps::of(0), Stamps::of(1));
/// let mut limit = None;
/// let later = LastWriter.update(&limit, Write::Put(40), &here.at(20))?;
/// let sooner = LastWriter.update(&limit, Write::Put(70), &there.at(10))?;
/// LastWriter.join(&mut limit, &later);
/// LastWriter.join(&mut limit, &sooner);
/// assert_eq!(LastWriter.value(&limit), Some(40));
///
/// let removed = LastWriter.update(&limit, Write::Remove, &there.at(21))?;
/// LastWriter.join(&mut limit, &removed);
/// assert_eq!(LastWriter.value(&limit), None);
/// # Ok::<(), watershed_core::shared::Refusal>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct LastWriter;

impl<V: Data> Resolver<V> for LastWriter {
    type State = Option<Written<V>>;
    type Update = Write<V>;
    type Value = Option<V>;

    fn update(&self, _: &Self::State, write: Write<V>, stamp: &Stamp) -> Result<Self::State, Refusal> {
        Ok(Some(Written::new(write, stamp)))
    }

    fn join(&self, state: &mut Self::State, other: &Self::State) {
        if let Some(other) = other
            && state.as_ref().is_none_or(|state| other.is_later_than(state))
        {
            *state = Some(other.clone());
        }
    }

    fn value(&self, state: &Self::State) -> Option<V> {
        state.as_ref().and_then(Written::value).cloned()
    }

    fn check(&self, _: &Self::State, delta: &Self::State, stamp: &Stamp) -> Result<(), Refusal> {
        let Some(written) = delta else {
            return Err(Refusal::Update("an update of a last writer's value writes nothing".to_owned()));
        };
        written.check(stamp)
    }

    fn settle(&self, state: &mut Self::State, settled: Settled) -> bool {
        if state.as_ref().is_some_and(|written| written.is_spent(settled)) {
            *state = None;
        }
        state.as_ref().is_some_and(Written::is_removal)
    }
}

#[cfg(test)]
mod tests {
    use watershed_core::causal::HybridTime;
    use watershed_core::testing::Stamps;
    use watershed_core::{Epoch, Run};

    use super::*;

    fn joined(writes: &[&Option<Written<u8>>]) -> Option<Written<u8>> {
        let mut state = None;
        writes.iter().for_each(|write| LastWriter.join(&mut state, write));
        state
    }

    #[test]
    fn of_equal_times_the_greater_dot_stays_in_whichever_order_they_come() {
        let (mut here, mut there) = (Stamps::of(0), Stamps::of(1));
        let one = LastWriter.update(&None, 1.into(), &here.at(5)).unwrap();
        let other = LastWriter.update(&None, 2.into(), &there.at(5)).unwrap();
        assert_eq!(joined(&[&one, &other]), other);
        assert_eq!(joined(&[&other, &one]), other);
    }

    #[test]
    fn a_removal_is_forgotten_only_when_no_older_write_can_come() {
        let mut here = Stamps::of(0);
        let mut there = Stamps::of(1);
        let removed = LastWriter.update(&None, Write::Remove, &here.at(50)).unwrap();
        there.pass_barrier();
        // Written in the next epoch by somebody who had not heard of the removal, with an older time.
        let older = LastWriter.update(&None, 7.into(), &there.at(40)).unwrap();
        let settled = |time| Settled { run: Run(1), epoch: Epoch(1), time: HybridTime::at(time) };

        let mut state = removed.clone();
        assert!(LastWriter.settle(&mut state, settled(39)), "it can go later");
        assert_eq!(state, removed);
        LastWriter.join(&mut state, &older);
        assert_eq!(LastWriter.value(&state), None::<u8>);

        assert!(!LastWriter.settle(&mut state, settled(50)));
        assert_eq!(state, None);
    }

    #[test]
    fn a_value_is_never_forgotten() {
        let state = LastWriter.update(&None, 7.into(), &Stamps::of(0).at(1)).unwrap();
        let mut later = state.clone();
        let settled = Settled { run: Run(9), epoch: Epoch(9), time: HybridTime::at(9) };
        assert!(!LastWriter.settle(&mut later, settled));
        assert_eq!((later.as_ref().and_then(Written::value), later.clone()), (Some(&7), state));
    }

    #[test]
    fn a_write_that_claims_a_later_time_than_its_stamp_is_refused() {
        let mut here = Stamps::of(0);
        let (now, later) = (here.at(1), here.at(9));
        let delta = LastWriter.update(&None, 7.into(), &later).unwrap();
        assert_eq!(LastWriter.check(&None, &delta, &later), Ok(()));
        let refusal = LastWriter.check(&None, &delta, &now).unwrap_err().to_string();
        assert_eq!(
            refusal,
            "a write that came as update 1 of site 0 in epoch 1 of run 1 at 1+0 claims to be \
             update 2 of site 0 in epoch 1 of run 1 at 9+0"
        );
        assert!(LastWriter.check(&None, &None::<Written<u8>>, &now).is_err());
    }
}
