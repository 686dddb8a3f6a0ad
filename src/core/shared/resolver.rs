//! What becomes of updates that know nothing of each other.

use serde::{Deserialize, Serialize};

use crate::causal::{Dot, HybridTime, Lane};
use crate::shared::Agrees;
use crate::{Data, Epoch, Run, SubtaskId};

/// Makes one value out of updates, of which some know nothing of each other.
///
/// What is kept for a key is a *state*: an element of a join-semilattice, beginning with the default. An update is turned
/// into a small state of its own, the *delta*, once and where it is made; the delta is joined into the states of all
/// sites, in any order that respects causes, and maybe more than once. So for all states
///
/// - `join` is commutative, associative and idempotent, and the default changes nothing,
/// - `update` tells all that the update changes in the delta, and reads no clock, no randomness and no hash order:
///   whatever it needs is in the stamp,
/// - equal states have equal MessagePack (keep sets and maps in ordered collections).
///
/// `testing::verify_resolver` checks these laws on states of your own making. Built-in ones are in `watershed_actors::resolver`.
pub trait Resolver<V>: Clone + Send + Sync + 'static {
    /// What is kept for a key. The default is that of a key that nobody has updated.
    type State: Data + Default + PartialEq;
    /// What an author asks for.
    type Update: Data;
    /// What is read.
    type Value;

    /// Turns an update into a delta. `state` is what the writer sees of its key. Called once for each update, by its
    /// writer.
    ///
    /// # Errors
    ///
    /// Where the update makes no sense in this state. Nothing changes then.
    fn update(
        &self,
        state: &Self::State,
        update: Self::Update,
        stamp: &Stamp,
    ) -> Result<Self::State, Refusal>;

    /// Joins a delta, or another state, into a state.
    fn join(&self, state: &mut Self::State, other: &Self::State);

    /// What a state is read as.
    fn value(&self, state: &Self::State) -> Self::Value;

    /// Looks at a delta that came from elsewhere, with the stamp under which it came, before it is joined. `state` is
    /// what the site has of the key in the delta's epoch: all that the writer saw is in it, and maybe more, so what is
    /// looked up there must be what no later update changes. The default takes all.
    ///
    /// # Errors
    ///
    /// Where no correct writer makes such a delta. It is set aside then, on every site alike.
    fn check(&self, state: &Self::State, delta: &Self::State, stamp: &Stamp) -> Result<(), Refusal> {
        let _ = (state, delta, stamp);
        Ok(())
    }

    /// Forgets what was kept only because an update could still come: what has settled brings none. Called on all sites
    /// with the same `settled`, but not at the same moment: what is left must be a function of the updates in the state
    /// and of the newest `settled`. It reads as before.
    ///
    /// Called for keys of which an update has settled, and again and again as long as it returns that something is left
    /// which could go with a later `settled`, though no update comes. The default forgets nothing.
    fn settle(&self, state: &mut Self::State, settled: Settled) -> bool {
        let _ = (state, settled);
        false
    }

    /// How votes are counted, where values are agreed on by the nodes of the job instead of being joined. No task updates
    /// such a state. The default: they are not.
    fn agrees(&self) -> Option<&dyn Agrees<V, Self>> {
        None
    }

    /// Updates to try the laws with. Builds with debug assertions do so where a pipeline makes a shared state, and refuse a
    /// resolver that breaks one. The default gives none, and nothing is tried.
    fn examples(&self) -> Vec<Self::Update> {
        Vec::new()
    }
}

/// Who makes an update, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Stamp {
    /// The update's name: no other update ever has it.
    pub dot: Dot,
    /// Later than that of all that the writer has seen, but for clocks that are wrong by more than is allowed.
    pub time: HybridTime,
    /// The subtask that writes.
    pub writer: SubtaskId,
}

/// What will not come any more: updates of all runs before this one, and of this run up to an epoch. All of them are in
/// the state, and none comes a second time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// The run that goes on.
    pub run: Run,
    /// Its epoch up to which all updates are in the state.
    pub epoch: Epoch,
    /// All updates that are still to come are later than this. 0, where nothing is known.
    ///
    /// Lanes alone do not say so: a site may open its lane of the next epoch before it has heard all of this one, and
    /// give its first updates there times that are older. What holds is: the lanes of a site above `epoch` have no time
    /// older than that with which the first of them was opened. So this is the least of these times over all sites; it
    /// is the same wherever it is worked out.
    pub time: HybridTime,
}

impl Settled {
    /// Whether all updates of a lane are in the state.
    pub fn has(&self, lane: Lane) -> bool {
        lane.run < self.run || (lane.run == self.run && lane.epoch <= self.epoch)
    }

    /// Whether an update is older than all that are still to come: nothing can lose against it any more.
    pub fn is_past(&self, dot: Dot, time: HybridTime) -> bool {
        self.has(dot.lane) && time <= self.time
    }
}

/// Why an update of shared state is not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The key has more bytes than are taken.
    #[error("a key of shared state has {found} bytes, and {max} are taken")]
    Key {
        /// How many it has.
        found: usize,
        /// How many are taken.
        max: usize,
    },
    /// The update has more bytes than are taken.
    #[error("an update of shared state has {found} bytes, and {max} are taken")]
    Bytes {
        /// How many it has.
        found: usize,
        /// How many are taken.
        max: usize,
    },
    /// The clock of the writer's node is ahead.
    #[error(
        "the clock of the writer is {ahead_ms} ms ahead, and {max_ms} are taken: set the clocks of the nodes"
    )]
    ClockSkew {
        /// By how many milliseconds.
        ahead_ms: u64,
        /// How many are taken.
        max_ms: u64,
    },
    /// The resolver says no.
    #[error("{0}")]
    Update(String),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Counter, Site};

    fn dot(run: u32, epoch: u64) -> Dot {
        Dot { lane: Lane { run: Run(run), epoch: Epoch(epoch), site: Site(3) }, counter: Counter(1) }
    }

    #[test]
    fn all_lanes_of_older_runs_and_those_up_to_the_epoch_have_settled() {
        let settled = Settled { run: Run(2), epoch: Epoch(5), time: HybridTime(70) };
        let has = |run, epoch| settled.has(dot(run, epoch).lane);
        assert!(has(1, 9) && has(2, 5));
        assert!(!has(2, 6) && !has(3, 1));
    }

    #[test]
    fn an_update_is_past_when_its_lane_has_settled_and_all_that_comes_is_later() {
        let settled = Settled { run: Run(2), epoch: Epoch(5), time: HybridTime(70) };
        assert!(settled.is_past(dot(2, 5), HybridTime(70)));
        assert!(!settled.is_past(dot(2, 5), HybridTime(71)), "an older one may come in a later lane");
        assert!(!settled.is_past(dot(2, 6), HybridTime(70)), "its own lane is open");
    }
}
