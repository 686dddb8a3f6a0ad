//! Records made by a function of their number: for tests, demonstrations and benchmarks.

use std::marker::PhantomData;

use serde::{Deserialize, Serialize};
use watershed_core::{Data, EventTime, Polled, Position, Reader, Source, SourceError, SourceOutput};

use super::Dice;
use super::pace::{self, Pace};

/// Emits `function(0, ..)`, `function(1, ..)`, ..: one split a subtask, the numbers dealt out among them.
///
/// The function must depend on its arguments alone: the number, and [`Dice`] that are thrown the same way
/// each time. A restored generator then goes on as if nothing had happened, and the records do not depend on
/// the parallelism.
///
/// ```
/// use watershed_actors::source::Generator;
/// use watershed_core::testing::SourceHarness;
/// use watershed_core::EventTime;
///
/// let tosses = Generator::new(42, |n, dice| (n, dice.chance(0.5)))
///     .take(1000)
///     .timed(|n, _| EventTime::from_millis(n as i64));
/// let mut harness = SourceHarness::new(&tosses, 4).unwrap();
/// harness.run().unwrap();
/// let heads = harness.values().iter().filter(|(_, heads)| *heads).count();
/// assert!((400..600).contains(&heads));
/// ```
#[derive(Clone, Debug)]
pub struct Generator<F, T, W = Untimed> {
    seed: u64,
    function: F,
    timing: W,
    limit: Option<u64>,
    per_second: Option<f64>,
    contiguous: bool,
    of: PhantomData<fn() -> T>,
}

/// The end of an endless generator: so far off that no step beyond it overflows.
const NEVER: u64 = u64::MAX / 2;

/// How a generator's records get their time.
pub trait Timing<T>: Clone + Send + 'static {
    /// Whether it gives one at all.
    const GIVEN: bool;

    /// Emits record number `n`.
    fn emit(&self, n: u64, value: T, out: &mut impl SourceOutput<T>);
}

/// The stream's [`EventTimes`](watershed_core::EventTimes) give the time, or the wall clock.
#[derive(Clone, Copy, Debug)]
pub struct Untimed;

/// A function of number and value gives the time.
#[derive(Clone, Copy, Debug)]
pub struct TimedBy<G>(G);

impl<T> Timing<T> for Untimed {
    const GIVEN: bool = false;

    #[inline(always)]
    fn emit(&self, _: u64, value: T, out: &mut impl SourceOutput<T>) {
        out.emit(value);
    }
}

impl<T, G: Fn(u64, &T) -> EventTime + Clone + Send + 'static> Timing<T> for TimedBy<G> {
    const GIVEN: bool = true;

    #[inline(always)]
    fn emit(&self, n: u64, value: T, out: &mut impl SourceOutput<T>) {
        let time = (self.0)(n, &value);
        out.emit_at(value, time);
    }
}

impl<T, F: Fn(u64, &mut Dice) -> T + Clone + Send + 'static> Generator<F, T> {
    /// A generator without an end that runs as fast as its records are taken.
    pub fn new(seed: u64, function: F) -> Self {
        let (limit, per_second) = (None, None);
        Generator { seed, function, timing: Untimed, limit, per_second, contiguous: false, of: PhantomData }
    }

    /// Gives each record a time by its number and value.
    pub fn timed<G>(self, time: G) -> Generator<F, T, TimedBy<G>>
    where
        G: Fn(u64, &T) -> EventTime + Clone + Send + 'static,
    {
        Generator {
            seed: self.seed,
            function: self.function,
            timing: TimedBy(time),
            limit: self.limit,
            per_second: self.per_second,
            contiguous: self.contiguous,
            of: PhantomData,
        }
    }
}

impl<F, T, W> Generator<F, T, W> {
    /// Ends after so many records.
    #[must_use]
    pub fn take(mut self, records: u64) -> Self {
        self.limit = Some(records);
        self
    }

    /// Emits so many records a second, over all splits together, in small steps.
    ///
    /// # Panics
    ///
    /// Where the rate is not a number above 0.
    #[must_use]
    pub fn per_second(mut self, records: f64) -> Self {
        self.per_second = Some(pace::checked(records));
        self
    }

    /// Gives each split one stretch of the numbers instead of every so-manieth: needs [`take`](Self::take).
    #[must_use]
    pub fn contiguous(mut self) -> Self {
        self.contiguous = true;
        self
    }
}

/// The numbers that one split of a generator makes: `first`, `first + step`, .. below `end`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Data)]
pub struct Numbers {
    first: u64,
    step: u64,
    end: u64,
    /// Over how many splits the rate is dealt out, where there is one.
    splits: u32,
}

impl<F, T, W> Source for Generator<F, T, W>
where
    T: Data,
    F: Fn(u64, &mut Dice) -> T + Clone + Send + 'static,
    W: Timing<T>,
{
    type Out = T;
    type Split = Numbers;
    type Reader = GeneratorReader<F, T, W>;

    fn splits(&self, parallelism: u32) -> Result<Vec<Numbers>, SourceError> {
        let (count, splits) = (u64::from(parallelism), parallelism);
        if !self.contiguous {
            let end = self.limit.unwrap_or(NEVER).min(NEVER);
            return Ok((0..count).map(|first| Numbers { first, step: count, end, splits }).collect());
        }
        let limit = self.limit.ok_or_else(|| {
            SourceError::new("generator", "contiguous splits of an endless generator; give it .take(n)")
        })?;
        let border = |split: u64| (u128::from(limit) * u128::from(split) / u128::from(count)) as u64;
        let stretch = |split| Numbers { first: border(split), step: 1, end: border(split + 1), splits };
        Ok((0..count).map(stretch).collect())
    }

    fn open(&self, split: &Numbers, from: Option<Position>) -> Result<Self::Reader, SourceError> {
        Ok(GeneratorReader {
            seed: self.seed,
            function: self.function.clone(),
            timing: self.timing.clone(),
            next: from.map_or(split.first, |position| position.0),
            step: split.step,
            end: split.end,
            pace: self.per_second.map(|rate| Pace::new(rate / f64::from(split.splits))),
            of: PhantomData,
        })
    }

    fn gives_times(&self) -> bool {
        W::GIVEN
    }

    fn describe(&self, split: &Numbers) -> String {
        format!("generator from {} by {}", split.first, split.step)
    }
}

