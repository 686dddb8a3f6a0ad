//! Linearizable answers to questions about state: from what is agreed on, and from nothing else. And updates of such
//! state, each of which is a proposal with one vote.
//!
//! The value is that of the meta store. The token, the run and the node are those of an answer at once beside it, so that
//! whoever asks goes on from there as from any other answer.

use watershed_core::checkpoint::{Register, Voice};
use watershed_protocol::agree::{Proposal, Refused};

use super::Reading;
use crate::query::{Found, Level, Query, QueryError, Update};

/// The register that a question means.
pub(crate) fn register_of(query: &Query) -> Register {
    Register { state: query.state.clone(), key: query.key.clone() }
}

/// The question beside it.
pub(crate) fn at_once(query: Query) -> Query {
    Query { level: Level::Eventual, ..query }
}

/// The answer.
pub(crate) fn answered(found: Found, reading: Option<Reading>) -> Found {
    Found { value: reading.map(|reading| reading.value), ..found }
}

/// Why there is none.
pub(crate) fn unanswered(refused: Refused) -> QueryError {
    match refused {
        Refused::Absent(why) => QueryError::Unfit { level: Level::Linearizable, why },
        Refused::Vote(reason) => QueryError::NoKey { reason },
        refused => QueryError::Unavailable { missing: format!("a quorum of the coordinators ({refused})") },
    }
}

/// What is proposed for an update, in the next round, by a voter.
pub(crate) fn proposal_of(update: &Update, voter: &str) -> Proposal {
    let register = Register { state: update.state.clone(), key: update.key.clone() };
    let votes = vec![Voice { voter: voter.to_owned(), value: update.delta.clone() }];
    Proposal { register, round: None, votes, value: None }
}

/// The question before a proposal: it judges the token that is shown, and its answer has the one to go on with.
pub(crate) fn before(update: &Update) -> Query {
    let Update { state, key, token, wait, .. } = update.clone();
    Query { token, wait, ..Query::new(state, key) }
}

/// The answer to an update that is agreed on: no failure undoes it.
pub(crate) fn set(before: Found) -> Found {
    Found { value: None, durable: true, ..before }
}

/// Why an update is not agreed on, or nobody knows whether it is.
pub(crate) fn undecided(refused: Refused) -> QueryError {
    match refused {
        Refused::Unknown(why) => QueryError::Unknown { why },
        Refused::Unavailable(_) => {
            QueryError::Unavailable { missing: format!("a quorum of the coordinators ({refused})") }
        }
        refused => QueryError::Refused { why: refused.to_string() },
    }
}
