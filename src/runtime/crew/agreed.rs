//! What the nodes of the job have agreed on, told to the first site of a run, which tells the others.

use std::collections::BTreeMap;

use actix::prelude::*;
use watershed_core::checkpoint::{Agreement, Register};
use watershed_protocol::checkpoint::Authority;

use super::Crew;
use crate::shared::{Said, SiteReplica};

/// To a crew: this was agreed on.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct TellAgreed {
    pub(crate) authority: Authority,
    pub(crate) agreements: Vec<Agreement>,
}

/// What is not an update yet, since the site makes none before it has heard of most others: the newest of each register.
#[derive(Default)]
pub(super) struct Unsaid(BTreeMap<Register, Agreement>);

impl Unsaid {
    fn add(&mut self, agreement: Agreement) {
        let known = self.0.get(&agreement.register);
        if known.is_none_or(|known| known.round < agreement.round) {
            self.0.insert(agreement.register.clone(), agreement);
        }
    }

    /// Makes updates of what can be one.
    pub(super) fn say(&mut self, replica: &SiteReplica) {
        self.0.retain(|_, agreement| match replica.say_agreed(agreement) {
            Ok(Said::Yes) => false,
            Ok(Said::NotYet) => true,
            Err(reason) => {
                tracing::warn!(register = ?agreement.register, reason, "what was agreed on is not told to the tasks");
                false
            }
        });
    }
}

impl Handler<TellAgreed> for Crew {
    type Result = ();

    fn handle(&mut self, TellAgreed { authority, agreements }: TellAgreed, _: &mut Self::Context) {
        let commons = self.commons.as_mut().filter(|commons| commons.authority == authority);
        let Some(commons) = commons else {
            return tracing::debug!(%authority, "an agreement for a run that is over: the next one is told again");
        };
        agreements.into_iter().for_each(|agreement| commons.unsaid.add(agreement));
        commons.unsaid.say(&commons.replica);
    }
}
