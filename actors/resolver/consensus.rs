//! A value that the nodes of the job agree on, before any of them has it.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use watershed_core::shared::{Agrees, Refusal, Resolver, Stamp};
use watershed_core::{Data, Round};

use super::vote::{Majority, Mean, Median, Tally};

/// A register whose value is decided once a round, by votes of the job's nodes and a compare-and-set where all decisions of
/// the job are made. A read that asks there is linearizable: it sees every value that was agreed on before it was asked.
///
/// Tasks read it like any shared state, and see each value some time after it was agreed on, in causal order. None updates it:
/// values are proposed from outside, to the job's handle or to any node of its cluster. What was agreed on outlives
/// roll-backs.
///
/// What all nodes keep of a value are the votes that were counted for it, and each works it out again. So a node that
/// counts otherwise, or was told something else, has no value rather than another one.
///
/// ```
/// use watershed_actors::resolver::{Agreed, Consensus};
/// use watershed_core::Round;
/// use watershed_core::shared::Resolver;
/// use watershed_core::testing::Stamps;
///
/// // Two nodes agree on the mean of what they measure.
/// let limit = Consensus::mean(2);
/// let mut stamps = Stamps::of(0);
/// let votes = vec![("node-1".to_owned(), 20.0), ("node-2".to_owned(), 23.0)];
/// let agreed = Agreed { round: Round(1), votes, value: 21.5 };
/// let delta = limit.update(&None, agreed.clone(), &stamps.at(1))?;
/// assert_eq!(limit.value(&delta), Some(agreed.clone()));
///
/// // What the votes do not come to is taken by nobody.
/// let wrong = Some(Agreed { value: 22.0, ..agreed });
/// assert!(limit.check(&None, &wrong, &stamps.at(2)).is_err());
/// # Ok::<(), watershed_core::shared::Refusal>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Consensus<T> {
    tally: T,
    quorum: u32,
}

/// What was agreed on in a round.
#[derive(Clone, Debug, Serialize, Deserialize, Data)]
pub struct Agreed<V> {
    /// The round.
    pub round: Round,
    /// Which nodes voted for what, in the order of their names: the votes that were counted.
    pub votes: Vec<(String, V)>,
    /// What they come to.
    pub value: V,
}

impl Consensus<Majority> {
    /// A register that anybody may set: one vote decides a round.
    pub fn register() -> Self {
        Consensus::by(Majority, 1)
    }

    /// What most nodes vote for, of so many votes or more.
    ///
    /// # Panics
    ///
    /// Where the quorum is 0.
    pub fn majority(quorum: u32) -> Self {
        Consensus::by(Majority, quorum)
    }
}

impl Consensus<Mean> {
    /// The mean of so many votes or more.
    ///
    /// # Panics
    ///
    /// Where the quorum is 0.
    pub fn mean(quorum: u32) -> Self {
        Consensus::by(Mean, quorum)
    }
}

impl Consensus<Median> {
    /// The median of so many votes or more.
    ///
    /// # Panics
    ///
    /// Where the quorum is 0.
    pub fn median(quorum: u32) -> Self {
        Consensus::by(Median, quorum)
    }
}

impl<T> Consensus<T> {
    /// What so many votes or more come to by a tally.
    ///
    /// # Panics
    ///
    /// Where the quorum is 0.
    pub fn by(tally: T, quorum: u32) -> Self {
        assert!(quorum > 0, "a quorum of 0 votes decides nothing");
        Consensus { tally, quorum }
    }

    /// What votes come to, if each of them can be counted.
    fn count<V>(&self, votes: &[&V]) -> Result<V, Refusal>
    where
        T: Tally<V>,
    {
        votes.iter().try_for_each(|vote| self.tally.check(vote))?;
        Ok(self.tally.tally(votes))
    }

