//! A function of a record and what its key remembers.

use std::marker::PhantomData;

use watershed_core::{Context, Data, Key, Operator};

/// Turns each record into another one with the help of its key's state, and keeps the time.
///
/// The state begins as its default and is kept for ever: a key that is never seen again keeps its place.
/// Where keys come and go, write an [`Operator`] and [forget](watershed_core::KeyContext::forget) them.
///
/// ```
/// use watershed_actors::operator::MapWithState;
/// use watershed_core::testing::Harness;
///
/// let growth = MapWithState::new(|last: &mut i64, reading: i64| reading - std::mem::replace(last, reading));
/// let mut harness = Harness::operator(growth);
/// for (millis, reading) in [(0, 5), (1, 7), (2, 4)] {
///     harness.push("meter".to_owned(), reading, millis);
/// }
/// assert_eq!(harness.values(), [5, 2, -3]);
/// ```
#[derive(Debug)]
pub struct MapWithState<K, T, S, O, M> {
    map: M,
    of: PhantomData<fn(K, T, S) -> O>,
}

impl<K, T, S, O, M: Fn(&mut S, T) -> O> MapWithState<K, T, S, O, M> {
    /// Applies `map` to the key's state and the record.
    pub const fn new(map: M) -> Self {
        MapWithState { map, of: PhantomData }
    }
}

impl<K, T, S, O, M: Clone> Clone for MapWithState<K, T, S, O, M> {
    fn clone(&self) -> Self {
        MapWithState { map: self.map.clone(), of: PhantomData }
    }
}

impl<K, T, S, O, M> Operator for MapWithState<K, T, S, O, M>
where
    K: Key,
    T: Data,
    S: Data + Default,
    O: Data,
    M: Fn(&mut S, T) -> O + Clone + Send + 'static,
{
    type Key = K;
    type In = T;
    type Out = O;
    type State = S;

    #[inline]
    fn on_record(&self, record: T, state: &mut S, cx: &mut impl Context<Self>) {
        let mapped = (self.map)(state, record);
        cx.emit(mapped);
    }
}

#[cfg(test)]
mod tests {
    use watershed_core::testing::{Harness, Input, verify};

    use super::*;

    #[test]
    fn each_key_remembers_for_itself() {
        let number = MapWithState::new(|seen: &mut u32, word: String| {
            *seen += 1;
            format!("{word}{seen}")
        });
        let mut harness = Harness::operator(number);
        for key in [1_u8, 2, 1, 1] {
            harness.push(key, "n".to_owned(), 0);
        }
        assert_eq!(harness.values(), ["n1", "n1", "n2", "n3"]);
    }

    #[test]
    fn its_contract_holds() {
        let sum = MapWithState::new(|sum: &mut i64, value: i64| {
            *sum += value;
            *sum
        });
        let mut inputs: Vec<_> = (0..60).map(|n| Input::at(100 - n * 3 % 50, (n % 7, n))).collect();
        inputs.insert(20, Input::watermark(90));
        inputs.insert(40, Input::watermark(95));
        inputs.push(Input::end());
        verify(&sum, &inputs);
    }
}
