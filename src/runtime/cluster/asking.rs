//! Questions about jobs of the cluster, and updates of what they share, put through any node.
//!
//! A node on which the job lives answers by itself. Any other one passes the question on to one on which it lives, which
//! it learns from the leader and remembers; it is passed on once only.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix::prelude::*;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout_at};
use watershed_core::Epoch;
use watershed_link::{AskError, Links, NodeName, RemoteMessage};

use super::node::NodeHandle;
use super::request::{Answer, ProblemKind, Request};
use super::worker::OpenArchive;
use crate::agree;
use crate::query::{
    Found, Level, Query, QueryError, ReadBack, Reply, SharedReport, Update, Windows, deadline, keys_of, late,
    read_until,
};

/// The name under which questions are taken in.
const DESK: &str = "watershed/asked";

/// How long it is waited before it is asked again where a job lives that is about to live somewhere.
const AGAIN: Duration = Duration::from_millis(100);

/// How often a question is passed on to a node that has the key, as others say.
const HOPS_MAX: usize = 3;

/// Why nobody reads any more.
const ENDS: &str = "the node ends";

/// How much longer than the answer may take it is waited for it.
const MARGIN: Duration = Duration::from_secs(5);

/// What a node has to know to answer, or to pass on.
pub(super) struct Asking {
    pub(super) windows: Arc<Windows>,
    /// On which nodes jobs live, as it was last heard.
    homes: Mutex<BTreeMap<String, Vec<NodeName>>>,
}

/// To a node on which a job lives: a question that came to another one.
#[derive(Clone, Debug, Message, Serialize, Deserialize)]
#[rtype(result = "Result<Reply, QueryError>")]
struct Asked {
    job: String,
    question: Question,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Question {
    Query(Query),
    Update(Update),
    AwaitDurable { token: String, wait: Duration },
}

impl RemoteMessage for Asked {
    const NAME: &'static str = "watershed/asked";
}

impl Asking {
    /// Begins to take questions in that other nodes pass on.
    pub(super) fn start(links: &Links) -> Arc<Asking> {
        let asking = Arc::new(Asking { windows: Arc::default(), homes: Mutex::default() });
        let desk = Desk { windows: asking.windows.clone() }.start();
        links.register::<Asked>(DESK, desk.recipient());
        asking
    }

    /// A map is whole between any two of its calls.
    fn homes(&self) -> MutexGuard<'_, BTreeMap<String, Vec<NodeName>>> {
        self.homes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers what other nodes pass on.
struct Desk {
    windows: Arc<Windows>,
}

impl Actor for Desk {
    type Context = Context<Self>;
}

impl Handler<Asked> for Desk {
    type Result = ResponseFuture<Result<Reply, QueryError>>;

    fn handle(&mut self, Asked { job, question }: Asked, _: &mut Self::Context) -> Self::Result {
        let windows = self.windows.clone();
        Box::pin(async move { answer(&windows, &job, &question, question.until()).await })
    }
}

impl Question {
    /// When its answer is waited for no longer.
    fn until(&self) -> Instant {
        deadline(match self {
            Question::Query(query) => query.wait,
            Question::Update(update) => update.wait,
            Question::AwaitDurable { wait, .. } => *wait,
        })
    }

    /// The same, for somebody who has less time.
    fn within(&self, wait: Duration) -> Question {
        match self.clone() {
            Question::Query(query) => Question::Query(Query { wait, ..query }),
            Question::Update(update) => Question::Update(Update { wait, ..update }),
            Question::AwaitDurable { token, .. } => Question::AwaitDurable { token, wait },
        }
    }

