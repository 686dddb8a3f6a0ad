//! No faster than so many records a second.

use std::marker::PhantomData;
use std::time::Duration;

use watershed_core::state::{Saving, Sections, State};
use watershed_core::{Data, EventTime, Output, ProcessingTime, StateError, Transform};

/// Lets at most so many records a second through each subtask, by pausing its input.
///
/// It is a token bucket in processing time. A record that finds the bucket empty passes all the same and
/// leaves a debt, and the input is held until the debt is paid: nothing is buffered, and the limit holds on
/// average. Since records of the current batch still come after a hold, in any `d` seconds at most `rate * d`
/// records pass, and beyond these no more than [`burst`](RateLimit::burst) and one batch.
///
/// ```
/// use watershed_actors::operator::RateLimit;
/// use watershed_core::testing::Harness;
/// use watershed_core::stage::Hold;
/// use watershed_core::{ProcessingTime, testing::Input};
///
/// let mut harness = Harness::transform(RateLimit::per_second(10.0));
/// harness.clock(5_000);
/// harness.run([Input::at(0, 'a'), Input::at(1, 'b'), Input::at(2, 'c')]);
/// assert_eq!(harness.values(), ['a', 'b', 'c']);
/// assert_eq!(harness.hold(), Hold::Until(ProcessingTime::from_millis(5_200)));
/// ```
#[derive(Debug)]
pub struct RateLimit<T> {
    rate: f64,
    burst: f64,
    of: PhantomData<fn(T)>,
}

impl<T> RateLimit<T> {
    /// At most `rate` records a second in each subtask, evenly.
    ///
    /// # Panics
    ///
    /// Where the rate is not a positive number.
    pub fn per_second(rate: f64) -> Self {
        assert!(rate > 0.0 && rate.is_finite(), "a rate limit needs a positive number of records a second");
        RateLimit { rate, burst: 1.0, of: PhantomData }
    }

    /// Lets so many records, at least one, pass at once after a time of silence.
    #[must_use]
    pub fn burst(mut self, records: u32) -> Self {
        self.burst = f64::from(records.max(1));
        self
    }
}

impl<T> Clone for RateLimit<T> {
    fn clone(&self) -> Self {
        RateLimit { ..*self }
    }
}

/// How many records may pass now; below zero, how many have passed too early.
///
/// Not saved: the wall clock of another run is none of this one's, and a full bucket is a fair beginning.
#[derive(Debug, Default)]
pub struct Bucket {
    filled: Option<Level>,
}

#[derive(Debug)]
struct Level {
    records: f64,
    at: ProcessingTime,
}

impl State for Bucket {
    fn save(&mut self, _saving: &mut Saving) {}

    fn load(&mut self, _sections: &Sections) -> Result<(), StateError> {
        Ok(())
    }
}

impl<T: Data> Transform for RateLimit<T> {
    type In = T;
    type Out = T;
    type State = Bucket;

    #[inline]
    fn on_record(&self, record: T, _time: EventTime, bucket: &mut Bucket, out: &mut impl Output<T>) {
        let now = out.now();
        let level = bucket.filled.get_or_insert(Level { records: self.burst, at: now });
        if level.at < now {
            let passed = now.as_millis().saturating_sub(level.at.as_millis());
            level.records = (level.records + passed as f64 * self.rate / 1000.0).min(self.burst);
            level.at = now;
        }
        level.records -= 1.0;
        if level.records < 0.0 {
            out.hold_until(
                now.after(Duration::from_millis((-level.records / self.rate * 1000.0).ceil() as u64)),
            );
        }
        out.emit(record);
    }
}

#[cfg(test)]
mod tests {
    use watershed_core::stage::Hold;
    use watershed_core::testing::{Harness, Input};

    use super::*;

    /// Feeds batches whenever the input is not held; the times at which records passed.
    fn passed(limit: RateLimit<u32>, batch: u32, millis: i64) -> Vec<i64> {
        let mut harness = Harness::transform(limit);
        let mut times = Vec::new();
        for now in 0..millis {
            harness.clock(now);
            if matches!(harness.hold(), Hold::Until(until) if until.as_millis() <= now) {
                harness.release();
            }
            if harness.hold() == Hold::Free {
                (0..batch).for_each(|n| harness.apply(Input::at(0, n)));
                times.extend(harness.values().iter().map(|_| now));
            }
        }
        times
    }

    #[test]
    fn the_limit_holds_on_average_whatever_the_batches() {
        for (rate, burst, batch) in [(100.0, 1, 1), (100.0, 1, 7), (2500.0, 50, 64), (0.5, 1, 1), (3.0, 2, 5)]
        {
            let times = passed(RateLimit::per_second(rate).burst(burst), batch, 10_000);
            let bound = |seconds: f64| seconds * rate + f64::from(burst) + f64::from(batch);
            assert!(times.len() as f64 >= (10.0 * rate).floor() - 1.0, "{rate}: {} passed", times.len());
            for (first, from) in times.iter().enumerate().step_by(17) {
                for (last, to) in times.iter().enumerate().skip(first).step_by(13) {
                    let count = (last - first + 1) as f64;
                    assert!(
                        count <= bound((to - from) as f64 / 1000.0) + 1e-6,
                        "{rate}: {count} in {from}..{to}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_burst_passes_at_once_after_silence_and_no_more_than_that() {
        let mut harness = Harness::transform(RateLimit::per_second(10.0).burst(3));
        harness.clock(1_000_000);
        (0..3).for_each(|n| harness.apply(Input::at(0, n)));
        assert_eq!(harness.hold(), Hold::Free);
        harness.apply(Input::at(0, 3));
        assert_eq!(harness.hold(), Hold::Until(ProcessingTime::from_millis(1_000_100)));
    }

    #[test]
    fn records_keep_their_times_and_a_restored_bucket_is_full() {
        let mut harness = Harness::transform(RateLimit::per_second(1.0));
        harness.run([Input::at(5, 'a'), Input::at(6, 'b')]);
        let mut restored = Harness::transform(RateLimit::per_second(1.0));
        restored.restore(&harness.snapshot()).unwrap();
        restored.apply(Input::at(7, 'c'));
        assert_eq!(restored.hold(), Hold::Free);
        let records = harness.records().into_iter().chain(restored.records());
        assert_eq!(
            records.map(|r| (r.value, r.time.as_millis())).collect::<Vec<_>>(),
            [('a', 5), ('b', 6), ('c', 7)]
        );
    }
}
