//! The machine, event by event.

use watershed_core::checkpoint::{Change, Guard, Meta};
use watershed_core::{Run, Term};

use super::*;
use crate::checkpoint::{Swap, Swapped};
use crate::{Machine, Outcome, Tick};

const GUARD: Guard = Guard { term: Term(2), run: Run(3) };

fn meta(agreed: Agreed) -> Meta {
    Meta { term: GUARD.term, run: GUARD.run, agreed, ..Meta::default() }
}

/// What is decided once these are.
fn after(agreements: &[Agreement]) -> Meta {
    let with = |agreed: Agreed, agreement: &Agreement| agreed.with(agreement).unwrap();
    meta(agreements.iter().fold(Agreed::default(), with))
}

fn swap(agreement: &Agreement) -> AgreeEffect {
    AgreeEffect::Swap(Swap { guard: GUARD, change: Change::Agree(agreement.clone()) })
}

fn done(agreement: &Agreement) -> Vec<AgreeEffect> {
    vec![AgreeEffect::Answer(Ok(agreement.clone()))]
}

fn refused(refused: Refused) -> Vec<AgreeEffect> {
    vec![AgreeEffect::Answer(Err(refused))]
}

/// A machine with a proposal for round 1 or the next one, and its agreement there.
struct Under {
    machine: Agreeing<Sum>,
    own: Agreement,
}

impl Under {
    fn begun(round: Option<u64>) -> Self {
        let votes = [("a", 1), ("b", 2)];
        let machine = Agreeing::new(Sum { quorum: 2 }, view(), proposal(round, &votes), Tick(100));
        let mut under = Under { machine, own: agreement(1, &votes, 3) };
        assert_eq!(under.on(AgreeEvent::Begin), [AgreeEffect::Read]);
        under
    }

    /// One whose swap is under way.
    fn swapping(round: Option<u64>) -> Self {
        let mut under = Under::begun(round);
        assert_eq!(under.on(AgreeEvent::Read(after(&[]))), [swap(&under.own)]);
        under
    }

    fn on(&mut self, event: AgreeEvent) -> Vec<AgreeEffect> {
        self.at(7, event).1
    }

    fn at(&mut self, now: u64, event: AgreeEvent) -> (Outcome, Vec<AgreeEffect>) {
        let mut effects = Vec::new();
        let outcome = self.machine.on(Tick(now), event, &mut effects);
        (outcome, effects)
    }

    fn swapped(&mut self, swapped: Swapped) -> Vec<AgreeEffect> {
        self.on(AgreeEvent::Swapped(swapped))
    }
}

/// What somebody else has decided.
fn other(round: u64) -> Agreement {
    agreement(round, &[("b", 9), ("c", 9)], 18)
}

#[test]
fn a_proposal_is_read_judged_swapped_and_told_to_all() {
    let mut under = Under::swapping(None);
    let own = under.own.clone();
    assert_eq!(under.swapped(Swapped::Done(after(std::slice::from_ref(&own)))), done(&own));
    assert_eq!(under.machine.deadline(), None);
    assert_eq!(under.at(500, AgreeEvent::Deadline), (Outcome::Stale, vec![]));
}

#[test]
fn who_is_second_takes_the_next_round_or_finds_the_named_one_closed() {
    let mut under = Under::swapping(None);
    let next = agreement(2, &[("a", 1), ("b", 2)], 3);
    assert_eq!(under.swapped(Swapped::Refused(after(&[other(1)]))), [swap(&next)]);

    let mut under = Under::swapping(Some(1));
    let closed = Refused::Closed { asked: Round(1), newest: Round(1) };
    assert_eq!(under.swapped(Swapped::Refused(after(&[other(1)]))), refused(closed));
}

#[test]
fn a_run_that_begins_meanwhile_costs_one_more_try() {
    let mut under = Under::swapping(Some(1));
    let later = Meta { run: Run(4), ..after(&[]) };
    let again = Swap { guard: Guard::of(&later), change: Change::Agree(under.own.clone()) };
    assert_eq!(under.swapped(Swapped::Refused(later)), [AgreeEffect::Swap(again)]);
}

#[test]
fn a_job_that_has_come_to_its_end_agrees_on_nothing_more() {
    let mut under = Under::swapping(None);
    let over = Meta { finished: true, ..after(&[]) };
    let why = "the job has come to its end; to run it again from a checkpoint, fork it".to_owned();
    assert_eq!(under.swapped(Swapped::Refused(over)), refused(Refused::Rule(why)));
}

