//! Every order in which two proposers, a store whose answers get lost, and a new run can meet.
//!
//! Reads take effect when they are answered. A swap is applied at once or late, its answer comes or is lost; where it was
//! lost before the swap was applied, the swap lies in the store's door and may come in at any time. The rules are broken
//! once each ([`Fault`]), and what they are there for must then be seen broken.

use std::cell::RefCell;
use std::collections::BTreeSet;

use watershed_core::checkpoint::{Change, Guard, Meta};

use super::*;
use crate::checkpoint::{Swap, Swapped};
use crate::explore::explore;
use crate::{Machine, Tick};

/// A rule that is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// The store decides what it is asked to, and compares nothing.
    BlindSwap,
    /// Nobody works the value out again.
    Belief,
    /// A swap of which nobody knows whether it was done counts as not done.
    Guess,
}

const ONE: &str = "a round of a register is decided once, and later ones after it";
const TRUE: &str = "what is decided is what its votes come to";
const SAID: &str = "who is told that it is decided finds it, and who is told that it is not never does";

/// Counts as [`Sum`] does, or believes what it is told.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Counting {
    believes: Option<u8>,
}

impl Rule for Counting {
    fn quorum(&self) -> usize {
        1
    }

    fn read(&self, value: &[u8]) -> Result<Vec<u8>, String> {
        Sum { quorum: 1 }.read(value)
    }

    fn tally(&self, votes: &[&[u8]]) -> Result<Vec<u8>, String> {
        self.believes.map_or_else(|| Sum { quorum: 1 }.tally(votes), |value| Ok(vec![value]))
    }
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Proposer {
    machine: Agreeing<Counting>,
    asked: Option<Asked>,
    answer: Option<Result<Agreement, Refused>>,
}

/// What a proposer waits for.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Asked {
    Read,
    Swap(Swap),
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct World {
    meta: Meta,
    /// All that was ever decided, in its order.
    history: Vec<Agreement>,
    proposers: Vec<Proposer>,
    /// Swaps nobody waits for any more, which may come to the store yet.
    late: Vec<Swap>,
    /// How many answers may still be lost.
    losses: u8,
}

impl World {
    /// Proposers of the next round, or of round 1, and one that lies.
    fn first(rounds: &[Option<u64>], lies: bool, fault: Option<Fault>) -> World {
        let proposers = ["a", "b", "c"].iter().zip(rounds).zip(1..).map(|((voter, round), value)| {
            let mut own = proposal(*round, &[(voter, value)]);
            let lie = (lies && value == 1).then_some(9);
            own.value = lie.map(|lie| vec![lie]);
            let believes = lie.filter(|_| fault == Some(Fault::Belief));
            let machine = Agreeing::new(Counting { believes }, view(), own, Tick(1));
            Proposer { machine, asked: None, answer: None }
        });
        let proposers = proposers.collect();
        let mut world =
            World { meta: Meta::default(), history: Vec::new(), proposers, late: Vec::new(), losses: 2 };
        (0..world.proposers.len()).for_each(|number| world.feed(number, AgreeEvent::Begin));
        world
    }

    fn feed(&mut self, number: usize, event: AgreeEvent) {
        let mut effects = Vec::new();
        let proposer = &mut self.proposers[number];
        let _ = proposer.machine.on(Tick(0), event, &mut effects);
        for effect in effects {
            match effect {
                AgreeEffect::Read => proposer.asked = Some(Asked::Read),
                AgreeEffect::Swap(swap) => proposer.asked = Some(Asked::Swap(swap)),
                AgreeEffect::Answer(answer) => proposer.answer = Some(answer),
            }
        }
    }

    /// The store applies a swap, or does not.
    fn apply(&mut self, swap: &Swap, fault: Option<Fault>) -> Swapped {
        let Change::Agree(agreement) = &swap.change else { unreachable!("proposers agree") };
        let next = match swap.change.apply(swap.guard, &self.meta) {
            Err(Refusal::Closed { .. }) if fault == Some(Fault::BlindSwap) => {
                Meta { agreed: Agreed::default().with(agreement).unwrap(), ..self.meta.clone() }
            }
            Err(_) => return Swapped::Refused(self.meta.clone()),
            Ok(next) => next,
        };
        self.meta = next;
        self.history.push(agreement.clone());
        Swapped::Done(self.meta.clone())
    }

