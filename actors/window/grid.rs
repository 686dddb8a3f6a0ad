//! The arithmetic of windows of one length that begin at regular times.
//!
//! Windows are numbered: window `i` begins at `offset + i * slide`. Time is cut into slices, the longest
//! for which every window is a whole number of them.
//!
//! Times farther from the epoch than 2^62 milliseconds (146 million years) are taken for that, and windows
//! are no longer than 2^60, so that nothing here can overflow.

use std::time::Duration;

use watershed_core::{EventTime, Watermark, millis};

use super::Span;

/// The farthest time from the epoch that is told from its neighbours, in milliseconds.
const TIME_MAX: i64 = 1 << 62;
/// The longest window, in milliseconds.
const SIZE_MAX: i64 = 1 << 60;

/// Windows of one length that begin at regular times: what [`Tumbling`](super::Tumbling) and
/// [`Sliding`](super::Sliding) say. All lengths are in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    size: i64,
    slide: i64,
    offset: i64,
    slice: i64,
}

impl Grid {
    pub(crate) fn new(size: Duration, slide: Duration, offset: i64) -> Self {
        let (size, slide) = (millis(size), millis(slide));
        assert!(size > 0 && slide > 0, "a window and its slide last a millisecond or more");
        assert!(size <= SIZE_MAX && slide <= SIZE_MAX, "a window and its slide last 2^60 ms or less");
        Grid { size, slide, offset: offset.rem_euclid(slide), slice: gcd(size, slide) }
    }

    /// Whether every window is a slice of its own.
    pub(super) fn is_tumbling(&self) -> bool {
        self.size == self.slide
    }

    /// The first and the last millisecond of the slice that holds a time.
    #[inline]
    pub(super) fn slice(&self, time: EventTime) -> (EventTime, EventTime) {
        let start = floor(told(time) - self.offset, self.slice) + self.offset;
        (EventTime::from_millis(start), EventTime::from_millis(start + (self.slice - 1)))
    }

    /// The number of the first window that ends after a time: the first that holds it, if any does.
    #[inline]
    pub(crate) fn first(&self, time: EventTime) -> i64 {
        (told(time) - self.offset - self.size).div_euclid(self.slide) + 1
    }

    /// The number of the last window that begins at or before a time: the last that holds it, if any does.
    #[inline]
    pub(crate) fn last(&self, time: EventTime) -> i64 {
        (told(time) - self.offset).div_euclid(self.slide)
    }

    /// The number of the first window that is not over at a watermark.
    pub(crate) fn next(&self, watermark: Watermark) -> i64 {
        self.first(watermark.0.after(Duration::from_millis(1)))
    }

    /// The number of the window whose last millisecond this is. Unlike a record's time it may lie beyond
    /// those that are told apart, by the length of a window.
    pub(crate) fn closing(&self, last: EventTime) -> i64 {
        (last.as_millis() - self.offset - (self.size - 1)).div_euclid(self.slide)
    }

    /// A window.
    #[inline]
    pub(crate) fn span(&self, window: i64) -> Span {
        let start = self.offset + window * self.slide;
        Span { start: EventTime::from_millis(start), end: EventTime::from_millis(start + self.size) }
    }
}

/// The time that a time is taken for: itself, unless it is too far from the epoch.
pub(crate) fn told_time(time: EventTime) -> EventTime {
    EventTime::from_millis(told(time))
}

#[inline]
fn told(time: EventTime) -> i64 {
    time.as_millis().clamp(-TIME_MAX, TIME_MAX)
}

#[inline]
fn floor(time: i64, step: i64) -> i64 {
    time - time.rem_euclid(step)
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(size: u64, slide: u64, offset: i64) -> Grid {
        Grid::new(Duration::from_millis(size), Duration::from_millis(slide), offset)
    }

    fn at(millis: i64) -> EventTime {
        EventTime::from_millis(millis)
    }

    /// The starts of the windows that hold a time.
    fn starts(grid: &Grid, time: i64) -> Vec<i64> {
        (grid.first(at(time))..=grid.last(at(time))).map(|i| grid.span(i).start.as_millis()).collect()
    }

    #[test]
    fn tumbling_windows_hold_each_time_once_on_both_sides_of_the_epoch() {
        let plain = grid(10, 10, 0);
        assert_eq!([-11, -10, -1, 0, 9, 10].map(|t| starts(&plain, t)[0]), [-20, -10, -10, 0, 0, 10]);
        let shifted = grid(10, 10, -3);
        assert_eq!([-4, -3, 6, 7].map(|t| starts(&shifted, t)[0]), [-13, -3, -3, 7]);
        assert_eq!(shifted.slice(at(-4)), (at(-13), at(-4)));
    }

    #[test]
    fn sliding_windows_share_the_slices_of_the_common_divisor() {
        let even = grid(30, 10, 0);
        assert_eq!(starts(&even, 5), [-20, -10, 0]);
        assert_eq!(starts(&even, 10), [-10, 0, 10]);
        let odd = grid(25, 10, 0);
        assert_eq!(odd.slice(at(7)), (at(5), at(9)));
        assert_eq!(starts(&odd, 4), [-20, -10, 0]);
        assert_eq!(starts(&odd, 5), [-10, 0]);
    }

    #[test]
    fn the_next_window_is_the_first_whose_last_millisecond_is_to_come() {
        let grid = grid(30, 10, 0);
        let next = |watermark| grid.span(grid.next(Watermark(at(watermark)))).end.as_millis();
        assert_eq!([-2, -1, 0, 8, 9].map(next), [0, 10, 10, 10, 20]);
    }

    #[test]
    fn a_slide_longer_than_the_window_leaves_gaps() {
        let gaps = grid(4, 10, 0);
        assert_eq!(starts(&gaps, 3), [0]);
        assert!(starts(&gaps, 4).is_empty());
        assert!(starts(&gaps, -1).is_empty());
    }

    #[test]
    fn the_ends_of_time_do_not_overflow() {
        for grid in [grid(1, 1, 0), grid(1 << 60, 1 << 60, -7), grid(1 << 60, 1, 3), grid(1000, 300, 250)] {
            for time in [i64::MIN, i64::MIN + 1, i64::MAX - 1, i64::MAX] {
                let (start, last) = grid.slice(at(time));
                assert!(start <= last);
                assert!(grid.span(grid.first(at(time))).end > start);
                assert!(grid.span(grid.last(at(time))).start <= last);
            }
        }
    }
}
