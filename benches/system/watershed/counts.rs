//! Counts per key and window.

use std::time::Duration;

use watershed_actors::aggregate::Count;
use watershed_actors::sink::Fold;
use watershed_actors::source::Generator;
use watershed_actors::window::{Assigner, Sliding, Tumbling, Windowed, Windows};
use watershed_core::EventTime;

use super::{finish, pipeline};
use crate::system::Finished;
use crate::tally::Tally;
use crate::workload::{Parameters, SLIDES, WINDOW_MS, event_time_ms, key_of};

/// Windows of one second.
pub(super) fn tumbling(parameters: &Parameters, interval: Option<Duration>) -> Finished {
    count(parameters, Tumbling::of(SECOND), interval)
}

/// Windows of ten seconds every second.
pub(super) fn sliding(parameters: &Parameters, interval: Option<Duration>) -> Finished {
    count(parameters, Sliding::of(SECOND * SLIDES as u32, SECOND), interval)
}

const SECOND: Duration = Duration::from_millis(WINDOW_MS as u64);

fn count(parameters: &Parameters, windows: impl Assigner, interval: Option<Duration>) -> Finished {
    let (events, keys) = (parameters.events, parameters.keys);
    let (sink, tallies) = Fold::new(Tally::default, |tally: &mut Tally, result: Windowed<u64, u64>, _| {
        tally.add(result.key, result.window.start.as_millis(), result.value);
    });
    let pipeline = pipeline();
    let keyed = Generator::new(0, move |i, _| key_of(i, keys)).take(events);
    pipeline
        .source(keyed.timed(|i, _| EventTime::from_millis(event_time_ms(i))))
        .key_by(|key| *key)
        .window(windows)
        .aggregate(Count)
        .sink(sink);
    let checkpoints = finish(&pipeline, interval);
    let tally = tallies.take().into_iter().fold(Tally::default(), Tally::merge);
    Finished { events, tally, latency: None, checkpoints, ..Finished::default() }
}
