//! How a vote runs, and what is refused.

use std::collections::BTreeMap;

use watershed_core::testing::Stamps;
use watershed_core::{SubtaskId, VertexId};

use super::*;

type Rounds<V> = BTreeMap<Round, Poll<V>>;

fn cast<V>(round: u64, value: V) -> VoteUpdate<V> {
    VoteUpdate::Cast { round: Round(round), value }
}

fn decide<V>(round: u64, decision: Decision<V>) -> VoteUpdate<V> {
    VoteUpdate::Decide { round: Round(round), decision }
}

/// Makes an update, checks its delta as another site would, and joins it.
fn apply<V: Data, T: Tally<V>>(
    vote: &Vote<T>,
    rounds: &mut Rounds<V>,
    update: VoteUpdate<V>,
    stamp: &Stamp,
) -> Result<(), Refusal> {
    let delta = vote.update(rounds, update, stamp)?;
    vote.check(rounds, &delta, stamp).expect("what a writer makes is taken elsewhere");
    vote.join(rounds, &delta);
    Ok(())
}

fn why<T: std::fmt::Debug>(result: Result<T, Refusal>) -> String {
    result.unwrap_err().to_string()
}

/// Votes for 1.0, 2.0, 6.0 of three voters in round 4.
fn three_votes(vote: &Vote<Mean>) -> Rounds<f64> {
    let mut rounds = Rounds::new();
    for (site, value) in [(0, 1.0), (1, 2.0), (2, 6.0)] {
        apply(vote, &mut rounds, cast(4, value), &Stamps::of(site).at(1)).unwrap();
    }
    rounds
}

#[test]
fn nobody_has_voted_in_the_beginning() {
    let ballot: Ballot<f64> = Vote::mean(3, 2).value(&Rounds::new());
    assert_eq!(ballot, Ballot::empty(2));
    assert_eq!(ballot.newest(), None);
}

#[test]
fn a_round_is_ready_when_a_quorum_has_voted_and_until_it_is_decided() {
    let vote = Vote::mean(3, 2);
    let (mut rounds, mut here, mut there) = (Rounds::new(), Stamps::of(0), Stamps::of(1));
    apply(&vote, &mut rounds, cast(1, 4.0), &here.at(1)).unwrap();
    assert_eq!(vote.ready(&rounds, Round(1)), None);
    apply(&vote, &mut rounds, cast(1, 8.0), &there.at(1)).unwrap();
    let decision = vote.ready(&rounds, Round(1)).unwrap();
    assert_eq!((decision.value, decision.voters.len()), (6.0, 2));
    assert_eq!(vote.value(&rounds).ready, [(Round(1), decision.clone())]);
    apply(&vote, &mut rounds, decide(1, decision.clone()), &there.at(2)).unwrap();
    assert_eq!(vote.ready(&rounds, Round(1)), None);
    let ballot = vote.value(&rounds);
    assert_eq!(
        (ballot.ready, ballot.counted),
        (
            vec![],
            vec![SubtaskId { vertex: VertexId(0), index: 0 }, SubtaskId { vertex: VertexId(0), index: 1 }]
        )
    );
    assert_eq!(vote.decided(&rounds, Round(1)), Some(&6.0));
    assert_eq!(why(apply(&vote, &mut rounds, decide(1, decision), &here.at(3))), "round 1 is decided");
}

#[test]
fn a_vote_that_comes_late_changes_nothing_in_the_decision() {
    let vote = Vote::mean(4, 3);
    let mut rounds = three_votes(&vote);
    let decision = vote.ready(&rounds, Round(4)).unwrap();
    apply(&vote, &mut rounds, decide(4, decision), &Stamps::of(9).at(5)).unwrap();
    apply(&vote, &mut rounds, cast(4, 1e9), &Stamps::of(3).at(9)).unwrap();
    let ballot = vote.value(&rounds);
    assert_eq!((ballot.decided, ballot.votes), (Some(3.0), 4));
}

