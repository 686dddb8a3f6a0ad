//! Who sees a quorum decides, once; and says so when all have voted.

use watershed::actors::resolver::{Tally, VoteUpdate};
use watershed::core::shared::AnyShared;
use watershed::prelude::*;

use super::{Reading, Votes};

/// Decides each round as soon as a quorum of its votes is in, and names the round when the last vote has come.
///
/// All that say that they have voted in a round meet in one subtask, so it is decided once. Which votes are counted
/// depends on who was quick; that they are listed makes one decision of it, on all nodes.
#[derive(Clone)]
pub(crate) struct Decide<T: Tally<f64>> {
    pub(crate) votes: Votes<T>,
    pub(crate) voters: u32,
}

impl<T: Tally<f64>> Operator for Decide<T> {
    type Key = u64;
    type In = Reading;
    type Out = u64;
    /// How many have said that they have voted.
    type State = u32;

    fn shared(&self) -> Vec<AnyShared> {
        vec![self.votes.any()]
    }

    fn on_record(&self, vote: Reading, came: &mut u32, cx: &mut impl Context<Self>) {
        *came += 1;
        // At least the votes of those who have said so; others may be on their way here.
        for (round, decision) in cx.read(&self.votes, &vote.round).ready {
            let decide = VoteUpdate::Decide { round, decision };
            cx.update(&self.votes, &vote.round, decide).expect("what a ballot says to decide can be decided");
        }
        if *came == self.voters {
            cx.emit(vote.round);
            cx.forget();
        }
    }
}
