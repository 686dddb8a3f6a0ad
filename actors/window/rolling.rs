//! The slices of a window that slides, merged ahead of the firing.
//!
//! A firing must not merge size/slide slices for each key. Where the aggregate is invertible, a key has a
//! running total: each slice is merged in once and retracted once. Elsewhere a key has [`Stacks`]: each
//! slice is merged three times, however many windows it is in.

use serde::{Deserialize, Serialize};
use watershed_core::state::{KeyedMap, Panes, Saving, Sections, State};
use watershed_core::{Data, EventTime, Key, StateError};

use crate::aggregate::Aggregate;

/// For each key, the merged slices of the window that will fire next.
pub(super) struct Rolling<K, A> {
    /// Of invertible aggregates: the total, and of how many slices it is.
    totals: KeyedMap<K, (u32, A)>,
    /// Of all others.
    stacks: KeyedMap<K, Stacks<A>>,
}

impl<K, A> Default for Rolling<K, A> {
    fn default() -> Self {
        Rolling { totals: KeyedMap::default(), stacks: KeyedMap::default() }
    }
}

impl<K: Key, A: Data> Rolling<K, A> {
    /// Whether no key has a slice.
    pub(super) fn is_empty(&self) -> bool {
        self.totals.is_empty() && self.stacks.is_empty()
    }

    /// Adds a key's slice to a total. Slices come in no particular order.
    #[inline]
    pub(super) fn total<T>(&mut self, aggregate: &impl Aggregate<T, Accumulator = A>, key: &K, kept: &A) {
        let (slices, total) = self.totals.get_or_insert_ref(key, || (0, aggregate.empty()));
        *slices += 1;
        aggregate.merge(total, kept);
    }

    /// Adds a key's slice that is later than all that the key has.
    #[inline]
    pub(super) fn stack<T>(
        &mut self,
        aggregate: &impl Aggregate<T, Accumulator = A>,
        key: &K,
        start: EventTime,
        kept: A,
    ) {
        self.stacks.get_or_insert_ref(key, Stacks::default).push(aggregate, start, kept);
    }

    /// Adds what a late record brings to a slice that has been added already; `first` where the key
    /// had nothing in that slice.
    pub(super) fn late<T, G: Aggregate<T, Accumulator = A>>(
        &mut self,
        aggregate: &G,
        key: &K,
        start: EventTime,
        kept: A,
        first: bool,
    ) {
        if G::INVERTIBLE {
            let (slices, total) = self.totals.get_or_insert_ref(key, || (0, aggregate.empty()));
            *slices += u32::from(first);
            aggregate.merge(total, &kept);
        } else {
            self.stacks.get_or_insert_ref(key, Stacks::default).insert(aggregate, start, kept);
        }
    }

    /// Says the result of each key that is not `left_out`, and takes the slices out that begin before
    /// `next`; of totals, those are the ones of `gone`, which `panes` still hold.
    pub(super) fn say<T, G: Aggregate<T, Accumulator = A>>(
        &mut self,
        aggregate: &G,
        panes: &Panes<K, A>,
        gone: (EventTime, EventTime),
        left_out: impl Fn(&K) -> bool,
        mut emit: impl FnMut(K, G::Out),
    ) {
        for (key, (_, total)) in self.totals.iter().filter(|(key, _)| !left_out(key)) {
            emit(key.clone(), aggregate.result(total));
        }
        if G::INVERTIBLE {
            for (key, kept) in panes.between(gone.0, gone.1).flat_map(|(_, pane)| pane.iter()) {
                if !left_out(key) {
                    self.retract(aggregate, key, kept);
                }
            }
        }
        let emptied = self.stacks.extract_if(|key, stacks| {
            if left_out(key) {
                return false;
            }
            if let Some(result) = stacks.result(aggregate) {
                emit(key.clone(), result);
            }
            stacks.evict(aggregate, gone.1);
            stacks.is_empty()
        });
        emptied.for_each(drop);
    }

    #[inline]
    fn retract<T>(&mut self, aggregate: &impl Aggregate<T, Accumulator = A>, key: &K, kept: &A) {
        let (slices, total) = self.totals.get_mut(key).expect("a slice that is open was added to a total");
        *slices -= 1;
        if *slices == 0 {
            self.totals.remove(key);
        } else {
            aggregate.retract(total, kept);
        }
    }
}

impl<K: Key, A: Data> State for Rolling<K, A> {
    fn save(&mut self, saving: &mut Saving) {
        self.totals.save(saving.part("totals"));
        self.stacks.save(saving.part("stacks"));
    }

    fn load(&mut self, sections: &Sections) -> Result<(), StateError> {
        self.totals.load(sections.get("totals"))?;
        self.stacks.load(sections.get("stacks"))
    }
}

/// A key's slices as two stacks: slices come onto one and leave from the other.
///
/// The leaving stack holds, for each slice, all from that one to the newest of the stack; its top is the
/// oldest. When it is empty, the other stack is folded onto it. The whole is the top of the one and the sum of
/// the other: one merge.
#[derive(Clone, Debug, Serialize, Deserialize, Data)]
struct Stacks<A> {
    /// Newest first.
    folded: Vec<(EventTime, A)>,
    /// Oldest first.
    fresh: Vec<(EventTime, A)>,
    /// All that is fresh.
    sum: Option<A>,
}