/// Makes the records of one split.
#[derive(Debug)]
pub struct GeneratorReader<F, T, W> {
    seed: u64,
    function: F,
    timing: W,
    next: u64,
    step: u64,
    end: u64,
    pace: Option<Pace>,
    of: PhantomData<fn() -> T>,
}

impl<F, T, W> Reader for GeneratorReader<F, T, W>
where
    T: Data,
    F: Fn(u64, &mut Dice) -> T + Clone + Send + 'static,
    W: Timing<T>,
{
    type Out = T;

    #[inline]
    fn poll(&mut self, out: &mut impl SourceOutput<T>) -> Result<Polled, SourceError> {
        let (budget, now) = (out.budget(), out.now());
        let due = self.pace.as_mut().map_or(usize::MAX, |pace| pace.due(now));
        let records = budget.min(due) as u64;
        let end = self.end.min(self.next.saturating_add(records.saturating_mul(self.step)));
        let began = self.next;
        let (mut next, step) = (began, self.step);
        while next < end {
            let value = (self.function)(next, &mut Dice::new(self.seed, next));
            self.timing.emit(next, value, out);
            next += step;
        }
        self.next = next;
        Ok(match &mut self.pace {
            _ if next >= self.end => Polled::End,
            Some(pace) => {
                let polled = pace.released((next - began) / step, now);
                if due > budget { Polled::More } else { polled }
            }
            None => Polled::More,
        })
    }

    /// The number of the next record.
    fn position(&self) -> Position {
        Position(self.next)
    }
}

#[cfg(test)]
mod tests {
    use watershed_core::testing::{SourceHarness, verify_source};

    use super::*;

    fn drawn(parallelism: u32, contiguous: bool) -> Vec<(u64, u64)> {
        let generator = Generator::new(9, |n, dice| (n, dice.below(1000))).take(103);
        let generator = if contiguous { generator.contiguous() } else { generator };
        let mut harness = SourceHarness::new(&generator, parallelism).unwrap();
        harness.run().unwrap();
        let mut values = harness.values();
        values.sort_unstable();
        values
    }

    #[test]
    fn the_records_do_not_depend_on_how_they_are_dealt_out() {
        let whole = drawn(1, false);
        assert_eq!(whole.len(), 103);
        assert!(whole.iter().enumerate().all(|(index, (n, _))| index as u64 == *n));
        for parallelism in [2, 7, 200] {
            assert_eq!(drawn(parallelism, false), whole);
            assert_eq!(drawn(parallelism, true), whole);
        }
    }

    #[test]
    fn a_restored_generator_goes_on_where_it_was_left() {
        verify_source(&Generator::new(1, |n, dice| (n, dice.bits())).take(23), 3);
        verify_source(&Generator::new(1, |n, dice| (n, dice.bits())).take(23).contiguous(), 3);
        verify_source(&Generator::new(1, |n, _| n).take(23).per_second(1000.0), 2);
    }

    #[test]
    fn times_follow_the_number_and_the_value() {
        let timed = Generator::new(0, |n, _| n * 2)
            .take(3)
            .timed(|n, value| EventTime::from_millis((n * 10 + value) as i64));
        let mut harness = SourceHarness::new(&timed, 1).unwrap();
        harness.run().unwrap();
        let times: Vec<i64> = harness.records().iter().map(|record| record.time.as_millis()).collect();
        assert_eq!(times, [0, 12, 24]);
    }

    #[test]
    fn a_rate_holds_over_all_splits_together() {
        let mut harness =
            SourceHarness::new(&Generator::new(0, |n, _| n).take(2000).per_second(1000.0), 4).unwrap();
        harness.run().unwrap();
        let mut values = harness.values();
        values.sort_unstable();
        assert_eq!(values, (0..2000).collect::<Vec<u64>>());
        let millis = harness.now().as_millis();
        assert!((1950..2050).contains(&millis), "2000 records at 1000 a second took {millis} ms");
    }

    #[test]
    fn a_generator_that_goes_on_at_another_rate_does_so() {
        let numbers = Generator::new(0, |n, _| n).take(1000);
        let saved = numbers.clone().per_second(1.0).splits(2).unwrap();
        let mut harness = SourceHarness::of(&numbers, &saved).unwrap();
        harness.run().unwrap();
        assert_eq!((harness.values().len(), harness.now().as_millis()), (1000, 0));
    }

    #[test]
    fn an_endless_generator_emits_what_a_poll_asks_for() {
        let mut harness = SourceHarness::new(&Generator::new(0, |n, _| n), 1).unwrap().budget(10);
        assert_eq!(harness.poll(0).unwrap(), Polled::More);
        assert_eq!(harness.values().len(), 10);
    }

    #[test]
    fn contiguous_splits_need_an_end() {
        let error = Generator::new(0, |n, _| n).contiguous().splits(2).unwrap_err();
        assert!(error.to_string().contains(".take(n)"), "{error}");
    }
}
