//! A type that its author knows how to merge.

use watershed_core::Data;
use watershed_core::shared::{Refusal, Resolver, Stamp};

/// A type of which two values can be merged: a join-semilattice that begins with the default.
///
/// For all values, `merge` gives the same whichever of two is merged into the other, however three are grouped, and
/// when one is merged in twice; and the default adds nothing. A sum is no such thing, nor is a mean; a maximum is, and
/// a set that grows, and a sketch of distinct values. Keep sets and maps in ordered collections, so that equal values
/// are equal bytes.
pub trait MergeState: Data + Default + PartialEq {
    /// Merges another value into this one.
    fn merge(&mut self, other: &Self);
}

/// Keeps a value of the author's type. An update is a value that is merged in.
///
/// The laws of [`MergeState`] are its author's duty. Builds with debug assertions look at each update together with the
/// state that it meets, and panic where the two break a law; `testing::verify_resolver` tries many.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use watershed_actors::resolver::{Merge, MergeState};
/// use watershed_core::Data;
/// use watershed_core::shared::Resolver;
/// use watershed_core::testing::Stamps;
///
/// /// The span of all temperatures that were measured.
/// #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Data)]
/// struct Span(Option<(i32, i32)>);
///
/// impl MergeState for Span {
///     fn merge(&mut self, other: &Self) {
///         if let Some((low, high)) = other.0 {
///             let (least, greatest) = self.0.unwrap_or((low, high));
///             self.0 = Some((least.min(low), greatest.max(high)));
///         }
///     }
/// }
///
/// let mut state = Span::default();
/// let (mut here, mut there) = (Stamps::of(0), Stamps::of(1));
/// let cold = Merge.update(&state, Span(Some((-4, 2))), &here.at(1))?;
/// let warm = Merge.update(&state, Span(Some((1, 9))), &there.at(1))?;
/// Merge.join(&mut state, &cold);
/// Merge.join(&mut state, &warm);
/// assert_eq!(Merge.value(&state), Span(Some((-4, 9))));
/// # Ok::<(), watershed_core::shared::Refusal>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Merge;

impl<M: MergeState> Resolver<M> for Merge {
    type State = M;
    type Update = M;
    type Value = M;

    fn update(&self, state: &M, update: M, _: &Stamp) -> Result<M, Refusal> {
        if cfg!(debug_assertions) {
            check_laws(state, &update);
        }
        Ok(update)
    }

    fn join(&self, state: &mut M, other: &M) {
        state.merge(other);
    }

    fn value(&self, state: &M) -> M {
        state.clone()
    }
}

/// Tries the laws on two values and the default.
///
/// # Panics
///
/// Where a law does not hold, or where equal values have different bytes.
fn check_laws<M: MergeState>(state: &M, update: &M) {
    let nothing = M::default();
    let both = merged(state, update);
    expect_same("the order of two does not matter", &both, &merged(update, state));
    expect_same("what is merged in twice counts once", &both, &merged(&both, update));
    expect_same("what is merged in twice counts once", &both, &merged(&both, state));
    expect_same("a value merged with itself stays as it is", update, &merged(update, update));
    expect_same("the default adds nothing", update, &merged(update, &nothing));
    expect_same("whatever is merged into the default is itself", update, &merged(&nothing, update));
}

fn merged<M: MergeState>(into: &M, other: &M) -> M {
    let mut merged = into.clone();
    merged.merge(other);
    merged
}

fn expect_same<M: MergeState>(law: &str, one: &M, other: &M) {
    let (one_bytes, other_bytes) = (bytes(one), bytes(other));
    assert!(
        one == other && one_bytes == other_bytes,
        "{} breaks a law of merging: {law}, but here are two results as MessagePack: {one_bytes:02x?} and {other_bytes:02x?}",
        std::any::type_name::<M>(),
    );
}

fn bytes<M: MergeState>(value: &M) -> Vec<u8> {
    rmp_serde::to_vec(value).expect("what is shared between sites can be told as MessagePack")
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};
    use watershed_core::testing::Stamps;

    use super::*;

    macro_rules! numbers {
        ($($name:ident by $merge:path;)*) => {$(
            #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Data)]
            struct $name(u32);

            impl MergeState for $name {
                fn merge(&mut self, other: &Self) {
                    self.0 = $merge(self.0, other.0);
                }
            }
        )*};
    }

    numbers! {
        Greatest by u32::max;
        Sum by u32::wrapping_add;
        Newest by newest;
        Least by u32::min;
    }

    fn newest(_: u32, newest: u32) -> u32 {
        newest
    }

    fn update<M: MergeState>(state: &M, update: M) -> M {
        let mut after = state.clone();
        let delta = Merge.update(state, update, &Stamps::of(0).at(1)).unwrap();
        Merge.join(&mut after, &delta);
        after
    }

    #[test]
    fn an_update_is_merged_in() {
        assert_eq!(update(&Greatest(4), Greatest(7)), Greatest(7));
        assert_eq!(update(&Greatest(7), Greatest(4)), Greatest(7));
    }

    #[test]
    #[should_panic(expected = "Sum breaks a law of merging: what is merged in twice counts once")]
    fn a_sum_is_caught() {
        check_laws(&Sum(4), &Sum(7));
    }

    #[test]
    #[should_panic(expected = "Newest breaks a law of merging: the order of two does not matter")]
    fn one_that_heeds_the_order_is_caught() {
        check_laws(&Newest(4), &Newest(7));
    }

    #[test]
    #[should_panic(expected = "Least breaks a law of merging: the default adds nothing")]
    fn one_whose_default_is_no_beginning_is_caught() {
        check_laws(&Least(4), &Least(7));
    }
}
