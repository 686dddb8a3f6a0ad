//! Sliding windows by slices, as in the hand-written program: a running total per key gains the second that ends
//! and loses the one that leaves the window.

use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;

use hashbrown::hash_map::Entry;
use timely::dataflow::channels::pact::ParallelizationContract;
use timely::dataflow::operators::generic::Operator;
use timely::dataflow::operators::{Capability, Probe};
use timely::dataflow::{ProbeHandle, StreamVec};

use super::by_key::{Distribution, stock, tuned};
use super::events::{Event, events};
use super::keyed_count::{Count, discard};
use super::panes::{Counts, Pane, Panes};
use super::{on_workers, run_to_end};
use crate::system::Finished;
use crate::tally::Tally;
use crate::workload::{Parameters, SLIDES, WINDOW_MS};

/// Runs the workload.
pub(super) fn run(parameters: &Parameters, distribution: Distribution) -> Finished {
    let given = parameters.clone();
    let tallies = on_workers(move |worker| {
        let tally = Rc::new(Cell::new(Tally::default()));
        let index = worker.index();
        worker.dataflow::<i64, _, _>(|scope| {
            let results = ProbeHandle::new();
            let events = events(scope, index, &given, results.clone());
            let counts = match distribution {
                Distribution::Stock => sliding_counts(events, stock()),
                Distribution::Tuned => sliding_counts(events, tuned()),
            };
            discard(counts.probe_with(&results), Rc::clone(&tally));
        });
        run_to_end(worker);
        tally.get()
    });
    let tally = tallies.into_iter().fold(Tally::default(), Tally::merge);
    Finished { events: parameters.events, tally, latency: None, checkpoints: None, ..Finished::default() }
}

fn sliding_counts<'scope>(
    events: StreamVec<'scope, i64, Event>,
    by_key: impl ParallelizationContract<i64, Vec<Event>>,
) -> StreamVec<'scope, i64, Count> {
    events.unary_frontier(by_key, "sliding", |_, _| {
        let (mut panes, mut window) = (Panes::default(), Sliding::default());
        move |(input, frontier), output| {
            input.for_each_time(|time, batches| {
                for batch in batches {
                    panes.add(batch, |end_ms| time.delayed(&end_ms, output.output_index()));
                }
            });
            loop {
                let ended = panes.pop(frontier);
                // Seconds without events have no pane, but their windows do.
                let has_ended = |end_ms: &i64| match &ended {
                    Some(pane) => *end_ms <= pane.start_ms,
                    None => !frontier.less_than(end_ms),
                };
                while let Some(capability) = window.next_end.take_if(|next_end| has_ended(next_end.time())) {
                    let start_ms = capability.time() - SLIDES * WINDOW_MS;
                    let results = window.totals.iter().map(|(key, count)| (*key, start_ms, *count));
                    output.session(&capability).give_iterator(results);
                    window.slide(&capability).into_iter().for_each(|counts| panes.put_back(counts));
                }
                match ended {
                    Some(pane) => window.add(pane),
                    None => break,
                }
            }
        }
    })
}

/// What a worker keeps for its windows.
#[derive(Default)]
struct Sliding {
    totals: Counts,
    /// The ended panes that are in the window, oldest first, with their starts.
    slices: VecDeque<(i64, Counts)>,
    /// The right to send at the end of the window that fires next, while there is something in it.
    next_end: Option<Capability<i64>>,
}

impl Sliding {
    /// Adds the pane whose end is the next window's.
    fn add(&mut self, pane: Pane) {
        for (key, count) in &pane.counts {
            *self.totals.entry(*key).or_insert(0) += count;
        }
        self.slices.push_back((pane.start_ms, pane.counts));
        self.next_end = Some(pane.capability);
    }

    /// Moves on from the window that ended at `end`; returns the map of the pane that leaves.
    fn slide(&mut self, end: &Capability<i64>) -> Option<Counts> {
        let start_ms = end.time() - SLIDES * WINDOW_MS;
        let leaves = self.slices.front().is_some_and(|(slice_ms, _)| *slice_ms == start_ms);
        let gone = leaves.then(|| self.slices.pop_front()).flatten().map(|(_, mut counts)| {
            for (key, count) in counts.drain() {
                if let Entry::Occupied(mut total) = self.totals.entry(key) {
                    *total.get_mut() -= count;
                    if *total.get() == 0 {
                        total.remove();
                    }
                }
            }
            counts
        });
        self.next_end = (!self.slices.is_empty()).then(|| end.delayed(&(end.time() + WINDOW_MS)));
        gone
    }
}
