//! Blocks payments by rules that change while they are used, and never decides by an older rule than has been announced.
//!
//! ```text
//!  changes ── by rule ─▶ change ═══════════════▶ shared state "rules" ═════════════════╗ (on every node)
//!                          │ announces: "from version v on"                            ║
//!                          ▼                                                           ▼
//!  payments ── by rule ─▶ tell ── by card, "decide by v or newer" ─────────────────▶ decide ─▶ decisions.csv
//! ```
//!
//! Rules are not sent along with payments: they lie in [shared state], of which every node has all, so a look-up costs no more
//! than a look into a table. But then there are two ways from a change to a decision. The rule comes by one, the
//! announcement, and with it each payment that was told of it, by the other; nothing in a network says which of them is the faster.
//! A payment that overtakes its rule is decided by the old one, although everybody who asks is told that the new one is
//! in force. Caches beside streams have this fault, and it is seldom enough to be found by nobody.
//!
//! Here it cannot happen. Nobody waits in this file: what goes from subtask to subtask carries how much of the shared state its
//! sender had seen, and a subtask that reads shared state takes up a batch only when its node has seen as much. `tell` has heard
//! of a rule by its announcement, so what `tell` sends on does not meet an operator that has not.
//!
//! To see what that is good for, take it away. On three nodes (the README says how to start them), with rules that travel
//! slower than payments:
//!
//! ```sh
//! watershed submit live-rules --parallelism 3 --wait --set delay=50ms --set wait=off --set output=out/careless
//! python3 tests/judge/live_rules.py out/careless       # decisions by an older rule than was announced: many
//! watershed submit live-rules --name careful --parallelism 3 --wait --set delay=50ms --set output=out/careful
//! python3 tests/judge/live_rules.py out/careful        # .. none, only 50 ms later
//! ```
//!
//! In one process there is one copy of the rules, and nothing to overtake.
//!
//! [shared state]: watershed::core::shared

mod payment;
mod steps;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use watershed::prelude::*;

use payment::Bank;
use steps::{Change, Decide, Tell};

/// What can be set.
#[derive(Clone, Serialize, Deserialize)]
#[serde(default)]
struct Parameters {
    /// Payments.
    records: u64,
    /// How many of them a second.
    rate: f64,
    /// How often a rule changes, of all of them together, while the payments come.
    changes: u64,
    /// Rules: one for each kind of shop.
    rules: u32,
    /// Cards with which is paid.
    cards: u32,
    /// What decides about payments and rules.
    seed: u64,
    /// Whether nobody decides before the rules are there that were announced: `on`, or for an experiment `off`.
    wait: Wait,
    /// How long rules are held back on their way from node to node, for an experiment.
    delay: Duration,
    /// The folder of the results.
    output: PathBuf,
}

/// `on` or `off`.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Wait {
    On,
    Off,
}

impl Default for Parameters {
    fn default() -> Self {
        Parameters {
            records: 20_000,
            rate: 10_000.0,
            changes: 100,
            rules: 10,
            cards: 1000,
            seed: 1,
            wait: Wait::On,
            delay: Duration::ZERO,
            output: "out/live-rules".into(),
        }
    }
}

impl Parameters {
    fn check(&self) -> Result<(), watershed::Error> {
        if self.rules == 0 || self.cards == 0 {
            return Err("there must be a rule and a card".into());
        }
        if !self.rate.is_finite() || self.rate <= 0.0 {
            return Err("the rate must be a number above 0".into());
        }
        Ok(())
    }

    /// How many changes come in a second, so that they last as long as the payments.
    fn change_rate(&self) -> f64 {
        self.rate * self.changes.max(1) as f64 / self.records.max(1) as f64
    }
}

fn live_rules(pipeline: &Pipeline, p: Parameters) -> Result<(), watershed::Error> {
    p.check()?;
    pipeline.propagate(Propagation { waits: p.wait == Wait::On, delay: p.delay });
    let change_rate = p.change_rate();
    let Parameters { records, rate, changes, rules, cards, seed, output, .. } = p;
    let bank = Bank { rules, cards, seed };
    let in_force = pipeline.shared("rules", resolver::LastWriter);

    let announced = pipeline
        .source(
            Generator::new(seed, move |n, _| (n % u64::from(rules)) as u32)
                .take(changes)
                .per_second(change_rate),
        )
        .uid("changes")
        .key_by(|rule| *rule)
        .process(Change { bank, rules: in_force.clone() })
        .uid("change")
        .shared();
    announced.branch().gather().sink(sink::Files::csv(output.join("rules.csv"))).named("rules").uid("rules");

    pipeline
        .source(Generator::new(seed, move |n, dice| bank.payment(n, dice)).take(records).per_second(rate))
        .uid("payments")
        .key_by(|payment| payment.rule)
        .connect(announced.branch().key_by(|announced| announced.rule))
        .process(Tell)
        .uid("tell")
        .key_by(|told| told.payment.card)
        .process(Decide { rules: in_force })
        .uid("decide")
        .gather()
        .sink(sink::Files::csv(output.join("decisions.csv")))
        .named("decisions")
        .uid("decisions");
    Ok(())
}

/// Registers the pipeline.
pub(crate) fn register(app: App) -> App {
    app.pipeline("live-rules", "Blocks payments by rules that change while they are used", live_rules)
}