#[test]
fn decisions_of_earlier_rounds_can_be_read() {
    let vote = Vote::majority(1, 1);
    let (mut rounds, mut here) = (Rounds::new(), Stamps::of(0));
    for round in 1..=3_u64 {
        apply(&vote, &mut rounds, cast(round, round * 10), &here.at(round)).unwrap();
        if round != 3 {
            let decision = vote.ready(&rounds, Round(round)).unwrap();
            apply(&vote, &mut rounds, decide(round, decision), &here.at(round)).unwrap();
        }
    }
    let ballot = vote.value(&rounds);
    assert_eq!((ballot.round, ballot.decided, ballot.provisional), (Round(3), None, Some(30)));
    assert_eq!(ballot.earlier, [(Round(2), 20), (Round(1), 10)]);
    assert_eq!(ballot.newest(), Some((Round(2), &20)));
}

#[test]
fn a_second_vote_is_refused_and_so_is_one_of_somebody_who_has_none() {
    let vote = Vote::mean(2, 2);
    let (mut rounds, mut here, mut stranger) = (Rounds::new(), Stamps::of(0), Stamps::of(2));
    apply(&vote, &mut rounds, cast(1, 4.0), &here.at(1)).unwrap();
    assert_eq!(why(apply(&vote, &mut rounds, cast(1, 5.0), &here.at(2))), "subtask 0.0 has voted in round 1");
    let stamp = stranger.at(1);
    let words = "subtask 0.2 has no vote: the electorate is subtasks 0 to 1";
    assert_eq!(why(vote.update(&rounds, cast(1, 5.0), &stamp)), words);
    let forced = BTreeMap::from([(Round(1), Poll::of_vote(5.0, &stamp))]);
    assert_eq!(why(vote.check(&rounds, &forced, &stamp)), words);

    let mut elsewhere = Stamps::of(1).at(1);
    elsewhere.writer.vertex = VertexId(7);
    let words = "subtask 7.1 has no vote: vertex 0 votes in round 1";
    assert_eq!(why(vote.update(&rounds, cast(1, 5.0), &elsewhere)), words);
}

#[test]
fn a_vote_that_cannot_be_counted_is_refused_on_all_sites() {
    let vote = Vote::median(2, 1);
    let stamp = Stamps::of(0).at(1);
    let words = "a vote of NaN cannot be counted: it is no finite number";
    assert_eq!(why(vote.update(&Rounds::new(), cast(1, f64::NAN), &stamp)), words);
    let forced = BTreeMap::from([(Round(1), Poll::of_vote(f64::NAN, &stamp))]);
    assert_eq!(why(vote.check(&Rounds::new(), &forced, &stamp)), words);
}

#[test]
fn a_decision_that_is_not_what_its_votes_come_to_is_refused() {
    let vote = Vote::mean(3, 2);
    let rounds = three_votes(&vote);
    let right = vote.ready(&rounds, Round(4)).unwrap();
    let stamp = Stamps::of(0).at(9);
    let verdict = |change: &dyn Fn(&mut Decision<f64>)| {
        let mut decision = right.clone();
        change(&mut decision);
        let forced = BTreeMap::from([(Round(4), Poll::of_decision(decision.clone(), &stamp))]);
        let checked = vote.check(&rounds, &forced, &stamp);
        assert_eq!(checked, vote.update(&rounds, decide(4, decision), &stamp).map(drop));
        checked
    };
    assert_eq!(verdict(&|_| ()), Ok(()));
    assert_eq!(
        verdict(&|decision| *decision = Decision { voters: decision.voters[..2].to_vec(), value: 1.5 }),
        Ok(())
    );
    let mismatch = "a decision is not what its 3 votes come to";
    assert_eq!(why(verdict(&|decision| decision.value = 3.5)), mismatch);
    assert_eq!(why(verdict(&|decision| decision.value = f64::from_bits(3.0_f64.to_bits() + 1))), mismatch);
    let unordered = "a decision lists its voters out of order, or one of them twice";
    assert_eq!(why(verdict(&|decision| decision.voters.swap(0, 2))), unordered);
    assert_eq!(why(verdict(&|decision| decision.voters[1] = decision.voters[0])), unordered);
    assert_eq!(
        why(verdict(&|decision| decision.voters.truncate(1))),
        "a decision counts 1 votes, and 2 are needed"
    );
    assert_eq!(
        why(verdict(&|decision| decision.voters[1].1.counter.0 += 1)),
        "a decision counts a vote of subtask 0.1 that nobody cast: update 2 of site 1 in epoch 1 of run 1"
    );
}

