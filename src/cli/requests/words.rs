//! What is asked, and what is answered.

use serde::{Deserialize, Serialize};
use watershed_core::checkpoint::Pointer;
use watershed_runtime::RequestError;
use watershed_runtime::query::QueryError;
use watershed_server::view::{AskState, ChangeState, StateView};

/// A request.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::cli) struct Request {
    pub(in crate::cli) want: Want,
}

/// What is wanted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::cli) enum Want {
    /// A checkpoint that is kept.
    Savepoint,
    /// A savepoint, and the end behind it.
    Suspend,
    /// No further input, and the regular end.
    Drain,
    /// The end at once.
    Cancel,
    /// The value of a key.
    Query(Box<Asking>),
    /// Another value of a key.
    Update(Box<Changing>),
}

/// A question about a state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cli) struct Asking {
    pub(in crate::cli) state: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) token: Option<String>,
    pub(in crate::cli) ask: AskState,
}

/// A change of a state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cli) struct Changing {
    pub(in crate::cli) state: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) token: Option<String>,
    pub(in crate::cli) change: ChangeState,
}

/// What became of a request.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::cli) enum Answer {
    /// It is done; where there is a checkpoint to it, this is it.
    Granted(Option<Granted>),
    /// It is not to be had, for this reason.
    Refused(String),
    /// What was found of a key, or what became of its update.
    Found(Box<StateView>),
    /// There is no answer about a key.
    Unanswered(QueryError),
}

/// The checkpoint that was asked for, or with which the job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cli) struct Granted {
    pub(in crate::cli) epoch: u64,
    pub(in crate::cli) lineage: u32,
}

impl Answer {
    /// What became of a wish.
    pub(super) fn granted(answer: Result<Option<Pointer>, RequestError>) -> Self {
        match answer {
            Ok(pointer) => Answer::Granted(pointer.map(|pointer| Granted::of(&pointer))),
            Err(error) => Answer::Refused(error.to_string()),
        }
    }
}

impl Granted {
    fn of(pointer: &Pointer) -> Self {
        Granted { epoch: pointer.epoch.0, lineage: pointer.lineage.0 }
    }
}

#[cfg(test)]
mod tests {
    use watershed_server::view::LevelView;

    use super::*;

    #[test]
    fn the_words_about_state_are_golden() {
        let ask = AskState { level: Some(LevelView::AsOf), ..AskState::default() };
        let ask = AskState { key: "\"EWR\"".to_owned(), epoch: Some("latest".to_owned()), ..ask };
        let asking = Asking { state: "limits".to_owned(), token: None, ask };
        let line = r#"{"want":{"query":{"state":"limits","ask":{"key":"\"EWR\"","level":"as-of","epoch":"latest"}}}}"#;
        let request = Request { want: Want::Query(Box::new(asking)) };
        assert_eq!(serde_json::to_string(&request).expect("it is plain data"), line);
        let line = r#"{"want":{"update":{"state":"limits","token":"t","change":{"key":"EWR","update":{"Put":40},"durable":true}}}}"#;
        let request: Request = serde_json::from_str(line).expect("it is a request");
        assert_eq!(serde_json::to_string(&request).expect("it is plain data"), line);
        let unanswered = Answer::Unanswered(QueryError::TokenExpired);
        let told = serde_json::to_string(&unanswered).expect("it is plain data");
        assert_eq!(told, r#"{"unanswered":"token_expired"}"#);
    }

    #[test]
    fn the_words_of_the_socket_are_golden() {
        let request = serde_json::to_string(&Request { want: Want::Savepoint }).expect("it is plain data");
        assert_eq!(request, r#"{"want":"savepoint"}"#);
        let granted = Answer::Granted(Some(Granted { epoch: 71, lineage: 0 }));
        let told = serde_json::to_string(&granted).expect("it is plain data");
        assert_eq!(told, r#"{"granted":{"epoch":71,"lineage":0}}"#);
        let refused: Answer =
            serde_json::from_str(r#"{"refused":"the job is over"}"#).expect("it is an answer");
        assert_eq!(refused, Answer::Refused("the job is over".to_owned()));
    }
}