impl<A> Default for Stacks<A> {
    fn default() -> Self {
        Stacks { folded: Vec::new(), fresh: Vec::new(), sum: None }
    }
}

impl<A: Data> Stacks<A> {
    fn is_empty(&self) -> bool {
        self.folded.is_empty() && self.fresh.is_empty()
    }

    fn push<T>(&mut self, aggregate: &impl Aggregate<T, Accumulator = A>, start: EventTime, kept: A) {
        match &mut self.sum {
            Some(sum) => aggregate.merge(sum, &kept),
            none => *none = Some(kept.clone()),
        }
        self.fresh.push((start, kept));
    }

    /// Adds to a slice wherever it is.
    fn insert<T>(&mut self, aggregate: &impl Aggregate<T, Accumulator = A>, start: EventTime, kept: A) {
        if self.folded.first().is_none_or(|newest| newest.0 < start) {
            match &mut self.sum {
                Some(sum) => aggregate.merge(sum, &kept),
                none => *none = Some(kept.clone()),
            }
            match self.fresh.binary_search_by_key(&start, |slice| slice.0) {
                Ok(place) => aggregate.merge(&mut self.fresh[place].1, &kept),
                Err(place) => self.fresh.insert(place, (start, kept)),
            }
            return;
        }
        // Whatever was folded at this slice or an older one covers the slice.
        let place = self.folded.partition_point(|slice| slice.0 > start);
        for (_, folded) in &mut self.folded[place..] {
            aggregate.merge(folded, &kept);
        }
        if self.folded.get(place).is_none_or(|slice| slice.0 != start) {
            let mut own = kept;
            aggregate.merge(&mut own, &self.folded[place - 1].1);
            self.folded.insert(place, (start, own));
        }
    }

    /// Takes out the slices that begin before `start`.
    fn evict<T>(&mut self, aggregate: &impl Aggregate<T, Accumulator = A>, start: EventTime) {
        while self.folded.pop_if(|oldest| oldest.0 < start).is_some() {}
        if self.folded.is_empty() && self.fresh.first().is_some_and(|oldest| oldest.0 < start) {
            for (slice, mut kept) in self.fresh.drain(..).rev().take_while(|(slice, _)| *slice >= start) {
                if let Some((_, newer)) = self.folded.last() {
                    aggregate.merge(&mut kept, newer);
                }
                self.folded.push((slice, kept));
            }
            self.sum = None;
        }
    }

    fn result<T, G: Aggregate<T, Accumulator = A>>(&self, aggregate: &G) -> Option<G::Out> {
        match (self.folded.last(), &self.sum) {
            (Some((_, folded)), Some(sum)) => {
                let mut whole = folded.clone();
                aggregate.merge(&mut whole, sum);
                Some(aggregate.finish(whole))
            }
            (Some((_, one)), None) | (None, Some(one)) => Some(aggregate.result(one)),
            (None, None) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::Collect;

    fn at(millis: i64) -> EventTime {
        EventTime::from_millis(millis)
    }

    fn slice(start: i64, name: char) -> Vec<(EventTime, char)> {
        vec![(at(start), name)]
    }

    #[test]
    fn two_stacks_hold_what_was_pushed_and_not_evicted() {
        let mut stacks = Stacks::default();
        let mut seen = Vec::new();
        for (start, name) in ('a'..='h').enumerate() {
            let start = start as i64;
            stacks.push(&Collect, at(start), slice(start, name));
            stacks.evict(&Collect, at(start - 2));
            seen.push(stacks.result(&Collect).unwrap().into_iter().collect::<String>());
        }
        assert_eq!(seen, ["a", "ab", "abc", "bcd", "cde", "def", "efg", "fgh"]);
        stacks.evict(&Collect, at(100));
        assert!(stacks.is_empty() && stacks.result(&Collect).is_none());
    }

    #[test]
    fn a_late_piece_reaches_its_slice_in_either_stack() {
        let all = [0, 1, 3, 4, 6, 7];
        for late in -1..9 {
            for cut in 0..8 {
                let mut stacks = Stacks::default();
                for start in all {
                    stacks.push(&Collect, at(start), slice(start, 'x'));
                    // Folds what is there by now.
                    if start == 4 {
                        stacks.evict(&Collect, at(1));
                    }
                }
                stacks.insert(&Collect, at(late), slice(late, 'l'));
                stacks.evict(&Collect, at(cut));
                let expected = all.iter().filter(|start| **start >= cut.max(1)).count();
                let found = stacks.result(&Collect).unwrap_or_default();
                let (late_found, others): (Vec<_>, Vec<_>) = found.into_iter().partition(|name| *name == 'l');
                assert_eq!((late_found.len(), others.len()), (usize::from(late >= cut), expected));
            }
        }
    }
}
