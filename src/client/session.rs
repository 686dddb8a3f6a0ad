//! One reader's and writer's thread of time.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use watershed_core::{Epoch, Position, Run, SplitId};
use watershed_runtime::query::limits::{WAIT_DEFAULT, WAIT_MAX};
use watershed_runtime::query::{AsOf, Level, Submitted};
use watershed_server::view::{AskState, DurableView, LevelView, StateView};
use watershed_state::{Packed, to_json};

use super::nodes::{NoAnswer, Nodes, Question};
use super::{ClientError, in_address, path_of, state_path};

/// Asks one job at a time, and remembers what all were answered: see the [module](super).
#[derive(Clone, Debug)]
pub struct Session {
    nodes: Nodes,
    /// The job that is asked.
    job: String,
    /// What was seen, as the nodes have sealed it.
    token: Option<String>,
    /// All jobs that were asked, and the one that is.
    jobs: BTreeMap<String, OfJob>,
    wait: Duration,
    rebase: bool,
}

/// What is remembered of a job beside the token.
#[derive(Clone, Debug, Default)]
struct OfJob {
    /// The newest run that has answered.
    run: Run,
    /// What was put into its sources, and is in no token yet.
    inputs: Vec<Submitted>,
}

/// What was found, and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<V> {
    /// The value; `None` where there is nothing of the key.
    pub value: Option<V>,
    /// The run that answers, or that the checkpoint was taken of.
    pub run: Run,
    /// The checkpoint that was read, where one was asked for.
    pub checkpoint: Option<Epoch>,
    /// Whether no failure can undo any of what the session has seen.
    pub durable: bool,
    /// Whether the session had seen what was undone, and is answered as if it had not.
    pub rebased: bool,
    /// The node that answers.
    pub node: String,
}

impl Session {
    pub(super) fn new(nodes: Nodes, job: String) -> Self {
        let jobs = [(job.clone(), OfJob::default())].into();
        Session { nodes, job, token: None, jobs, wait: WAIT_DEFAULT, rebase: false }
    }

    /// Asks another job of the cluster from here on, with all that was seen: what is read there and then here is in the
    /// order of this session, and its token says what was seen of both.
    pub fn turn_to(&mut self, job: &str) -> &mut Self {
        job.clone_into(&mut self.job);
        self.jobs.entry(self.job.clone()).or_default();
        self
    }

    /// Goes on with what another session has seen, perhaps in another process, and of several jobs.
    #[must_use]
    pub fn seen(self, token: impl Into<String>) -> Self {
        Session { token: Some(token.into()), ..self }
    }

    /// What was seen, to be shown by another session.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// How long an answer may be waited for. Default: 5 s.
    #[must_use]
    pub fn waiting(self, wait: Duration) -> Self {
        Session { wait, ..self }
    }

    /// Reads what is left where something that was seen is undone by a failure, instead of being refused. The
    /// [answer](Answer::rebased) says so, and the session goes on from it; an update is refused until then.
    #[must_use]
    pub fn rebasing(self, rebase: bool) -> Self {
        Session { rebase, ..self }
    }

    /// Takes note that a record was put into a source: by the source's uid, the number of the split, and the position
    /// *behind* the record. The next answer's token names it. See [`await_input`](Session::await_input).
    pub fn put_in(&mut self, source: &str, split: SplitId, behind: Position) {
        Submitted { source: source.to_owned(), split, position: behind }.join(&mut self.here().inputs);
    }

    /// The value of a key as of the first complete checkpoint that has worked on all that was [put in](Session::put_in) in
    /// this session, also where a failure has made the job read it again. What else was seen and undone is let go of, and
    /// the [answer](Answer::rebased) says so.
    ///
    /// # Errors
    ///
    /// Where no such checkpoint comes in time, or there is nothing to wait for.
    pub fn await_input<K, V>(&mut self, state: &str, key: &K) -> Result<Answer<V>, ClientError>
    where
        K: Serialize + ?Sized,
        V: DeserializeOwned,
    {
        let key = written("the key", key)?;
        let asked = AskState { await_input: true, ..self.asked(key, Level::AsOf(AsOf::Latest)) };
        answer(self.look(state, asked)?)
    }

