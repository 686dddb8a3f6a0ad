//! The steps: one changes rules, one tells payments of them, one decides.

use watershed::prelude::*;

use super::payment::{Announced, Bank, Decision, Payment, Rule, Told};

/// The rules, by the kind of the shop.
pub(super) type Rules = Shared<u32, Rule, resolver::LastWriter>;

/// Puts the next version of a rule in force, and announces it.
#[derive(Clone)]
pub(super) struct Change {
    pub(super) bank: Bank,
    pub(super) rules: Rules,
}

impl Operator for Change {
    type Key = u32;
    type In = u32;
    type Out = Announced;
    /// The newest version. It is state of the subtask that changes the rule, and not read from the shared one: what has
    /// come back from a checkpoint makes the same versions again.
    type State = u64;

    fn shared(&self) -> Vec<AnyShared> {
        vec![self.rules.any()]
    }

    fn on_record(&self, rule: u32, newest: &mut u64, cx: &mut impl Context<Self>) {
        *newest += 1;
        let change = self.bank.rule(rule, *newest);
        let (version, limit) = (change.version, change.limit);
        cx.update(&self.rules, &rule, change.into())
            .expect("a rule is small, and the clocks of a cluster agree");
        // Behind the update: whoever hears of this announcement has seen the rule, or waits for it.
        cx.emit(Announced { rule, version, limit });
    }
}

/// Tells each payment which version of its rule has been announced. It does not look into the rules itself.
#[derive(Clone)]
pub(super) struct Tell;

impl CoOperator for Tell {
    type Key = u32;
    type Left = Payment;
    type Right = Announced;
    type Out = Told;
    /// The newest version of which it has heard.
    type State = u64;

    fn on_left(&self, payment: Payment, newest: &mut u64, cx: &mut impl KeyContext<u32, Told>) {
        cx.emit(Told { payment, version: *newest });
    }

    fn on_right(&self, announced: Announced, newest: &mut u64, _: &mut impl KeyContext<u32, Told>) {
        *newest = announced.version.max(*newest);
    }
}

/// Decides by the rule that it finds.
#[derive(Clone)]
pub(super) struct Decide {
    pub(super) rules: Rules,
}

impl Operator for Decide {
    type Key = u32;
    type In = Told;
    type Out = Decision;
    type State = ();

    fn shared(&self) -> Vec<AnyShared> {
        vec![self.rules.any()]
    }

    fn on_record(&self, Told { payment, version }: Told, (): &mut (), cx: &mut impl Context<Self>) {
        let Payment { id, card, rule, cents } = payment;
        let found = cx.read(&self.rules, &rule);
        let (decided, limit) = found.map_or((0, None), |rule| (rule.version, Some(rule.limit)));
        let blocked = limit.is_some_and(|limit| cents > limit);
        cx.emit(Decision { id, card, rule, cents, told: version, decided, limit, blocked });
    }
}
