//! Linearizable answers to questions about state: from what is agreed on, and from nothing else.
//!
//! The value is that of the meta store. The token, the run and the node are those of an answer at once beside it, so that
//! whoever asks goes on from there as from any other answer.

use watershed_core::checkpoint::Register;
use watershed_protocol::agree::Refused;

use super::Reading;
use crate::query::{Found, Level, Query, QueryError};

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
