//! The best of each key so far.

use std::cmp::Reverse;
use std::marker::PhantomData;

use serde::{Deserialize, Serialize};
use watershed_core::{Context, Data, Key, Operator};

/// Emits a key and its ranking, best first, whenever the ranking changes: the `k` items with the greatest
/// scores so far.
///
/// An item counts once, with its greatest score so far; of items with equal scores the lesser one comes
/// first. So the ranking depends on what has come and not on the order, and `k` items are all that is kept:
/// one that has fallen out can only come back with a new record.
///
/// ```
/// use watershed_actors::operator::TopK;
/// use watershed_core::testing::Harness;
///
/// let podium = TopK::new(2, |run: &(char, u32)| run.0, |run| run.1);
/// let mut harness = Harness::operator(podium);
/// for (millis, run) in [('a', 5), ('b', 3), ('c', 1), ('b', 6)].into_iter().enumerate() {
///     harness.push("race".to_owned(), run, millis as i64);
/// }
/// let rankings: Vec<_> = harness.values().into_iter().map(|(_, ranking)| ranking).collect();
/// assert_eq!(rankings, [vec![('a', 5)], vec![('a', 5), ('b', 3)], vec![('b', 6), ('a', 5)]]);
/// ```
#[derive(Debug)]
pub struct TopK<K, T, I, S, N, P> {
    k: usize,
    item: N,
    score: P,
    of: PhantomData<fn(K, T) -> (I, S)>,
}

impl<K, T, I, S, N: Fn(&T) -> I, P: Fn(&T) -> S> TopK<K, T, I, S, N, P> {
    /// Ranks the items that `item` names in each record by the scores that `score` finds in it.
    ///
    /// # Panics
    ///
    /// Where `k` is 0.
    pub fn new(k: usize, item: N, score: P) -> Self {
        assert!(k > 0, "a ranking has at least one place");
        TopK { k, item, score, of: PhantomData }
    }
}

impl<K, T, I, S, N: Clone, P: Clone> Clone for TopK<K, T, I, S, N, P> {
    fn clone(&self) -> Self {
        TopK { k: self.k, item: self.item.clone(), score: self.score.clone(), of: PhantomData }
    }
}

/// A key's ranking, best first.
#[derive(Clone, Debug, Serialize, Deserialize, Data)]
pub struct Ranking<I, S> {
    places: Vec<(I, S)>,
}

impl<I, S> Default for Ranking<I, S> {
    fn default() -> Self {
        Ranking { places: Vec::new() }
    }
}

impl<I: Ord, S: Ord> Ranking<I, S> {
    /// Adds a score of an item; whether that changes the first `k` places.
    fn enter(&mut self, k: usize, item: I, score: S) -> bool {
        let held = self.places.iter().position(|(other, _)| *other == item);
        if held.is_some_and(|place| self.places[place].1 >= score) {
            return false;
        }
        // Whatever the item held was less, so that taking it out leaves the places above its new one alone.
        if let Some(place) = held {
            self.places.remove(place);
        }
        let before = |(other, held): &(I, S)| (Reverse(held), other) < (Reverse(&score), &item);
        let place = self.places.partition_point(before);
        if place == k {
            return false;
        }
        self.places.insert(place, (item, score));
        self.places.truncate(k);
        true
    }
}

impl<K, T, I, S, N, P> Operator for TopK<K, T, I, S, N, P>
where
    K: Key,
    T: Data,
    I: Key,
    S: Data + Ord,
    N: Fn(&T) -> I + Clone + Send + 'static,
    P: Fn(&T) -> S + Clone + Send + 'static,
{
    type Key = K;
    type In = T;
    type Out = (K, Vec<(I, S)>);
    type State = Ranking<I, S>;

    fn on_record(&self, record: T, ranking: &mut Ranking<I, S>, cx: &mut impl Context<Self>) {
        if ranking.enter(self.k, (self.item)(&record), (self.score)(&record)) {
            cx.emit((cx.key().clone(), ranking.places.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use watershed_core::hash_key;
    use watershed_core::testing::{Harness, Input, verify};

    use super::*;

    type Score = (char, u32);

    fn top(
        k: usize,
    ) -> TopK<u8, Score, char, u32, impl Fn(&Score) -> char + Clone, impl Fn(&Score) -> u32 + Clone> {
        TopK::new(k, |score: &Score| score.0, |score: &Score| score.1)
    }

    fn draw(seed: u64, place: u64) -> Score {
        let draw = hash_key(&(seed, place)) >> 20;
        (char::from(b'a' + (draw % 7) as u8), (draw / 7 % 20) as u32)
    }

    #[test]
    fn the_last_ranking_is_that_of_all_records_sorted() {
        for seed in 0..200 {
            let scores: Vec<_> = (0..30).map(|place| draw(seed, place)).collect();
            for k in [1, 3, 10] {
                let mut harness = Harness::operator(top(k));
                scores.iter().for_each(|score| harness.push(1, *score, 0));
                let mut best = BTreeMap::new();
                for (item, score) in &scores {
                    let held: &mut u32 = best.entry(*item).or_default();
                    *held = (*held).max(*score);
                }
                let mut sorted: Vec<_> = best.into_iter().collect();
                sorted.sort_by_key(|(item, score)| (Reverse(*score), *item));
                sorted.truncate(k);
                assert_eq!(harness.values().last().unwrap().1, sorted, "seed {seed}, top {k}");
            }
        }
    }

    #[test]
    fn nothing_is_emitted_while_the_ranking_stays() {
        let mut harness = Harness::operator(top(2));
        for score in [('a', 5), ('a', 5), ('a', 4), ('b', 3), ('c', 3), ('c', 2)] {
            harness.push(1, score, 0);
        }
        let rankings: Vec<_> = harness.values().into_iter().map(|(_, ranking)| ranking).collect();
        assert_eq!(rankings, [vec![('a', 5)], vec![('a', 5), ('b', 3)]]);
    }

    #[test]
    fn its_contract_holds() {
        let mut inputs: Vec<_> = (0..80).map(|n| Input::at(n, ((n % 5) as u8, draw(9, n as u64)))).collect();
        inputs.insert(30, Input::watermark(20));
        inputs.push(Input::end());
        verify(&top(3), &inputs);
    }
}
