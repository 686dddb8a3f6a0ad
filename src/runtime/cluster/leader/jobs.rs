//! The jobs of a reign: taken up, ended, and given another shape.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tokio::sync::oneshot;
use watershed_cluster::{ClusterChange, JobRecord, Outcome, Placement, ProposeError, Wanted};
use watershed_core::plan::Fingerprint;
use watershed_protocol::checkpoint::{Authority, Wish};
use watershed_protocol::placement::Strategy;

use super::Leader;
use super::keys::keyed;
use crate::board::Board;
use crate::cluster::message::Ticket;
use crate::coordinator::{Coordinator, Deposed, JobEnd, Look, LookAt, Reshape, Retire, Watch};
use crate::error::JobError;
use crate::message::Ask;
use crate::storage::Storage;

/// How often in a reign a job's coordinator is replaced that has panicked.
const PANICS_MAX: u32 = 3;

/// How long it is waited before that.
const REPLACE_AFTER: Duration = Duration::from_millis(500);

/// A job that this node leads.
pub(super) struct Led {
    pub(super) number: u32,
    pub(super) ticket: Arc<Ticket>,
    pub(super) coordinator: Addr<Coordinator>,
    /// Its newest run, once one has begun in this reign.
    pub(super) authority: Option<Authority>,
    /// How many of its slots each node has.
    pub(super) slots: BTreeMap<String, u32>,
    /// Whether it is being moved.
    pub(super) moves: bool,
    /// What a person has asked of it, which becomes its outcome.
    pub(super) asked: Option<Wanted>,
}

/// Why a job is not taken up.
enum Untaken {
    /// It would be the same another time.
    Never(String),
    /// Where its checkpoints lie is out of reach, which ends no job.
    NotYet(String),
}

impl Leader {
    /// Brings every job to life that is meant to run.
    pub(super) fn take_up_jobs(&self, cx: &mut Context<Self>) {
        let (cluster, term) = (self.cluster.clone(), self.reign.as_ref().map(|reign| reign.term));
        let view = async move { keyed(&cluster, cluster.view().await.map_err(|e| e.to_string())?).await };
        cx.spawn(view.into_actor(self).map(move |view, leader, cx| match view {
            Ok(view) => {
                leader.learn_keys(&view, cx);
                for (name, record) in &view.state.jobs {
                    leader.take_up(name, record, cx);
                }
                if let Some(reign) = leader.reign.as_mut().filter(|reign| Some(reign.term) == term) {
                    reign.is_complete = true;
                }
                for node in leader.linked.clone() {
                    leader.call_roll(&node);
                }
            }
            // Who cannot read what is decided is not the leader for long.
            Err(error) if leader.reign.is_some() => {
                tracing::warn!(%error, "what is decided cannot be read, and is asked for again");
                cx.run_later(leader.limits.line.enlist_within / 30, |leader, cx| leader.take_up_jobs(cx));
            }
            Err(_) => {}
        }));
    }

    /// Brings a job to life, if it is meant to run and does not yet.
    pub(super) fn take_up(&mut self, name: &str, record: &JobRecord, cx: &mut Context<Self>) {
        // One that is to be cancelled may have decided what is not committed yet, and does that first. One that is to be
        // suspended may not have its savepoint yet: who was asked for it may be gone.
        let lives = record.lives_on() && !record.rests;
        let is_led = self.reign.as_ref().is_none_or(|reign| reign.jobs.contains_key(name));
        if !lives || is_led {
            return;
        }
        match self.lead(name, record, cx) {
            Ok(mut led) => {
                tracing::info!(job = name, number = record.number, "the job is taken up");
                let wish = match record.wanted {
                    Wanted::Running => None,
                    Wanted::Suspended => Some(Wish::Suspend),
                    Wanted::Cancelled => Some(Wish::Cancel),
                };
                if let Some(wish) = wish {
                    led.asked = Some(record.wanted);
                    let (answer, _) = oneshot::channel();
                    led.coordinator.do_send(Ask { wish, answer });
                }
                let reign = self.reign.as_mut().expect("it was looked at before");
                reign.jobs.insert(name.to_owned(), led);
                self.tell_sites();
            }
            Err(Untaken::Never(reason)) => {
                tracing::error!(job = name, reason, "the job cannot be run");
                self.decide(ended(name, record.number, Outcome::Failed { reason }), cx);
            }
            Err(Untaken::NotYet(reason)) => {
                tracing::warn!(job = name, reason, "the job cannot be taken up yet, and is tried again");
                cx.run_later(REPLACE_AFTER, |leader, cx| leader.take_up_jobs(cx));
            }
        }
    }

