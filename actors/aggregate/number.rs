//! What can be added up.

use watershed_core::Data;

/// A number that can be added up: integers of up to 64 bits, and floats.
///
/// Integers are added up in 64 bits and wrap around there: exact, whatever the order. Floats are added up
/// in 64 bits and round: the order shows in the last digits. A NaN makes the total NaN.
pub trait Number: Copy + Send + 'static {
    /// The type of totals.
    type Total: Data + Copy + Default;

    /// Whether totals do not round, so that what was added can be taken out again.
    const EXACT: bool;

    /// This number as a total of one.
    fn total(self) -> Self::Total;

    /// The sum of two totals.
    fn plus(total: Self::Total, other: Self::Total) -> Self::Total;

    /// The difference of two totals.
    fn minus(total: Self::Total, other: Self::Total) -> Self::Total;

    /// This number as a float, rounded.
    fn float(self) -> f64;

    /// A total as a float, rounded.
    fn total_float(total: Self::Total) -> f64;
}

macro_rules! integers {
    ($($kind:ty => $total:ty),*) => {$(
        impl Number for $kind {
            type Total = $total;
            const EXACT: bool = true;

            #[inline]
            fn total(self) -> $total {
                self as $total
            }
            #[inline]
            fn plus(total: $total, other: $total) -> $total {
                total.wrapping_add(other)
            }
            #[inline]
            fn minus(total: $total, other: $total) -> $total {
                total.wrapping_sub(other)
            }
            #[inline]
            fn float(self) -> f64 {
                self as f64
            }
            #[inline]
            fn total_float(total: $total) -> f64 {
                total as f64
            }
        }
    )*};
}

integers!(u8 => u64, u16 => u64, u32 => u64, u64 => u64, usize => u64);
integers!(i8 => i64, i16 => i64, i32 => i64, i64 => i64, isize => i64);

macro_rules! floats {
    ($($kind:ty),*) => {$(
        impl Number for $kind {
            type Total = f64;
            const EXACT: bool = false;

            #[inline]
            fn total(self) -> f64 {
                f64::from(self)
            }
            #[inline]
            fn plus(total: f64, other: f64) -> f64 {
                total + other
            }
            #[inline]
            fn minus(total: f64, other: f64) -> f64 {
                total - other
            }
            #[inline]
            fn float(self) -> f64 {
                f64::from(self)
            }
            #[inline]
            fn total_float(total: f64) -> f64 {
                total
            }
        }
    )*};
}

floats!(f32, f64);
