//! The first and the last of values, by their times.

use watershed_core::{Data, EventTime};

use super::Aggregate;

/// The value with the earliest time; of several, the least. `None` of none.
#[derive(Clone, Copy, Debug, Default)]
pub struct First;

/// The value with the latest time; of several, the greatest. `None` of none.
#[derive(Clone, Copy, Debug, Default)]
pub struct Last;

macro_rules! edge {
    ($($name:ident by $before:path;)*) => {$(
        impl<T: Data + PartialOrd> Aggregate<T> for $name {
            type Accumulator = Option<(EventTime, T)>;
            type Out = Option<T>;

            fn empty(&self) -> Self::Accumulator {
                None
            }
            fn add(&self, kept: &mut Self::Accumulator, value: &T, time: EventTime) {
                let better = kept.as_ref().is_none_or(|(at, kept)| {
                    $before(&time, at) || (time == *at && $before(value, kept))
                });
                if better {
                    *kept = Some((time, value.clone()));
                }
            }
            fn merge(&self, kept: &mut Self::Accumulator, other: &Self::Accumulator) {
                if let Some((time, value)) = other {
                    self.add(kept, value, *time);
                }
            }
            fn result(&self, kept: &Self::Accumulator) -> Option<T> {
                kept.as_ref().map(|(_, value)| value.clone())
            }
        }
    )*};
}

edge! {
    First by PartialOrd::lt;
    Last by PartialOrd::gt;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::testing::merges_and_retracts;

    #[test]
    fn times_decide_and_values_break_ties_whatever_the_order() {
        let at = EventTime::from_millis;
        for order in [[(at(5), 'x'), (at(1), 'b'), (at(1), 'a')], [(at(1), 'a'), (at(1), 'b'), (at(5), 'x')]]
        {
            let (mut first, mut last) = (First.empty(), Last.empty());
            for (time, value) in order {
                First.add(&mut first, &value, time);
                Last.add(&mut last, &value, time);
            }
            assert_eq!((First.result(&first), Last.result(&last)), (Some('a'), Some('x')));
        }
        merges_and_retracts(&First, &[3, 1, 2], Option::eq);
        merges_and_retracts(&Last, &[3, 1, 2], Option::eq);
    }
}
