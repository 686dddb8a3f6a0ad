//! What becomes of proposals, one by one, and in every order in which they can meet.

mod explored;
mod machine;
mod telling;

use std::collections::BTreeSet;

use watershed_core::Round;
use watershed_core::checkpoint::{Agreed, Agreement, Refusal, Register, Voice};

use super::*;

/// The sum of numbers of one byte; 255 is no number. A zero before a number changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Sum {
    pub(super) quorum: usize,
}

impl Rule for Sum {
    fn quorum(&self) -> usize {
        self.quorum
    }

    fn read(&self, value: &[u8]) -> Result<Vec<u8>, String> {
        match value {
            [number] | [0, number] if *number < 255 => Ok(vec![*number]),
            _ => Err(format!("{value:?} is no number")),
        }
    }

    fn tally(&self, votes: &[&[u8]]) -> Result<Vec<u8>, String> {
        Ok(vec![votes.iter().map(|vote| vote[0]).fold(0, u8::wrapping_add)])
    }
}

pub(super) fn register() -> Register {
    Register { state: "limit".to_owned(), key: vec![1] }
}

pub(super) fn view() -> BTreeSet<String> {
    ["a", "b", "c"].map(str::to_owned).into()
}

pub(super) fn voice(voter: &str, value: u8) -> Voice {
    Voice { voter: voter.to_owned(), value: vec![value] }
}

pub(super) fn proposal(round: Option<u64>, votes: &[(&str, u8)]) -> Proposal {
    let votes = votes.iter().map(|(voter, value)| voice(voter, *value)).collect();
    Proposal { register: register(), round: round.map(Round), votes, value: None }
}

pub(super) fn agreement(round: u64, votes: &[(&str, u8)], value: u8) -> Agreement {
    let votes = votes.iter().map(|(voter, value)| voice(voter, *value)).collect();
    Agreement { register: register(), round: Round(round), votes, value: vec![value] }
}

fn judged(agreed: &Agreed, proposal: &Proposal) -> Result<Verdict, Refused> {
    judge(agreed, &view(), &Sum { quorum: 2 }, proposal)
}

/// Round 4 is decided.
fn agreed() -> Agreed {
    Agreed::default().with(&agreement(4, &[("a", 1), ("b", 2)], 3)).unwrap()
}

#[test]
fn a_quorum_of_votes_decides_the_next_round() {
    let decide = |round, votes: &[(&str, u8)], sum| Ok(Verdict::Decide(agreement(round, votes, sum)));
    let votes = [("a", 5), ("c", 6)];
    assert_eq!(judged(&Agreed::default(), &proposal(None, &votes)), decide(1, &votes, 11));
    assert_eq!(judged(&agreed(), &proposal(None, &votes)), decide(5, &votes, 11));
    assert_eq!(judged(&agreed(), &proposal(Some(9), &votes)), decide(9, &votes, 11));
}

#[test]
fn votes_are_counted_in_the_order_of_the_voters_and_in_one_form() {
    let mut mixed = proposal(None, &[("c", 6), ("a", 5)]);
    mixed.votes[0].value = vec![0, 6];
    mixed.value = Some(vec![0, 11]);
    let decided = agreement(1, &[("a", 5), ("c", 6)], 11);
    assert_eq!(judged(&Agreed::default(), &mixed), Ok(Verdict::Decide(decided)));
}

#[test]
fn a_vote_of_a_node_outside_the_view_is_refused() {
    let stranger = judged(&agreed(), &proposal(None, &[("a", 5), ("b", 1), ("mallory", 6)])).unwrap_err();
    assert_eq!(stranger.to_string(), "\"mallory\" has no vote: it is no node of the job; nodes are a, b, c");
}

#[test]
fn a_second_vote_of_one_voter_is_refused_though_it_is_the_same() {
    let twice = Err(Refused::Twice { voter: "b".to_owned() });
    assert_eq!(judged(&agreed(), &proposal(None, &[("b", 5), ("a", 1), ("b", 6)])), twice);
    assert_eq!(judged(&agreed(), &proposal(None, &[("b", 5), ("b", 5)])), twice);
}

#[test]
fn fewer_votes_than_a_quorum_decide_nothing() {
    let few = |found, needed| Err(Refused::TooFew { found, needed });
    assert_eq!(judged(&agreed(), &proposal(None, &[("a", 5)])), few(1, 2));
    let nothing = judge(&agreed(), &view(), &Sum { quorum: 0 }, &proposal(None, &[]));
    assert_eq!(nothing, few(0, 1));
}

#[test]
fn a_value_that_the_votes_do_not_come_to_is_refused() {
    let mut wrong = proposal(None, &[("a", 5), ("b", 6)]);
    wrong.value = Some(vec![12]);
    assert_eq!(judged(&agreed(), &wrong), Err(Refused::Mismatch { votes: 2 }));
    wrong.value = Some(vec![255]);
    assert_eq!(judged(&agreed(), &wrong), Err(Refused::Vote("[255] is no number".to_owned())));
    let vote = judged(&agreed(), &proposal(None, &[("a", 5), ("b", 255)]));
    assert_eq!(vote, Err(Refused::Vote("[255] is no number".to_owned())));
}

#[test]
fn a_closed_round_is_refused_unless_the_very_same_was_decided() {
    let same = proposal(Some(4), &[("b", 2), ("a", 1)]);
    let decided = agreement(4, &[("a", 1), ("b", 2)], 3);
    assert_eq!(judged(&agreed(), &same), Ok(Verdict::Decided(decided)));
    let closed = |round| Err(Refused::Closed { asked: Round(round), newest: Round(4) });
    // The value is the same, and the votes are not.
    assert_eq!(judged(&agreed(), &proposal(Some(4), &[("a", 2), ("b", 1)])), closed(4));
    assert_eq!(judged(&agreed(), &proposal(Some(3), &[("a", 1), ("b", 2)])), closed(3));
    assert_eq!(judged(&agreed(), &proposal(Some(0), &[("a", 1), ("b", 2)])), closed(0));
}

#[test]
fn more_than_there_is_room_for_is_refused_before_it_is_decided() {
    let mut vast = proposal(None, &[("a", 5), ("b", 6)]);
    vast.register.key = vec![0; watershed_core::checkpoint::AGREED_BYTES_MAX];
    let refused = judged(&agreed(), &vast);
    assert!(matches!(refused, Err(Refused::Rule(_))), "{refused:?}");
}

#[test]
fn only_a_proposal_whose_end_is_not_known_may_have_been_decided() {
    assert!(!Refused::Unknown("lost".to_owned()).is_definite());
    assert!(Refused::from(Refusal::Finished).is_definite());
}
