//! What a window keeps of the records it saw: counts, sums, extremes, sketches, and an author's own.
//!
//! An aggregate folds values into an accumulator. Windows keep accumulators, not records: for each key and
//! slice of time one, merged where windows share slices. An aggregate of values becomes one of records
//! with [`AggregateOf::of`], and a tuple of aggregates is an aggregate:
//!
//! ```
//! use watershed_actors::aggregate::{Aggregate, AggregateOf, Count, Max, Mean};
//! use watershed_core::EventTime;
//!
//! struct Flight { delay: Option<f64>, distance: u32 }
//!
//! let aggregate = (Count, Mean.of_some(|f: &Flight| f.delay), Max.of(|f: &Flight| f.distance));
//! let mut kept = aggregate.empty();
//! aggregate.add(&mut kept, &Flight { delay: Some(4.0), distance: 700 }, EventTime::MIN);
//! aggregate.add(&mut kept, &Flight { delay: None, distance: 200 }, EventTime::MIN);
//! assert_eq!(aggregate.result(&kept), (2, Some(4.0), Some(700)));
//! ```

mod collect;
mod count;
mod covariance;
mod distinct;
mod edge;
mod extreme;
mod frequent;
mod mean;
mod number;
mod projection;
mod quantiles;
mod reduce;
mod sum;
mod top;
mod tuple;
mod variance;

pub use collect::Collect;
pub use count::Count;
pub use covariance::{Covariance, CovarianceState};
pub use distinct::{ApproxDistinct, DistinctState};
pub use edge::{First, Last};
pub use extreme::{Max, Min};
pub use frequent::MostFrequent;
pub use mean::{Mean, MeanState};
pub use number::Number;
pub use projection::{AggregateOf, Of, OfSome};
pub use quantiles::{QuantileState, Quantiles};
pub use reduce::Reduce;
pub use sum::Sum;
pub use top::TopK;
pub use variance::{Variance, VarianceState};

use watershed_core::{Data, EventTime};

/// A way to fold values of type `In` into one result.
///
/// Values come in no promised order, and accumulators are merged in no promised order either: a result
/// must not depend on it. Sums of floats do, but only in how they round.
///
/// ```
/// use watershed_actors::aggregate::Aggregate;
/// use watershed_core::EventTime;
///
/// /// The product of all values.
/// #[derive(Clone)]
/// struct Product;
///
/// impl Aggregate<f64> for Product {
///     type Accumulator = f64;
///     type Out = f64;
///
///     fn empty(&self) -> f64 {
///         1.0
///     }
///     fn add(&self, product: &mut f64, value: &f64, _time: EventTime) {
///         *product *= value;
///     }
///     fn merge(&self, product: &mut f64, other: &f64) {
///         *product *= other;
///     }
///     fn result(&self, product: &f64) -> f64 {
///         *product
///     }
/// }
/// ```
pub trait Aggregate<In>: Clone + Send + 'static {
    /// What is kept between values, and in checkpoints.
    type Accumulator: Data;
    /// What is said in the end.
    type Out: Data;

    /// Whether [`Aggregate::retract`] undoes [`Aggregate::merge`] exactly. Sliding windows are cheaper
    /// with aggregates for which it does.
    const INVERTIBLE: bool = false;

    /// The accumulator of no value.
    fn empty(&self) -> Self::Accumulator;

    /// Adds a value that happened at `time`.
    fn add(&self, accumulator: &mut Self::Accumulator, value: &In, time: EventTime);

    /// Adds all that another accumulator holds.
    fn merge(&self, accumulator: &mut Self::Accumulator, other: &Self::Accumulator);

    /// Takes out what was merged in before. Called only where [`Aggregate::INVERTIBLE`] is true.
    fn retract(&self, accumulator: &mut Self::Accumulator, other: &Self::Accumulator) {
        let _ = (accumulator, other);
        unreachable!("an aggregate that claims to be invertible has a way to retract");
    }

    /// What there is to say of the values so far.
    fn result(&self, accumulator: &Self::Accumulator) -> Self::Out;

    /// The result of an accumulator that is not needed any more. The default asks
    /// [`Aggregate::result`].
    #[inline]
    fn finish(&self, accumulator: Self::Accumulator) -> Self::Out {
        self.result(&accumulator)
    }
}

#[cfg(test)]
pub(crate) mod testing {
    //! What every aggregate has to hold to.

    use super::*;

    /// The result over values at times 0, 1, ..
    pub(crate) fn result<T, A: Aggregate<T>>(aggregate: &A, values: &[T]) -> A::Out {
        aggregate.finish(accumulated(aggregate, values, 0))
    }

    fn accumulated<T, A: Aggregate<T>>(aggregate: &A, values: &[T], first: usize) -> A::Accumulator {
        let mut accumulator = aggregate.empty();
        for (place, value) in values.iter().enumerate() {
            aggregate.add(&mut accumulator, value, EventTime::from_millis((first + place) as i64));
        }
        accumulator
    }

    /// Cuts the values in two at every place, merges in both orders, and retracts where that is possible:
    /// the results must satisfy `same`.
    pub(crate) fn merges_and_retracts<T, A: Aggregate<T>>(
        aggregate: &A,
        values: &[T],
        same: impl Fn(&A::Out, &A::Out) -> bool,
    ) {
        let whole = result(aggregate, values);
        for cut in 0..=values.len() {
            let left = accumulated(aggregate, &values[..cut], 0);
            let right = accumulated(aggregate, &values[cut..], cut);
            for (into, from) in [(&left, &right), (&right, &left)] {
                let mut merged = into.clone();
                aggregate.merge(&mut merged, from);
                assert!(same(&aggregate.result(&merged), &whole), "merged at {cut}");
                if A::INVERTIBLE {
                    aggregate.retract(&mut merged, from);
                    assert!(same(&aggregate.result(&merged), &aggregate.result(into)), "retracted at {cut}");
                }
            }
        }
    }
}
