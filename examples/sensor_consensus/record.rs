//! What a subtask sees of the history.

use watershed::actors::resolver::Tally;
use watershed::core::shared::AnyShared;
use watershed::prelude::*;

use super::{Latest, Votes};

/// One round, as one subtask has read it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Data)]
pub(crate) struct Row {
    /// Which subtask has read it.
    pub(crate) replica: u32,
    pub(crate) round: u64,
    /// What was decided by vote.
    pub(crate) decided: Option<f64>,
    /// Whose votes were counted, such as `0 2 3`.
    pub(crate) counted: String,
    /// What was written last, and by whom.
    pub(crate) latest: Option<f64>,
    pub(crate) writer: Option<u32>,
}

/// Reads each decided round from the state of its own node.
#[derive(Clone)]
pub(crate) struct Record<T: Tally<f64>> {
    pub(crate) votes: Votes<T>,
    pub(crate) latest: Latest,
}

impl<T: Tally<f64>> Transform for Record<T> {
    type In = (u32, u64);
    type Out = Row;
    type State = ();

    fn shared(&self) -> Vec<AnyShared> {
        vec![self.votes.any(), self.latest.any()]
    }

    fn on_record(&self, (replica, round): (u32, u64), _: EventTime, (): &mut (), out: &mut impl Output<Row>) {
        let ballot = out.read(&self.votes, &round);
        let counted: Vec<String> = ballot.counted.iter().map(|voter| voter.index.to_string()).collect();
        let latest = out.read(&self.latest, &round);
        out.emit(Row {
            replica,
            round,
            decided: ballot.decided,
            counted: counted.join(" "),
            latest: latest.map(|(_, celsius)| celsius),
            writer: latest.map(|(sensor, _)| sensor),
        });
    }
}
