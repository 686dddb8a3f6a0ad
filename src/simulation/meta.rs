//! The meta store: linearizable, and not always heard.
//!
//! What is asked of it is done at one moment between the question and the answer, or not at all. The answer may be lost,
//! and the question may arrive when nobody waits for its answer any longer: both are *unknown* to the asker. While nobody
//! has a majority, nothing is done.

use watershed_core::checkpoint::{Agreed, Change, Guard, Meta, Register};
use watershed_protocol::checkpoint::{Swap, Swapped};

use crate::agenda::{Happening, Life};
use crate::mutant::Mutant;
use crate::properties;
use crate::world::World;

/// How long an answer is waited for.
const PATIENCE: u64 = 200;

/// What a node asks.
#[derive(Clone, Debug)]
pub(crate) enum Question {
    Swap(Swap),
    /// The same for the proposal of a call.
    Agree(usize, Swap),
    Read(Purpose),
}

/// What a read is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To find out what became of a swap.
    ReadBack,
    /// To take the reign.
    Campaign,
    /// To decide the proposal of a call.
    Agreeing(usize),
    /// To answer a call.
    Register(usize, Register),
}

/// What it hears.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Swapped(Swapped),
    Read(Meta),
    /// Nothing was heard in time.
    Silence,
}

impl World {
    pub(crate) fn ask(&mut self, node: usize, question: Question) {
        self.asked += 1;
        let (number, life) = (self.asked, self.nodes[node].life);
        self.nodes[node].questions.insert(number, question.clone());
        let doubt = self.doubt;
        let mut delay = self.chance.between(1, 8);
        if self.chance.hit(doubt) {
            // It comes about, but later than anybody waits.
            delay += PATIENCE + self.chance.below(200);
        }
        if !self.chance.hit(doubt) {
            self.later(delay, Happening::Asked { node, life, number, question });
        }
        let silence = Happening::Answered { node, life, number, answer: Answer::Silence };
        self.later(PATIENCE, silence);
    }

    /// A question arrives.
    pub(crate) fn asked(&mut self, (node, life): (usize, Life), number: u64, question: &Question) {
        if self.leaderless > 0 {
            // Without a majority nothing is done, or it is done when there is one again: nobody knows before.
            if self.chance.hit(50) {
                let delay = self.chance.between(PATIENCE / 2, PATIENCE);
                let question = question.clone();
                self.later(delay, Happening::Asked { node, life, number, question });
            }
            return;
        }
        let answer = match question {
            Question::Swap(swap) | Question::Agree(_, swap) => Answer::Swapped(self.swap(node, swap)),
            Question::Read(_) => Answer::Read(self.meta.clone()),
        };
        if !self.chance.hit(self.doubt) {
            let delay = self.chance.between(1, 8);
            self.later(delay, Happening::Answered { node, life, number, answer });
        }
    }

    fn swap(&mut self, node: usize, swap: &Swap) -> Swapped {
        let newest = Guard::of(&self.meta);
        let mut guard = swap.guard;
        if self.has(Mutant::UnguardedDecision) && matches!(swap.change, Change::Complete(_)) {
            guard = newest;
        }
        if let Change::Agree(agreement) = &swap.change
            && self.has(Mutant::AgreementUnguarded)
        {
            let others = self.meta.agreed.all().filter(|other| other.register != agreement.register);
            let all = others.chain([agreement]);
            let agreed = all.fold(Agreed::default(), |agreed, one| agreed.with(one).expect("there is room"));
            self.meta.agreed = agreed;
            return Swapped::Done(self.meta.clone());
        }
        let Ok(mut next) = swap.change.apply(guard, &self.meta) else {
            let is_old = (swap.guard.term, swap.guard.run) < (newest.term, newest.run);
            self.tally.late_decisions += u64::from(is_old && matches!(swap.change, Change::Complete(_)));
            return Swapped::Refused(self.meta.clone());
        };
        if self.has(Mutant::EpochsReused) && swap.change == Change::BeginRun {
            next.burnt = next.completed.as_ref().map_or_else(Default::default, |pointer| pointer.epoch);
        }
        let began = next.run > self.meta.run;
        if next.term > self.meta.term {
            self.elected(node);
        }
        self.meta = next;
        if let Change::Fork { base } = &swap.change {
            properties::decision::gone_back(self, base.as_ref());
        }
        if let Change::Complete(pointer) = &swap.change {
            properties::decision::decided(self, pointer, swap.guard == newest);
        }
        if began {
            self.tally.runs += 1;
        }
        let mut answer = self.meta.clone();
        let reads_early = self.has(Mutant::ReadBeforeFence) || self.has(Mutant::BaseOfReign);
        if reads_early && swap.change == Change::BeginRun {
            answer.completed.clone_from(&self.nodes[node].read_first);
        }
        Swapped::Done(answer)
    }
}
