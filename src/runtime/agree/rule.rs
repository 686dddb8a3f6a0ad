//! How votes are counted: as the shared state says whose values are agreed on.

use std::sync::Arc;

use watershed_core::causal::{Dot, HybridTime, Lane};
use watershed_core::checkpoint::{Agreement, Register};
use watershed_core::shared::{AGREED, AnyAgrees, AnyTable, Stamp};
use watershed_core::{Counter, Epoch, Plan, Run, Site};
use watershed_protocol::agree::{Refused, Rule};

use super::Reading;

/// The rule of a shared state. Asks an empty table of it, since that knows the types.
pub(crate) struct TableRule(Arc<dyn AnyTable>);

impl TableRule {
    /// The rule of a shared state of a plan.
    pub(crate) fn of(plan: &Plan, name: &str) -> Result<Self, Refused> {
        let Some(shared) = plan.shared.iter().find(|shared| shared.state.name() == name) else {
            let known: Vec<&str> = plan.shared.iter().map(|shared| shared.state.name()).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(Refused::Absent(format!("the job has no shared state {name:?}; there are: {known}")));
        };
        let table = shared.state.table();
        if table.agrees().is_none() {
            let what = format!(
                "the values of the shared state {name:?} are not agreed on: declare it with the resolver Consensus"
            );
            return Err(Refused::Absent(what));
        }
        Ok(TableRule(table))
    }

    /// A register with its key in the one form in which keys are compared.
    pub(crate) fn register(&self, register: &Register) -> Result<Register, Refused> {
        let key = self.agrees().key(&register.key).map_err(|error| Refused::Vote(error.to_string()))?;
        Ok(Register { state: register.state.clone(), key })
    }

    /// What an agreement is read as: as a task reads it that has heard of it.
    pub(crate) fn reading(&self, agreement: Agreement) -> Result<Reading, Refused> {
        let lane = Lane { run: Run(0), epoch: Epoch(0), site: Site(0) };
        let dot = Dot { lane, counter: Counter(1) };
        let stamp = Stamp { dot, time: HybridTime::default(), writer: AGREED };
        let unreadable = |why: String| Refused::Absent(format!("what was agreed on cannot be read: {why}"));
        self.agrees().agree(&stamp, &agreement).map_err(|error| unreadable(error.to_string()))?;
        let value = self.0.get(lane.epoch, &agreement.register.key);
        let value = value.map_err(|error| unreadable(error.to_string()))?;
        let value = value.ok_or_else(|| unreadable("its resolver makes nothing of it".to_owned()))?;
        Ok(Reading { agreement, value })
    }

    fn agrees(&self) -> &dyn AnyAgrees {
        self.0.agrees().expect("it was looked at when the rule was made")
    }
}

impl Rule for TableRule {
    fn quorum(&self) -> usize {
        self.agrees().quorum() as usize
    }

    fn read(&self, value: &[u8]) -> Result<Vec<u8>, String> {
        self.agrees().value(value).map_err(|error| error.to_string())
    }

    fn tally(&self, votes: &[&[u8]]) -> Result<Vec<u8>, String> {
        self.agrees().tally(votes).map_err(|error| error.to_string())
    }
}
