//! The crew's side of shared state: brings its site's replica to life, and carries words between it and the others.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use actix::prelude::*;
use watershed_core::checkpoint::SiteShare;
use watershed_core::{Run, Site};
use watershed_link::NodeName;
use watershed_protocol::checkpoint::{Authority, CoordinatorEvent, Failure};

use super::agreed::Unsaid;
use super::{Assignment, Crew, Hindrance};
use crate::cluster::message::{SharedTold, WORKER};
use crate::deploy::Deployment;
use crate::message::{Report, Woken};
use crate::shared::{Outgoing, SiteReplica, SiteSettings, Word};
use crate::wake::Bell;

/// How often a replica looks at the clock.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What the sites of a run share, and how this one reaches the others.
pub(super) struct Commons {
    pub(super) replica: Arc<SiteReplica>,
    pub(super) authority: Authority,
    /// What was agreed on and is no update yet.
    pub(super) unsaid: Unsaid,
    /// The nodes of the sites.
    nodes: Vec<String>,
    bell: Arc<Bell>,
    /// How long words are held back before they are sent, in an experiment.
    delay: Duration,
    /// Those that are, in their order: for each time that there were any, what there was.
    delayed: VecDeque<Vec<Outgoing>>,
}

/// To a crew: another site of a run says something, in the bytes of a [`Word`].
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct HearShared {
    pub(crate) node: String,
    pub(crate) run: Run,
    pub(crate) from: Site,
    pub(crate) word: Vec<u8>,
}

