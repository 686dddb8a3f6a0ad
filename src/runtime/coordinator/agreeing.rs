//! What the nodes of the job agree on: proposals judged and decided, reads answered, and the sites told.

use std::time::Duration;

use actix::prelude::*;
use watershed_core::checkpoint::{Agreement, Register};
use watershed_protocol::Machine;
use watershed_protocol::agree::{Proposal, Refused, TellEffect, TellEvent};

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

    /// Has the run that has begun told all that was agreed on: it may have been set back to before that.
    pub(super) fn tell_all_agreed(&mut self, cx: &mut Context<Self>) {
        if !self.plan.shared.iter().any(|shared| shared.state.table().agrees().is_some()) {
            return;
        }
        self.see_told(TellEvent::Begun, cx);
    }

    /// Sees to it that the run hears what was agreed on. Whoever asks the store is answered by the store meanwhile.
    fn see_told(&mut self, event: TellEvent, cx: &mut Context<Self>) {
        if self.over.is_none() {
            return;
        }
        let mut effects = Vec::new();
        let _ = self.telling.on(self.tick(), event, &mut effects);
        for effect in effects {
            match effect {
                TellEffect::Tell(agreements) => self.tell_agreed(agreements),
                TellEffect::Read => {
                    let meta = self.storage.meta.clone();
                    let read = async move { meta.read().await };
                    cx.spawn(read.into_actor(self).map(|read, coordinator, cx| {
                        let event = match read {
                            Ok(meta) => TellEvent::Read(Box::new(meta)),
                            Err(error) => {
                                tracing::warn!(%error, "the run is not told yet what was agreed on before");
                                TellEvent::Unread
                            }
                        };
                        coordinator.see_told(event, cx);
                    }));
                }
            }
        }
        if let Some(at) = self.telling.deadline() {
            // One that comes when it was looked at already changes nothing.
            let wait = at.since(self.tick());
            cx.run_later(wait, |coordinator, cx| coordinator.see_told(TellEvent::Deadline, cx));
        }
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
        Box::pin(decided.into_actor(self).map(|decided, coordinator, cx| {
            match &decided {
                Ok(agreement) => coordinator.tell_agreed(vec![agreement.clone()]),
                Err(Refused::Unknown(_)) => coordinator.see_told(TellEvent::Doubted, cx),
                Err(_) => {}
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
