//! Counts words: each worker reads its half of the file; words, or with `--combine` their counts, go to the worker
//! of their hash.

use std::cell::{Cell, RefCell};
use std::hash::BuildHasher;
use std::rc::Rc;

use compact_str::CompactString;
use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::{Exchange, ParallelizationContract, Pipeline};
use timely::dataflow::operators::generic::Operator;
use timely::dataflow::operators::generic::operator::source;
use timely::dataflow::operators::{Capability, Probe};
use timely::dataflow::{ProbeHandle, Scope, StreamVec};

use super::{on_workers, run_to_end};
use crate::error::Error;
use crate::system::Finished;
use crate::tally::Tally;
use crate::text::{self, Blocks, key_of_word};
use crate::workload::{Parameters, SUBTASKS};

type Counted = (CompactString, u64);
type Counts = HashMap<CompactString, u64, FxBuildHasher>;

/// Blocks by which a worker's reading may be ahead of the slower worker's counting.
const AHEAD_BLOCKS_MAX: u64 = 8;

/// Runs the workload.
pub(super) fn run(parameters: &Parameters) -> Result<Finished, Error> {
    let (path, combine) = (text::path(parameters)?, parameters.combine);
    let tallies = on_workers(move |worker| {
        let blocks = Blocks::open(&path, worker.index(), SUBTASKS)?;
        let (tally, failure) = (Rc::new(Cell::new(Tally::default())), Rc::new(RefCell::new(None)));
        worker.dataflow::<u64, _, _>(|scope| {
            let counted = ProbeHandle::new();
            let words = words(scope, blocks, counted.clone(), Rc::clone(&failure));
            let words = if combine { counts_at_end(words, Pipeline, "combine") } else { words };
            let by_word = Exchange::new(|(word, _): &Counted| FxBuildHasher.hash_one(word) >> 63);
            discard(counts_at_end(words, by_word, "count").probe_with(&counted), Rc::clone(&tally));
        });
        run_to_end(worker);
        failure.take().map_or(Ok(tally.get()), Err)
    });
    let tally =
        tallies.into_iter().try_fold(Tally::default(), |sum, tally| Ok::<_, Error>(sum.merge(tally?)))?;
    Ok(Finished { events: tally.sum, tally, latency: None, checkpoints: None, ..Finished::default() })
}

/// The words of a part of the file, each counted once; a failure ends them and is left in `failure`.
fn words<'scope>(
    scope: Scope<'scope, u64>,
    mut blocks: Blocks,
    counted: ProbeHandle<u64>,
    failure: Rc<RefCell<Option<Error>>>,
) -> StreamVec<'scope, u64, Counted> {
    source::<_, CapacityContainerBuilder<Vec<Counted>>, _, _>(scope, "words", |capability, info| {
        let activator = scope.activator_for(info.address);
        let mut capability = Some(capability);
        move |output| {
            let Some(held) = &mut capability else { return };
            let number = *held.time();
            if !counted.less_than(&number.saturating_sub(AHEAD_BLOCKS_MAX)) {
                match blocks.next_text() {
                    Ok(Some(text)) => {
                        let words = text.split(|letter| letter <= ' ').filter(|word| !word.is_empty());
                        output
                            .session(&*held)
                            .give_iterator(words.map(|word| (CompactString::from(word), 1)));
                        held.downgrade(&(number + 1));
                    }
                    Ok(None) => capability = None,
                    Err(error) => {
                        failure.replace(Some(error));
                        capability = None;
                    }
                }
            }
            activator.activate();
        }
    })
}

/// Adds up counts per word and sends them on when the input has ended.
fn counts_at_end<'scope>(
    words: StreamVec<'scope, u64, Counted>,
    pact: impl ParallelizationContract<u64, Vec<Counted>>,
    name: &str,
) -> StreamVec<'scope, u64, Counted> {
    words.unary_frontier(pact, name, |_, _| {
        let mut counts = Counts::default();
        // At the end of time, so that the output's frontier shows how far the input has got.
        let mut end: Option<Capability<u64>> = None;
        move |(input, frontier), output| {
            input.for_each_time(|time, batches| {
                end.get_or_insert_with(|| time.delayed(&u64::MAX, output.output_index()));
                for (word, count) in batches.flat_map(|batch| batch.drain(..)) {
                    *counts.entry(word).or_insert(0) += count;
                }
            });
            if frontier.is_empty()
                && let Some(end) = end.take()
            {
                output.session(&end).give_iterator(counts.drain());
            }
        }
    })
}

/// Takes the results.
fn discard(counts: StreamVec<'_, u64, Counted>, tally: Rc<Cell<Tally>>) {
    counts.sink(Pipeline, "discard", move |(input, _)| {
        let mut sum = tally.get();
        input.for_each_time(|_, batches| {
            batches.flatten().for_each(|(word, count)| sum.add(key_of_word(word.as_bytes()), 0, *count));
        });
        tally.set(sum);
    });
}
