//! What the nodes agree on: callers propose and read registers through whichever node leads, while leaders come and go.
//!
//! The machine that decides a proposal is the protocol's ([`Agreeing`]); it is lost with the node that it lives on. What
//! the callers have seen, and when, is judged in the end ([`crate::properties::agreed`]).

use std::collections::BTreeSet;

use watershed_core::Round;
use watershed_core::checkpoint::{Agreement, Register, Voice};
use watershed_protocol::agree::{AgreeEffect, AgreeEvent, Agreeing, Proposal, Refused, Rule};
use watershed_protocol::{Machine, Tick};

use crate::agenda::Happening;
use crate::dice::Dice;
use crate::meta::{Purpose, Question};
use crate::mutant::Mutant;
use crate::world::World;

/// How many registers there are.
const REGISTERS: u64 = 2;

/// For how long a node tries to have a proposal decided, and for how long its caller waits for the answer.
const WITHIN: u64 = 350;
const PATIENCE: u64 = 500;

/// How long callers think between two calls, at most.
const THOUGHT: u64 = 60;

/// A majority votes, and the greatest vote is the value: eight bytes, the greatest first.
#[derive(Clone, Debug)]
pub(crate) struct Greatest {
    quorum: usize,
}

impl Rule for Greatest {
    fn quorum(&self) -> usize {
        self.quorum
    }

    fn read(&self, value: &[u8]) -> Result<Vec<u8>, String> {
        Ok(value.to_vec())
    }

    fn tally(&self, votes: &[&[u8]]) -> Result<Vec<u8>, String> {
        votes.iter().max().map(|vote| vote.to_vec()).ok_or_else(|| "nobody has voted".to_owned())
    }
}

/// What a caller calls for.
#[derive(Clone, Debug)]
pub(crate) enum Call {
    Read(Register),
    Propose(Proposal),
}

/// What it hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// This is agreed on.
    Agreed(Option<(Round, Vec<u8>)>),
    /// It was not decided, and never will be; or the register was not read.
    Refused,
    /// Nobody knows.
    Unknown,
}

/// One call from its beginning to its end.
#[derive(Clone, Debug)]
pub(crate) struct Called {
    pub(crate) register: Register,
    /// The value that was proposed, where one was.
    pub(crate) proposed: Option<Vec<u8>>,
    pub(crate) from: u64,
    /// When it was answered, and what; a caller that waits no longer knows nothing.
    pub(crate) heard: Option<(u64, Heard)>,
}

/// Proposals on their way on a node, by the numbers of their calls.
pub(crate) type OnTheirWay = std::collections::BTreeMap<usize, Agreeing<Greatest>>;

impl World {
    /// Draws the callers.
    pub(crate) fn draw_callers(&mut self, dice: Dice) {
        self.caller_chance = dice;
        let is_broken_elsewhere = self.mutant.is_some_and(|mutant| !mutant.is_of_agreement());
        if is_broken_elsewhere || !(self.caller_chance.hit(40) || self.mutant.is_some()) {
            return;
        }
        for _ in 0..self.caller_chance.between(1, 3) {
            let delay = self.caller_chance.between(1, THOUGHT);
            self.later(delay, Happening::Caller);
        }
    }

    /// A caller calls a node.
    pub(crate) fn caller(&mut self) {
        if self.is_over() {
            return;
        }
        let dice = &mut self.caller_chance;
        let register = Register { state: "agreed".to_owned(), key: vec![dice.below(REGISTERS) as u8] };
        let (proposes, names_round, node) = (dice.hit(60), dice.hit(30), dice.place(self.nodes.len()));
        let number = self.calls.len();
        // One that names a round, names the one behind what it can know to be decided.
        let heard = self.calls.iter().filter(|call| call.register == register);
        let known = heard.filter_map(|call| match &call.heard {
            Some((_, Heard::Agreed(Some((round, _))))) => Some(round.0),
            Some(_) | None => None,
        });
        let round = names_round.then(|| Round(known.max().unwrap_or(0) + 1));
        let (call, proposed) = if proposes {
            let votes = self.votes(number as u64);
            let value = votes.iter().map(|vote| vote.value.clone()).max();
            let (register, value_proposed) = (register.clone(), None);
            (Call::Propose(Proposal { register, round, votes, value: value_proposed }), value)
        } else {
            (Call::Read(register.clone()), None)
        };
        self.calls.push(Called { register, proposed, from: self.now, heard: None });
        if let Some(delay) = self.caller_delay() {
            self.later(delay, Happening::Call { node, number, call });
        }
        self.later(PATIENCE, Happening::Heard { number, heard: Heard::Unknown });
    }

