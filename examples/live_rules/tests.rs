//! The steps by themselves: what they say, and what a restore leaves of them.

use watershed::core::testing::{Harness, Input, verify, verify_co};

use super::payment::{Announced, Bank, Decision, Payment, Rule, Told};
use super::steps::{Change, Decide, Rules, Tell};
use watershed::prelude::*;

const BANK: Bank = Bank { rules: 3, cards: 5, seed: 7 };

fn rules() -> Rules {
    Pipeline::new("live-rules", KeyGroups::default()).shared("rules", resolver::LastWriter)
}

type Heard = Input<Either<Keyed<u32, Payment>, Keyed<u32, Announced>>>;

fn paid(millis: i64, id: u64) -> Heard {
    Input::at(millis, Either::Left(Keyed { key: 2, value: payment(id, 10) }))
}

fn announced(millis: i64, version: u64) -> Heard {
    Input::at(millis, Either::Right(Keyed { key: 2, value: Announced { rule: 2, version, limit: 1 } }))
}

fn payment(id: u64, cents: u64) -> Payment {
    Payment { id, card: 4, rule: 2, cents }
}

#[test]
fn a_change_puts_the_next_version_in_force_before_it_is_announced() {
    let rules = rules();
    let mut harness = Harness::operator(Change { bank: BANK, rules: rules.clone() });
    harness.push(2, 2, 0);
    harness.push(2, 2, 1);
    let (first, second) = (BANK.rule(2, 1), BANK.rule(2, 2));
    let announced = |Rule { version, limit }: &Rule| Announced { rule: 2, version: *version, limit: *limit };
    assert_eq!(harness.values(), [announced(&first), announced(&second)]);
    assert_eq!(harness.shared(&rules).read(&2), Some(second));
}

#[test]
fn a_payment_is_told_what_was_announced_before_it() {
    let mut harness = Harness::co_operator(Tell);
    harness.run([paid(0, 1), announced(1, 4), announced(2, 3), paid(3, 2)]);
    let told: Vec<u64> = harness.values().iter().map(|told| told.version).collect();
    assert_eq!(told, [0, 4]);
}

#[test]
fn a_payment_above_the_limit_in_force_is_blocked() {
    let rules = rules();
    let mut harness = Harness::operator(Decide { rules: rules.clone() });
    harness.push(4, Told { payment: payment(1, 500), version: 0 }, 0);
    harness.shared(&rules).update(&2, Rule { version: 3, limit: 400 }.into()).expect("it is small");
    harness.push(4, Told { payment: payment(2, 400), version: 3 }, 1);
    harness.push(4, Told { payment: payment(3, 401), version: 2 }, 2);
    let decision = |id, cents, told, decided, limit, blocked| Decision {
        id,
        card: 4,
        rule: 2,
        cents,
        told,
        decided,
        limit,
        blocked,
    };
    let expected = [
        decision(1, 500, 0, 0, None, false),
        decision(2, 400, 3, 3, Some(400), false),
        decision(3, 401, 2, 3, Some(400), true),
    ];
    assert_eq!(harness.values(), expected);
}

#[test]
fn they_keep_the_contract_of_operators() {
    let changes: Vec<_> =
        (0..20).map(|n| Input::at(n, (n as u32 % 3, n as u32 % 3))).chain([Input::end()]).collect();
    verify(&Change { bank: BANK, rules: rules() }, &changes);
    let told = |n: u64| Told { payment: Payment { rule: n as u32 % 3, ..payment(n, n) }, version: 0 };
    let payments: Vec<_> =
        (0..20).map(|n| Input::at(n as i64, (n as u32 % 5, told(n)))).chain([Input::end()]).collect();
    verify(&Decide { rules: rules() }, &payments);
    let heard = |n: i64| if n % 3 == 0 { announced(n, n as u64 / 3) } else { paid(n, n as u64) };
    verify_co(&Tell, &(0..20).map(heard).chain([Input::end()]).collect::<Vec<_>>());
}
