//! The coordinator actor: performs what the coordinator machine of a job decides.
//!
//! ```text
//!                     +--- meta store: Swap, ReadMeta
//!   the machine  <--> |--- checkpoint store: WriteManifest, LoadManifest, Forget
//!                     |--- the run's subtasks: Restore, Start, Trigger, Commit, EndRun
//!                     +--- whoever started the job: Report
//! ```
//!
//! A job without a state directory is the same: its meta store is gone with the process, and its one checkpoint is
//! its last. So a job that fails shows nothing rather than a part, except through sinks that stage nothing (a
//! terminal, a socket).

mod agreeing;
mod effects;
mod failing;
mod forgetting;
mod moving;
mod run;

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::prelude::*;
use tokio::sync::oneshot;
use watershed_core::Plan;
use watershed_core::checkpoint::{Pointer, RollBack};
use watershed_protocol::agree::Telling;
use watershed_protocol::checkpoint::{
    self, Answer, Authority, CheckpointConfig, CoordinatorEffect, CoordinatorEvent, Over, RequestId, Wish,
};
use watershed_protocol::placement::{Offer, Shortage};
use watershed_protocol::{Machine, Outcome, Quarantine, Tick};
use watershed_state::retention::{self, Inventory};

use crate::board::Board;
use crate::config::Config;
use crate::crew::CrewLine;
use crate::deploy::Deployment;
use crate::element::Ending;
use crate::error::JobError;
use crate::harm::{self, Point};
use crate::message::{Ask, Cancel, Ended, Progress, Refused, Report};
use crate::storage::{Depot, Storage};
pub(crate) use agreeing::{Agree, AskAgreed};
use forgetting::Forgetting;
pub(crate) use moving::{Deposed, Look, LookAt, NodeLost, Reshape, Retire, Seated, SetSites, Watch};
use run::{Launching, Run};

/// How a job ended well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobEnd {
    /// All input was read and worked on.
    Complete,
    /// Somebody asked for the end; what had been read by then was worked on.
    Cancelled,
    /// Somebody asked for the end; the job stopped at a checkpoint, from which it can go on.
    Suspended(Pointer),
    /// Somebody asked that no more be read; what had been read by then was worked on as if it were all, and the job
    /// has come to its end.
    Drained,
}

/// A place where subtasks can live.
#[derive(Clone)]
pub(crate) struct Site {
    /// The name of the node; nothing for a job in one process.
    pub(crate) node: String,
    /// What it offers to this job.
    pub(crate) offer: Offer,
    /// How its crew is reached.
    pub(crate) line: Arc<dyn CrewLine>,
}

/// Drives one job.
pub(crate) struct Coordinator {
    machine: checkpoint::Coordinator,
    plan: Rc<Plan>,
    config: Config,
    board: Arc<Board>,
    /// What it is called among the jobs of its cluster.
    name: String,
    /// Where subtasks can live.
    sites: Vec<Site>,
    /// Whether no more of them are to be expected soon.
    settled: bool,
    /// Who watches over the cluster, where it is one.
    leader: Option<Watch>,
    storage: Storage,
    begun: Instant,
    events: VecDeque<CoordinatorEvent>,
    /// The alarm for the machine's deadline.
    alarm: Option<(Tick, SpawnHandle)>,
    /// What the effects of one event ask to be restored.
    launching: Option<Launching>,
    run: Run,
    /// The newest run that was brought to life.
    deployed: Option<Authority>,
    /// How many slots it has on each node.
    seats: BTreeMap<String, u32>,
    forgetting: Forgetting,
    /// What the store held when checkpoints were last let go.
    stored: Inventory,
    quarantine: Quarantine,
    telling: Telling,
    /// The newest times that the job was set back, as far as they were seen.
    roll_backs: Vec<RollBack>,
    /// Whether a run of the job has begun before, here or elsewhere.
    has_run: bool,
    /// What it waits for, where there is no room for it.
    waits_for: Option<String>,
    /// How many runs have been begun here.
    runs: u32,
    requests: u64,
    /// Who waits for the answer to a request.
    asked: BTreeMap<RequestId, oneshot::Sender<Answer>>,
    cancelled: bool,
    /// Whether the sources were told to end as if their input were over.
    drained: bool,
    /// Why the run failed, in the words of whoever noticed.
    cause: Option<JobError>,
    /// How the job ended, once it has.
    outcome: Option<Over>,
    over: Option<oneshot::Sender<Result<JobEnd, JobError>>>,
}

/// To the coordinator, from itself: the time of the machine's deadline has come.
#[derive(Message)]
#[rtype(result = "()")]
struct Deadline;

