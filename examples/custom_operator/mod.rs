//! Tells which gauges have fallen silent: an operator of your own, with state and a timer.
//!
//! Gauges along a river each send a reading about once a minute. When one has sent nothing for ten minutes,
//! somebody should drive out and look. An [`Operator`] is a struct with two methods, and these are the four
//! things to know about it:
//!
//! * **State is given to you.** The stream is partitioned by gauge (`key_by`), and each gauge has a value of
//!   the type `State`, which begins as its `Default` and is handed in at each call. Configuration is in
//!   `self`, data in `State`: what a checkpoint saves and moves to another machine is `State` and nothing else.
//! * **Time comes from the records.** Readings arrive out of order, so "nothing has come for ten minutes" can
//!   not be seen when a record comes: the missing one may be on its way. [`Context::set_timer`] asks to be
//!   called when the *watermark* has passed a time, and the watermark is the promise that nothing older will
//!   follow. So the operator says the same however the records were shuffled, and in a replay of last year's
//!   readings as well as today.
//! * **Timers fire in the order of their times**, key by key, and setting one twice is setting it once.
//! * **Forget what is over.** Without [`Context::forget`], state is kept for every gauge that ever was.
//!
//! The end of all input is a watermark too, later than all times: a replay ends with a report on each gauge.
//!
//! [`Context::set_timer`]: watershed::core::KeyContext::set_timer
//! [`Context::forget`]: watershed::core::KeyContext::forget

use std::collections::BTreeSet;

use watershed::prelude::*;

/// Reports a gauge from which nothing comes for a while, with the time of its last reading.
#[derive(Clone)]
struct Silence {
    after: Duration,
}

impl Operator for Silence {
    type Key = u64;
    type In = Reading;
    type Out = Silent;
    /// The times of readings that no timer has looked at yet.
    type State = BTreeSet<EventTime>;

    fn on_record(&self, _: Reading, times: &mut BTreeSet<EventTime>, cx: &mut impl Context<Self>) {
        times.insert(cx.time());
        cx.set_timer(cx.time().after(self.after));
    }

    fn on_timer(&self, at: EventTime, times: &mut BTreeSet<EventTime>, cx: &mut impl Context<Self>) {
        // All readings up to `at` have come; the oldest is the one that set this timer.
        let Some(last) = times.pop_first() else { return };
        if times.first().is_none_or(|next| *next > at) {
            cx.emit(Silent { gauge: *cx.key(), last });
        }
        if times.is_empty() {
            cx.forget();
        }
    }
}

/// What a gauge sends.
#[derive(Clone, Debug, Serialize, Deserialize, Data)]
struct Reading {
    gauge: u64,
    time: EventTime,
    level: f64,
}

/// A gauge from which nothing has come since its last reading.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Data)]
struct Silent {
    gauge: u64,
    last: EventTime,
}

/// What can be set from outside: `--set after=20m`. Names and default values are all there is to declare.
#[derive(Serialize, Deserialize)]
#[serde(default)]
struct Parameters {
    /// Readings to generate.
    readings: u64,
    /// Gauges to generate them for.
    gauges: u64,
    /// How long a gauge may say nothing.
    after: Duration,
}

impl Default for Parameters {
    fn default() -> Self {
        Parameters { readings: 5000, gauges: 10, after: Duration::from_secs(600) }
    }
}

/// By how much a generated reading may be overtaken.
const JITTER: Duration = Duration::from_secs(30);

fn custom_operator(pipeline: &Pipeline, parameters: Parameters) -> Result<(), watershed::Error> {
    let Parameters { readings, gauges, after } = parameters;
    if gauges == 0 {
        return Err("there must be at least one gauge".into());
    }
    pipeline
        .source(Generator::new(1, move |n, dice| reading(n, gauges, dice)).take(readings))
        .uid("readings")
        .flat_map(|reading| reading)
        .event_times(EventTimes::by(|reading: &Reading| reading.time).out_of_order_by(JITTER))
        .key_by(|reading| reading.gauge)
        .process(Silence { after })
        .named("silence")
        .uid("silence")
        .map(|Silent { gauge, last }| format!("gauge {gauge} is silent since minute {}", minutes(last)))
        .sink(Print::display())
        .uid("reports");
    Ok(())
}

