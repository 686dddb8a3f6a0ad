//! The source of keyed events on one worker.

use timely::container::CapacityContainerBuilder;
use timely::dataflow::operators::generic::operator::source;
use timely::dataflow::{ProbeHandle, Scope, StreamVec};

use crate::workload::{Parameters, SUBTASKS, event_time_ms, key_of};

/// A key and an event time in ms.
pub(super) type Event = (u64, i64);

/// Events that a source makes each time it runs, in one vector: a step of a worker and the progress that it
/// reports cost some microseconds, and 8,192 were some percent slower.
const CHUNK: u64 = 32_768;
/// Event time by which a source may be ahead of the slowest worker's results.
const AHEAD_MS_MAX: i64 = 256;

/// Every second event, from the worker's number on, at the event time of the first in its chunk; `results` probes
/// what the windows have fired.
pub(super) fn events<'scope>(
    scope: Scope<'scope, i64>,
    worker: usize,
    parameters: &Parameters,
    results: ProbeHandle<i64>,
) -> StreamVec<'scope, i64, Event> {
    const STEP: u64 = SUBTASKS as u64;
    let (events, keys) = (parameters.events, parameters.keys);
    source::<_, CapacityContainerBuilder<Vec<Event>>, _, _>(scope, "events", |capability, info| {
        let activator = scope.activator_for(info.address);
        let mut capability = Some(capability);
        let mut next = worker as u64;
        let mut batch = Vec::new();
        move |output| {
            let Some(held) = &mut capability else { return };
            let time_ms = event_time_ms(next);
            if next >= events {
                capability = None;
            } else {
                held.downgrade(&time_ms);
            }
            if let Some(held) = &capability
                && !results.less_than(&(time_ms - AHEAD_MS_MAX))
            {
                let end = events.min(next + CHUNK * STEP);
                let chunk = (next..end).step_by(SUBTASKS).map(|i| (key_of(i, keys), event_time_ms(i)));
                batch.clear();
                batch.extend(chunk);
                output.session(held).give_container(&mut batch);
                next += CHUNK * STEP;
            }
            activator.activate();
        }
    })
}
