//! `keyed-count` paced by the wall clock: workers park until the next whole ms or until something comes.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::Operator;
use timely::dataflow::operators::generic::operator::source;
use timely::dataflow::{Scope, StreamVec};

use super::by_key::stock;
use super::events::Event;
use super::keyed_count::tumbling_counts;
use super::{on_workers, run_to_end};
use crate::latency::{Latency, Pace};
use crate::system::Finished;
use crate::workload::{Parameters, SUBTASKS, key_of};

/// Runs the workload.
pub(super) fn run(parameters: &Parameters) -> Finished {
    let pace = Pace::start(parameters);
    let (events, keys) = (parameters.events, parameters.keys);
    let sinks = on_workers(move |worker| {
        let sink = Rc::new(RefCell::new(pace.sink()));
        let results = Rc::clone(&sink);
        let index = worker.index();
        worker.dataflow::<i64, _, _>(|scope| {
            let counts = tumbling_counts(paced_events(scope, index, events, keys, pace), stock());
            counts.sink(Pipeline, "sink", move |(input, _)| {
                let mut sink = results.borrow_mut();
                sink.read_clock();
                input.for_each_time(|_, batches| {
                    for (key, start_ms, count) in batches.flatten() {
                        sink.add(*key, *start_ms, *count);
                    }
                });
            });
        });
        run_to_end(worker);
        sink.replace(pace.sink())
    });
    let (tally, latency) = Latency::of(sinks);
    Finished { events, tally, latency: Some(latency), checkpoints: None, ..Finished::default() }
}

/// Every second event, from the worker's number on, as it becomes due.
fn paced_events<'scope>(
    scope: Scope<'scope, i64>,
    worker: usize,
    events: u64,
    keys: u64,
    pace: Pace,
) -> StreamVec<'scope, i64, Event> {
    source::<_, CapacityContainerBuilder<Vec<Event>>, _, _>(scope, "events", |capability, info| {
        let activator = scope.activator_for(info.address);
        let mut capability = Some(capability);
        let mut next = worker as u64;
        move |output| {
            let Some(held) = &mut capability else { return };
            let next_ms = pace.next_ms();
            let due = pace.due();
            if next < due {
                held.downgrade(&pace.event_time_ms(next));
                let chunk = (next..due).step_by(SUBTASKS).map(|i| (key_of(i, keys), pace.event_time_ms(i)));
                output.session(&*held).give_iterator(chunk);
                next += (due - next).next_multiple_of(SUBTASKS as u64);
            }
            if next < events {
                held.downgrade(&pace.event_time_ms(next));
                activator.activate_after(next_ms.saturating_duration_since(Instant::now()));
            } else {
                capability = None;
            }
        }
    })
}