    /// The value of a key of a shared state, or of the state of an operator by its uid; `None` where there is none.
    ///
    /// # Errors
    ///
    /// Where no node can answer at that level, or what was seen is undone.
    pub fn get<K, V>(&mut self, state: &str, key: &K, level: Level) -> Result<Option<V>, ClientError>
    where
        K: Serialize + ?Sized,
        V: DeserializeOwned,
    {
        self.read(state, key, level).map(|answer| answer.value)
    }

    /// As [`get`](Session::get), with all that is known of the answer.
    ///
    /// # Errors
    ///
    /// As [`get`](Session::get).
    pub fn read<K, V>(&mut self, state: &str, key: &K, level: Level) -> Result<Answer<V>, ClientError>
    where
        K: Serialize + ?Sized,
        V: DeserializeOwned,
    {
        let key = written("the key", key)?;
        let asked = self.asked(key, level);
        answer(self.look(state, asked)?)
    }

    /// Changes a key of a shared state: `update` is that of the state's resolver. It comes after all that the session has
    /// seen, on all nodes.
    ///
    /// # Errors
    ///
    /// Where no node takes it. After [`ClientError::Unreachable`] nobody knows whether it was made.
    pub fn update<K, U>(&mut self, state: &str, key: &K, update: &U) -> Result<Answer<()>, ClientError>
    where
        K: Serialize + ?Sized,
        U: Serialize + ?Sized,
    {
        self.change(state, key, update, false)
    }

    /// As [`update`](Session::update), and waits for a complete checkpoint that has it: no failure undoes it then. Where
    /// none came in time, the update is made and the answer is not [durable](Answer::durable).
    ///
    /// # Errors
    ///
    /// As [`update`](Session::update).
    pub fn update_durably<K, U>(
        &mut self,
        state: &str,
        key: &K,
        update: &U,
    ) -> Result<Answer<()>, ClientError>
    where
        K: Serialize + ?Sized,
        U: Serialize + ?Sized,
    {
        self.change(state, key, update, true)
    }

    /// Waits until a complete checkpoint has all that the session has seen, of each job that it has asked: no failure
    /// undoes any of it then.
    ///
    /// # Errors
    ///
    /// Where that does not come about in time, or some of it is undone already.
    pub fn await_durable(&mut self, within: Duration) -> Result<(), ClientError> {
        let begun = Instant::now();
        let token = self.token.clone().ok_or(ClientError::Unused)?;
        for (job, of) in &mut self.jobs {
            of.await_durable(&self.nodes, job, &token, (begun, within))?;
        }
        Ok(())
    }

    fn here(&mut self) -> &mut OfJob {
        self.jobs.get_mut(&self.job).expect("the job that is asked is one of them")
    }

    fn asked(&self, key: Value, level: Level) -> AskState {
        let epoch = match level {
            Level::AsOf(AsOf::Epoch(epoch)) => Some(epoch.to_string()),
            Level::AsOf(AsOf::Latest) | Level::Eventual | Level::Causal | Level::Linearizable => None,
        };
        let inputs = &self.jobs[&self.job].inputs;
        let named = serde_json::to_string(inputs).expect("places are plain data");
        AskState {
            key: key.to_string(),
            level: Some(level.into()),
            epoch,
            wait: Some(self.wait()),
            rebase: self.rebase,
            inputs: (!inputs.is_empty()).then_some(named),
            await_input: false,
        }
    }

    fn look(&mut self, state: &str, asked: AskState) -> Result<StateView, ClientError> {
        let is_of_checkpoint = asked.level == Some(LevelView::AsOf);
        let path = state_path(&self.job, state) + &in_address(&asked);
        let seen = self.here().run;
        let question = Question { path: &path, token: self.token.as_deref(), body: None };
        let view = self.nodes.ask(&question, |answer| {
            let view: StateView = understood(answer)?;
            // A checkpoint is of the run that took it, which may well be an older one.
            if is_of_checkpoint { Ok(view) } else { not_older(view, seen) }
        })?;
        self.learn(&view);
        // The token names them from now on.
        self.here().inputs.clear();
        Ok(view)
    }