    /// The votes of a majority: no two calls have a value in common.
    fn votes(&mut self, number: u64) -> Vec<Voice> {
        let mut voters: Vec<usize> = (0..self.nodes.len()).collect();
        while voters.len() > self.nodes.len() / 2 + 1 {
            let place = self.caller_chance.place(voters.len());
            voters.remove(place);
        }
        let vote = |voter: usize| Voice {
            voter: name(voter),
            value: (number * 16 + voter as u64 + 1).to_be_bytes().to_vec(),
        };
        voters.into_iter().map(vote).collect()
    }

    fn caller_delay(&mut self) -> Option<u64> {
        let (loss, slowest) = (self.network.loss, self.network.delay);
        let delay = self.caller_chance.between(1, slowest.max(1));
        (!self.caller_chance.hit(loss)).then_some(delay)
    }

    /// A node is called: whoever does not lead, sends the caller away.
    pub(crate) fn call(&mut self, node: usize, number: usize, call: Call) {
        if self.nodes[node].lead.is_none() {
            return self.tell_caller(number, Heard::Refused);
        }
        match call {
            Call::Read(register) => self.ask(node, Question::Read(Purpose::Register(number, register))),
            Call::Propose(proposal) => {
                let rule = Greatest { quorum: self.nodes.len() / 2 + 1 };
                let view: BTreeSet<String> = (0..self.nodes.len()).map(name).collect();
                let until = Tick(self.tick(node).0 + WITHIN);
                let machine = Agreeing::new(rule, view, proposal, until);
                self.nodes[node].agreeing.insert(number, machine);
                let life = self.nodes[node].life;
                self.later(WITHIN, Happening::Agreeing { node, life, number });
                self.agree(node, number, AgreeEvent::Begin);
            }
        }
    }

    /// Feeds an event to a proposal on its way, and performs what it wants.
    pub(crate) fn agree(&mut self, node: usize, number: usize, event: AgreeEvent) {
        let now = self.tick(node);
        let Some(machine) = self.nodes[node].agreeing.get_mut(&number) else { return };
        let mut effects = Vec::new();
        let _ = machine.on(now, event, &mut effects);
        for effect in effects {
            match effect {
                AgreeEffect::Read => self.ask(node, Question::Read(Purpose::Agreeing(number))),
                AgreeEffect::Swap(swap) => self.ask(node, Question::Agree(number, swap)),
                // Tasks read what is agreed on as shared state; callers hear it here.
                AgreeEffect::Answer(answer) => {
                    self.nodes[node].agreeing.remove(&number);
                    self.tell_caller(number, heard(answer));
                }
            }
        }
    }

    /// A register has been read for a caller.
    pub(crate) fn register_read(&mut self, number: usize, agreement: Option<&Agreement>) {
        let found = agreement.map(|agreement| (agreement.round, agreement.value.clone()));
        self.tell_caller(number, Heard::Agreed(found));
    }

    /// Whether a swap of which nobody has heard counts as not done, as only a mutant has it.
    pub(crate) fn guesses(&self) -> bool {
        self.has(Mutant::AgreementGuessed)
    }

    pub(crate) fn tell_caller(&mut self, number: usize, heard: Heard) {
        if let Some(delay) = self.caller_delay() {
            self.later(delay, Happening::Heard { number, heard });
        }
    }

    /// A caller hears what became of its call, and calls again.
    pub(crate) fn heard(&mut self, number: usize, heard: Heard) {
        let call = &mut self.calls[number];
        if call.heard.is_some() {
            return;
        }
        match (&heard, &call.proposed) {
            (Heard::Agreed(_), Some(_)) => self.tally.agreed += 1,
            (Heard::Agreed(_), None) => self.tally.registers_read += 1,
            (Heard::Refused, _) => self.tally.not_agreed += 1,
            (Heard::Unknown, _) => self.tally.not_known += 1,
        }
        call.heard = Some((self.now, heard));
        let delay = self.caller_chance.between(1, THOUGHT);
        self.later(delay, Happening::Caller);
    }
}

fn heard(answer: Result<Agreement, Refused>) -> Heard {
    match answer {
        Ok(agreement) => Heard::Agreed(Some((agreement.round, agreement.value))),
        Err(refused) if refused.is_definite() => Heard::Refused,
        Err(_) => Heard::Unknown,
    }
}

/// What a node is called.
fn name(node: usize) -> String {
    format!("node {node}")
}