impl Crew {
    /// Restores what the job's subtasks share, where they share anything.
    pub(super) fn commons(
        &self,
        assignment: &Assignment,
    ) -> impl Future<Output = Result<Option<Commons>, Hindrance>> + 'static {
        let Assignment { authority, after, parallelism, batch_records, crew, .. } = *assignment;
        let (plan, store, nodes) = (self.plan.clone(), self.depot.store.clone(), assignment.nodes.clone());
        let slots = assignment.slots.clone();
        // All parts name the same.
        let shares: Vec<SiteShare> =
            assignment.duties.values().next().map(|duty| duty.part.shared.clone()).unwrap_or_default();
        let lasts = self.depot.lasts;
        async move {
            if plan.shared.is_empty() {
                return Ok(None);
            }
            let layout = Deployment::of(&plan, parallelism, batch_records, slots.len(), authority);
            let here = layout.subtasks.iter().filter(|(_, placement)| slots[placement.slot] == crew);
            let settings = SiteSettings {
                run: authority.run,
                site: Site(crew),
                sites: nodes.len() as u16,
                after,
                lasts,
                waits: plan.propagation.waits,
                subtasks: here.map(|(subtask, _)| *subtask).collect(),
            };
            let states: Vec<_> = plan.shared.iter().map(|shared| shared.state.clone()).collect();
            let replica = SiteReplica::begin(settings, &states, &shares, &store).await;
            let replica = replica.map_err(|error| {
                let reason = format!("shared state cannot be restored: {error}");
                if error.is_lasting() { Hindrance::lasting(reason) } else { Hindrance::passing(reason) }
            })?;
            let (delay, delayed, bell) = (plan.propagation.delay, VecDeque::new(), Arc::default());
            let unsaid = Unsaid::default();
            Ok(Some(Commons { replica, authority, unsaid, nodes, bell, delay, delayed }))
        }
    }

    /// Lets the replica speak with those of the other sites.
    pub(super) fn open_commons(&mut self, cx: &mut Context<Self>) {
        let Some(commons) = &self.commons else { return };
        commons.bell.hang(cx.address().recipient());
        commons.replica.wake_to_send(Waker::from(commons.bell.clone()));
        self.look_at_commons(cx);
    }

    /// Looks at the clock for the replica, as long as there is one.
    fn look_at_commons(&mut self, cx: &mut Context<Self>) {
        let Some(commons) = &self.commons else { return };
        if commons.replica.look_at_clock().is_some() {
            let authority = commons.authority;
            cx.run_later(LOOK_EVERY, move |crew, cx| {
                if crew.commons.as_ref().is_some_and(|commons| commons.authority == authority) {
                    crew.look_at_commons(cx);
                }
            });
        }
    }

    /// Sends what the replica has to say.
    fn send_shared(&mut self, cx: &mut Context<Self>) {
        let Some(commons) = &mut self.commons else { return };
        let (outgoing, trouble) = commons.replica.take_outgoing();
        if let (Some(reason), Some(run), Some(&subtask)) = (trouble, &self.run, self.handles.keys().next()) {
            let authority = run.authority;
            let failure = Failure { reason, permanent: false };
            run.coordinator.do_send(Report::Tell(CoordinatorEvent::Lost { authority, subtask, failure }));
        }
        if commons.delay.is_zero() {
            return self.send_outgoing(outgoing);
        }
        let authority = commons.authority;
        commons.delayed.push_back(outgoing);
        // All are held back for as long, so whichever of these calls comes first sends the first.
        cx.run_later(commons.delay, move |crew, _| {
            let same = crew.commons.as_mut().filter(|commons| commons.authority == authority);
            if let Some(outgoing) = same.and_then(|commons| commons.delayed.pop_front()) {
                crew.send_outgoing(outgoing);
            }
        });
    }

    fn send_outgoing(&self, outgoing: Vec<Outgoing>) {
        let Some(commons) = &self.commons else { return };
        let own = commons.replica.site();
        for outgoing in outgoing {
            match outgoing {
                Outgoing::To(site, word) => self.send_word(commons, site, word.write()),
                Outgoing::ToAll(word) => {
                    for word in word.pieces().into_iter().map(Word::write) {
                        let others = (0..commons.nodes.len() as u16).map(Site).filter(|site| *site != own);
                        others.for_each(|site| self.send_word(commons, site, word.clone()));
                    }
                }
            }
        }
    }

    fn send_word(&self, commons: &Commons, to: Site, word: Vec<u8>) {
        let Some(abroad) = &self.abroad else { return };
        let Ok(node) = NodeName::new(&commons.nodes[to.0 as usize]) else { return };
        let (run, from) = (commons.authority.run, commons.replica.site());
        let told = SharedTold { node: abroad.links.local().node.clone(), job: abroad.job, run, from, word };
        // What is lost is told again, or asked for; a node that is out of reach ends the run.
        let _ = abroad.links.actor::<SharedTold>(&node, WORKER).tell(told);
    }
}

impl Handler<HearShared> for Crew {
    type Result = ();

    fn handle(&mut self, message: HearShared, _: &mut Self::Context) {
        let HearShared { node, run, from, word } = message;
        let Some(commons) = self.commons.as_ref().filter(|commons| commons.authority.run >= run) else {
            return tracing::debug!(%run, node, "a word of shared state for a run that is not here");
        };
        if commons.authority.run > run {
            tracing::debug!(%run, node, "a word of shared state for a run that is over");
            return commons.replica.hear_zombie(run, &word);
        }
        if commons.nodes.get(from.0 as usize) != Some(&node) {
            return tracing::warn!(node, site = %from, "a node speaks for a site of shared state that is not its own");
        }
        match Word::read(&word, run, commons.replica.sites()) {
            Ok(word) => commons.replica.hear(from, word),
            Err(error) => tracing::warn!(node, %error, "a word of shared state is none, and is not heard"),
        }
        // Who is heard for the first time is answered at once.
        commons.replica.look_at_clock();
    }
}

impl Handler<Woken> for Crew {
    type Result = ();

    fn handle(&mut self, _: Woken, cx: &mut Self::Context) {
        if let Some(commons) = &self.commons {
            commons.bell.heard();
            self.send_shared(cx);
        }
    }
}
