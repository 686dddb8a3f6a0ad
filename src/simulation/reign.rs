//! Who leads: a stand-in for the election, as wrong as an election may be.
//!
//! The election itself and the log behind the meta store are those of a Raft library that needs its own clock and
//! runtime, so they are not here; they are hurt among real nodes instead. What a job may count on is only this: sooner or
//! later one node leads for long enough. Until then nobody may, or two at once, each campaigning anew whenever it is
//! deposed; a leader may lose the reign and have it again in the next instant, with the campaign of its first coordinator
//! still under way; and a campaign may come with what was decided long ago.

use std::collections::BTreeSet;

use watershed_core::checkpoint::Meta;

use crate::dice::Dice;
use crate::faults::{Fault, Harm};
use crate::meta::{Purpose, Question};
use crate::mutant::Mutant;
use crate::node::SILENCE;
use crate::world::World;

/// What a node knows of its reign, beside its coordinator.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reign {
    /// By how many faults it takes itself for elected, whoever else is.
    claims: u32,
    /// Whether its coordinator was deposed in this reign.
    is_deposed: bool,
    /// What was decided when it began a campaign that is late.
    late: Option<Meta>,
}

/// Who was elected last.
#[derive(Clone, Debug, Default)]
pub(crate) struct Elected {
    node: Option<usize>,
    /// Whether nobody has led since nobody had a majority.
    is_awaited: bool,
}

/// By when the first campaign of a job is over.
const FIRST_CAMPAIGN: u64 = 200;

/// For how long a fault is felt that is over, by those who elect.
const FELT: u64 = SILENCE;

/// An election of note, beside those that come under some kind of fault.
pub const OF_A_MAJORITY: &str = "by a majority that the leader was cut off from";
/// Another: the first one behind a time in which nobody had a majority, and nobody led in the end.
pub const AFTER_NO_MAJORITY: &str = "once there was a majority again";

/// Draws what goes wrong with elections.
pub(crate) fn draw(dice: &mut Dice, nodes: usize, until: u64) -> Vec<Fault> {
    let count = if dice.hit(40) { dice.between(1, 4) } else { 0 };
    let draw = |_| {
        let node = dice.place(nodes);
        let harm = match dice.below(4) {
            // The first of those that live takes the lead anyway.
            0 => Harm::Claim(1 + node % (nodes - 1)),
            1 => Harm::Flicker(node),
            2 => Harm::Leaderless,
            _ => Harm::LateCampaign(node),
        };
        // The first campaign is when most can go wrong with it.
        let at = if dice.hit(30) { dice.between(40, FIRST_CAMPAIGN) } else { dice.below(until) };
        Fault { at, lasts: dice.between(20, 1000), harm }
    };
    (0..count).map(draw).collect()
}

impl World {
    /// A node that is elected, or takes itself for it, campaigns where it has no coordinator.
    pub(crate) fn run_for_lead(&mut self, node: usize) {
        let own = &self.nodes[node];
        let is_first = own.living(node, self.now).first() == Some(&node) && self.leaderless == 0;
        // Whoever has just begun to live has heard nobody yet.
        let has_listened = own.heard.len() > 1 || self.now > SILENCE;
        let is_elected = (is_first && has_listened) || own.reign.claims > 0;
        let stays_down = self.has(Mutant::DeposedStaysDown);
        let own = &mut self.nodes[node];
        own.reign.is_deposed &= is_elected;
        let may = own.lead.is_none() && !(stays_down && own.reign.is_deposed) && !self.wanted.rests;
        if is_elected && may && !self.is_campaigning(node) {
            self.campaign(node);
        }
    }

    fn is_campaigning(&self, node: usize) -> bool {
        let mut questions = self.nodes[node].questions.values();
        questions.any(|question| matches!(question, Question::Read(Purpose::Campaign)))
    }

    /// A node reads the meta store, to campaign.
    pub(crate) fn campaign(&mut self, node: usize) {
        if self.nodes[node].down == 0 {
            self.ask(node, Question::Read(Purpose::Campaign));
        }
    }

    /// The coordinator of a node was deposed.
    pub(crate) fn note_deposed(&mut self, node: usize) {
        self.nodes[node].reign.is_deposed = true;
    }

    /// A reign begins.
    pub(crate) fn elected(&mut self, node: usize) {
        let before = self.elected.node.replace(node);
        self.tally.elections += 1;
        let is_felt = |fault: &&Fault| fault.at <= self.now && self.now <= fault.at + fault.lasts + FELT;
        let felt: Vec<Harm> = self.faults.iter().filter(is_felt).map(|fault| fault.harm).collect();
        let mut kinds: BTreeSet<&str> = felt.iter().map(|harm| harm.kind()).collect();
        let is_on = |from: usize, to: usize| self.network.is_cut(from, to) && self.network.is_cut(to, from);
        let overthrown = before.filter(|before| *before != node).is_some_and(|before| {
            let nodes = 0..self.nodes.len();
            let is_cut_off = |other: &usize| is_on(before, *other);
            nodes.filter(is_cut_off).count() > self.nodes.len() / 2 && is_cut_off(&node)
        });
        if overthrown {
            kinds.insert(OF_A_MAJORITY);
        }
        if std::mem::take(&mut self.elected.is_awaited) {
            kinds.insert(AFTER_NO_MAJORITY);
        }
        kinds.into_iter().for_each(|kind| *self.tally.elected_under.entry(kind).or_default() += 1);
    }

    /// Nobody has a majority any more. Some of those who lead find out at once, and lead no longer.
    pub(crate) fn lose_majority(&mut self) {
        self.leaderless += 1;
        for node in 0..self.nodes.len() {
            if self.chance.hit(70) {
                self.step_down(node);
            }
        }
    }

    /// There is a majority again.
    pub(crate) fn have_majority(&mut self) {
        self.leaderless -= 1;
        let leads = self.nodes.iter().any(|node| node.lead.is_some());
        self.elected.is_awaited |= self.leaderless == 0 && !leads && !self.is_over();
    }

    /// A node takes itself for elected, or no longer.
    pub(crate) fn claim(&mut self, node: usize, begins: bool) {
        let claims = &mut self.nodes[node].reign.claims;
        *claims = if begins { *claims + 1 } else { claims.saturating_sub(1) };
    }

    /// A node loses its reign, and its coordinator goes without a word; in the next instant it has the reign again. What
    /// the first coordinator has asked the meta store is still under way.
    pub(crate) fn flicker(&mut self, node: usize) {
        if self.step_down(node) {
            self.campaign(node);
        }
    }

    /// A node leads no longer, if it did.
    fn step_down(&mut self, node: usize) -> bool {
        let own = &mut self.nodes[node];
        let led = own.lead.take().is_some();
        if led {
            // The answers go nowhere.
            own.questions.retain(|_, question| match question {
                Question::Swap(_) | Question::Read(Purpose::ReadBack) => false,
                Question::Agree(..) | Question::Read(_) => true,
            });
        }
        led
    }

    /// A node reads the meta store to campaign, and is kept from it.
    pub(crate) fn read_early(&mut self, node: usize) {
        self.nodes[node].reign.late = Some(self.meta.clone());
    }

    /// It campaigns with what it has read.
    pub(crate) fn campaign_late(&mut self, node: usize) {
        if let Some(meta) = self.nodes[node].reign.late.take()
            && self.nodes[node].down == 0
        {
            self.enter_lead(node, meta);
        }
    }
}
