//! Which windows there are.

use std::time::Duration;

use watershed_core::{Data, Key, Keyed, Transform};

use super::grid::Grid;
use super::{Rules, Sliced, Windowed};
use crate::aggregate::Aggregate;

/// A rule that says which windows a record belongs to, and the step that keeps them.
///
/// Implemented by [`Tumbling`] and its kin; an author's own windows are a [`Transform`] and a type that
/// makes it here.
pub trait Assigner: Clone + Send + 'static {
    /// The step that keeps an aggregate for each key and window.
    type Windows<K: Key, T: Data, A: Aggregate<T>>: Transform<In = Keyed<K, T>, Out = Windowed<K, A::Out>>;

    /// What the plan calls windows of this kind.
    const KIND: &'static str;

    /// Makes the step.
    fn windows<K: Key, T: Data, A: Aggregate<T>>(
        self,
        aggregate: A,
        rules: Rules<T>,
    ) -> Self::Windows<K, T, A>;
}

/// Windows of one length, one after the other: each record is in exactly one.
#[derive(Clone, Copy, Debug)]
pub struct Tumbling {
    size: Duration,
    offset: i64,
}

impl Tumbling {
    /// Windows of this length that begin at its multiples, counted from the Unix epoch.
    ///
    /// # Panics
    ///
    /// Where the length is less than a millisecond or more than 2^60.
    pub fn of(size: Duration) -> Self {
        let tumbling = Tumbling { size, offset: 0 };
        tumbling.grid();
        tumbling
    }

    /// Lets the windows begin so many milliseconds later (earlier where negative): days of a time zone.
    #[must_use]
    pub fn offset(self, millis: i64) -> Self {
        Tumbling { offset: millis, ..self }
    }

    fn grid(self) -> Grid {
        Grid::new(self.size, self.size, self.offset)
    }
}

impl From<Tumbling> for Grid {
    fn from(windows: Tumbling) -> Grid {
        windows.grid()
    }
}

impl Assigner for Tumbling {
    type Windows<K: Key, T: Data, A: Aggregate<T>> = Sliced<K, T, A>;
    const KIND: &'static str = "tumbling";

    fn windows<K: Key, T: Data, A: Aggregate<T>>(self, aggregate: A, rules: Rules<T>) -> Sliced<K, T, A> {
        Sliced::new(self.grid(), aggregate, rules)
    }
}

/// Windows of one length that begin at regular times: a record is in several where they overlap, and in
/// none where there are gaps between them.
///
/// The cost of a record does not depend on how many windows it is in, and that of a firing only on the number
/// of keys.
#[derive(Clone, Copy, Debug)]
pub struct Sliding {
    size: Duration,
    slide: Duration,
    offset: i64,
}

impl Sliding {
    /// Windows of length `size`, one beginning at each multiple of `slide` from the Unix epoch.
    ///
    /// # Panics
    ///
    /// Where one of them is less than a millisecond or more than 2^60.
    pub fn of(size: Duration, slide: Duration) -> Self {
        let sliding = Sliding { size, slide, offset: 0 };
        sliding.grid();
        sliding
    }

    /// Lets the windows begin so many milliseconds later (earlier where negative).
    #[must_use]
    pub fn offset(self, millis: i64) -> Self {
        Sliding { offset: millis, ..self }
    }

    fn grid(self) -> Grid {
        Grid::new(self.size, self.slide, self.offset)
    }
}

impl From<Sliding> for Grid {
    fn from(windows: Sliding) -> Grid {
        windows.grid()
    }
}

impl Assigner for Sliding {
    type Windows<K: Key, T: Data, A: Aggregate<T>> = Sliced<K, T, A>;
    const KIND: &'static str = "sliding";

    fn windows<K: Key, T: Data, A: Aggregate<T>>(self, aggregate: A, rules: Rules<T>) -> Sliced<K, T, A> {
        Sliced::new(self.grid(), aggregate, rules)
    }
}
