//! What people ask of the cluster.

use actix::prelude::*;
use futures_util::FutureExt;
use tokio::sync::oneshot;
use watershed_cluster::{
    Cluster, ClusterChange, ClusterView, JobRecord, JobSpec, Outcome, ProposeError, Wanted,
};
use watershed_protocol::checkpoint::{Answer as Granted, Wish};

use super::{Leader, jobs::Led, keys::keyed};
use crate::cluster::request::{
    Answer, CancelHow, JobReport, JobState, NodeReport, Problem, ProblemKind, Request,
};
use crate::coordinator::{Look, LookAt};
use crate::message::Ask;

pub(super) type Answering = ResponseActFuture<Leader, Result<Answer, Problem>>;

impl Handler<Request> for Leader {
    type Result = Answering;

    fn handle(&mut self, request: Request, _: &mut Self::Context) -> Answering {
        if self.reign.is_none() {
            return self.refuse(deposed());
        }
        match request {
            Request::Submit { name, spec } => self.submit(name, spec),
            Request::Jobs => self.report_jobs(),
            Request::Status { job } => self.report_job(job),
            Request::Cancel { job, how } => self.cancel(job, how),
            Request::Resume { job } => self.resume(job),
            Request::Savepoint { job } => self.savepoint(job),
            Request::Rescale { job, parallelism } => self.rescale(job, parallelism),
            Request::Remove { job } => self.propose(ClusterChange::Remove { name: job }, |_, _| Answer::Done),
            Request::Nodes => self.answer(Ok(Answer::Nodes(self.nodes()))),
            Request::Agree { job, proposal, within } => self.agree(&job, proposal, within),
            Request::Agreed { job, register, within } => self.agreed(&job, register, within),
        }
    }
}

impl Leader {
    fn answer(&self, answer: Result<Answer, Problem>) -> Answering {
        Box::pin(std::future::ready(answer).into_actor(self))
    }

    fn refuse(&self, problem: Problem) -> Answering {
        self.answer(Err(problem))
    }

    /// A job that this node leads. The reign may have ended while something was decided that had to come first.
    pub(super) fn led(&self, job: &str) -> Result<&Led, Problem> {
        let reign = self.reign.as_ref().ok_or_else(deposed)?;
        reign.jobs.get(job).ok_or_else(|| {
            if !reign.is_complete {
                return Problem::new(ProblemKind::NotLeading, "not all jobs are taken up yet: ask again");
            }
            let known: Vec<&str> = reign.jobs.keys().map(String::as_str).collect();
            let running = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            Problem::new(ProblemKind::NotFound, format!("no job {job:?} is running; running are: {running}"))
        })
    }

    /// Has something decided, and answers when it is.
    fn propose(
        &self,
        change: ClusterChange,
        answer: impl FnOnce(&mut Leader, &mut Context<Leader>) -> Answer + 'static,
    ) -> Answering {
        let cluster = self.cluster.clone();
        let decided = async move { cluster.propose(change).await };
        Box::pin(decided.into_actor(self).map(|decided, leader, cx| match decided {
            Ok(_) => Ok(answer(leader, cx)),
            Err(error) => Err(problem(&error)),
        }))
    }

    fn submit(&self, name: String, spec: JobSpec) -> Answering {
        if let Err(what) = self.programs.check(&spec) {
            return self.refuse(Problem::new(ProblemKind::Invalid, what));
        }
        let cluster = self.cluster.clone();
        let change = ClusterChange::Submit { name: name.clone(), spec };
        let decided = async move { propose_keyed(&cluster, change).await };
        Box::pin(decided.into_actor(self).map(move |decided, leader, cx| {
            let view = decided.map_err(|error| problem(&error))?;
            leader.learn_keys(&view, cx);
            let record = view.state.jobs.get(&name);
            let record =
                record.ok_or_else(|| Problem::new(ProblemKind::Conflict, "the job is gone already"))?;
            leader.take_up(&name, record, cx);
            Ok(Answer::Submitted { job: name.clone(), number: record.number })
        }))
    }

