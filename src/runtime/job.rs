//! Runs a plan in this process, from its first record to its last.

mod agreeing;

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::prelude::*;
use tokio::sync::oneshot;
use watershed_core::{Epoch, Plan, PlanError};
use watershed_protocol::checkpoint::Wish;
use watershed_protocol::placement::Offer;
use watershed_state::MetaStore;

use crate::agree;
use crate::board::{Board, CheckpointReport, VertexReport};
use crate::config::Config;
use crate::coordinator::{Coordinator, JobEnd, Site};
use crate::crew::{Crew, Seat};
use crate::error::JobError;
use crate::message::{Ask, Cancel};
use crate::query::{
    Archivist, Clerk, Found, Level, Query, QueryError, ReadBack, Reply, SharedReport, Update, Window,
    deadline, keys_of, new_secret, read_until,
};
use crate::request::Asked;
use crate::storage::Storage;
use crate::vigil::Vigil;

/// How a job ended, and what it did.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Whether all input was read.
    pub end: JobEnd,
    /// From the first subtask's start to the last commit.
    pub elapsed: Duration,
    /// What each vertex did.
    pub vertices: Vec<VertexReport>,
    /// How its checkpoints stand.
    pub checkpoints: CheckpointReport,
}

/// A running job: shows its counters, and can be asked to end.
#[derive(Clone)]
pub struct JobHandle {
    name: String,
    board: Arc<Board>,
    coordinator: Addr<Coordinator>,
    window: Arc<Window>,
    meta: Arc<dyn MetaStore>,
    archivist: Addr<Archivist>,
}

impl JobHandle {
    /// What the job has done so far.
    pub fn report(&self) -> Vec<VertexReport> {
        self.board.report()
    }

    /// How its checkpoints stand.
    pub fn checkpoints(&self) -> CheckpointReport {
        self.board.checkpoints()
    }

    /// How what the job shares stands; nothing where it shares nothing, or does not run now.
    pub fn shared(&self) -> Option<SharedReport> {
        self.window.standing(self.name.clone())
    }

    /// Asks the job to end: at a checkpoint, where its storage lasts; otherwise by reading no more and finishing what
    /// it has read. Windows that are open stay so.
    pub fn cancel(&self) {
        self.coordinator.do_send(Cancel);
    }

    /// Asks the job for a savepoint, or for an end of a certain kind. The request outlives a failure of the job: what
    /// one run could not do, the next one does.
    pub fn ask(&self, wish: Wish) -> Asked {
        let (answer, asked) = oneshot::channel();
        self.coordinator.do_send(Ask { wish, answer });
        Asked::new(wish, asked)
    }

    /// Asks for the value of a key of the job's state. To be awaited where timers of tokio run.
    ///
    /// # Errors
    ///
    /// Where there is no answer, or none that keeps what the level promises.
    pub async fn query(&self, query: Query) -> Result<Found, QueryError> {
        match query.level {
            Level::AsOf(_) => read_until(&query, async || self.read_back(query.clone()).await).await,
            Level::Linearizable => {
                let until = deadline(query.wait);
                let reading = self.read_agreed(agree::register_of(&query), query.wait).await;
                let reading = reading.map_err(agree::unanswered)?;
                let wait = until.saturating_duration_since(tokio::time::Instant::now());
                Ok(agree::answered(self.look(&Query { wait, ..agree::at_once(query) }).await?, reading))
            }
            Level::Eventual | Level::Causal => self.look(&query).await,
        }
    }

    /// Asks the run that lives here.
    async fn look(&self, query: &Query) -> Result<Found, QueryError> {
        match self.window.query(query, deadline(query.wait)).await? {
            Reply::Found(found) => Ok(found),
            Reply::Elsewhere(_) | Reply::ToPropose => unreachable!("a question of a job in one process"),
        }
    }

    /// What the checkpoint has that is asked for, and which one is the newest.
    async fn read_back(&self, query: Query) -> (Option<Epoch>, Result<Found, QueryError>) {
        let meta = match self.meta.read().await {
            Ok(meta) => meta,
            Err(error) => return (None, Err(QueryError::Unreadable { why: error.to_string() })),
        };
        let newest = meta.completed.as_ref().map(|pointer| pointer.epoch);
        let read = self.archivist.send(ReadBack { meta, query }).await;
        (newest, read.unwrap_or_else(|_| Err(self.window.not_running())))
    }

