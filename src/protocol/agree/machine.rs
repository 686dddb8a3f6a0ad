//! One proposal on its way: read, judged, decided by compare-and-swap, read back where that is not known.

use std::collections::BTreeSet;

use watershed_core::checkpoint::{Agreement, Change, Guard, Meta, Refusal};

use super::{Proposal, Refused, Rule, Verdict, judge};
use crate::checkpoint::{Swap, Swapped};
use crate::{Machine, Outcome, Tick};

/// How often a proposal is judged, where others are first each time.
pub const TRIES_MAX: u32 = 16;

/// Decides one proposal. One that has answered wants nothing more.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Agreeing<R> {
    rule: R,
    /// Who has a vote.
    view: BTreeSet<String>,
    proposal: Proposal,
    until: Tick,
    stage: Stage,
    tries: u32,
    /// Whether an earlier swap may have been done, or may yet be.
    uncertain: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Stage {
    /// Nothing was asked yet.
    New,
    /// What is agreed on is read.
    Reading,
    /// The swap is under way.
    Swapping { guard: Guard, agreement: Agreement },
    /// What is agreed on is read, to see whether the swap was done.
    ReadingBack { guard: Guard, agreement: Agreement },
    /// It is answered.
    Over,
}

/// What a proposal on its way hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgreeEvent {
    /// Begin.
    Begin,
    /// This is decided, as of an instant after it was asked.
    Read(Meta),
    /// What is decided cannot be read.
    Unread(String),
    /// What became of the swap.
    Swapped(Swapped),
    /// The time has come.
    Deadline,
}

/// What it wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgreeEffect {
    /// Read what is decided, linearizably.
    Read,
    /// Let it be decided.
    Swap(Swap),
    /// Answer whoever has proposed it. Where it is decided, the run is to be told too, as [`Telling`](super::Telling)
    /// sees to where it is not known.
    Answer(Result<Agreement, Refused>),
}

impl<R: Rule> Agreeing<R> {
    /// A proposal that is answered by a certain time.
    pub fn new(rule: R, view: BTreeSet<String>, proposal: Proposal, until: Tick) -> Self {
        Agreeing { rule, view, proposal, until, stage: Stage::New, tries: 0, uncertain: false }
    }

    /// Judges the proposal against what is decided, and asks for the swap.
    fn judge(&mut self, meta: &Meta, effects: &mut Vec<AgreeEffect>) {
        if self.tries >= TRIES_MAX {
            return self.answer(Err(Refused::Contended { tries: self.tries }), effects);
        }
        self.tries += 1;
        match judge(&meta.agreed, &self.view, &self.rule, &self.proposal) {
            Ok(Verdict::Decide(agreement)) => self.swap(Guard::of(meta), agreement, effects),
            Ok(Verdict::Decided(agreement)) => self.answer(Ok(agreement), effects),
            Err(refused) => self.answer(Err(refused), effects),
        }
    }

    fn swap(&mut self, guard: Guard, agreement: Agreement, effects: &mut Vec<AgreeEffect>) {
        effects.push(AgreeEffect::Swap(Swap { guard, change: Change::Agree(agreement.clone()) }));
        self.stage = Stage::Swapping { guard, agreement };
    }

    /// Looks at what is decided after a swap whose end is not known, or that was refused.
    fn look_back(&mut self, meta: &Meta, guard: Guard, agreement: Agreement, effects: &mut Vec<AgreeEffect>) {
        let newest = meta.agreed.on(&agreement.register);
        if newest == Some(&agreement) {
            return self.answer(Ok(agreement), effects);
        }
        match Change::Agree(agreement.clone()).apply(guard, meta) {
            // It may still be under way. Once more is no other decision: one of the two finds the round closed.
            Ok(_) => return self.swap(guard, agreement, effects),
            Err(Refusal::Term { .. } | Refusal::Run { .. } | Refusal::Closed { .. }) => {}
            // It would be the same another time.
            Err(refusal) => return self.answer(Err(refusal.into()), effects),
        }
        // SUBTLE: a register keeps its newest agreement only. One that was decided may have been overtaken since, and looks
        // then as if it had never been.
        if self.uncertain && newest.is_some_and(|newest| newest.round > agreement.round) {
            let why = "a later round was decided meanwhile".to_owned();
            return self.answer(Err(Refused::Unknown(why)), effects);
        }
        self.uncertain = false;
        self.judge(meta, effects);
    }

    fn answer(&mut self, answer: Result<Agreement, Refused>, effects: &mut Vec<AgreeEffect>) {
        self.stage = Stage::Over;
        effects.push(AgreeEffect::Answer(answer));
    }

    /// Ends where what is decided cannot be told.
    fn give_up(&mut self, why: String, effects: &mut Vec<AgreeEffect>) {
        let refused = if self.uncertain { Refused::Unknown(why) } else { Refused::Unavailable(why) };
        self.answer(Err(refused), effects);
    }

    fn swapped(
        &mut self,
        swapped: Swapped,
        guard: Guard,
        agreement: Agreement,
        effects: &mut Vec<AgreeEffect>,
    ) {
        match swapped {
            Swapped::Done(_) => self.answer(Ok(agreement), effects),
            Swapped::Refused(meta) => self.look_back(&meta, guard, agreement, effects),
            Swapped::Failed => self.give_up("the decision could not be made".to_owned(), effects),
            Swapped::Unknown => {
                self.uncertain = true;
                self.stage = Stage::ReadingBack { guard, agreement };
                effects.push(AgreeEffect::Read);
            }
        }
    }
}

impl<R: Rule> Machine for Agreeing<R> {
    type Event = AgreeEvent;
    type Effect = AgreeEffect;

    fn on(&mut self, now: Tick, event: AgreeEvent, effects: &mut Vec<AgreeEffect>) -> Outcome {
        match (std::mem::replace(&mut self.stage, Stage::Over), event) {
            (Stage::New, AgreeEvent::Begin) => {
                self.stage = Stage::Reading;
                effects.push(AgreeEffect::Read);
            }
            (Stage::Reading, AgreeEvent::Read(meta)) => self.judge(&meta, effects),
            (Stage::ReadingBack { guard, agreement }, AgreeEvent::Read(meta)) => {
                self.look_back(&meta, guard, agreement, effects);
            }
            (Stage::Reading | Stage::ReadingBack { .. }, AgreeEvent::Unread(why)) => {
                self.give_up(why, effects);
            }
            (Stage::Swapping { guard, agreement }, AgreeEvent::Swapped(swapped)) => {
                self.swapped(swapped, guard, agreement, effects);
            }
            (Stage::Over, _) => return Outcome::Stale,
            (stage, AgreeEvent::Deadline) if now < self.until => {
                self.stage = stage;
                return Outcome::Stale;
            }
            (stage, AgreeEvent::Deadline) => {
                // What is under way may be done yet.
                self.uncertain |= matches!(stage, Stage::Swapping { .. });
                self.give_up("it took too long".to_owned(), effects);
            }
            (
                stage @ (Stage::New | Stage::Reading | Stage::Swapping { .. } | Stage::ReadingBack { .. }),
                AgreeEvent::Begin | AgreeEvent::Read(_) | AgreeEvent::Unread(_) | AgreeEvent::Swapped(_),
            ) => {
                self.stage = stage;
                return Outcome::Unexpected;
            }
        }
        Outcome::Applied
    }

    fn deadline(&self) -> Option<Tick> {
        match self.stage {
            Stage::Over => None,
            Stage::New | Stage::Reading | Stage::Swapping { .. } | Stage::ReadingBack { .. } => {
                Some(self.until)
            }
        }
    }
}