    /// Refuses what was not agreed on: too few votes, two of one voter, a value that they do not come to.
    fn check_agreed<V: Data>(&self, agreed: &Agreed<V>) -> Result<(), Refusal>
    where
        T: Tally<V>,
    {
        let Agreed { round, votes, value } = agreed;
        if votes.len() < self.quorum as usize {
            let (found, needed) = (votes.len(), self.quorum);
            return refuse(format!("round {round} was agreed on by {found} votes, and {needed} are needed"));
        }
        if !votes.is_sorted_by(|(one, _), (next, _)| one < next) {
            return refuse(format!("the votes of round {round} are out of order, or one voter has two"));
        }
        let values: Vec<&V> = votes.iter().map(|(_, value)| value).collect();
        if bytes(&self.count(&values)?) != bytes(value) {
            return refuse(format!("the value of round {round} is not what its votes come to"));
        }
        Ok(())
    }
}

impl<V: Data, T: Tally<V>> Resolver<V> for Consensus<T> {
    type State = Option<Agreed<V>>;
    type Update = Agreed<V>;
    type Value = Option<Agreed<V>>;

    fn update(&self, _: &Self::State, agreed: Agreed<V>, _: &Stamp) -> Result<Self::State, Refusal> {
        self.check_agreed(&agreed)?;
        Ok(Some(agreed))
    }

    fn join(&self, state: &mut Self::State, other: &Self::State) {
        if let Some(other) = other
            && state.as_ref().is_none_or(|state| other.in_order(state).is_gt())
        {
            *state = Some(other.clone());
        }
    }

    fn value(&self, state: &Self::State) -> Option<Agreed<V>> {
        state.clone()
    }

    fn check(&self, _: &Self::State, delta: &Self::State, _: &Stamp) -> Result<(), Refusal> {
        match delta {
            Some(agreed) => self.check_agreed(agreed),
            None => refuse("an update of what was agreed on says nothing".to_owned()),
        }
    }

    fn agrees(&self) -> Option<&dyn Agrees<V, Self>> {
        Some(self)
    }
}

impl<V: Data, T: Tally<V>> Agrees<V, Self> for Consensus<T> {
    fn quorum(&self) -> u32 {
        self.quorum
    }

    fn tally(&self, votes: &[&V]) -> Result<V, Refusal> {
        self.count(votes)
    }

    fn announce(&self, round: Round, votes: Vec<(String, V)>, value: V) -> Agreed<V> {
        Agreed { round, votes, value }
    }

    fn round(&self, state: &Option<Agreed<V>>) -> Round {
        state.as_ref().map_or(Round(0), |agreed| agreed.round)
    }
}

impl<V: Data> Agreed<V> {
    /// The later of two stays. A round is decided once; the order of the bytes only sees to it that all sites would stay
    /// alike if it were not.
    fn in_order(&self, other: &Self) -> Ordering {
        self.round.cmp(&other.round).then_with(|| bytes(self).cmp(&bytes(other)))
    }
}

impl<V: Data> PartialEq for Agreed<V> {
    fn eq(&self, other: &Self) -> bool {
        self.in_order(other).is_eq()
    }
}

/// What is compared of a value: numbers that only compare equal are not the same.
fn bytes<T: Data>(value: &T) -> Vec<u8> {
    rmp_serde::to_vec(value).expect("what is shared between sites can be told as MessagePack")
}

fn refuse<T>(why: String) -> Result<T, Refusal> {
    Err(Refusal::Update(why))
}

#[cfg(test)]
mod tests {
    use watershed_core::shared::{AGREED, AnyTable, Table};
    use watershed_core::testing::Stamps;
    use watershed_core::{Epoch, checkpoint};

    use super::*;

    fn agreed(round: u64, votes: &[(&str, f64)], value: f64) -> Agreed<f64> {
        let votes = votes.iter().map(|(voter, vote)| ((*voter).to_owned(), *vote)).collect();
        Agreed { round: Round(round), votes, value }
    }