    /// What it means that nobody answers who may have heard it.
    fn unanswered(&self, node: &NodeName, error: &AskError) -> QueryError {
        let why = format!("node {node} does not answer: {error}");
        match self {
            Question::Query(_) | Question::AwaitDurable { .. } => {
                QueryError::Unavailable { missing: format!("an answer ({why})") }
            }
            Question::Update(_) => QueryError::Unknown { why },
        }
    }
}

/// What this node answers by itself.
async fn answer(
    windows: &Windows,
    job: &str,
    question: &Question,
    until: Instant,
) -> Result<Reply, QueryError> {
    let window = windows.find(job).ok_or_else(|| QueryError::NotRunning { job: job.to_owned() })?;
    match question {
        Question::Query(query) => window.query(query, until).await,
        Question::Update(update) if window.agrees_on(&update.state) => Ok(Reply::ToPropose),
        Question::Update(update) => window.update(update, until).await.map(Reply::Found),
        Question::AwaitDurable { token, .. } => window.await_durable(token, until).await.map(Reply::Found),
    }
}

impl NodeHandle {
    /// Asks for the value of a key of a job's state, wherever the job lives. To be awaited where timers of tokio run.
    ///
    /// # Errors
    ///
    /// Where there is no answer, or none that keeps what the level promises.
    pub async fn query(&self, job: &str, query: Query) -> Result<Found, QueryError> {
        match query.level {
            Level::AsOf(_) => read_until(&query, async || self.read_back(job, query.clone()).await).await,
            Level::Linearizable => {
                let until = deadline(query.wait);
                let reading = self.read_agreed(job, agree::register_of(&query), query.wait).await;
                let reading = reading.map_err(agree::unanswered)?;
                let left = until.saturating_duration_since(Instant::now());
                let found = self.put(job, Question::Query(agree::at_once(query)).within(left)).await?;
                Ok(agree::answered(found, reading))
            }
            Level::Eventual | Level::Causal => self.put(job, Question::Query(query)).await,
        }
    }

    /// Changes a key of what a job shares, wherever the job lives. Where values are agreed on, the update is proposed as the
    /// vote of this node; the answer is durable then, and its token is of what was seen before. To be awaited where timers of tokio run.
    ///
    /// # Errors
    ///
    /// Where the update is not made, or not known to be.
    pub async fn update(&self, job: &str, update: Update) -> Result<Found, QueryError> {
        self.put(job, Question::Update(update)).await
    }

    /// Waits until a complete checkpoint has all that a token names, so that no failure undoes any of it. The answer says
    /// whether that came about in time. To be awaited where timers of tokio run.
    ///
    /// # Errors
    ///
    /// Where some of it is undone already, or nobody answers for the job.
    pub async fn await_durable(&self, job: &str, token: String, wait: Duration) -> Result<Found, QueryError> {
        self.put(job, Question::AwaitDurable { token, wait }).await
    }

    /// How what the jobs share stands on this node that live on it.
    pub fn shared(&self) -> Vec<SharedReport> {
        self.asking.windows.standings()
    }

