//! The laws of a join, tried on states and deltas of an execution.

use watershed_actors::source::Dice;
use watershed_core::Data;
use watershed_core::shared::Resolver;

use crate::world::bytes;

/// How many groups of three are tried.
const TRIALS: u32 = 6;

/// Tries the laws on random groups of three. Says which one does not hold.
pub(crate) fn hold<V, R: Resolver<V>>(
    resolver: &R,
    states: &[R::State],
    deltas: &[R::State],
    dice: &mut Dice,
) -> Result<(), String> {
    let mut any = || {
        let index = dice.below((states.len() + deltas.len()) as u64) as usize;
        states.get(index).unwrap_or_else(|| &deltas[index - states.len()]).clone()
    };
    let join = |one: &R::State, other: &R::State| {
        let mut joined = one.clone();
        resolver.join(&mut joined, other);
        joined
    };
    for _ in 0..TRIALS {
        let (a, b, c) = (any(), any(), any());
        let ab = join(&a, &b);
        same("a join is commutative", &ab, &join(&b, &a))?;
        same("a join is associative", &join(&ab, &c), &join(&a, &join(&b, &c)))?;
        same("a join is idempotent", &join(&ab, &b), &ab)?;
        same("the default changes nothing", &join(&a, &R::State::default()), &a)?;
        same("whatever is joined into the default is itself", &join(&R::State::default(), &a), &a)?;
        let read =
            rmp_serde::from_slice(&bytes(&a)).map_err(|error| format!("a state cannot be read: {error}"))?;
        same("a state comes back from its MessagePack", &a, &read)?;
    }
    Ok(())
}

fn same<S: Data + PartialEq>(law: &str, one: &S, other: &S) -> Result<(), String> {
    if one == other && bytes(one) == bytes(other) {
        Ok(())
    } else {
        Err(format!("it does not hold that {law}"))
    }
}
