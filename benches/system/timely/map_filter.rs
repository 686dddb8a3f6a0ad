//! `map_in_place` and `filter` on containers of the source's size.

use std::cell::Cell;
use std::rc::Rc;

use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::Operator;
use timely::dataflow::operators::generic::operator::source;
use timely::dataflow::operators::vec::{Filter, Map};

use super::{on_workers, run_to_end};
use crate::system::Finished;
use crate::tally::Tally;
use crate::workload::{Parameters, SUBTASKS};

const BATCH: u64 = 1_024;

/// Runs the workload: each worker takes one half of the numbers.
pub(super) fn run(parameters: &Parameters) -> Finished {
    let events = parameters.events;
    let tallies = on_workers(move |worker| {
        let part = |subtask: usize| events * subtask as u64 / SUBTASKS as u64;
        let (mut next, end) = (part(worker.index()), part(worker.index() + 1));
        let tally = Rc::new(Cell::new(Tally::default()));
        let discarded = Rc::clone(&tally);
        worker.dataflow::<u64, _, _>(|scope| {
            source::<_, CapacityContainerBuilder<Vec<u64>>, _, _>(scope, "numbers", |capability, info| {
                let activator = scope.activator_for(info.address);
                let mut capability = Some(capability);
                let mut batch = Vec::new();
                move |output| {
                    if let Some(held) = &capability {
                        let until = end.min(next + BATCH);
                        batch.clear();
                        batch.extend(next..until);
                        next = until;
                        output.session(held).give_container(&mut batch);
                        if next == end {
                            capability = None;
                        }
                        activator.activate();
                    }
                }
            })
            .map_in_place(|number| *number = number.wrapping_mul(3).wrapping_add(1))
            .filter(|number| number % 2 == 0)
            .sink(Pipeline, "discard", move |(input, _)| {
                let mut tally = discarded.get();
                input.for_each_time(|_, batches| {
                    for batch in batches {
                        tally.sum += batch.len() as u64;
                        tally.results = tally.sum;
                        tally.checksum =
                            batch.iter().fold(tally.checksum, |sum, number| sum.wrapping_add(*number));
                    }
                });
                discarded.set(tally);
            });
        });
        run_to_end(worker);
        tally.get()
    });
    Finished {
        events,
        tally: tallies.into_iter().fold(Tally::default(), Tally::merge),
        latency: None,
        checkpoints: None,
        ..Finished::default()
    }
}
