//! Whether the registers that the nodes agree on are linearizable, by what callers have seen alone.
//!
//! Each proposal has a value of its own and each decision a round, so that the order of decisions is known and no search
//! is needed: a history is that of a register if each round has one value, and who calls when another call is over finds
//! its round or a later one.

use std::collections::{BTreeMap, BTreeSet};

use watershed_core::Round;
use watershed_core::checkpoint::Register;

use super::Broken;
use crate::agree::{Called, Heard};
use crate::world::World;

/// Judges all calls. What a later reader would find is the last call.
pub(crate) fn look(world: &mut World) {
    let mut calls = world.calls.clone();
    let last = world.meta.agreed.all().map(|agreement| Called {
        register: agreement.register.clone(),
        proposed: None,
        from: world.now,
        heard: Some((world.now, Heard::Agreed(Some((agreement.round, agreement.value.clone()))))),
    });
    calls.extend(last);
    let registers: BTreeSet<Register> = calls.iter().map(|call| call.register.clone()).collect();
    for register in registers {
        let of_it: Vec<&Called> = calls.iter().filter(|call| call.register == register).collect();
        if let Err(reason) = judge(&of_it) {
            world.broken(Broken::Agreed, reason);
        }
    }
}

/// Judges the calls on one register.
fn judge(calls: &[&Called]) -> Result<(), String> {
    let mut values: BTreeMap<Round, &[u8]> = BTreeMap::new();
    for (round, value) in calls.iter().filter_map(|call| found(call)) {
        let known = *values.entry(round).or_insert(value);
        if known != value {
            return Err(format!("round {round} was decided twice, as {known:?} and as {value:?}"));
        }
    }
    for call in calls {
        let Some(proposed) = &call.proposed else { continue };
        let was_refused = matches!(call.heard, Some((_, Heard::Refused)));
        if was_refused && values.values().any(|value| *value == proposed.as_slice()) {
            return Err(format!("{proposed:?} was refused for good, and is decided"));
        }
        if found(call).is_some_and(|(_, value)| value != proposed.as_slice()) {
            return Err(format!("whoever proposed {proposed:?} is told that another value is its own"));
        }
    }
    in_order(calls)
}

/// What a call has found.
fn found(call: &Called) -> Option<(Round, &[u8])> {
    match &call.heard {
        Some((_, Heard::Agreed(Some((round, value))))) => Some((*round, value.as_slice())),
        Some((_, Heard::Agreed(None) | Heard::Refused | Heard::Unknown)) | None => None,
    }
}

/// Whether each call finds what was decided when it began, or something later.
fn in_order(calls: &[&Called]) -> Result<(), String> {
    for later in calls {
        let Some((_, Heard::Agreed(newest))) = &later.heard else { continue };
        let newest = newest.as_ref().map(|(round, _)| *round);
        let over = calls.iter().filter(|call| matches!(call.heard, Some((at, _)) if at < later.from));
        let known = over.filter_map(|call| found(call)).map(|(round, _)| round).max();
        let is_new = later.proposed.is_some();
        if known > newest || (is_new && known == newest) {
            return Err(format!(
                "{known:?} was known at {}, and a call of then finds {newest:?}",
                later.from
            ));
        }
    }
    Ok(())
}