    fn cancel(&mut self, job: String, how: CancelHow) -> Answering {
        let (wish, wanted) = match how {
            CancelHow::Now => (Wish::Cancel, Wanted::Cancelled),
            CancelHow::WithSavepoint => (Wish::Suspend, Wanted::Suspended),
            CancelHow::Drain => (Wish::Drain, Wanted::Running),
        };
        // One that is suspended can be cancelled, too: it is taken up for that.
        let missing = match self.led(&job) {
            Err(problem) if how != CancelHow::Now || problem.kind != ProblemKind::NotFound => {
                return self.refuse(problem);
            }
            led => led.err(),
        };
        let want = ClusterChange::Want { name: job.clone(), wanted };
        let cluster = self.cluster.clone();
        let decided = async move { cluster.propose(want).await };
        Box::pin(decided.into_actor(self).then(move |decided, leader, cx| {
            let view = match decided {
                Ok(view) => view,
                Err(error) => {
                    let refused = problem(&error);
                    let is_unknown = refused.kind == ProblemKind::NotFound;
                    return leader.refuse(missing.filter(|_| is_unknown).unwrap_or(refused));
                }
            };
            if let Some(record) = view.state.jobs.get(&job) {
                leader.take_up(&job, record, cx);
            }
            if let Some(led) = leader.reign.as_mut().and_then(|reign| reign.jobs.get_mut(&job)) {
                led.asked = Some(wanted);
            }
            leader.wish(job, wish)
        }))
    }

    fn resume(&self, job: String) -> Answering {
        if self.led(&job).is_ok() {
            return self.refuse(Problem::new(ProblemKind::Conflict, format!("job {job} is running already")));
        }
        let cluster = self.cluster.clone();
        let want = ClusterChange::Want { name: job.clone(), wanted: Wanted::Running };
        let decided = async move { propose_keyed(&cluster, want).await };
        Box::pin(decided.into_actor(self).map(move |decided, leader, cx| {
            let view = decided.map_err(|error| problem(&error))?;
            leader.learn_keys(&view, cx);
            if let Some(record) = view.state.jobs.get(&job) {
                leader.take_up(&job, record, cx);
            }
            Ok(Answer::Done)
        }))
    }

    fn savepoint(&self, job: String) -> Answering {
        self.wish(job, Wish::Savepoint)
    }

    /// Asks a job's coordinator for something, and answers when it is there.
    fn wish(&self, job: String, wish: Wish) -> Answering {
        let led = match self.led(&job) {
            Ok(led) => led,
            Err(problem) => return self.refuse(problem),
        };
        let (answer, answered) = oneshot::channel();
        led.coordinator.do_send(Ask { wish, answer });
        let answered = answered.map(move |answer| match answer {
            Ok(Granted::Done(pointer)) => {
                Ok(Answer::Savepoint { job, epoch: pointer.map(|pointer| pointer.epoch.0) })
            }
            Ok(Granted::Refused { reason, .. }) => Err(Problem::new(ProblemKind::Conflict, reason)),
            Err(_) => Err(Problem::new(ProblemKind::Conflict, "the job was over before it could answer")),
        });
        Box::pin(answered.into_actor(self))
    }

    fn rescale(&self, job: String, parallelism: u32) -> Answering {
        let led = match self.led(&job) {
            Ok(led) => led,
            Err(problem) => return self.refuse(problem),
        };
        let mut spec = led.ticket.spec.clone();
        spec.parallelism = parallelism;
        if let Err(what) = self.programs.check(&spec) {
            return self.refuse(Problem::new(ProblemKind::Invalid, what));
        }
        let there: u32 = self
            .members
            .values()
            .filter(|member| member.alive && !member.leaving)
            .map(|member| member.slots)
            .sum();
        if parallelism == 0 || parallelism > there {
            let what =
                format!("a parallelism of {parallelism} takes as many slots, and the cluster has {there}");
            return self.refuse(Problem::new(ProblemKind::Invalid, what));
        }
        let change = ClusterChange::Rescale { name: job.clone(), parallelism };
        self.propose(change, move |leader, cx| {
            leader.reshape(&job, Some(parallelism), cx);
            Answer::Done
        })
    }

    fn nodes(&self) -> Vec<NodeReport> {
        let report = |(node, member): (&String, &watershed_cluster::Member)| NodeReport {
            node: node.clone(),
            incarnation: member.incarnation,
            address: member.address.clone(),
            http: member.http.clone(),
            alive: member.alive && self.linked.contains(node),
            leaving: member.leaving,
            coordinator: member.coordinator,
            leader: node == self.node(),
            slots: member.slots,
            used: self.used(node),
            busy_percent: (member.load.cpu.clamp(0.0, 1.0) * 100.0) as u32,
            memory_bytes: member.load.memory_bytes,
        };
        self.members.iter().map(report).collect()
    }