    /// Changes a key of what the job shares. Where values are agreed on, the update is proposed with one vote; the answer
    /// is durable then, and its token is of what was seen before. To be awaited where timers of tokio run.
    ///
    /// # Errors
    ///
    /// Where the update is not made, or not known to be.
    pub async fn update(&self, update: Update) -> Result<Found, QueryError> {
        if !self.window.agrees_on(&update.state) {
            return self.window.update(&update, deadline(update.wait)).await;
        }
        let before = self.look(&agree::before(&update)).await?;
        let agreed = self.agree(agree::proposal_of(&update, agree::LOCAL), update.wait).await;
        agreed.map_err(agree::undecided)?;
        Ok(agree::set(before))
    }
}

/// Who knows the tokens of a job that lives in this process alone. They are good as long as the process lives.
fn clerk(plan: &Plan) -> Clerk {
    let keys = match new_secret() {
        Ok(secret) => keys_of(&[secret]),
        Err(error) => {
            tracing::warn!(%error, "there are no secrets here, so that the job can be asked nothing");
            Vec::new()
        }
    };
    Clerk::new("", plan.name.clone(), keys)
}

/// Runs a plan in this process and returns when it is over. `observe` is called once the job has begun, on
/// a thread where actix tasks can be spawned.
///
/// # Errors
///
/// Where the plan cannot be run, its input or output cannot be opened, or something fails on the way.
pub fn run(
    plan: &Rc<Plan>,
    config: &Config,
    storage: Storage,
    observe: impl FnOnce(JobHandle),
) -> Result<Summary, JobError> {
    if config.arbiters > ARBITERS_MAX {
        let arbiters = config.arbiters;
        let reason = format!("{arbiters} arbiters are more than {ARBITERS_MAX}; one for each core is enough");
        return Err(PlanError::Pipeline(reason).into());
    }
    System::new().block_on(async {
        let begun = Instant::now();
        let board = Arc::new(Board::new(plan, config.parallelism));
        let (over, end) = oneshot::channel();
        let arbiters = Arbiters::start(config);
        let (depot, seats) = (storage.depot.clone(), arbiters.seats());
        let clerk = clerk(plan);
        let archivist = Archivist::new(plan.clone(), depot.store.clone(), clerk.clone(), "").start();
        let (window, meta) = (Arc::new(Window::new(clerk, "")), storage.meta.clone());
        let crew = Crew::new(plan.clone(), config.clone(), depot, board.clone(), seats, None, window.clone());
        let crew = crew.start();
        let site = Site {
            node: String::new(),
            offer: Offer { slots: u32::MAX, ..Offer::default() },
            line: Arc::new(crew),
        };
        let coordinator = Coordinator::new(plan.clone(), config, storage, &board, vec![site], over)?.start();
        let name = plan.name.clone();
        observe(JobHandle { name, board: board.clone(), coordinator, window, meta, archivist });
        let end = end.await.expect("the coordinator says how the job ended")?;
        Ok(Summary {
            end,
            elapsed: begun.elapsed(),
            vertices: board.report(),
            checkpoints: board.checkpoints(),
        })
    })
}

/// How many arbiters a job may ask for. Each is a thread with an event loop and its file descriptors.
const ARBITERS_MAX: usize = 256;

/// The threads of one job; they end with it.
pub(crate) struct Arbiters(Vec<(Arbiter, Arc<Vigil>)>);

impl Arbiters {
    pub(crate) fn start(config: &Config) -> Self {
        let start = |_| {
            let vigil = Arc::new(Vigil::new(config.vigil));
            (vigil.arbiter(), vigil)
        };
        Arbiters((0..config.arbiters.max(1)).map(start).collect())
    }

    pub(crate) fn seats(&self) -> Vec<Seat> {
        let seat = |(arbiter, vigil): &(Arbiter, Arc<Vigil>)| Seat {
            arbiter: arbiter.handle(),
            vigil: vigil.clone(),
        };
        self.0.iter().map(seat).collect()
    }
}

impl Drop for Arbiters {
    fn drop(&mut self) {
        for (arbiter, _) in &self.0 {
            arbiter.stop();
        }
    }
}
