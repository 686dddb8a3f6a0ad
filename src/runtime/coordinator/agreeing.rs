//! What the nodes of the job agree on: proposals judged and decided, reads answered, and the sites told.

use std::time::Duration;

use actix::prelude::*;
use watershed_core::checkpoint::{Agreement, Register};
use watershed_protocol::agree::{Proposal, Refused};

use super::Coordinator;
use crate::agree::{self, LOCAL, Reading, TableRule};

/// To the coordinator: have this decided.
#[derive(Message)]
#[rtype(result = "Result<Agreement, Refused>")]
pub(crate) struct Agree {
    pub(crate) proposal: Proposal,
    pub(crate) within: Duration,
}

/// To the coordinator: what is agreed on?
#[derive(Message)]
#[rtype(result = "Result<Option<Reading>, Refused>")]
pub(crate) struct AskAgreed {
    pub(crate) register: Register,
    pub(crate) within: Duration,
}

impl Coordinator {
    /// The nodes that have a vote: those that could take part in the job.
    fn voters(&self) -> Vec<String> {
        let name = |node: &String| if node.is_empty() { LOCAL.to_owned() } else { node.clone() };
        self.sites.iter().map(|site| name(&site.node)).collect()
    }

    /// The rule of a register, and the register in its one form.
    fn rule(&self, register: &Register) -> Result<(TableRule, Register), Refused> {
        let rule = TableRule::of(&self.plan, &register.state)?;
        let register = rule.register(register)?;
        Ok((rule, register))
    }

    /// Tells the run that has begun all that was agreed on: it may have been set back to before that.
    pub(super) fn tell_all_agreed(&self, cx: &mut Context<Self>) {
        if !self.plan.shared.iter().any(|shared| shared.state.table().agrees().is_some()) {
            return;
        }
        let meta = self.storage.meta.clone();
        let read = async move { meta.read().await };
        cx.spawn(read.into_actor(self).map(|read, coordinator, _| match read {
            Ok(meta) => coordinator.tell_agreed(meta.agreed.all().cloned().collect()),
            // Whoever asks the store is answered by the store; the tasks hear of it with the next agreement or run.
            Err(error) => tracing::warn!(%error, "the run is not told what was agreed on before"),
        }));
    }
}

impl Handler<Agree> for Coordinator {
    type Result = ResponseActFuture<Self, Result<Agreement, Refused>>;

    fn handle(&mut self, Agree { mut proposal, within }: Agree, _: &mut Self::Context) -> Self::Result {
        let (rule, register) = match self.rule(&proposal.register) {
            Ok(found) => found,
            Err(refused) => return Box::pin(std::future::ready(Err(refused)).into_actor(self)),
        };
        proposal.register = register;
        let decided = agree::decide(self.storage.meta.clone(), rule, self.voters(), proposal, within);
        Box::pin(decided.into_actor(self).map(|decided, coordinator, _| {
            if let Ok(agreement) = &decided {
                coordinator.tell_agreed(vec![agreement.clone()]);
            }
            decided
        }))
    }
}

impl Handler<AskAgreed> for Coordinator {
    type Result = ResponseFuture<Result<Option<Reading>, Refused>>;

    fn handle(&mut self, AskAgreed { register, within }: AskAgreed, _: &mut Self::Context) -> Self::Result {
        let (meta, found) = (self.storage.meta.clone(), self.rule(&register));
        Box::pin(async move {
            let (rule, register) = found?;
            agree::read(meta, rule, &register, within).await
        })
    }
}