impl Coordinator {
    /// The coordinator of a job, which begins at once.
    pub(crate) fn new(
        plan: Rc<Plan>,
        config: &Config,
        storage: Storage,
        board: &Arc<Board>,
        sites: Vec<Site>,
        over: oneshot::Sender<Result<JobEnd, JobError>>,
    ) -> Result<Self, JobError> {
        plan.check_parallelism(config.parallelism)?;
        let layout = |authority| {
            let arbiters = config.arbiters.max(1);
            Deployment::of(&plan, config.parallelism, config.batch_records, arbiters, authority)
        };
        let roster = layout(Authority::default()).roster(&plan);
        let checkpoints = if storage.depot.lasts {
            config.checkpoints.clone()
        } else {
            // One checkpoint, at the end, and no other try.
            CheckpointConfig {
                interval: None,
                restarts_max: 0,
                timeout: Duration::MAX,
                ..config.checkpoints.clone()
            }
        };
        let plan_name = plan.name.clone();
        let quarantine = failing::quarantine(&plan, config, storage.depot.lasts)?;
        Ok(Coordinator {
            machine: checkpoint::Coordinator::new(&plan.name, roster, checkpoints),
            plan,
            config: config.clone(),
            board: board.clone(),
            name: plan_name,
            sites,
            settled: true,
            leader: None,
            storage,
            begun: Instant::now(),
            events: VecDeque::new(),
            alarm: None,
            launching: None,
            run: Run::None,
            deployed: None,
            seats: BTreeMap::new(),
            forgetting: Forgetting::Idle,
            stored: Inventory::default(),
            quarantine,
            telling: Telling::default(),
            roll_backs: Vec::new(),
            has_run: false,
            waits_for: None,
            runs: 0,
            requests: 0,
            asked: BTreeMap::new(),
            cancelled: false,
            drained: false,
            cause: None,
            outcome: None,
            over: Some(over),
        })
    }