/// Registers the pipeline; both `main` beside this file and the stock binary call it.
pub(crate) fn register(app: App) -> App {
    app.pipeline("custom-operator", "Tells which gauges have fallen silent", custom_operator)
}

/// Reading number `n`, or nothing where its gauge is out of power: one quarter of an hour in twenty.
fn reading(n: u64, gauges: u64, dice: &mut source::Dice) -> Option<Reading> {
    let (round, gauge) = (n / gauges, n % gauges);
    let powered = !source::Dice::new(gauge, round / 15).chance(0.05);
    let jitter = dice.below(JITTER.as_millis() as u64);
    let time = EventTime::from_millis((round * 60_000 + jitter) as i64);
    powered.then(|| Reading { gauge, time, level: 2.0 + 0.1 * dice.normal() })
}

fn minutes(time: EventTime) -> i64 {
    time.as_millis() / 60_000
}

/// An operator is tested alone: push records and watermarks, see what it emits. [`verify`] then tries what
/// no author thinks of: restoring it between any two inputs, dealing its keys out anew, other orders.
///
/// [`verify`]: watershed::core::testing::verify
#[cfg(test)]
mod tests {
    use watershed::core::testing::{Harness, Input, verify};

    use super::*;

    const SILENCE: Silence = Silence { after: Duration::from_millis(10) };

    fn at(millis: i64) -> Reading {
        Reading { gauge: 7, time: EventTime::from_millis(millis), level: 2.0 }
    }

    fn silent(gauge: u64, last: i64) -> Silent {
        Silent { gauge, last: EventTime::from_millis(last) }
    }

    #[test]
    fn a_gauge_is_reported_once_the_watermark_says_that_nothing_will_come() {
        let mut harness = Harness::operator(SILENCE);
        harness.push(7, at(20), 20);
        harness.push(7, at(5), 5);
        harness.watermark(14);
        assert_eq!(harness.values(), [], "a reading of time 12 may still be on its way");
        harness.watermark(15);
        assert_eq!(harness.values(), [silent(7, 5)]);
        harness.push(7, at(30), 30);
        harness.watermark(39);
        assert_eq!(harness.values(), [], "a reading after exactly ten milliseconds is in time");
        harness.end();
        assert_eq!(harness.values(), [silent(7, 30)]);
    }

    #[test]
    fn it_keeps_the_contract_of_operators() {
        let mut inputs = Vec::new();
        for n in 0..40_i64 {
            let time = n * 4 + (n * 7) % 5;
            inputs.push(Input::at(time, ((n * n % 3) as u64, at(time))));
            if n % 6 == 5 {
                inputs.push(Input::watermark(n * 4 - 10));
            }
        }
        inputs.push(Input::at(3, (1, at(3))));
        inputs.push(Input::end());
        verify(&SILENCE, &inputs);
    }

    #[test]
    fn the_pipeline_reports_the_gaps_that_a_sort_finds() {
        let mut readings: Vec<_> = (0..5000)
            .filter_map(|n| reading(n, 10, &mut source::Dice::new(1, n)))
            .map(|reading| (reading.gauge, reading.time))
            .collect();
        readings.sort_unstable();
        let limit = Duration::from_secs(600);
        let mut expected = Vec::new();
        for (index, (gauge, last)) in readings.iter().enumerate() {
            let next = readings.get(index + 1).filter(|(next, _)| next == gauge);
            if next.is_none_or(|(_, time)| *time > last.after(limit)) {
                expected.push(Silent { gauge: *gauge, last: *last });
            }
        }
        assert!(expected.len() > 20, "some gauges fall silent before the end");

        for parallelism in [1, 3] {
            let (sink, silent) = Collect::new();
            let describe = |pipeline: &Pipeline| {
                pipeline
                    .source(Generator::new(1, |n, dice| reading(n, 10, dice)).take(5000))
                    .flat_map(|reading| reading)
                    .event_times(EventTimes::by(|reading: &Reading| reading.time).out_of_order_by(JITTER))
                    .key_by(|reading| reading.gauge)
                    .process(Silence { after: limit })
                    .sink(sink.clone());
                Ok(())
            };
            watershed::Job::describe("silences", describe).unwrap().parallelism(parallelism).run().unwrap();
            let mut silent = silent.take();
            silent.sort_unstable();
            assert_eq!(silent, expected, "with {parallelism} subtasks");
        }
    }
}