#[test]
fn a_zero_of_the_other_sign_is_another_value() {
    let vote = Vote::mean(1, 1);
    let (mut rounds, mut here) = (Rounds::new(), Stamps::of(0));
    apply(&vote, &mut rounds, cast(1, 0.0), &here.at(1)).unwrap();
    let mut decision = vote.ready(&rounds, Round(1)).unwrap();
    decision.value = -0.0;
    assert!(vote.update(&rounds, decide(1, decision), &here.at(2)).is_err());
}

#[test]
fn a_delta_tells_one_thing_in_the_name_of_its_writer() {
    let vote = Vote::mean(3, 1);
    let rounds = three_votes(&vote);
    let (mut here, mut there) = (Stamps::of(0), Stamps::of(1));
    let (stamp, foreign) = (here.at(1), there.at(1));
    let one = vote.update(&Rounds::new(), cast(1, 1.0), &stamp).unwrap();
    assert_eq!(vote.check(&rounds, &one, &stamp), Ok(()));
    assert!(vote.check(&rounds, &one, &foreign).is_err(), "another's vote");
    let mut two = one.clone();
    vote.join(&mut two, &vote.update(&Rounds::new(), cast(1, 1.0), &foreign).unwrap());
    assert!(vote.check(&rounds, &two, &stamp).is_err(), "two votes");
    let mut both = one;
    vote.join(&mut both, &vote.update(&Rounds::new(), cast(2, 1.0), &stamp).unwrap());
    assert!(vote.check(&rounds, &both, &stamp).is_err(), "two rounds");
    assert!(vote.check(&rounds, &Rounds::new(), &stamp).is_err(), "nothing");
}

#[test]
fn of_two_votes_of_one_voter_the_first_counts_and_a_decision_may_still_list_the_other() {
    let vote = Vote::mean(2, 1);
    let mut here = Stamps::of(0);
    let first = vote.update(&Rounds::new(), cast(1, 4.0), &here.at(1)).unwrap();
    let second = vote.update(&Rounds::new(), cast(1, 8.0), &here.at(2)).unwrap();
    let decision = vote.ready(&second, Round(1)).unwrap();
    let stamp = Stamps::of(1).at(3);
    let decided = vote.update(&second, decide(1, decision), &stamp).unwrap();

    let mut rounds = second;
    vote.join(&mut rounds, &first);
    let ballot = vote.value(&rounds);
    assert_eq!((ballot.votes, ballot.provisional), (1, Some(4.0)));
    assert_eq!(vote.check(&rounds, &decided, &stamp), Ok(()));
}

#[test]
fn only_the_newest_rounds_are_kept_and_what_is_older_is_past() {
    let vote = Vote::majority(1, 1);
    let (mut rounds, mut here) = (Rounds::new(), Stamps::of(0));
    let early = vote.update(&rounds, cast(1, 'a'), &here.at(1)).unwrap();
    vote.join(&mut rounds, &early);
    let decision = vote.ready(&rounds, Round(1)).unwrap();
    let stamp = here.at(1);
    let decided = vote.update(&rounds, decide(1, decision), &stamp).unwrap();
    for round in 2..=ROUNDS_KEPT as u64 + 1 {
        apply(&vote, &mut rounds, cast(round, 'b'), &here.at(round)).unwrap();
    }
    assert_eq!(rounds.keys().next(), Some(&Round(2)));

    let before = rounds.clone();
    assert_eq!(vote.check(&rounds, &decided, &stamp), Ok(()), "its votes are gone, which is no fault of it");
    vote.join(&mut rounds, &decided);
    vote.join(&mut rounds, &early);
    assert_eq!(rounds, before);
    let words = "round 1 is past: the newest 16 rounds are kept";
    assert_eq!(why(vote.update(&rounds, cast(1, 'a'), &here.at(99))), words);
}

#[test]
#[should_panic(expected = "a quorum of 4 out of 3 voters decides nothing")]
fn a_quorum_that_never_comes_together_is_refused() {
    Vote::mean(3, 4);
}
