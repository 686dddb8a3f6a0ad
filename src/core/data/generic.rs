//! [`Data`] made of other data: what may be missing, collections, tuples.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::Hash;

use crate::columns::{self, ColumnError, ColumnReader, ColumnWriter};
use crate::{Data, Shape};

impl<T: Data> Data for Option<T> {
    fn shape() -> Shape {
        Shape::generic("Option", &[T::shape()])
    }

    fn is_plain() -> bool {
        T::is_plain()
    }

    fn write_columns<'a>(
        count: usize,
        values: impl Iterator<Item = &'a Self> + Clone,
        columns: &mut ColumnWriter<'_>,
    ) {
        columns::optional::write(count, values, columns);
    }

    fn read_columns(
        count: usize,
        columns: &ColumnReader<'_>,
    ) -> Result<impl Iterator<Item = Self>, ColumnError> {
        columns::optional::read(count, columns)
    }
}

/// What goes by rows. A box does too, or a type that holds itself in one would have columns without end.
macro_rules! generic {
    ($($name:literal: $kind:ident<$($parameter:ident $(+ $bound:path)*),+>;)*) => {$(
        impl<$($parameter: Data $(+ $bound)*),+> Data for $kind<$($parameter),+> {
            fn shape() -> Shape {
                Shape::generic($name, &[$($parameter::shape()),+])
            }

            fn is_plain() -> bool {
                $($parameter::is_plain())&&+
            }
        }
    )*};
}

generic! {
    "Vec": Vec<T>;
    "Box": Box<T>;
    "Set": BTreeSet<T + Ord>;
    "Set": HashSet<T + Eq + Hash>;
    "Map": BTreeMap<K + Ord, V>;
    "Map": HashMap<K + Eq + Hash, V>;
    "Result": Result<T, E>;
}

/// A tree of pairs that leans to the left, as zipped iterators yield it.
macro_rules! pairs {
    ($all:tt) => { $all };
    ($all:tt $next:ident $($rest:ident)*) => { pairs!(($all, $next) $($rest)*) };
}

/// A tuple has the columns of its fields one after the other.
macro_rules! tuple {
    ($first:ident $first_value:ident 0 $(, $field:ident $value:ident $index:tt)*) => {
        impl<$first: Data $(, $field: Data)*> Data for ($first, $($field,)*) {
            fn shape() -> Shape {
                Shape::generic("", &[$first::shape() $(, $field::shape())*])
            }

            fn is_plain() -> bool {
                $first::is_plain() $(&& $field::is_plain())*
            }

            fn write_columns<'a>(
                count: usize,
                values: impl Iterator<Item = &'a Self> + Clone,
                columns: &mut ColumnWriter<'_>,
            ) {
                $first::write_columns(count, values.clone().map(|value| &value.0), columns);
                $($field::write_columns(count, values.clone().map(|value| &value.$index), columns);)*
            }

            fn read_columns(
                count: usize,
                columns: &ColumnReader<'_>,
            ) -> Result<impl Iterator<Item = Self>, ColumnError> {
                let $first_value = $first::read_columns(count, columns)?;
                $(let $value = $field::read_columns(count, columns)?;)*
                Ok($first_value $(.zip($value))*.map(|pairs!($first_value $($value)*)| ($first_value, $($value,)*)))
            }
        }
    };
}

tuple!(A a 0);
tuple!(A a 0, B b 1);
tuple!(A a 0, B b 1, C c 2);
tuple!(A a 0, B b 1, C c 2, D d 3);
tuple!(A a 0, B b 1, C c 2, D d 3, E e 4);
tuple!(A a 0, B b 1, C c 2, D d 3, E e 4, F f 5);
tuple!(A a 0, B b 1, C c 2, D d 3, E e 4, F f 5, G g 6);
tuple!(A a 0, B b 1, C c 2, D d 3, E e 4, F f 5, G g 6, H h 7);
