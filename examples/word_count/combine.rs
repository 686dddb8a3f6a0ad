//! Adds words up before they travel.

use compact_str::CompactString;
use watershed::core::state::KeyedMap;
use watershed::prelude::*;

/// Counts the words of a subtask until its input ends, so that a frequent word crosses the exchange once and
/// not each time.
///
/// It is a [`Transform`] and no [`Operator`] since it stands before the exchange by word, where the words of a
/// subtask are all that come to it. What it has counted is its state, and is in checkpoints.
#[derive(Clone)]
pub(crate) struct Combine;

/// How many different words a subtask counts; those that come when it is full go on at once. Frequent words
/// come early and have their place, so the limit bounds memory and costs little.
const WORDS_MAX: usize = 65_536;

impl Transform for Combine {
    type In = CompactString;
    type Out = (CompactString, u64);
    type State = KeyedMap<CompactString, u64>;

    #[inline]
    fn on_record(
        &self,
        word: CompactString,
        _time: EventTime,
        counts: &mut Self::State,
        out: &mut impl Output<(CompactString, u64)>,
    ) {
        let has_room = counts.len() < WORDS_MAX;
        match counts.get_mut(&word) {
            Some(count) => *count += 1,
            None if has_room => {
                counts.insert(word, 1);
            }
            None => out.emit((word, 1)),
        }
    }

    fn on_watermark(
        &self,
        watermark: Watermark,
        counts: &mut Self::State,
        out: &mut impl Output<(CompactString, u64)>,
    ) -> Step {
        if watermark < Watermark::MAX {
            return Step::Done;
        }
        for entry in counts.extract_if(|_, _| true) {
            out.emit(entry);
            if out.is_full() {
                return Step::Again;
            }
        }
        Step::Done
    }
}

#[cfg(test)]
mod tests {
    use watershed::core::testing::{Harness, Input};

    use super::*;

    #[test]
    fn words_wait_for_the_end_and_come_once() {
        let mut harness = Harness::transform(Combine);
        harness.run(["a", "b", "a"].map(|word| Input::at(5, CompactString::from(word))));
        harness.watermark(100);
        assert_eq!(harness.values(), []);
        harness.end();
        let mut counts = harness.values();
        counts.sort_unstable();
        assert_eq!(counts, [("a".into(), 2), ("b".into(), 1)]);
    }

    #[test]
    fn words_that_find_no_place_go_on_at_once() {
        let mut harness = Harness::transform(Combine);
        harness.run((0..WORDS_MAX).map(|n| Input::at(0, CompactString::from(format!("{n}")))));
        harness.run(["7", "new", "new"].map(|word| Input::at(5, CompactString::from(word))));
        assert_eq!(harness.values(), [("new".into(), 1), ("new".into(), 1)]);
        harness.end();
        let counts = harness.values();
        assert_eq!(counts.len(), WORDS_MAX);
        assert!(counts.contains(&("7".into(), 2)));
    }
}
