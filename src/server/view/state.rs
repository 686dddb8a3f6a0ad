//! What is asked and answered about the state of a job: `/api/v1/jobs/{job}/state/{state}`.
//!
//! Keys, values and updates are JSON that stands for MessagePack, as [`watershed_state::from_json`] and
//! [`watershed_state::to_json`] say.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use watershed_core::Epoch;
use watershed_runtime::query::limits::WAIT_DEFAULT;
use watershed_runtime::query::{AsOf, Found, Level, Query, Submitted, Update};
use watershed_state::{Packed, from_json, to_json};

use crate::duration;

/// The header in which a client shows what it has seen, and is told.
pub const TOKEN_HEADER: &str = "Watershed-Token";

/// What is asked of a state: the query of its address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskState {
    /// The key, as JSON.
    pub key: String,
    /// What is promised of the answer. Without it: `as-of` where an epoch is named, else `causal` for whoever has a
    /// token, and `eventual` for others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<LevelView>,
    /// The checkpoint to read, a number or `latest`: at the level `as-of`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<String>,
    /// How long the answer may be waited for, as `2s` or `500ms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<String>,
    /// Whether one who has seen what a failure has undone is answered as if it had not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rebase: bool,
    /// What the asker has put into the job's sources, as JSON: `[{"source":"orders","split":0,"position":4711}]`, each
    /// position the one behind the last record. The token of the answer names it too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<String>,
    /// Whether to answer as of the first complete checkpoint that has worked on all that the asker has put in.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub await_input: bool,
}

/// How a state is to be changed: the body of a `POST` to its address.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeState {
    /// The key.
    pub key: Packed,
    /// The update of the state's resolver.
    pub update: Packed,
    /// Whether to answer only when a complete checkpoint has the update.
    #[serde(default)]
    pub durable: bool,
    /// How long what the token names, and the checkpoint, may be waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<String>,
}

/// What is promised of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LevelView {
    /// What whoever is asked has now.
    Eventual,
    /// Nothing older than what the token names.
    Causal,
    /// What a complete checkpoint has.
    AsOf,
    /// The newest there is.
    Linearizable,
}

/// The answer of a state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StateView {
    /// The state.
    pub state: String,
    /// The key.
    pub key: Value,
    /// Its value; none where there is nothing of the key, and after an update, for which nothing is read.
    pub value: Value,
    /// What is promised of it; none after an update.
    pub level: Option<LevelView>,
    /// The run that answers, or that the checkpoint was taken of.
    pub run: u32,
    /// The checkpoint that was read, where one was asked for.
    pub checkpoint: Option<u64>,
    /// Whether a complete checkpoint has all that the token names of the job, so that no failure undoes it.
    pub durable: bool,
    /// Whether the asker had seen what was undone, and is answered as if it had not.
    pub rebased: bool,
    /// The node that answers; empty where there is one process only.
    pub node: String,
    /// What the asker has seen by now, to be shown with the next question.
    pub token: String,
}

/// How long is waited for what was seen to be durable: the query of `/api/v1/jobs/{job}/durable`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwaitDurable {
    /// How long, as `2s` or `500ms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<String>,
}

/// Whether what was seen is durable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DurableView {
    /// The job.
    pub job: String,
    /// Whether a complete checkpoint has all that the token names of the job, so that no failure undoes it.
    pub durable: bool,
    /// The run that answers.
    pub run: u32,
    /// The node that answers.
    pub node: String,
}

impl AwaitDurable {
    /// How long.
    ///
    /// # Errors
    ///
    /// Where it is no duration.
    pub fn wait(&self) -> Result<std::time::Duration, String> {
        wait(self.wait.as_deref())
    }
}

impl DurableView {
    /// What was found of a job's token.
    pub fn new(job: &str, found: Found) -> Self {
        DurableView { job: job.to_owned(), durable: found.durable, run: found.run.0, node: found.node }
    }
}

