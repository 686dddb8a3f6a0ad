//! The least and the greatest of values.

use watershed_core::{Data, EventTime};

use super::Aggregate;

/// The least value; `None` of none.
///
/// A value that cannot be compared with itself (NaN) is passed over.
#[derive(Clone, Copy, Debug, Default)]
pub struct Min;

/// The greatest value; `None` of none.
///
/// A value that cannot be compared with itself (NaN) is passed over.
#[derive(Clone, Copy, Debug, Default)]
pub struct Max;

/// Keeps `value` if nothing is kept or it comes `before` what is.
#[inline]
fn keep<T: PartialOrd + Clone>(kept: &mut Option<T>, value: &T, before: impl Fn(&T, &T) -> bool) {
    let better = match kept {
        Some(kept) => before(value, kept),
        None => value.partial_cmp(value).is_some(),
    };
    if better {
        *kept = Some(value.clone());
    }
}

macro_rules! extreme {
    ($($name:ident by $before:path;)*) => {$(
        impl<T: Data + PartialOrd> Aggregate<T> for $name {
            type Accumulator = Option<T>;
            type Out = Option<T>;

            #[inline]
            fn empty(&self) -> Option<T> {
                None
            }
            #[inline]
            fn add(&self, kept: &mut Option<T>, value: &T, _time: EventTime) {
                keep(kept, value, $before);
            }
            #[inline]
            fn merge(&self, kept: &mut Option<T>, other: &Option<T>) {
                if let Some(value) = other {
                    keep(kept, value, $before);
                }
            }
            #[inline]
            fn result(&self, kept: &Option<T>) -> Option<T> {
                kept.clone()
            }
        }
    )*};
}

extreme! {
    Min by PartialOrd::lt;
    Max by PartialOrd::gt;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::testing::{merges_and_retracts, result};

    #[test]
    fn finds_the_least_and_the_greatest() {
        assert_eq!(result(&Min, &[3, -2, 7]), Some(-2));
        assert_eq!(result(&Max, &["b".to_owned(), "a".to_owned()]), Some("b".to_owned()));
        assert_eq!(result::<u8, _>(&Max, &[]), None);
        merges_and_retracts(&Min, &[4, 2, 8, 2], Option::eq);
        merges_and_retracts(&Max, &[4, 2, 8, 2], Option::eq);
    }

    #[test]
    fn nan_is_passed_over_wherever_it_comes() {
        for values in [[f64::NAN, 1.0, 2.0], [1.0, f64::NAN, 2.0], [2.0, 1.0, f64::NAN]] {
            assert_eq!((result(&Min, &values), result(&Max, &values)), (Some(1.0), Some(2.0)));
        }
    }
}
