//! What is asked, and what is answered.

use serde::{Deserialize, Serialize};
use watershed_core::checkpoint::Pointer;
use watershed_runtime::{RequestError, Wish};

/// A request.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::cli) struct Request {
    pub(in crate::cli) want: Want,
}

/// What is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
}

/// What became of a request.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::cli) enum Answer {
    /// It is done; where there is a checkpoint to it, this is it.
    Granted(Option<Granted>),
    /// It is not to be had, for this reason.
    Refused(String),
}

/// The checkpoint that was asked for, or with which the job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cli) struct Granted {
    pub(in crate::cli) epoch: u64,
    pub(in crate::cli) lineage: u32,
}

impl Want {
    pub(super) fn wish(self) -> Wish {
        match self {
            Want::Savepoint => Wish::Savepoint,
            Want::Suspend => Wish::Suspend,
            Want::Drain => Wish::Drain,
            Want::Cancel => Wish::Cancel,
        }
    }
}

impl Answer {
    pub(super) fn of(answer: Result<Option<Pointer>, RequestError>) -> Self {
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
    use super::*;

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