    fn why(result: Result<(), Refusal>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn every_site_works_the_value_out_again() {
        let (limit, stamp) = (Consensus::mean(2), Stamps::of(0).at(1));
        let checked = |agreed: Agreed<f64>| {
            let checked = limit.check(&None, &Some(agreed.clone()), &stamp);
            assert_eq!(checked, limit.update(&None, agreed, &stamp).map(drop));
            checked
        };
        let votes = [("a", 20.0), ("b", 23.0)];
        assert_eq!(checked(agreed(1, &votes, 21.5)), Ok(()));
        let mismatch = "the value of round 1 is not what its votes come to";
        assert_eq!(why(checked(agreed(1, &votes, 21.6))), mismatch);
        let few = "round 1 was agreed on by 1 votes, and 2 are needed";
        assert_eq!(why(checked(agreed(1, &votes[..1], 20.0))), few);
        let twice = "the votes of round 1 are out of order, or one voter has two";
        assert_eq!(why(checked(agreed(1, &[("a", 20.0), ("a", 20.0)], 20.0))), twice);
        assert_eq!(why(checked(agreed(1, &[("b", 20.0), ("a", 20.0)], 20.0))), twice);
        let nonsense = agreed(1, &[("a", 20.0), ("b", f64::NAN)], f64::NAN);
        assert!(why(checked(nonsense)).starts_with("a vote of NaN cannot be counted"));
        assert_eq!(
            why(limit.check(&None, &None::<Agreed<f64>>, &stamp)),
            "an update of what was agreed on says nothing"
        );
    }

    #[test]
    fn the_newest_round_stays_in_whichever_order_they_come() {
        let limit = Consensus::mean(1);
        let [one, two] = [agreed(1, &[("a", 9.0)], 9.0), agreed(2, &[("b", 3.0)], 3.0)].map(Some);
        for order in [[&one, &two], [&two, &one]] {
            let mut state = None;
            order.iter().for_each(|delta| limit.join(&mut state, delta));
            assert_eq!(limit.value(&state), two);
        }
    }

    #[test]
    fn no_task_updates_what_is_agreed_on_here_or_elsewhere() {
        let table = Table::<u8, f64, _>::new("limit", Consensus::mean(1));
        let one = agreed(1, &[("a", 9.0)], 9.0);
        let mut stamp = Stamps::of(0).at(1);
        let words =
            "no task updates the shared state \"limit\": its values are agreed on by the nodes of the job";
        assert_eq!(why(table.update(&stamp, &1, one.clone()).map(drop)), words);
        stamp.writer = AGREED;
        let delta = table.update(&stamp, &1, one.clone()).unwrap();
        let elsewhere = Table::<u8, f64, _>::new("limit", Consensus::mean(1));
        assert!(elsewhere.apply(&Stamps::of(0).at(1), &[1], &delta).is_err(), "a task has sent it");
        elsewhere.apply(&stamp, &[1], &delta).unwrap();
        assert_eq!(elsewhere.read(Epoch(1), &1), Some(one));
    }

    #[test]
    fn a_table_makes_an_update_of_an_agreement_whose_numbers_may_be_written_in_any_way() {
        let table = Table::<u8, u64, _>::new("limit", Consensus::register());
        let agrees = AnyTable::agrees(&table).expect("its values are agreed on");
        // 7 in one byte, and in nine.
        let long = [&[0xcf][..], &7_u64.to_be_bytes()].concat();
        assert_eq!((agrees.key(&[0xcc, 7]).unwrap(), agrees.value(&long).unwrap()), (vec![7], vec![7]));
        assert_eq!(agrees.tally(&[&long]).unwrap(), [7]);
        assert!(agrees.value(b"\xa1x").is_err() && agrees.key(&[]).is_err());
        let agreement = checkpoint::Agreement {
            register: checkpoint::Register { state: "limit".to_owned(), key: vec![1] },
            round: Round(3),
            votes: vec![checkpoint::Voice { voter: "a".to_owned(), value: vec![7] }],
            value: vec![7],
        };
        let mut stamp = Stamps::of(0).at(1);
        stamp.writer = AGREED;
        assert!(!agrees.has(&agreement).unwrap());
        let wrong = checkpoint::Agreement { value: vec![8], ..agreement.clone() };
        assert!(agrees.agree(&stamp, &wrong).is_err());
        agrees.agree(&stamp, &agreement).unwrap();
        assert!(agrees.has(&agreement).unwrap());
        assert_eq!(table.read(Epoch(1), &1).map(|agreed| (agreed.round, agreed.value)), Some((Round(3), 7)));
    }
}
