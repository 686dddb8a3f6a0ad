//! Running means: of all records so far, and of those that matter still.

use std::marker::PhantomData;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use watershed_core::{Context, Data, DeadLetter, EventTime, Key, KeyContext, Operator, millis};

/// Emits, at each record, its key and the mean of the key's values so far.
///
/// A value that is no finite number would spoil the mean for ever; it becomes a dead letter instead.
///
/// ```
/// use watershed_actors::operator::RunningMean;
/// use watershed_core::testing::Harness;
///
/// let mut harness = Harness::operator(RunningMean::of(|celsius: &f64| *celsius));
/// for (millis, celsius) in [(0, 10.0), (1, 20.0), (2, 15.0)] {
///     harness.push("roof".to_owned(), celsius, millis);
/// }
/// let means: Vec<f64> = harness.values().into_iter().map(|(_, mean)| mean).collect();
/// assert_eq!(means, [10.0, 15.0, 15.0]);
/// ```
#[derive(Debug)]
pub struct RunningMean<K, T, V> {
    value: V,
    of: PhantomData<fn(K, T)>,
}

impl<K, T, V: Fn(&T) -> f64> RunningMean<K, T, V> {
    /// The mean of what `value` finds in each record.
    pub const fn of(value: V) -> Self {
        RunningMean { value, of: PhantomData }
    }
}

impl<K, T, V: Clone> Clone for RunningMean<K, T, V> {
    fn clone(&self) -> Self {
        RunningMean { value: self.value.clone(), of: PhantomData }
    }
}

/// A key's mean so far.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, Data)]
pub struct Mean {
    count: u64,
    mean: f64,
}

impl<K, T, V> Operator for RunningMean<K, T, V>
where
    K: Key,
    T: Data,
    V: Fn(&T) -> f64 + Clone + Send + 'static,
{
    type Key = K;
    type In = T;
    type Out = (K, f64);
    type State = Mean;

    fn on_record(&self, record: T, state: &mut Mean, cx: &mut impl Context<Self>) {
        let value = (self.value)(&record);
        if value.is_finite() {
            state.count += 1;
            // Divided first, the difference of two huge values cannot overflow; nor does the mean drift as
            // a sum would.
            let count = state.count as f64;
            state.mean += value / count - state.mean / count;
            cx.emit((cx.key().clone(), state.mean));
        } else {
            refuse(value, cx);
        }
        if state.count == 0 {
            cx.forget();
        }
    }
}

/// Emits, at each record, its key and the mean of the key's values so far, of which older ones count less.
///
/// With an [`alpha`](ExponentialMean::alpha) each record takes that share of the mean, in the order in
/// which they come. With a [`half_life`](ExponentialMean::half_life) the weight of a value halves with each such
/// span of event time: it does not matter how often, or in which order, a key is measured. A value that is
/// no finite number becomes a dead letter.
///
/// ```
/// use std::time::Duration;
/// use watershed_actors::operator::ExponentialMean;
/// use watershed_core::testing::Harness;
///
/// let recent = ExponentialMean::half_life(Duration::from_secs(1), |load: &f64| *load);
/// let mut harness = Harness::operator(recent);
/// harness.push("node".to_owned(), 0.0, 0);
/// harness.push("node".to_owned(), 3.0, 1_000);
/// assert_eq!(harness.values()[1].1, 2.0, "half the weight for the value that is a second older");
/// ```
#[derive(Debug)]
pub struct ExponentialMean<K, T, V> {
    decay: Decay,
    value: V,
    of: PhantomData<fn(K, T)>,
}

#[derive(Clone, Copy, Debug)]
enum Decay {
    /// The share of a new record in the mean.
    Alpha(f64),
    /// The span of event time that halves a weight, in milliseconds.
    HalfLife(f64),
}

impl<K, T, V: Fn(&T) -> f64> ExponentialMean<K, T, V> {
    /// Each record takes the share `alpha` of the mean; the first one takes all.
    ///
    /// # Panics
    ///
    /// Where `alpha` is not above 0 and at most 1.
    pub fn alpha(alpha: f64, value: V) -> Self {
        assert!(alpha > 0.0 && alpha <= 1.0, "the share of a record in a mean lies above 0 and is at most 1");
        ExponentialMean { decay: Decay::Alpha(alpha), value, of: PhantomData }
    }

    /// A value's weight halves with each `half_life` of event time.
    ///
    /// # Panics
    ///
    /// Where the half-life is less than a millisecond.
    pub fn half_life(half_life: Duration, value: V) -> Self {
        assert!(millis(half_life) > 0, "a half-life is at least a millisecond");
        ExponentialMean { decay: Decay::HalfLife(millis(half_life) as f64), value, of: PhantomData }
    }
}

impl<K, T, V: Clone> Clone for ExponentialMean<K, T, V> {
    fn clone(&self) -> Self {
        ExponentialMean { decay: self.decay, value: self.value.clone(), of: PhantomData }
    }
}

/// A key's mean, and the weight it has as of the newest record's time; 0 before the first.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, Data)]
pub struct Weighted {
    mean: f64,
    weight: f64,
    newest: EventTime,
}

impl Weighted {
    /// Moves the mean towards a value that has this share of all weight.
    fn blend(&mut self, value: f64, share: f64) {
        self.mean = self.mean * (1.0 - share) + value * share;
    }

