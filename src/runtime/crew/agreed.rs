//! What the nodes of the job have agreed on, told to the first site of a run, which tells the others.

use std::collections::BTreeMap;
use std::time::Duration;

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

/// How long it is waited before what is no update yet is tried again.
const SAY_AGAIN: Duration = Duration::from_millis(50);

/// What is not an update yet, since the site makes none before it has heard of most others, while its clock is found wrong,
/// or while it has as many that are not saved as it may: the newest of each register.
#[derive(Default)]
pub(super) struct Unsaid {
    newest: BTreeMap<Register, Agreement>,
    /// Whether it is tried again in a while.
    is_tried: bool,
}

impl Unsaid {
    fn add(&mut self, agreement: Agreement) {
        let known = self.newest.get(&agreement.register);
        if known.is_none_or(|known| known.round < agreement.round) {
            self.newest.insert(agreement.register.clone(), agreement);
        }
    }

    /// Makes updates of what can be one.
    fn say(&mut self, replica: &SiteReplica) {
        self.newest.retain(|_, agreement| match replica.say_agreed(agreement) {
            Ok(Said::Yes) => false,
            Ok(Said::NotYet) => true,
            Err(reason) => {
                tracing::warn!(register = ?agreement.register, reason, "what was agreed on is not told to the tasks");
                false
            }
        });
    }
}

impl Crew {
    /// Makes updates of what was agreed on, until all of it is one: whether there are other sites to hear of or not.
    fn say_agreed(&mut self, cx: &mut Context<Self>) {
        let Some(commons) = &mut self.commons else { return };
        commons.unsaid.say(&commons.replica);
        if commons.unsaid.newest.is_empty() || std::mem::replace(&mut commons.unsaid.is_tried, true) {
            return;
        }
        let authority = commons.authority;
        cx.run_later(SAY_AGAIN, move |crew, cx| {
            let same = crew.commons.as_mut().filter(|commons| commons.authority == authority);
            if let Some(commons) = same {
                commons.unsaid.is_tried = false;
                crew.say_agreed(cx);
            }
        });
    }
}

impl Handler<TellAgreed> for Crew {
    type Result = ();

    fn handle(&mut self, TellAgreed { authority, agreements }: TellAgreed, cx: &mut Self::Context) {
        let commons = self.commons.as_mut().filter(|commons| commons.authority == authority);
        let Some(commons) = commons else {
            return tracing::debug!(%authority, "an agreement for a run that is over: the next one is told again");
        };
        agreements.into_iter().for_each(|agreement| commons.unsaid.add(agreement));
        self.say_agreed(cx);
    }
}