    fn change<K, U>(
        &mut self,
        state: &str,
        key: &K,
        update: &U,
        durable: bool,
    ) -> Result<Answer<()>, ClientError>
    where
        K: Serialize + ?Sized,
        U: Serialize + ?Sized,
    {
        let key = written("the key", key)?;
        let update = written("the update", update)?;
        let body = json!({ "key": key, "update": update, "durable": durable, "wait": self.wait() });
        let path = state_path(&self.job, state);
        let seen = self.here().run;
        let question = Question { path: &path, token: self.token.as_deref(), body: Some(&body) };
        let view = self.nodes.ask(&question, |answer| not_older(understood(answer)?, seen))?;
        self.learn(&view);
        answer(StateView { value: Value::Null, ..view })
    }

    fn wait(&self) -> String {
        format!("{}ms", self.wait.as_millis())
    }

    fn learn(&mut self, view: &StateView) {
        self.token = Some(view.token.clone());
        let here = self.here();
        here.run = here.run.max(Run(view.run));
    }
}

impl OfJob {
    /// Waits until a complete checkpoint has all that a token names of the job.
    fn await_durable(
        &mut self,
        nodes: &Nodes,
        job: &str,
        token: &str,
        (begun, within): (Instant, Duration),
    ) -> Result<(), ClientError> {
        loop {
            // A node waits for so long at most.
            let wait = within.saturating_sub(begun.elapsed()).min(WAIT_MAX);
            let path = path_of(job, &format!("/durable?wait={}ms", wait.as_millis()));
            let question = Question { path: &path, token: Some(token), body: None };
            let seen = self.run;
            let view: DurableView = nodes.ask(&question, |answer| {
                let view: DurableView = serde_json::from_value(answer)
                    .map_err(|error| NoAnswer::Final(ClientError::strange(&error)))?;
                is_not_older(&view.node, Run(view.run), seen).map(|()| view)
            })?;
            self.run = self.run.max(Run(view.run));
            if view.durable {
                return Ok(());
            }
            if begun.elapsed() >= within {
                return Err(ClientError::NotDurable { waited: begun.elapsed() });
            }
        }
    }
}

/// Refuses what a node says that has not heard of a run which the session has seen: reads would go back.
fn not_older(view: StateView, seen: Run) -> Result<StateView, NoAnswer> {
    is_not_older(&view.node, Run(view.run), seen).map(|()| view)
}

fn is_not_older(node: &str, answered: Run, seen: Run) -> Result<(), NoAnswer> {
    if answered < seen {
        return Err(NoAnswer::Unable(ClientError::OlderRun { node: node.to_owned(), answered, seen }));
    }
    Ok(())
}

fn understood(answer: Value) -> Result<StateView, NoAnswer> {
    serde_json::from_value(answer).map_err(|error| NoAnswer::Final(ClientError::strange(&error)))
}

/// A value as the JSON that stands for its MessagePack.
fn written<T: Serialize + ?Sized>(what: &'static str, value: &T) -> Result<Value, ClientError> {
    let misfit = |reason: String| ClientError::Value { what, reason };
    let bytes = rmp_serde::to_vec_named(value).map_err(|error| misfit(error.to_string()))?;
    to_json(&bytes).map_err(misfit)
}

/// The answer with a value of the type that was asked for.
fn answer<V: DeserializeOwned>(view: StateView) -> Result<Answer<V>, ClientError> {
    let StateView { value, run, checkpoint, durable, rebased, node, .. } = view;
    let misfit = |reason: String| ClientError::Value { what: "the value", reason };
    let value = match value {
        Value::Null => None,
        value => {
            let packed: Packed = serde_json::from_value(value).map_err(|error| misfit(error.to_string()))?;
            Some(rmp_serde::from_slice(&packed.bytes()).map_err(|error| misfit(error.to_string()))?)
        }
    };
    Ok(Answer { value, run: Run(run), checkpoint: checkpoint.map(Epoch), durable, rebased, node })
}