impl AskState {
    /// The question, of one that shows a token or none.
    ///
    /// # Errors
    ///
    /// Where it is not put as it has to be.
    pub fn question(&self, state: &str, token: Option<String>) -> Result<Query, String> {
        let level = match (self.level, self.epoch.as_deref()) {
            (None | Some(LevelView::AsOf), Some(epoch)) => Level::AsOf(as_of(epoch)?),
            (Some(LevelView::AsOf), None) => Level::AsOf(AsOf::Latest),
            (Some(_), Some(_)) => return Err("an epoch is read at the level as-of alone".to_owned()),
            (None, None) if self.await_input => Level::AsOf(AsOf::Latest),
            (Some(LevelView::Causal), None) => Level::Causal,
            (Some(LevelView::Eventual), None) => Level::Eventual,
            (Some(LevelView::Linearizable), None) => Level::Linearizable,
            (None, None) if token.is_some() => Level::Causal,
            (None, None) => Level::Eventual,
        };
        let key =
            from_json(&self.key).map_err(|error| format!("the key is no JSON that can be taken: {error}"))?;
        let key = finite("the key", &key)?;
        let wait = wait(self.wait.as_deref())?;
        let (rebase, await_input) = (self.rebase, self.await_input);
        let inputs = self.inputs.as_deref().map_or(Ok(Vec::new()), inputs)?;
        Ok(Query { state: state.to_owned(), key, level, token, rebase, inputs, await_input, wait })
    }
}

impl ChangeState {
    /// The update, of one that shows a token or none.
    ///
    /// # Errors
    ///
    /// Where it is not put as it has to be.
    pub fn update(&self, state: &str, token: Option<String>) -> Result<Update, String> {
        let (key, delta) = (finite("the key", &self.key)?, finite("the update", &self.update)?);
        let wait = wait(self.wait.as_deref())?;
        Ok(Update { state: state.to_owned(), key, delta, token, durable: self.durable, wait })
    }
}

impl StateView {
    /// What was found of a key at a level, or what became of an update.
    ///
    /// # Errors
    ///
    /// Where the value cannot be shown.
    pub fn new(state: &str, key: &[u8], level: Option<LevelView>, found: Found) -> Result<Self, String> {
        let Found { value, token, run, as_of, durable, rebased, node } = found;
        let shown =
            |bytes: &[u8]| to_json(bytes).map_err(|error| format!("the value cannot be shown: {error}"));
        Ok(StateView {
            state: state.to_owned(),
            key: shown(key)?,
            value: value.as_deref().map_or(Ok(Value::Null), shown)?,
            level,
            run: run.0,
            checkpoint: as_of.map(|epoch| epoch.0),
            durable,
            rebased,
            node,
            token,
        })
    }
}

impl From<Level> for LevelView {
    fn from(level: Level) -> Self {
        match level {
            Level::Eventual => LevelView::Eventual,
            Level::Causal => LevelView::Causal,
            Level::AsOf(_) => LevelView::AsOf,
            Level::Linearizable => LevelView::Linearizable,
        }
    }
}

fn as_of(epoch: &str) -> Result<AsOf, String> {
    match epoch {
        "latest" => Ok(AsOf::Latest),
        number => match number.parse() {
            Ok(number) => Ok(AsOf::Epoch(Epoch(number))),
            Err(_) => Err(format!("{number:?} is no checkpoint: write its number, or latest")),
        },
    }
}

fn inputs(text: &str) -> Result<Vec<Submitted>, String> {
    serde_json::from_str(text).map_err(|error| {
        format!("the inputs are no list of {{\"source\":\"UID\",\"split\":0,\"position\":1}}: {error}")
    })
}

fn wait(text: Option<&str>) -> Result<std::time::Duration, String> {
    text.map_or(Ok(WAIT_DEFAULT), duration::parse)
}

