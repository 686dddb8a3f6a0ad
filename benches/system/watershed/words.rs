//! Counts words of a file.

use std::time::Duration;

use compact_str::CompactString;
use watershed_actors::sink::Fold;
use watershed_actors::source::{Decode, Lines, Refusal};
use watershed_core::{Context, EventTime, Operator};

use super::{finish, pipeline};
use crate::error::Error;
use crate::system::Finished;
use crate::tally::Tally;
use crate::text::{self, key_of_word, words_of};
use crate::workload::Parameters;

/// Runs the workload.
pub(super) fn run(parameters: &Parameters, interval: Option<Duration>) -> Result<Finished, Error> {
    let path = text::path(parameters)?;
    let (sink, tallies) =
        Fold::new(Tally::default, |tally: &mut Tally, (word, count): (CompactString, u64), _| {
            tally.add(key_of_word(word.as_bytes()), 0, count);
        });
    let pipeline = pipeline();
    pipeline.source(Lines::at(path).decode(Words)).key_by(CompactString::clone).process(CountAll).sink(sink);
    let checkpoints = finish(&pipeline, interval);
    let tally = tallies.take().into_iter().fold(Tally::default(), Tally::merge);
    Ok(Finished { events: tally.sum, tally, latency: None, checkpoints, ..Finished::default() })
}

/// Cuts a line into words.
#[derive(Clone)]
struct Words;

impl Decode for Words {
    type Out = CompactString;

    #[inline]
    fn decode(&mut self, line: &[u8], emit: &mut impl FnMut(CompactString)) -> Result<(), Refusal> {
        for word in words_of(line) {
            emit(CompactString::from_utf8(word).map_err(Refusal::because)?);
        }
        Ok(())
    }
}

/// Counts a key's records, and says how many there were at the end.
#[derive(Clone)]
struct CountAll;

impl Operator for CountAll {
    type Key = CompactString;
    type In = CompactString;
    type Out = (CompactString, u64);
    type State = u64;

    fn on_record(&self, _: CompactString, count: &mut u64, cx: &mut impl Context<Self>) {
        if *count == 0 {
            cx.set_timer(EventTime::MAX);
        }
        *count += 1;
    }

    fn on_timer(&self, _: EventTime, count: &mut u64, cx: &mut impl Context<Self>) {
        cx.emit((cx.key().clone(), *count));
        cx.forget();
    }
}