    fn report_jobs(&self) -> Answering {
        let cluster = self.cluster.clone();
        let view = async move { cluster.view().await };
        Box::pin(view.into_actor(self).then(|view, leader, _| {
            let view = match view {
                Ok(view) => view,
                Err(error) => return leader.refuse(Problem::new(ProblemKind::Unavailable, error)),
            };
            let looks = view.state.jobs.iter().map(|(name, record)| leader.look(name, record));
            let looks = futures_util::future::join_all(looks.collect::<Vec<_>>());
            Box::pin(looks.map(|reports| Ok(Answer::Jobs(reports))).into_actor(leader)) as Answering
        }))
    }

    fn report_job(&self, job: String) -> Answering {
        let cluster = self.cluster.clone();
        let view = async move { cluster.view().await };
        Box::pin(view.into_actor(self).then(move |view, leader, _| {
            let view = match view {
                Ok(view) => view,
                Err(error) => return leader.refuse(Problem::new(ProblemKind::Unavailable, error)),
            };
            let Some(record) = view.state.jobs.get(&job) else {
                let known: Vec<&str> = view.state.jobs.keys().map(String::as_str).collect();
                let what = format!("there is no job {job:?}; there are: {}", known.join(", "));
                return leader.refuse(Problem::new(ProblemKind::NotFound, what));
            };
            let look = leader.look(&job, record).map(|report| Ok(Answer::Job(Box::new(report))));
            Box::pin(look.into_actor(leader)) as Answering
        }))
    }

    /// How a job stands, asked of its coordinator where it has one.
    fn look(&self, name: &str, record: &JobRecord) -> impl Future<Output = JobReport> + 'static {
        let led = self.reign.as_ref().and_then(|reign| reign.jobs.get(name));
        let looked = led.map(|led| led.coordinator.send(LookAt));
        let last = self.reign.as_ref().and_then(|reign| reign.last.get(name));
        let last = last.filter(|(number, _)| *number == record.number).map(|(_, look)| look.clone());
        let (name, record) = (name.to_owned(), record.clone());
        async move {
            let look = match looked {
                Some(looked) => looked.await.ok(),
                None => last,
            };
            report(name, record, look)
        }
    }
}

/// Has something decided by which a job may begin to run. It goes without a key for tokens where none can be decided
/// now, and cannot be asked anything until one is.
async fn propose_keyed(cluster: &Cluster, change: ClusterChange) -> Result<ClusterView, ProposeError> {
    let view = cluster.propose(change).await?;
    Ok(keyed(cluster, view.clone()).await.unwrap_or(view))
}

fn report(job: String, record: JobRecord, look: Option<Look>) -> JobReport {
    let JobRecord { number, spec, outcome, rests, meta, .. } = record;
    let state = match (&outcome, rests, &look) {
        (Some(outcome), _, _) => JobState::of(outcome),
        (None, _, Some(look)) if look.waits_for.is_none() && !look.slots.is_empty() => JobState::Running,
        (None, true, _) => JobState::Suspended,
        (None, false, _) => JobState::Waiting,
    };
    let failed = outcome.and_then(|outcome| match outcome {
        Outcome::Failed { reason } => Some(reason),
        Outcome::Finished | Outcome::Cancelled => None,
    });
    let completed = meta.completed.map(|pointer| pointer.epoch);
    match look {
        Some(look) => {
            let mut checkpoints = look.checkpoints;
            checkpoints.completed = checkpoints.completed.or(completed);
            JobReport {
                job,
                number,
                parallelism: look.parallelism,
                spec,
                state,
                reason: failed.or(look.waits_for),
                run: Some(look.authority.map_or(meta.run.0, |authority| authority.run.0)),
                slots: look.slots,
                vertices: look.vertices,
                checkpoints,
            }
        }
        None => JobReport {
            job,
            number,
            parallelism: spec.parallelism,
            spec,
            state,
            reason: failed,
            run: Some(meta.run.0),
            slots: Default::default(),
            vertices: Vec::new(),
            checkpoints: crate::CheckpointReport { completed, ..Default::default() },
        },
    }
}

/// Whoever leads now is to be asked.
fn deposed() -> Problem {
    Problem::new(ProblemKind::NotLeading, "this node does not lead the cluster any more: ask again")
}

fn problem(error: &ProposeError) -> Problem {
    let kind = match error {
        ProposeError::Refused { refusal, .. } => match refusal {
            watershed_cluster::Refusal::NoJob { .. } => ProblemKind::NotFound,
            watershed_cluster::Refusal::Name { .. } | watershed_cluster::Refusal::SpecBytes { .. } => {
                ProblemKind::Invalid
            }
            _ => ProblemKind::Conflict,
        },
        _ => ProblemKind::Unavailable,
    };
    Problem::new(kind, error)
}
