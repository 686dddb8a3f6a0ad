//! All values that were written at the same time.

use watershed_core::Data;
use watershed_core::shared::{Refusal, Resolver, Settled, Stamp};

use super::{Dotted, Write};

/// Keeps every value that no later writer has seen. A write takes the place of all that its writer saw, so one value is
/// left after somebody has looked at them and decided; several are those of writers that knew nothing of each other.
///
/// They are read in the order of their dots.
///
/// ```
/// use watershed_actors::resolver::{Siblings, Write};
/// use watershed_core::shared::Resolver;
/// use watershed_core::testing::Stamps;
///
/// let (mut here, mut there) = (Stamps::of(0), Stamps::of(1));
/// let mut owner = Default::default();
/// let ada = Siblings.update(&owner, Write::Put("Ada".to_owned()), &here.at(1))?;
/// let bob = Siblings.update(&owner, Write::Put("Bob".to_owned()), &there.at(1))?;
/// Siblings.join(&mut owner, &bob);
/// Siblings.join(&mut owner, &ada);
/// assert_eq!(Siblings.value(&owner), ["Ada", "Bob"]);
///
/// let decided = Siblings.update(&owner, Write::Put("Bob".to_owned()), &here.at(2))?;
/// Siblings.join(&mut owner, &decided);
/// assert_eq!(Siblings.value(&owner), ["Bob"]);
/// # Ok::<(), watershed_core::shared::Refusal>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Siblings;

impl<V: Data> Resolver<V> for Siblings {
    type State = Dotted<V>;
    type Update = Write<V>;
    type Value = Vec<V>;

    fn update(&self, state: &Dotted<V>, write: Write<V>, stamp: &Stamp) -> Result<Dotted<V>, Refusal> {
        let value = match write {
            Write::Put(value) => Some(value),
            Write::Remove => None,
        };
        Ok(Dotted::delta(state.dots(|_| true), value, stamp))
    }

    fn join(&self, state: &mut Dotted<V>, other: &Dotted<V>) {
        state.join(other);
    }

    fn value(&self, state: &Dotted<V>) -> Vec<V> {
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

    #[test]
    fn a_removal_takes_what_its_writer_saw_and_nothing_else() {
        let (mut here, mut there) = (Stamps::of(0), Stamps::of(1));
        let mut state = Siblings.update(&Dotted::default(), 1.into(), &here.at(1)).unwrap();
        let removed = Siblings.update(&state, Write::Remove, &here.at(2)).unwrap();
        let unseen = Siblings.update(&Dotted::default(), 2.into(), &there.at(1)).unwrap();
        Siblings.join(&mut state, &unseen);
        Siblings.join(&mut state, &removed);
        assert_eq!(Siblings.value(&state), [2]);
    }
}
