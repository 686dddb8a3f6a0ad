//! Keeps the subtasks of a source close together in event time.
//!
//! A window stays open until the hindmost subtask has passed it, so a subtask that runs ahead fills memory with
//! windows that cannot close; credit alone never calls it back. A subtask that is far ahead of another waits until that
//! one has caught up. How far is far is measured in the subtask's own strides, the event time that it covers with
//! one poll, so that it needs no setting: a source of a thousand records a millisecond and one of a record a
//! minute are held together alike. Only subtasks that have something to read count: a silent one holds nobody.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use watershed_core::Watermark;

/// How many strides a subtask may be ahead of the hindmost.
const STRIDES_MAX: i64 = 16;

/// Where the subtasks of a source are.
#[derive(Debug)]
pub(crate) struct Convoy {
    /// By the index of the subtask; the end of time for one that does not count.
    reached: Vec<AtomicI64>,
}

/// One subtask's view of its convoy.
#[derive(Debug)]
pub(crate) struct Place {
    convoy: std::sync::Arc<Convoy>,
    index: usize,
    reached: Watermark,
    /// The event time of a stride, in ms: the longest of late, slowly forgotten.
    stride: i64,
}

impl Convoy {
    pub(crate) fn new(subtasks: u32) -> Self {
        let apart = |_| AtomicI64::new(Watermark::MAX.0.as_millis());
        Convoy { reached: (0..subtasks).map(apart).collect() }
    }
}

impl Place {
    pub(crate) fn new(convoy: std::sync::Arc<Convoy>, index: u32) -> Self {
        Place { convoy, index: index as usize, reached: Watermark::MIN, stride: 0 }
    }

    /// Says how far the subtask has come with a poll.
    pub(crate) fn report(&mut self, reached: Watermark) {
        if self.reached > Watermark::MIN {
            let stride = reached.0.as_millis().saturating_sub(self.reached.0.as_millis());
            self.stride = stride.max(self.stride - self.stride / 16);
        }
        self.reached = reached;
        self.convoy.reached[self.index].store(reached.0.as_millis(), Relaxed);
    }

    /// Says that the subtask has nothing to read, and holds nobody.
    pub(crate) fn leave(&self) {
        self.convoy.reached[self.index].store(Watermark::MAX.0.as_millis(), Relaxed);
    }

    /// Whether the subtask should wait for the hindmost.
    pub(crate) fn is_ahead(&self) -> bool {
        let hindmost = self.convoy.reached.iter().map(|reached| reached.load(Relaxed)).min();
        let lead = self.reached.0.as_millis().saturating_sub(hindmost.unwrap_or(i64::MAX));
        self.stride > 0 && lead > self.stride.saturating_mul(STRIDES_MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use watershed_core::EventTime;

    use super::*;

    #[test]
    fn a_subtask_waits_for_one_that_is_behind_and_not_for_one_that_has_left() {
        let convoy = Arc::new(Convoy::new(2));
        let mut places = [0, 1].map(|index| Place::new(convoy.clone(), index));
        let at = |millis| Watermark(EventTime::from_millis(millis));
        let [first, second] = &mut places;
        (0..=16).for_each(|poll| first.report(at(poll * 10)));
        assert!(!first.is_ahead(), "nobody else has begun");
        second.report(at(0));
        assert!(!first.is_ahead(), "sixteen strides are allowed");
        first.report(at(170));
        assert!(first.is_ahead());
        assert!(!second.is_ahead());
        second.leave();
        assert!(!first.is_ahead());
    }

    #[test]
    fn times_at_the_ends_of_the_scale_hold_nobody_for_ever() {
        let convoy = Arc::new(Convoy::new(2));
        let mut place = Place::new(convoy, 0);
        place.report(Watermark::MIN);
        place.report(Watermark(EventTime::MAX.previous()));
        assert!(!place.is_ahead());
    }
}