fn finite(what: &str, packed: &Packed) -> Result<Vec<u8>, String> {
    if packed.has_nan() {
        return Err(format!("{what} holds NaN, which equals nothing, not even itself"));
    }
    Ok(packed.bytes())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use watershed_core::{Position, Run, SplitId};

    use super::*;

    fn ask(key: &str) -> AskState {
        AskState { key: key.to_owned(), ..AskState::default() }
    }

    #[test]
    fn the_level_follows_from_what_the_asker_has() {
        let level = |ask: AskState, token: Option<&str>| {
            ask.question("rules", token.map(str::to_owned)).map(|question| question.level)
        };
        let named = |level| AskState { level: Some(level), ..ask("1") };
        let epoch = |epoch: &str| AskState { epoch: Some(epoch.to_owned()), ..ask("1") };
        assert_eq!(level(ask("1"), None), Ok(Level::Eventual));
        assert_eq!(level(ask("1"), Some("t")), Ok(Level::Causal));
        assert_eq!(level(named(LevelView::Eventual), Some("t")), Ok(Level::Eventual));
        assert_eq!(level(named(LevelView::AsOf), None), Ok(Level::AsOf(AsOf::Latest)));
        assert_eq!(level(epoch("latest"), None), Ok(Level::AsOf(AsOf::Latest)));
        assert_eq!(level(epoch("7"), Some("t")), Ok(Level::AsOf(AsOf::Epoch(Epoch(7)))));
        let awaits = |ask: AskState| AskState { await_input: true, ..ask };
        assert_eq!(level(awaits(ask("1")), Some("t")), Ok(Level::AsOf(AsOf::Latest)));
        assert_eq!(
            level(awaits(named(LevelView::Causal)), None),
            Ok(Level::Causal),
            "whoever answers says no"
        );
        let both = AskState { epoch: Some("7".to_owned()), ..named(LevelView::Causal) };
        assert_eq!(level(both, None), Err("an epoch is read at the level as-of alone".to_owned()));
        let wrong = "\"-7\" is no checkpoint: write its number, or latest".to_owned();
        assert_eq!(level(epoch("-7"), None), Err(wrong));
    }

    #[test]
    fn a_question_carries_what_was_asked() {
        let asked = AskState { wait: Some("250ms".to_owned()), rebase: true, ..ask(r#"["EWR",7]"#) };
        let question = asked.question("rules", Some("t".to_owned())).unwrap();
        assert_eq!(question.key, [0x92, 0xa3, b'E', b'W', b'R', 7]);
        assert_eq!((question.wait, question.rebase), (Duration::from_millis(250), true));
        assert_eq!(ask("1").question("rules", None).unwrap().wait, WAIT_DEFAULT);
        for key in ["", "EWR", "{\"$float\":\"NaN\"}", "18446744073709551616", "1 2"] {
            assert!(ask(key).question("rules", None).is_err(), "{key}");
        }
    }

    #[test]
    fn a_question_names_what_was_put_in() {
        let put_in = |inputs: &str| {
            let asked = AskState { inputs: Some(inputs.to_owned()), await_input: true, ..ask("1") };
            asked.question("rules", None).map(|question| (question.inputs, question.await_input))
        };
        let orders = Submitted { source: "orders".to_owned(), split: SplitId(0), position: Position(4711) };
        let named = r#"[{"source":"orders","split":0,"position":4711}]"#;
        assert_eq!(put_in(named), Ok((vec![orders], true)));
        for wrong in ["orders:0:4711", "{}", r#"[{"source":"orders"}]"#, "[[1,2]]"] {
            assert!(put_in(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_update_holds_nothing_that_equals_nothing() {
        let change = |text: &str| serde_json::from_str::<ChangeState>(text).unwrap().update("rules", None);
        let update = change(r#"{"key":"EWR","update":{"Put":40},"durable":true}"#).unwrap();
        assert_eq!((update.key, update.durable), (vec![0xa3, b'E', b'W', b'R'], true));
        assert_eq!(update.delta, [0x81, 0xa3, b'P', b'u', b't', 40]);
        let nan = change(r#"{"key":"EWR","update":{"Put":{"$float":"NaN"}}}"#).unwrap_err();
        assert_eq!(nan, "the update holds NaN, which equals nothing, not even itself");
    }

    #[test]
    fn an_answer_shows_its_value_or_none() {
        let found = Found {
            value: Some(vec![0x91, 0x28]),
            token: "t".to_owned(),
            run: Run(3),
            as_of: Some(Epoch(7)),
            durable: true,
            rebased: false,
            node: "n1".to_owned(),
        };
        let level = Some(LevelView::AsOf);
        let view = StateView::new("rules", &[1], level, found.clone()).unwrap();
        let expected = r#"{"state":"rules","key":1,"value":[40],"level":"as-of","run":3,"checkpoint":7,"durable":true,"rebased":false,"node":"n1","token":"t"}"#;
        assert_eq!(serde_json::to_string(&view).unwrap(), expected);
        let none = StateView::new("rules", &[1], None, Found { value: None, as_of: None, ..found }).unwrap();
        assert_eq!((none.value, none.level, none.checkpoint), (Value::Null, None, None));
    }
}
