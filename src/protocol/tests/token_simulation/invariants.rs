//! The invariants by their names: none is broken in the first seeds, in which all that could break it happens.

use std::sync::LazyLock;

use crate::client::Answer;
use crate::cluster::Tally;
use crate::fault::Fault;
use crate::play;
use crate::violation::{Invariant, Violation};

const SEEDS: u64 = 300;

static PLAYED: LazyLock<(Vec<Tally>, Vec<Violation>)> = LazyLock::new(|| {
    let (mut tallies, mut violations) = (Vec::new(), Vec::new());
    for seed in 0..SEEDS {
        match play(seed, Fault::None) {
            Ok(tally) => tallies.push(tally),
            Err(violation) => violations.push(violation),
        }
    }
    (tallies, violations)
});

/// None of these was broken, though so much has happened that could have.
fn never(invariants: &[Invariant], tried: impl Fn(&Tally) -> u64) {
    let (tallies, violations) = &*PLAYED;
    let found = violations.iter().find(|violation| invariants.contains(&violation.invariant));
    assert!(found.is_none(), "{found:?} within the first {SEEDS} seeds");
    let tried: u64 = tallies.iter().map(tried).sum();
    assert!(tried > SEEDS, "it was tried {tried} times");
}

fn answered(tally: &Tally, answer: Answer) -> u64 {
    tally.answers.get(&answer).copied().unwrap_or_default()
}

#[test]
fn c1_a_dot_names_one_update_over_all_runs() {
    never(&[Invariant::DotsAreUnique], |tally| if tally.runs > 1 { tally.updates } else { 0 });
}

#[test]
fn c4_clients_read_their_own_writes_and_what_they_have_read() {
    never(&[Invariant::MonotonicReads, Invariant::ReadYourWrites], |tally| answered(tally, Answer::Served));
}

#[test]
fn c7_a_durable_token_is_never_refused_in_its_history() {
    never(&[Invariant::DurableTokensHold], |tally| tally.durable_shown);
}

#[test]
fn c8_a_token_that_saw_what_was_undone_is_refused_with_all_of_it() {
    let invariants =
        [Invariant::NothingUndoneIsAccepted, Invariant::NothingUndoneIsShown, Invariant::RefusalsAreExact];
    never(&invariants, |tally| answered(tally, Answer::RolledBack));
}
