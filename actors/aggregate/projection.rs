//! Aggregates of values as aggregates of records that have such values.

use watershed_core::EventTime;

use super::Aggregate;

/// Turns an aggregate of values into one of records.
pub trait AggregateOf: Sized {
    /// Aggregates what `field` takes from each record: `Sum.of(|flight: &Flight| flight.distance)`.
    fn of<R, V, F>(self, field: F) -> Of<Self, F>
    where
        F: Fn(&R) -> V + Clone + Send + 'static,
        Self: Aggregate<V>,
    {
        Of { aggregate: self, field }
    }

    /// Aggregates what `field` takes from each record, and passes over records for which it takes
    /// nothing.
    fn of_some<R, V, F>(self, field: F) -> OfSome<Self, F>
    where
        F: Fn(&R) -> Option<V> + Clone + Send + 'static,
        Self: Aggregate<V>,
    {
        OfSome { aggregate: self, field }
    }
}

impl<A: Clone + Send + 'static> AggregateOf for A {}

/// An aggregate of what a function takes from each record.
#[derive(Clone, Copy, Debug)]
pub struct Of<A, F> {
    aggregate: A,
    field: F,
}

/// An aggregate of what a function takes from those records that have it.
#[derive(Clone, Copy, Debug)]
pub struct OfSome<A, F> {
    aggregate: A,
    field: F,
}

macro_rules! projection {
    ($name:ident takes $taken:ty, |$self:ident, $accumulator:ident, $value:ident, $time:ident| $add:expr) => {
        impl<R, V, A, F> Aggregate<R> for $name<A, F>
        where
            A: Aggregate<V>,
            F: Fn(&R) -> $taken + Clone + Send + 'static,
        {
            type Accumulator = A::Accumulator;
            type Out = A::Out;
            const INVERTIBLE: bool = A::INVERTIBLE;

            #[inline]
            fn empty(&self) -> A::Accumulator {
                self.aggregate.empty()
            }
            #[inline]
            fn add(&$self, $accumulator: &mut A::Accumulator, record: &R, $time: EventTime) {
                let $value = ($self.field)(record);
                $add;
            }
            #[inline]
            fn merge(&self, accumulator: &mut A::Accumulator, other: &A::Accumulator) {
                self.aggregate.merge(accumulator, other);
            }
            #[inline]
            fn retract(&self, accumulator: &mut A::Accumulator, other: &A::Accumulator) {
                self.aggregate.retract(accumulator, other);
            }
            #[inline]
            fn result(&self, accumulator: &A::Accumulator) -> A::Out {
                self.aggregate.result(accumulator)
            }
            #[inline]
            fn finish(&self, accumulator: A::Accumulator) -> A::Out {
                self.aggregate.finish(accumulator)
            }
        }
    };
}

projection!(Of takes V, |self, accumulator, value, time| {
    self.aggregate.add(accumulator, &value, time);
});
projection!(OfSome takes Option<V>, |self, accumulator, value, time| {
    if let Some(value) = value {
        self.aggregate.add(accumulator, &value, time);
    }
});

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::testing::{merges_and_retracts, result};
    use crate::aggregate::{Count, Mean, Sum};

    #[test]
    fn fields_are_aggregated_and_missing_ones_passed_over() {
        let records = [("a", Some(3)), ("b", None), ("c", Some(4))];
        type Row = (&'static str, Option<i32>);
        assert_eq!(result(&Sum.of(|row: &Row| row.0.len()), &records), 3);
        assert_eq!(result(&Count.of_some(|row: &Row| row.1), &records), 2);
        assert_eq!(result(&Mean.of_some(|row: &Row| row.1), &records), Some(3.5));
        merges_and_retracts(&Sum.of_some(|row: &Row| row.1), &records, i64::eq);
    }
}