#[test]
fn a_swap_of_unknown_end_is_read_back_before_anything_is_said() {
    let mut under = Under::swapping(Some(1));
    let own = under.own.clone();
    assert_eq!(under.swapped(Swapped::Unknown), [AgreeEffect::Read]);
    assert_eq!(under.on(AgreeEvent::Read(after(std::slice::from_ref(&own)))), done(&own));
}

#[test]
fn a_swap_that_is_not_seen_may_still_come_and_is_asked_for_again() {
    let mut under = Under::swapping(Some(1));
    let own = under.own.clone();
    assert_eq!(under.swapped(Swapped::Unknown), [AgreeEffect::Read]);
    assert_eq!(under.on(AgreeEvent::Read(after(&[]))), [swap(&own)]);
    // The first one came in between, so the second one finds the round closed: by itself.
    assert_eq!(under.swapped(Swapped::Refused(after(std::slice::from_ref(&own)))), done(&own));
}

#[test]
fn what_may_have_been_overtaken_is_not_known_and_is_not_proposed_a_second_time() {
    for round in [None, Some(1)] {
        let mut under = Under::swapping(round);
        assert_eq!(under.swapped(Swapped::Unknown), [AgreeEffect::Read]);
        let why = "a later round was decided meanwhile".to_owned();
        let unknown = refused(Refused::Unknown(why));
        assert_eq!(under.on(AgreeEvent::Read(after(&[other(2)]))), unknown);
    }
    // Where the round itself was decided otherwise, it is certain.
    let mut under = Under::swapping(Some(1));
    assert_eq!(under.swapped(Swapped::Unknown), [AgreeEffect::Read]);
    let closed = Refused::Closed { asked: Round(1), newest: Round(1) };
    assert_eq!(under.on(AgreeEvent::Read(after(&[other(1)]))), refused(closed));
}

#[test]
fn without_a_quorum_it_fails_and_says_whether_it_may_have_been_decided() {
    let lost = || "no majority".to_owned();
    let mut under = Under::begun(None);
    assert_eq!(under.on(AgreeEvent::Unread(lost())), refused(Refused::Unavailable(lost())));

    let mut under = Under::swapping(None);
    assert_eq!(under.swapped(Swapped::Unknown), [AgreeEffect::Read]);
    assert_eq!(under.on(AgreeEvent::Unread(lost())), refused(Refused::Unknown(lost())));

    let mut under = Under::swapping(None);
    let failed = Refused::Unavailable("the decision could not be made".to_owned());
    assert_eq!(under.swapped(Swapped::Failed), refused(failed));
}

#[test]
fn it_is_answered_in_time_whatever_happens() {
    let late = || "it took too long".to_owned();
    let mut under = Under::begun(None);
    assert_eq!(under.machine.deadline(), Some(Tick(100)));
    assert_eq!(under.at(99, AgreeEvent::Deadline), (Outcome::Stale, vec![]));
    let unavailable = refused(Refused::Unavailable(late()));
    assert_eq!(under.at(100, AgreeEvent::Deadline), (Outcome::Applied, unavailable));
    // What comes later comes for nobody.
    assert_eq!(under.at(101, AgreeEvent::Read(after(&[]))), (Outcome::Stale, vec![]));

    let mut under = Under::swapping(None);
    assert_eq!(under.at(100, AgreeEvent::Deadline).1, refused(Refused::Unknown(late())));
}

#[test]
fn others_are_first_only_so_often() {
    let mut under = Under::swapping(None);
    let mut effects = Vec::new();
    for round in 1..=u64::from(TRIES_MAX) {
        effects = under.swapped(Swapped::Refused(after(&[other(round)])));
    }
    assert_eq!(effects, refused(Refused::Contended { tries: TRIES_MAX }));
}

#[test]
fn what_was_not_asked_for_is_unexpected() {
    let mut under = Under::begun(None);
    let unasked = AgreeEvent::Swapped(Swapped::Failed);
    assert_eq!(under.at(7, unasked), (Outcome::Unexpected, vec![]));
    assert_eq!(under.on(AgreeEvent::Read(after(&[]))), [swap(&under.own.clone())]);
}