    fn tick(&self) -> Tick {
        Tick(u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    /// Lets the machine hear an event, and performs what it decides.
    fn feed(&mut self, event: CoordinatorEvent, cx: &mut Context<Self>) {
        self.events.push_back(event);
        while let Some(event) = self.events.pop_front() {
            let mut effects: Vec<CoordinatorEffect> = Vec::new();
            if self.machine.on(self.tick(), event, &mut effects) == Outcome::Unexpected {
                tracing::warn!("the coordinator heard what no correct peer says");
            }
            for effect in effects {
                self.perform(effect, cx);
            }
        }
        self.launch(cx);
        self.set_alarm(cx);
        self.finish();
    }

    fn set_alarm(&mut self, cx: &mut Context<Self>) {
        let deadline = self.machine.deadline().filter(|_| self.outcome.is_none());
        if self.alarm.as_ref().map(|(at, _)| *at) == deadline {
            return;
        }
        if let Some((_, alarm)) = self.alarm.take() {
            cx.cancel_future(alarm);
        }
        if let Some(at) = deadline {
            // A deadline so far off that timers do not reach it never comes.
            let wait = at.since(self.tick()).min(Duration::from_secs(1 << 30));
            self.alarm = Some((at, cx.notify_later(Deadline, wait)));
        }
    }

    fn ask(&mut self, wish: Wish, answer: Option<oneshot::Sender<Answer>>, cx: &mut Context<Self>) {
        self.requests += 1;
        let request = RequestId(self.requests);
        self.asked.extend(answer.map(|answer| (request, answer)));
        self.feed(CoordinatorEvent::Request { request, wish }, cx);
    }

    /// Says how the job ended, once its last run has stopped and its old checkpoints have gone.
    fn finish(&mut self) {
        let works = !matches!(self.run, Run::None) || self.forgetting != Forgetting::Idle;
        if works || self.launching.is_some() {
            return;
        }
        let Some(outcome) = self.outcome.take() else { return };
        let Some(over) = self.over.take() else { return };
        let result = match outcome {
            Over::Finished if self.cancelled => Ok(JobEnd::Cancelled),
            Over::Finished if self.drained => Ok(JobEnd::Drained),
            Over::Finished => Ok(JobEnd::Complete),
            Over::Cancelled { in_doubt: None } => Ok(JobEnd::Cancelled),
            Over::Cancelled { in_doubt: Some(in_doubt) } => Err(JobError::InDoubt(in_doubt)),
            Over::Suspended(pointer) => Ok(JobEnd::Suspended(pointer)),
            Over::Failed { reason } => Err(self.cause.take().unwrap_or(JobError::Stopped { reason })),
        };
        // Whoever waited may have given up.
        let _ = over.send(result);
    }
}

impl Actor for Coordinator {
    type Context = Context<Self>;

    fn started(&mut self, cx: &mut Self::Context) {
        let Storage { meta, fork, depot: Depot { store, lasts, .. } } = self.storage.clone();
        let read = async move {
            let meta = meta.read().await.map_err(|error| error.to_string())?;
            if lasts && fork.is_none() {
                retention::demand_decisions(&store, &meta).await.map_err(|error| error.to_string())?;
            }
            Ok::<_, String>(meta)
        };
        // Whatever it is asked for meanwhile waits until it reigns, instead of being refused.
        cx.wait(read.into_actor(self).map(|read, coordinator, cx| match read {
            Ok(meta) => {
                coordinator.has_run = meta.completed.is_some();
                let fork = coordinator.storage.fork.clone();
                coordinator.feed(CoordinatorEvent::Campaign { meta, fork }, cx);
            }
            Err(reason) => {
                coordinator.outcome = Some(Over::Failed { reason });
                coordinator.finish();
            }
        }));
    }
}

impl Handler<Deadline> for Coordinator {
    type Result = ();

    fn handle(&mut self, _: Deadline, cx: &mut Self::Context) {
        self.alarm = None;
        self.feed(CoordinatorEvent::Deadline, cx);
    }
}

impl Handler<Report> for Coordinator {
    type Result = ();

    fn handle(&mut self, report: Report, cx: &mut Self::Context) {
        match report {
            Report::Tell(event) => self.told(event, cx),
            Report::Refused(refused) => self.refused(refused, cx),
            Report::Ended(Ended { authority, subtask, ending }) => {
                self.cancelled |= ending == Ending::Cancelled;
                self.feed(CoordinatorEvent::Ended { authority, subtask }, cx);
            }
            Report::Failed(failed) => self.failed(failed, cx),
            Report::LeftOut(left_out) => self.left_out(left_out),
            Report::Progress(progress) => self.progressed(progress),
        }
    }
}

impl Coordinator {
    fn told(&mut self, event: CoordinatorEvent, cx: &mut Context<Self>) {
        let point = match &event {
            CoordinatorEvent::Voted { .. } => Some(Point::AfterVote),
            CoordinatorEvent::Committed { .. } => Some(Point::CommitHeard),
            _ => None,
        };
        self.feed(event, cx);
        if let Some(point) = point {
            harm::reach(point);
        }
    }

    /// A job that cannot begin is told so at once; one that ran before in this process may find its place again.
    fn refused(&mut self, refused: Refused, cx: &mut Context<Self>) {
        let Refused { authority, subtask, error } = refused;
        let permanent = self.is_first_try() || error.is_lost();
        let failure = checkpoint::Failure { reason: error.to_string(), permanent };
        self.blame(authority, error);
        self.feed(CoordinatorEvent::Lost { authority, subtask, failure }, cx);
    }

    /// Whether nothing has run before: what cannot begin then is wrong itself, and not the time. A job of a cluster
    /// that has run somewhere may find its place again.
    fn is_first_try(&self) -> bool {
        self.runs <= 1 && (self.leader.is_none() || !self.has_run)
    }

    /// Notes that there is no room for the run, and says so once.
    fn wait_for_room(&mut self, shortage: &Shortage) {
        let reason = shortage.to_string();
        if self.waits_for.as_ref() != Some(&reason) {
            tracing::warn!(job = self.plan.name, reason, "the job waits");
            self.waits_for = Some(reason);
        }
    }

    /// Shows how far subtasks on another node have come.
    fn progressed(&self, Progress { authority, standings }: Progress) {
        // What the last run tells when it stops is of interest too.
        if self.deployed == Some(authority) {
            for (subtask, standing) in standings {
                // The job may have got fewer subtasks since.
                if let Some(board) = self.board.find(subtask) {
                    board.set(standing);
                }
            }
        }
    }

    /// Notes why a run failed; the first to say so is right.
    fn blame(&mut self, authority: Authority, error: JobError) {
        if self.machine.authority() == Some(authority) {
            self.cause = Some(error);
        }
    }
}

impl Handler<Cancel> for Coordinator {
    type Result = ();

    /// A job that lasts stops at a checkpoint; any other reads no more, and finishes what it has read.
    fn handle(&mut self, _: Cancel, cx: &mut Self::Context) {
        self.cancelled = true;
        self.ask(if self.storage.depot.lasts { Wish::Suspend } else { Wish::Drain }, None, cx);
    }
}

impl Handler<Ask> for Coordinator {
    type Result = ();

    fn handle(&mut self, Ask { wish, answer }: Ask, cx: &mut Self::Context) {
        self.ask(wish, Some(answer), cx);
    }
}