    /// All that may happen next.
    fn successors(&self, fault: Option<Fault>, next: &mut Vec<World>) {
        for number in 0..self.proposers.len() {
            let mut world = self.clone();
            match world.proposers[number].asked.take() {
                None => continue,
                Some(Asked::Read) => {
                    let meta = world.meta.clone();
                    world.feed(number, AgreeEvent::Read(meta));
                }
                Some(Asked::Swap(swap)) => {
                    let lost = match fault {
                        Some(Fault::Guess) => Swapped::Failed,
                        Some(Fault::BlindSwap | Fault::Belief) | None => Swapped::Unknown,
                    };
                    if world.losses > 0 {
                        // It is done and the answer lost; it may come yet.
                        let mut done = world.clone();
                        done.losses -= 1;
                        let mut under_way = done.clone();
                        done.apply(&swap, fault);
                        done.feed(number, AgreeEvent::Swapped(lost.clone()));
                        next.push(done);
                        under_way.late.push(swap.clone());
                        under_way.feed(number, AgreeEvent::Swapped(lost));
                        next.push(under_way);
                    }
                    let swapped = world.apply(&swap, fault);
                    world.feed(number, AgreeEvent::Swapped(swapped));
                }
            }
            next.push(world);
        }
        for place in 0..self.late.len() {
            let mut world = self.clone();
            let swap = world.late.remove(place);
            world.apply(&swap, fault);
            next.push(world);
        }
        if self.meta.run.0 == 0 {
            let mut world = self.clone();
            let guard = Guard::of(&world.meta);
            world.meta = Change::BeginRun.apply(guard, &world.meta).expect("a run may begin at any time");
            next.push(world);
        }
    }

    /// The properties that do not hold.
    fn broken(&self) -> BTreeSet<&'static str> {
        let in_order = self.history.windows(2).all(|pair| pair[0].round < pair[1].round);
        let is_true = |agreement: &Agreement| {
            let votes: Vec<&[u8]> = agreement.votes.iter().map(|vote| vote.value.as_slice()).collect();
            Sum { quorum: 1 }.tally(&votes).as_ref() == Ok(&agreement.value)
        };
        let own = |voter: &str| self.history.iter().filter(|one| one.votes[0].voter == voter).count();
        let is_said = |(proposer, voter): (&Proposer, &str)| match &proposer.answer {
            Some(Ok(agreement)) => self.history.contains(agreement) && own(voter) == 1,
            Some(Err(refused)) if refused.is_definite() => own(voter) == 0,
            Some(Err(_)) | None => own(voter) <= 1,
        };
        let said = self.proposers.iter().zip(["a", "b", "c"]).all(is_said);
        let all = [(ONE, in_order), (TRUE, self.history.iter().all(is_true)), (SAID, said)];
        all.into_iter().filter(|(_, holds)| !holds).map(|(name, _)| name).collect()
    }
}

/// What a world came to: which properties were broken, and which kinds of answers were given.
struct Seen {
    worlds: usize,
    broken: BTreeSet<&'static str>,
    answers: BTreeSet<&'static str>,
}

fn explored(rounds: &[Option<u64>], lies: bool, fault: Option<Fault>) -> Seen {
    let (broken, answers) = (RefCell::new(BTreeSet::new()), RefCell::new(BTreeSet::new()));
    let worlds = explore(World::first(rounds, lies, fault), |world, next| {
        world.successors(fault, next);
        for world in next.iter() {
            broken.borrow_mut().extend(world.broken());
            let given = world.proposers.iter().filter_map(|proposer| proposer.answer.as_ref());
            answers.borrow_mut().extend(given.map(|answer| match answer {
                Ok(_) => "decided",
                Err(Refused::Closed { .. }) => "closed",
                Err(Refused::Unknown(_)) => "unknown",
                Err(Refused::Mismatch { .. }) => "mismatch",
                Err(_) => "other",
            }));
        }
    });
    println!("{rounds:?}, lies: {lies}, {fault:?}: {worlds} worlds");
    Seen { worlds, broken: broken.into_inner(), answers: answers.into_inner() }
}

#[test]
fn whatever_is_lost_and_whoever_is_first_each_round_is_decided_once_and_nobody_is_told_wrong() {
    for rounds in [[None, None], [Some(1), Some(1)], [Some(1), None], [Some(2), None]] {
        let seen = explored(&rounds, false, None);
        assert_eq!(seen.broken, BTreeSet::new(), "{rounds:?}");
        assert!(seen.answers.contains("decided") && seen.worlds > 1000, "{rounds:?}");
    }
    assert!(explored(&[None, None], false, None).answers.contains("unknown"));
    assert!(explored(&[Some(1), Some(1)], false, None).answers.contains("closed"));
    assert_eq!(explored(&[None, Some(1), Some(2)], false, None).broken, BTreeSet::new());
    let lied = explored(&[None, None], true, None);
    assert_eq!((lied.broken, lied.answers.contains("mismatch")), (BTreeSet::new(), true));
}

#[test]
fn a_store_that_compares_nothing_is_found_out() {
    let seen = explored(&[Some(1), Some(1)], false, Some(Fault::BlindSwap));
    assert!(seen.broken.contains(ONE), "{:?}", seen.broken);
}

#[test]
fn a_value_that_nobody_works_out_again_is_found_out() {
    let seen = explored(&[None, None], true, Some(Fault::Belief));
    assert!(seen.broken.contains(TRUE), "{:?}", seen.broken);
}

#[test]
fn a_lost_answer_that_is_taken_for_a_no_is_found_out() {
    let seen = explored(&[None, None], false, Some(Fault::Guess));
    assert!(seen.broken.contains(SAID), "{:?}", seen.broken);
}