    /// Adds a value of a time, where a weight halves with each `half_life` milliseconds.
    fn add(&mut self, value: f64, time: EventTime, half_life: f64) {
        if self.weight == 0.0 {
            self.newest = time;
        }
        let half_lives = (time.as_millis() as f64 - self.newest.as_millis() as f64) / half_life;
        // A value that is newer than all before makes them lighter; an older one is light itself.
        let fresh = half_lives.min(0.0).exp2();
        self.weight = self.weight * (-half_lives.max(0.0)).exp2() + fresh;
        self.newest = self.newest.max(time);
        self.blend(value, fresh / self.weight);
    }
}

impl<K, T, V> Operator for ExponentialMean<K, T, V>
where
    K: Key,
    T: Data,
    V: Fn(&T) -> f64 + Clone + Send + 'static,
{
    type Key = K;
    type In = T;
    type Out = (K, f64);
    type State = Weighted;

    fn on_record(&self, record: T, state: &mut Weighted, cx: &mut impl Context<Self>) {
        let value = (self.value)(&record);
        if value.is_finite() {
            match self.decay {
                Decay::Alpha(alpha) => {
                    state.blend(value, if state.weight == 0.0 { 1.0 } else { alpha });
                    state.weight = 1.0;
                }
                Decay::HalfLife(half_life) => state.add(value, cx.time(), half_life),
            }
            cx.emit((cx.key().clone(), state.mean));
        } else {
            refuse(value, cx);
        }
        if state.weight == 0.0 {
            cx.forget();
        }
    }
}

/// Sets a value aside that no mean can be made of.
fn refuse<K, O>(value: f64, cx: &mut impl KeyContext<K, O>) {
    let origin = format!("record at {}", cx.time());
    cx.dead_letter(DeadLetter::new(origin, "not a finite number", value.to_string().as_bytes()));
}

#[cfg(test)]
mod tests {
    use watershed_core::testing::{Harness, Input, verify};

    use super::*;

    fn same(value: &f64) -> f64 {
        *value
    }

    fn means<O: Operator<Key = u8, In = f64, Out = (u8, f64)>>(
        operator: O,
        records: &[(i64, f64)],
    ) -> Vec<f64> {
        let mut harness = Harness::operator(operator);
        records.iter().for_each(|(time, value)| harness.push(1, *value, *time));
        harness.values().into_iter().map(|(_, mean)| mean).collect()
    }

    #[test]
    fn the_mean_of_large_values_neither_drifts_nor_overflows() {
        let found = means(RunningMean::of(same), &[(0, f64::MAX), (1, f64::MAX), (2, -f64::MAX)]);
        assert!(found.iter().all(|mean| mean.is_finite()), "{found:?}");
        let close: Vec<_> = (0..10_000).map(|n| (n, 1e12 + (n % 2) as f64)).collect();
        assert!((means(RunningMean::of(same), &close)[9_999] - (1e12 + 0.5)).abs() < 1e-3);
    }

    #[test]
    fn what_is_no_number_becomes_a_dead_letter_and_harms_nothing() {
        for value in [f64::NAN, f64::INFINITY] {
            let mut harness = Harness::operator(RunningMean::of(same));
            let mut recent = Harness::operator(ExponentialMean::alpha(0.5, same));
            for reading in [1.0, value, 3.0] {
                harness.push(1, reading, 0);
                recent.push(1, reading, 0);
            }
            assert_eq!(harness.values(), [(1, 1.0), (1, 2.0)]);
            assert_eq!(recent.values(), [(1, 1.0), (1, 2.0)]);
            assert_eq!(harness.dead_letters()[0].bytes, value.to_string().into_bytes());
            assert_eq!(recent.dead_letters().len(), 1);
        }
    }

    #[test]
    fn alpha_is_the_share_of_the_newest_record() {
        assert_eq!(
            means(ExponentialMean::alpha(0.25, same), &[(0, 8.0), (9, 0.0), (5, 4.0)]),
            [8.0, 6.0, 5.5]
        );
    }

    #[test]
    fn with_a_half_life_the_order_of_arrival_does_not_matter() {
        let decayed = || ExponentialMean::half_life(Duration::from_millis(100), same);
        let mut records: Vec<_> = (0..50).map(|n| (n * 37 % 400, (n % 9) as f64)).collect();
        let last = |records: &[(i64, f64)]| *means(decayed(), records).last().unwrap();
        let mixed = last(&records);
        let weight = |time: i64| (time as f64 / 100.0).exp2();
        let weights: f64 = records.iter().map(|(time, _)| weight(*time)).sum();
        let by_hand = records.iter().map(|(time, value)| weight(*time) * value).sum::<f64>() / weights;
        records.sort_by_key(|record| record.0);
        assert!((last(&records) - mixed).abs() < 1e-9);
        assert!((by_hand - mixed).abs() < 1e-9);
    }

    #[test]
    fn times_at_both_ends_of_the_scale_keep_the_mean_finite() {
        let records = [(i64::MIN, 1.0), (i64::MAX, 5.0), (0, 100.0), (i64::MIN, 7.0)];
        let decayed = ExponentialMean::half_life(Duration::from_millis(1), same);
        assert_eq!(means(decayed, &records), [1.0, 5.0, 5.0, 5.0]);
    }

    #[test]
    fn their_contracts_hold() {
        let mut inputs: Vec<_> = (0..60_i64)
            .map(|n| Input::at(n * 13 % 47, ((n % 6) as u8, if n == 17 { f64::NAN } else { n as f64 })))
            .collect();
        inputs.insert(15, Input::watermark(8));
        inputs.insert(40, Input::watermark(30));
        inputs.push(Input::end());
        verify(&RunningMean::of(same), &inputs);
        verify(&ExponentialMean::alpha(0.3, same), &inputs);
        verify(&ExponentialMean::half_life(Duration::from_millis(20), same), &inputs);
    }
}