    fn lead(&self, name: &str, record: &JobRecord, cx: &mut Context<Self>) -> Result<Led, Untaken> {
        let JobRecord { number, ref spec, .. } = *record;
        let planned = self.programs.plan(spec).map_err(Untaken::Never)?;
        let (plan, mut config) = (Rc::new(planned.plan), planned.config);
        if spec.parallelism > 0 {
            config.parallelism = spec.parallelism;
        }
        config.arbiters = config.parallelism as usize;
        config.placement = match spec.placement {
            Placement::Spread => Strategy::Spread,
            Placement::Pack => Strategy::Pack,
        };
        let ticket = Arc::new(Ticket {
            number,
            name: name.to_owned(),
            spec: spec.clone(),
            plan: Fingerprint::of(&plan),
            token_keys: self.token_keys.clone(),
        });
        let depot = self.depots.of(&ticket, &config).map_err(Untaken::NotYet)?;
        let storage = Storage::new(Arc::new(self.cluster.job(name)), depot);
        let board = Arc::new(Board::new(&plan, config.parallelism));
        let (over, end) = oneshot::channel();
        let coordinator = Coordinator::new(plan, &config, storage, &board, Vec::new(), over)
            .map_err(|error| Untaken::Never(error.to_string()))?;
        let own = cx.address();
        let watch = Watch { seated: own.clone().recipient(), deposed: own.recipient() };
        let coordinator = coordinator.watched_by(name, watch).start();
        let (name, number) = (name.to_owned(), number);
        cx.spawn(end.into_actor(self).map(move |end, leader, cx| match end {
            Ok(end) => leader.ended(&name, number, end, cx),
            Err(_) => leader.gone(&name, number, cx),
        }));
        let slots = BTreeMap::new();
        Ok(Led { number, ticket, coordinator, authority: None, slots, moves: false, asked: None })
    }

    /// A coordinator is gone without a word. One that was retired has gone with its reign; one that has panicked is
    /// replaced, as if another node had come to lead.
    fn gone(&mut self, name: &str, number: u32, cx: &mut Context<Self>) {
        let Some(reign) = &mut self.reign else { return };
        let is_it = |led: &&Led| led.number == number && !led.coordinator.connected();
        if reign.jobs.get(name).filter(is_it).is_none() {
            return;
        }
        reign.jobs.remove(name);
        let panics = reign.panics.entry(number).or_default();
        *panics += 1;
        let panics = *panics;
        tracing::error!(job = name, panics, "the job's coordinator has panicked");
        if panics > PANICS_MAX {
            let reason = format!(
                "its coordinator has panicked {panics} times, as the log of node {} says",
                self.node()
            );
            return self.decide(ended(name, number, Outcome::Failed { reason }), cx);
        }
        cx.run_later(REPLACE_AFTER, |leader, cx| leader.take_up_jobs(cx));
    }

    /// A coordinator is deposed. It may have been by an earlier one of this very node, which led, lost its majority for a moment
    /// and leads again, and whose campaign came late: nobody else would take the job up. So it is replaced as long as
    /// this node leads.
    pub(super) fn deposed(&mut self, Deposed { job, coordinator }: Deposed, cx: &mut Context<Self>) {
        let Some(reign) = &mut self.reign else { return };
        if reign.jobs.get(&job).is_none_or(|led| led.coordinator != coordinator) {
            return;
        }
        reign.jobs.remove(&job);
        coordinator.do_send(Retire);
        tracing::warn!(job, "the job's coordinator is deposed while this node leads, and is replaced");
        cx.run_later(REPLACE_AFTER, |leader, cx| leader.take_up_jobs(cx));
    }

