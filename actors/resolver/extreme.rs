//! The greatest and the least of all values.

use watershed_core::Data;
use watershed_core::shared::{Refusal, Resolver, Stamp};

/// Keeps the greatest value that anybody wrote. The order must tell different values apart: of two that compare equal,
/// sites would keep whichever they heard of first.
///
/// ```
/// use watershed_actors::resolver::Max;
/// use watershed_core::shared::Resolver;
/// use watershed_core::testing::Stamps;
///
/// let mut highest = None;
/// let (mut here, mut there) = (Stamps::of(0), Stamps::of(1));
/// for delta in [Max.update(&None, 30, &here.at(1))?, Max.update(&None, 20, &there.at(2))?] {
///     Max.join(&mut highest, &delta);
/// }
/// assert_eq!(Max.value(&highest), Some(30));
/// # Ok::<(), watershed_core::shared::Refusal>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Max;

/// Keeps the least value that anybody wrote. The order must tell different values apart: of two that compare equal,
/// sites would keep whichever they heard of first.
///
/// ```
/// use watershed_actors::resolver::Min;
/// use watershed_core::shared::Resolver;
/// use watershed_core::testing::Stamps;
///
/// let mut lowest = None;
/// let (mut here, mut there) = (Stamps::of(0), Stamps::of(1));
/// for delta in [Min.update(&None, 30, &here.at(1))?, Min.update(&None, 20, &there.at(2))?] {
///     Min.join(&mut lowest, &delta);
/// }
/// assert_eq!(Min.value(&lowest), Some(20));
/// # Ok::<(), watershed_core::shared::Refusal>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Min;

macro_rules! extreme {
    ($($name:ident by $beats:path;)*) => {$(
        impl<V: Data + Ord> Resolver<V> for $name {
            type State = Option<V>;
            type Update = V;
            type Value = Option<V>;

            fn update(&self, _: &Option<V>, value: V, _: &Stamp) -> Result<Option<V>, Refusal> {
                Ok(Some(value))
            }

            fn join(&self, state: &mut Option<V>, other: &Option<V>) {
                if let Some(other) = other
                    && state.as_ref().is_none_or(|state| $beats(other, state))
                {
                    *state = Some(other.clone());
                }
            }

            fn value(&self, state: &Option<V>) -> Option<V> {
                state.clone()
            }
        }
    )*};
}

extreme! {
    Max by V::gt;
    Min by V::lt;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_changes_nothing_and_anything_beats_nothing() {
        let mut state = Some(3);
        Max.join(&mut state, &None);
        Min.join(&mut state, &None);
        assert_eq!(state, Some(3));
        let (mut greatest, mut least) = (None, None);
        Max.join(&mut greatest, &Some(i32::MIN));
        Min.join(&mut least, &Some(i32::MAX));
        assert_eq!((greatest, least), (Some(i32::MIN), Some(i32::MAX)));
    }
}
