//! Tumbling windows: an operator that fires panes on the frontier, and a sink for the results.

use std::cell::Cell;
use std::rc::Rc;

use timely::Config;
use timely::dataflow::channels::pact::{ParallelizationContract, Pipeline};
use timely::dataflow::operators::Probe;
use timely::dataflow::operators::generic::Operator;
use timely::dataflow::{ProbeHandle, StreamVec};

use super::by_key::{Distribution, stock, tuned};
use super::events::{Event, events};
use super::panes::{Pane, Panes};
use super::{on_these_workers, run_to_end};
use crate::system::Finished;
use crate::tally::Tally;
use crate::workload::{Parameters, SUBTASKS};

/// A key, the start of a window in ms, and the count.
pub(super) type Count = (u64, i64, u64);

/// Runs the workload.
pub(super) fn run(parameters: &Parameters, distribution: Distribution) -> Finished {
    let tally = run_on(Config::process(SUBTASKS), parameters, distribution);
    Finished { events: parameters.events, tally, ..Finished::default() }
}

/// Counts on the workers of this process, of which there may be others.
pub(super) fn run_on(config: Config, parameters: &Parameters, distribution: Distribution) -> Tally {
    let given = parameters.clone();
    let tallies = on_these_workers(config, move |worker| {
        let tally = Rc::new(Cell::new(Tally::default()));
        let index = worker.index();
        worker.dataflow::<i64, _, _>(|scope| {
            let results = ProbeHandle::new();
            let events = events(scope, index, &given, results.clone());
            let counts = match distribution {
                Distribution::Stock => tumbling_counts(events, stock()),
                Distribution::Tuned => tumbling_counts(events, tuned()),
            };
            discard(counts.probe_with(&results), Rc::clone(&tally));
        });
        run_to_end(worker);
        tally.get()
    });
    tallies.into_iter().fold(Tally::default(), Tally::merge)
}

/// Counts events per key and second.
pub(super) fn tumbling_counts<'scope>(
    events: StreamVec<'scope, i64, Event>,
    by_key: impl ParallelizationContract<i64, Vec<Event>>,
) -> StreamVec<'scope, i64, Count> {
    events.unary_frontier(by_key, "tumbling", |_, _| {
        let mut panes = Panes::default();
        move |(input, frontier), output| {
            input.for_each_time(|time, batches| {
                for batch in batches {
                    panes.add(batch, |end_ms| time.delayed(&end_ms, output.output_index()));
                }
            });
            while let Some(Pane { start_ms, capability, mut counts }) = panes.pop(frontier) {
                let results = counts.drain().map(|(key, count)| (key, start_ms, count));
                output.session(&capability).give_iterator(results);
                panes.put_back(counts);
            }
        }
    })
}

/// Takes the results.
pub(super) fn discard(counts: StreamVec<'_, i64, Count>, tally: Rc<Cell<Tally>>) {
    counts.sink(Pipeline, "discard", move |(input, _)| {
        let mut sum = tally.get();
        input.for_each_time(|_, batches| {
            for (key, start_ms, count) in batches.flatten() {
                sum.add(*key, *start_ms, *count);
            }
        });
        tally.set(sum);
    });
}
