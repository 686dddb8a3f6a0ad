//! Several aggregates over the same values.

use watershed_core::EventTime;

use super::Aggregate;

macro_rules! tuple {
    ($($name:ident $place:tt),+) => {
        impl<In, $($name: Aggregate<In>),+> Aggregate<In> for ($($name,)+) {
            type Accumulator = ($($name::Accumulator,)+);
            type Out = ($($name::Out,)+);
            const INVERTIBLE: bool = $($name::INVERTIBLE)&&+;

            #[inline]
            fn empty(&self) -> Self::Accumulator {
                ($(self.$place.empty(),)+)
            }
            #[inline]
            fn add(&self, accumulator: &mut Self::Accumulator, value: &In, time: EventTime) {
                $(self.$place.add(&mut accumulator.$place, value, time);)+
            }
            #[inline]
            fn merge(&self, accumulator: &mut Self::Accumulator, other: &Self::Accumulator) {
                $(self.$place.merge(&mut accumulator.$place, &other.$place);)+
            }
            #[inline]
            fn retract(&self, accumulator: &mut Self::Accumulator, other: &Self::Accumulator) {
                $(self.$place.retract(&mut accumulator.$place, &other.$place);)+
            }
            #[inline]
            fn result(&self, accumulator: &Self::Accumulator) -> Self::Out {
                ($(self.$place.result(&accumulator.$place),)+)
            }
            #[inline]
            fn finish(&self, accumulator: Self::Accumulator) -> Self::Out {
                ($(self.$place.finish(accumulator.$place),)+)
            }
        }
    };
}

tuple!(A 0);
tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);
tuple!(A 0, B 1, C 2, D 3, E 4);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5);

#[cfg(test)]
mod tests {
    use crate::aggregate::testing::{merges_and_retracts, result};
    use crate::aggregate::{Aggregate, Count, Max, Mean, Min, Sum};

    #[test]
    fn each_part_sees_every_value() {
        let all = (Count, Sum, Mean, Min, Max, Sum);
        assert_eq!(result(&all, &[2_i64, 4]), (2, 6, Some(3.0), Some(2), Some(4), 6));
        merges_and_retracts(&all, &[5, 1, 4], PartialEq::eq);
        merges_and_retracts(&(Count, Sum), &[5, 1, 4], PartialEq::eq);
    }

    #[test]
    fn a_tuple_is_invertible_where_all_its_parts_are() {
        fn invertible<A: Aggregate<i64>>(_: &A) -> bool {
            A::INVERTIBLE
        }
        assert!(invertible(&(Count, Sum)));
        assert!(!invertible(&(Count, Max)));
    }
}