    /// Puts a question to whoever can answer it. As long as the job lives nowhere, it may be about to.
    async fn put(&self, job: &str, question: Question) -> Result<Found, QueryError> {
        let until = question.until();
        loop {
            let answer = self.put_once(job, &question, until).await;
            let is_nowhere = matches!(answer, Err(QueryError::NotRunning { .. }));
            if !is_nowhere || Instant::now() + AGAIN >= until {
                return answer;
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn put_once(&self, job: &str, question: &Question, until: Instant) -> Result<Found, QueryError> {
        let mut reply = self.ask_somebody(job, question, until).await?;
        for _ in 0..HOPS_MAX {
            let node = match reply {
                Reply::Found(found) => return Ok(found),
                Reply::Elsewhere(node) => node,
                Reply::ToPropose => return Box::pin(self.propose(job, question, until)).await,
            };
            let owner = NodeName::new(&node).into_iter().collect();
            let answer = self.pass_on(job, question, owner, until).await;
            reply = answer.unwrap_or_else(|| Err(QueryError::NotRunning { job: job.to_owned() }))?;
        }
        // Its owner moves from node to node.
        Err(QueryError::NotRunning { job: job.to_owned() })
    }

    /// Has an update decided as the one vote of this node, where values are agreed on.
    async fn propose(&self, job: &str, question: &Question, until: Instant) -> Result<Found, QueryError> {
        let Question::Update(update) = question else { unreachable!("only updates are proposed") };
        let left = || until.saturating_duration_since(Instant::now());
        // Who shows what was undone is told so before anything is decided, and nothing fails behind the decision.
        let before = self.put(job, Question::Query(agree::before(update)).within(left())).await?;
        let agreed = self.agree(job, agree::proposal_of(update, self.node()), left()).await;
        agreed.map_err(agree::undecided)?;
        Ok(agree::set(before))
    }

    /// Asks this node, or one on which the job lives.
    async fn ask_somebody(
        &self,
        job: &str,
        question: &Question,
        until: Instant,
    ) -> Result<Reply, QueryError> {
        match answer(&self.asking.windows, job, question, until).await {
            Err(QueryError::NotRunning { .. }) => {}
            answer => return answer,
        }
        let known = self.asking.homes().get(job).cloned();
        if let Some(homes) = known
            && let Some(answer) = self.pass_on(job, question, homes, until).await
        {
            return answer;
        }
        let homes = timeout_at(until + MARGIN, self.find_homes(job)).await;
        let homes = homes.unwrap_or_else(|_| Err(late("word of where the job lives")))?;
        self.asking.homes().insert(job.to_owned(), homes.clone());
        let answer = self.pass_on(job, question, homes, until).await;
        answer.unwrap_or_else(|| Err(QueryError::NotRunning { job: job.to_owned() }))
    }

    /// Passes a question on; nothing where the job lives on none of these nodes.
    async fn pass_on(
        &self,
        job: &str,
        question: &Question,
        homes: Vec<NodeName>,
        until: Instant,
    ) -> Option<Result<Reply, QueryError>> {
        for node in homes.iter().filter(|node| **node != self.links.local().node) {
            let left = until.saturating_duration_since(Instant::now());
            let asked = Asked { job: job.to_owned(), question: question.within(left) };
            match self.links.actor::<Asked>(node, DESK).ask_within(asked, left + MARGIN).await {
                Ok(Err(QueryError::NotRunning { .. })) | Err(AskError::Unsent(_)) => {}
                Ok(answer) => return Some(answer),
                Err(error) => return Some(Err(question.unanswered(node, &error))),
            }
        }
        self.asking.homes().remove(job);
        None
    }

    /// On which nodes a job lives, as the leader knows.
    async fn find_homes(&self, job: &str) -> Result<Vec<NodeName>, QueryError> {
        let status = self.request(Request::Status { job: job.to_owned() }).await;
        match status {
            Ok(Answer::Job(report)) => {
                Ok(report.slots.keys().filter_map(|node| NodeName::new(node).ok()).collect())
            }
            Ok(_) => Ok(Vec::new()),
            Err(problem) if problem.kind == ProblemKind::NotFound => Err(self.no_job(job).await),
            Err(problem) => Err(QueryError::Unavailable { missing: format!("a leader ({problem})") }),
        }
    }

    /// Reads from a checkpoint, which any node can. Which one is the newest.
    async fn read_back(&self, job: &str, query: Query) -> (Option<Epoch>, Result<Found, QueryError>) {
        let unreadable = |why: String| Err(QueryError::Unreadable { why });
        let view = match self.cluster.view().await {
            Ok(view) => view,
            Err(error) => {
                return (None, Err(QueryError::Unavailable { missing: format!("a leader ({error})") }));
            }
        };
        let Some(record) = view.state.jobs.get(job) else { return (None, Err(self.no_job(job).await)) };
        let keys = keys_of(&view.state.token_keys);
        let open =
            OpenArchive { name: job.to_owned(), number: record.number, spec: record.spec.clone(), keys };
        let archivist = match self.worker.send(open).await {
            Ok(Ok(archivist)) => archivist,
            Ok(Err(why)) => return (None, unreadable(why)),
            Err(_) => return (None, unreadable(ENDS.to_owned())),
        };
        let newest = record.meta.completed.as_ref().map(|pointer| pointer.epoch);
        let read = archivist.send(ReadBack { meta: record.meta.clone(), query }).await;
        (newest, read.unwrap_or_else(|_| unreadable(ENDS.to_owned())))
    }

    async fn no_job(&self, job: &str) -> QueryError {
        let view = self.cluster.view().await;
        let known = view.map(|view| view.state.jobs.keys().cloned().collect()).unwrap_or_default();
        QueryError::NoJob { job: job.to_owned(), known }
    }
}
