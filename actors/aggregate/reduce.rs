//! Values combined two at a time.

use watershed_core::{Data, EventTime};

use super::Aggregate;

/// Combines values by a function of two of them: what `.reduce(..)` of a window puts there.
///
/// Only windows make one, since they never ask for the result of no value.
#[derive(Clone, Copy, Debug)]
pub struct Reduce<F>(pub(crate) F);

impl<T: Data, F: Fn(T, T) -> T + Clone + Send + 'static> Aggregate<T> for Reduce<F> {
    type Accumulator = Option<T>;
    type Out = T;

    fn empty(&self) -> Option<T> {
        None
    }
    fn add(&self, kept: &mut Option<T>, value: &T, _time: EventTime) {
        *kept = Some(match kept.take() {
            Some(kept) => (self.0)(kept, value.clone()),
            None => value.clone(),
        });
    }
    fn merge(&self, kept: &mut Option<T>, other: &Option<T>) {
        if let Some(value) = other {
            self.add(kept, value, EventTime::MIN);
        }
    }
    fn result(&self, kept: &Option<T>) -> T {
        self.finish(kept.clone())
    }
    fn finish(&self, kept: Option<T>) -> T {
        kept.expect("a window that has a result has a record")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::testing::result;

    #[test]
    fn values_are_combined() {
        assert_eq!(result(&Reduce(u32::max), &[3, 9, 4]), 9);
    }
}
