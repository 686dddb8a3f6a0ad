//! The laws of states: of each, and of two and three that are joined.

use serde::Serialize;

use super::Broken;
use super::script::SITES;
use super::world::{EPOCHS, World, quoted};
use crate::Data;
use crate::shared::msgpack::{decode, encode};
use crate::shared::{Resolver, Settled};

/// Of how many states each three are joined with each other.
const STATES_MAX: usize = 10;

impl<V, R> World<'_, V, R>
where
    V: Data,
    R: Resolver<V, State: Sync, Value: Serialize>,
{
    /// Joins the states of all sites, and the deltas, in all ways.
    pub(super) fn try_joins(&self) -> Result<(), Broken> {
        let mut states = vec![R::State::default()];
        let of_sites = (0..SITES).flat_map(|site| EPOCHS.map(|epoch| self.state(site, epoch)));
        let deltas = (0..self.made.len()).map(|place| self.delta(place));
        for state in of_sites.chain(deltas) {
            if states.len() < STATES_MAX && !states.contains(&state) {
                states.push(state);
            }
        }
        states.iter().try_for_each(|a| self.try_one(a))?;
        for (a, b) in states.iter().flat_map(|a| states.iter().map(move |b| (a, b))) {
            let (both, other_way) = (self.joined(a, b), self.joined(b, a));
            let seen = [("a", a), ("b", b), ("a joined with b", &both), ("b joined with a", &other_way)];
            self.expect_same("the order of two does not matter", &seen)?;
            for c in &states {
                let (first, last) = (self.joined(&both, c), self.joined(a, &self.joined(b, c)));
                let joined = [("(a with b) with c", &first), ("a with (b with c)", &last)];
                let seen = [[("a", a), ("b", b)].as_slice(), &[("c", c)], &joined].concat();
                self.expect_same("it does not matter which of three are joined first", &seen)?;
            }
        }
        Ok(())
    }

    /// Tries what holds of each state.
    fn try_one(&self, a: &R::State) -> Result<(), Broken> {
        let nothing = R::State::default();
        let law = "joining with the default changes nothing";
        let with_nothing = self.joined(a, &nothing);
        self.expect_same(law, &[("the default", &nothing), ("a", a), ("a with the default", &with_nothing)])?;
        let with_nothing = self.joined(&nothing, a);
        self.expect_same(law, &[("the default", &nothing), ("a", a), ("the default with a", &with_nothing)])?;
        let law = "what is joined twice counts once";
        self.expect_same(law, &[("a", a), ("a joined with a", &self.joined(a, a))])?;
        let law = "a state is read as it was written";
        match decode(&encode(a)) {
            Ok(read) => self.expect_same(law, &[("a", a), ("a, read,", &read)]),
            Err(why) => Err(self.broken(law, vec![("a", self.told(a)), ("what reading it says", why)])),
        }
    }

    /// Breaks a law where the last two of some states differ, in themselves or in their bytes.
    fn expect_same(&self, law: &'static str, seen: &[(&'static str, &R::State)]) -> Result<(), Broken> {
        let [.., (_, one), (_, other)] = seen else { unreachable!("two states are compared") };
        let bytes = [one, other].map(|state| encode(*state));
        if one == other && bytes[0] == bytes[1] {
            return Ok(());
        }
        let mut told: Vec<_> = seen.iter().map(|(name, state)| (*name, self.told(state))).collect();
        if one != other {
            return Err(self.broken(law, told));
        }
        let as_bytes = |bytes: &Vec<u8>| quoted(&format!("{bytes:02x?}"));
        told.extend([("the one as MessagePack", as_bytes(&bytes[0])), ("the other", as_bytes(&bytes[1]))]);
        Err(self.broken("equal states have equal MessagePack", told))
    }

    /// Tries to settle a state.
    pub(super) fn try_settling(&self, a: &R::State, settled: Settled) -> Result<(), Broken> {
        let after = self.settled(a, settled);
        if self.value(a) == self.value(&after) {
            return Ok(());
        }
        let seen = vec![("a", self.told(a)), ("a, settled,", self.told(&after))];
        Err(self.broken("what has settled reads as before", seen))
    }

    /// Tries to settle a state before a delta is joined, which has not settled.
    pub(super) fn try_settling_first(
        &self,
        a: &R::State,
        delta: &R::State,
        settled: Settled,
    ) -> Result<(), Broken> {
        let (after, before) = (self.joined(a, delta), self.joined(&self.settled(a, settled), delta));
        if self.value(&after) == self.value(&before) {
            return Ok(());
        }
        let seen = vec![
            ("a", self.told(a)),
            ("a delta", self.told(delta)),
            ("a joined with the delta", self.told(&after)),
            ("a, settled, joined with the delta", self.told(&before)),
        ];
        Err(self.broken("a state reads the same whether it settles before a delta is joined or after", seen))
    }

    /// The delta of an update.
    pub(super) fn delta(&self, place: usize) -> R::State {
        decode(&self.made[place].delta).expect("a table has written it")
    }

    fn joined(&self, a: &R::State, b: &R::State) -> R::State {
        let mut joined = a.clone();
        self.resolver.join(&mut joined, b);
        joined
    }

    fn settled(&self, state: &R::State, settled: Settled) -> R::State {
        let mut state = state.clone();
        self.resolver.settle(&mut state, settled);
        state
    }
}