    /// A job has come to its end, in one way or another.
    fn ended(&mut self, name: &str, number: u32, end: Result<JobEnd, JobError>, cx: &mut Context<Self>) {
        let Some(reign) = &mut self.reign else { return };
        if reign.jobs.get(name).is_none_or(|led| led.number != number) {
            return;
        }
        let led = reign.jobs.remove(name).expect("it was looked at before");
        let job = name.to_owned();
        cx.spawn(led.coordinator.send(LookAt).into_actor(self).map(move |look, leader, _| {
            if let (Ok(look), Some(reign)) = (look, &mut leader.reign) {
                reign.last.insert(job, (number, Look { slots: BTreeMap::new(), ..look }));
            }
        }));
        match end {
            // The last checkpoint has decided it.
            Ok(JobEnd::Complete | JobEnd::Drained) => tracing::info!(job = name, "the job has finished"),
            Ok(JobEnd::Suspended(_)) if led.asked == Some(Wanted::Suspended) => {
                tracing::info!(job = name, "the job is suspended");
                self.rest(name, number, cx);
            }
            Ok(JobEnd::Suspended(_) | JobEnd::Cancelled) => {
                tracing::info!(job = name, "the job is cancelled");
                self.decide(ended(name, number, Outcome::Cancelled), cx);
            }
            Err(error) => {
                tracing::error!(job = name, %error, "the job has failed");
                self.decide(ended(name, number, Outcome::Failed { reason: error.to_string() }), cx);
            }
        }
        for node in self.linked.clone() {
            self.call_roll(&node);
        }
        self.tell_sites();
    }

    /// Lets a job go on with another number of subtasks, or on other nodes, from a checkpoint that is taken for it.
    pub(super) fn reshape(&self, job: &str, parallelism: Option<u32>, cx: &mut Context<Self>) {
        let Some(led) = self.reign.as_ref().and_then(|reign| reign.jobs.get(job)) else { return };
        let (answer, answered) = oneshot::channel();
        led.coordinator.do_send(Ask { wish: Wish::Checkpoint, answer });
        let job = job.to_owned();
        cx.spawn(answered.into_actor(self).map(move |answer, leader, _| {
            tracing::info!(job, ?answer, "the job goes on in another shape");
            let Some(led) = leader.reign.as_mut().and_then(|reign| reign.jobs.get_mut(&job)) else { return };
            led.moves = false;
            led.coordinator.do_send(Reshape { parallelism });
        }));
    }

    /// Has it decided that a job rests, so that no leader takes it up again before somebody wants that.
    fn rest(&self, name: &str, number: u32, cx: &mut Context<Self>) {
        let (cluster, name) = (self.cluster.clone(), name.to_owned());
        let rest = ClusterChange::Rest { name: name.clone(), number };
        let decided = async move { cluster.propose(rest).await };
        cx.spawn(decided.into_actor(self).map(move |decided, leader, cx| match decided {
            Ok(_) => {}
            // Somebody wants it to go on already.
            Err(ProposeError::Refused { .. }) => leader.take_up_jobs(cx),
            Err(error) if leader.reign.is_some() => {
                tracing::warn!(%error, "that a job rests is tried again to be decided");
                cx.run_later(leader.limits.settle_within, move |leader, cx| leader.rest(&name, number, cx));
            }
            Err(_) => {}
        }));
    }

    /// Has something decided, and tries again until it is, or this node leads no more.
    pub(super) fn decide(&self, change: ClusterChange, cx: &mut Context<Self>) {
        let cluster = self.cluster.clone();
        let again = change.clone();
        let decided = async move { cluster.propose(change).await };
        cx.spawn(decided.into_actor(self).map(move |decided, leader, cx| match decided {
            Ok(_) | Err(ProposeError::Refused { .. }) => {}
            Err(error) if leader.reign.is_some() => {
                tracing::warn!(%error, "a decision is tried again");
                cx.run_later(leader.limits.settle_within, move |leader, cx| leader.decide(again, cx));
            }
            Err(_) => {}
        }));
    }
}

fn ended(name: &str, number: u32, outcome: Outcome) -> ClusterChange {
    ClusterChange::End { name: name.to_owned(), number, outcome }
}
