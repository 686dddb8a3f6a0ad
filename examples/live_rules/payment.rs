//! Payments, and the rules by which some are blocked.

use source::Dice;
use watershed::prelude::*;

/// A payment with a card in a shop of a kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Data)]
pub(super) struct Payment {
    pub(super) id: u64,
    pub(super) card: u32,
    /// The kind of the shop: each has a rule.
    pub(super) rule: u32,
    pub(super) cents: u64,
}

/// What is in force for a kind of shop: payments above the limit are blocked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Data)]
pub(super) struct Rule {
    /// 1, 2, 3, ..
    pub(super) version: u64,
    pub(super) limit: u64,
}

/// A rule is in force from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Data)]
pub(super) struct Announced {
    pub(super) rule: u32,
    pub(super) version: u64,
    pub(super) limit: u64,
}

/// A payment, and the newest version of its rule that was known to whoever has sent it on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Data)]
pub(super) struct Told {
    pub(super) payment: Payment,
    pub(super) version: u64,
}

/// What has become of a payment, and by which rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Data)]
pub(super) struct Decision {
    pub(super) id: u64,
    pub(super) card: u32,
    pub(super) rule: u32,
    pub(super) cents: u64,
    /// The version of its rule that its sender knew; 0 before there was one.
    pub(super) told: u64,
    /// The version of the rule by which it was decided; 0 before there was one.
    pub(super) decided: u64,
    /// What that version says, where there was one.
    pub(super) limit: Option<u64>,
    pub(super) blocked: bool,
}

/// Where payments and rules come from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bank {
    pub(super) rules: u32,
    pub(super) cards: u32,
    pub(super) seed: u64,
}

/// Nobody pays more.
const CENTS_MAX: u64 = 100_000;

impl Bank {
    /// A payment by its number.
    pub(super) fn payment(&self, id: u64, dice: &mut Dice) -> Payment {
        let card = dice.below(u64::from(self.cards)) as u32;
        let rule = dice.below(u64::from(self.rules)) as u32;
        Payment { id, card, rule, cents: 1 + dice.below(CENTS_MAX) }
    }

    /// What a version of a rule says. A function of the version, so that anybody can tell whether a decision was made by it.
    pub(super) fn rule(&self, rule: u32, version: u64) -> Rule {
        let mut dice = Dice::new(!self.seed, u64::from(rule) << 40 | version);
        Rule { version, limit: 1 + dice.below(CENTS_MAX) }
    }
}
