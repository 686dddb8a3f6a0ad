//! What votes come to.

use std::collections::BTreeMap;

use watershed_core::Data;
use watershed_core::shared::Refusal;

/// Makes one value out of votes.
///
/// Any site may tally the same votes again and must come to the same value, bit for bit: a tally is a function of the
/// votes in their order, and reads no clock, no randomness and no hash order.
pub trait Tally<V>: Clone + Send + Sync + 'static {
    /// What the votes come to. They come in the order of the voters, and there is at least one.
    fn tally(&self, votes: &[&V]) -> V;

    /// Looks at a single vote. The default takes all.
    ///
    /// # Errors
    ///
    /// Where it cannot be tallied.
    fn check(&self, vote: &V) -> Result<(), Refusal> {
        let _ = vote;
        Ok(())
    }
}

/// The mean of numbers. Floats are added up in the order of the voters; integers exactly, and the mean is rounded
/// towards zero. A vote that is no finite number is refused.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mean;

/// The number in the middle; the mean of the two in the middle where the votes are even in number, for integers rounded
/// towards zero. A vote that is no finite number is refused.
#[derive(Clone, Copy, Debug, Default)]
pub struct Median;

/// What most vote for; of values with equally many votes, the least.
#[derive(Clone, Copy, Debug, Default)]
pub struct Majority;

impl Tally<f64> for Mean {
    fn tally(&self, votes: &[&f64]) -> f64 {
        let count = votes.len() as f64;
        let sum: f64 = votes.iter().copied().sum();
        if sum.is_finite() {
            return sum / count;
        }
        // Votes near the ends of the scale, divided first.
        votes.iter().map(|vote| *vote / count).sum()
    }

    fn check(&self, vote: &f64) -> Result<(), Refusal> {
        check_finite(*vote)
    }
}

impl Tally<f64> for Median {
    fn tally(&self, votes: &[&f64]) -> f64 {
        let mut sorted: Vec<f64> = votes.iter().map(|vote| **vote).collect();
        sorted.sort_by(f64::total_cmp);
        let (low, high) = middle(&sorted);
        low.midpoint(high)
    }

    fn check(&self, vote: &f64) -> Result<(), Refusal> {
        check_finite(*vote)
    }
}

macro_rules! integers {
    ($($kind:ty),*) => {$(
        impl Tally<$kind> for Mean {
            fn tally(&self, votes: &[&$kind]) -> $kind {
                let sum: i128 = votes.iter().map(|vote| i128::from(**vote)).sum();
                (sum / votes.len() as i128) as $kind
            }
        }

        impl Tally<$kind> for Median {
            fn tally(&self, votes: &[&$kind]) -> $kind {
                let mut sorted: Vec<i128> = votes.iter().map(|vote| i128::from(**vote)).collect();
                sorted.sort_unstable();
                let (low, high) = middle(&sorted);
                ((low + high) / 2) as $kind
            }
        }
    )*};
}

integers!(i32, i64, u32, u64);

impl<V: Data + Ord> Tally<V> for Majority {
    fn tally(&self, votes: &[&V]) -> V {
        let mut counts: BTreeMap<&V, usize> = BTreeMap::new();
        votes.iter().for_each(|vote| *counts.entry(vote).or_default() += 1);
        // From the greatest to the least: of several maxima, the last one is kept.
        let most = counts.into_iter().rev().max_by_key(|(_, count)| *count);
        most.expect("a tally has at least one vote").0.clone()
    }
}

/// The two in the middle, which are the same one of an odd number.
fn middle<N: Copy>(sorted: &[N]) -> (N, N) {
    (sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2])
}

fn check_finite(vote: f64) -> Result<(), Refusal> {
    if vote.is_finite() {
        return Ok(());
    }
    Err(Refusal::Update(format!("a vote of {vote} cannot be counted: it is no finite number")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally<V, T: Tally<V>>(tally: &T, votes: &[V]) -> V {
        tally.tally(&votes.iter().collect::<Vec<_>>())
    }

    #[test]
    fn a_mean_is_that_of_all_votes() {
        assert_eq!(tally(&Mean, &[1.0, 2.0, 6.0]), 3.0);
        assert_eq!(tally(&Mean, &[i64::MAX, i64::MAX, i64::MAX - 3]), i64::MAX - 1);
        assert_eq!(tally(&Mean, &[-1_i64, -2]), -1);
        assert_eq!(tally(&Mean, &[u64::MAX, u64::MAX]), u64::MAX);
    }

    #[test]
    fn the_mean_of_huge_votes_is_finite() {
        assert_eq!(tally(&Mean, &[f64::MAX, f64::MAX]), f64::MAX);
        assert_eq!(tally(&Mean, &[f64::MAX, f64::MAX, -f64::MAX, -f64::MAX]), 0.0);
    }

    #[test]
    fn a_median_is_in_the_middle() {
        assert_eq!(tally(&Median, &[9.0, 1.0, 2.0]), 2.0);
        assert_eq!(tally(&Median, &[9.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(tally(&Median, &[f64::MAX, f64::MAX]), f64::MAX);
        assert_eq!(tally(&Median, &[-0.0, 0.0, -0.0]).to_bits(), (-0.0_f64).to_bits());
        assert_eq!(tally(&Median, &[7_u32, 4]), 5);
        assert_eq!(tally(&Median, &[-7_i32, -4]), -5);
    }

    #[test]
    fn the_majority_is_what_most_vote_for_and_the_least_of_a_tie() {
        assert_eq!(tally(&Majority, &['b', 'a', 'b']), 'b');
        assert_eq!(tally(&Majority, &['c', 'b', 'b', 'c', 'a']), 'b');
    }

    #[test]
    fn what_is_no_finite_number_is_no_vote() {
        for vote in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(Tally::<f64>::check(&Mean, &vote).is_err());
            assert!(Tally::<f64>::check(&Median, &vote).is_err());
        }
        assert_eq!(Mean.check(&-0.0), Ok(()));
    }
}
