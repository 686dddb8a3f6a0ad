//! The state of operators, looked at by key while the job runs.
//!
//! ```text
//!   Window --LookUp--> Crew --Sight--> the subtask that owns the key, between two batches
//!                       |
//!                       +--> lives on another node: Elsewhere, and the asker asks there
//! ```

use std::sync::Arc;

use actix::{Message, Recipient};
use serde::{Deserialize, Serialize};
use watershed_core::Plan;
use watershed_core::causal::VectorClock;
use watershed_core::plan::Vertex;
use watershed_core::state::LookError;

use super::reading::check_bytes;
use super::turn::Served;
use super::window::Window;
use super::{Found, Level, QueryError, limits::VALUE_BYTES_MAX, reading::unfit};

/// The operators of a job whose state is looked at, and who looks.
#[derive(Clone)]
pub(crate) struct Operators {
    /// Their uids.
    pub(crate) uids: Arc<Vec<String>>,
    pub(crate) crew: Recipient<LookUp>,
}

/// To a crew: what does the owner of a key have of it?
#[derive(Message)]
#[rtype(result = "Result<Sighted, QueryError>")]
pub(crate) struct LookUp {
    /// The uid of an operator, and behind a `/` a piece of its state.
    pub(crate) state: String,
    pub(crate) key: Vec<u8>,
}

/// What a crew sees of a key.
pub(crate) enum Sighted {
    /// What its owner has, which lives here.
    Here(Option<Vec<u8>>),
    /// Its owner lives on this node.
    Elsewhere(String),
}

/// To a subtask: what do you have of a key?
#[derive(Message)]
#[rtype(result = "Result<Option<Vec<u8>>, Unseen>")]
pub(crate) struct Sight {
    /// Which of its stages is asked.
    pub(crate) number: u16,
    pub(crate) piece: Option<String>,
    pub(crate) key: Vec<u8>,
}

/// Why a subtask shows nothing.
#[derive(Debug)]
pub(crate) enum Unseen {
    Look(LookError),
    /// It has not been restored yet, or has failed.
    NotNow,
}

/// An answer; or who has it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Reply {
    Found(Found),
    /// Ask this node.
    Elsewhere(String),
    /// Nobody updates it: its values are agreed on, and the update is to be proposed as one.
    ToPropose,
}

/// A stage of a plan, and a piece of its state.
pub(crate) struct Aim<'a> {
    pub(crate) vertex: &'a Vertex,
    pub(crate) number: u16,
    pub(crate) piece: Option<&'a str>,
}

/// The uids of the operators that can be looked at by key.
pub(crate) fn uids(plan: &Plan) -> Vec<String> {
    let is_seen = |vertex: &Vertex, number| vertex.factory.group_of(number, &[], plan.key_groups).is_some();
    let of_vertex = |vertex: &Vertex| -> Vec<String> {
        let stages = (0..).zip(&vertex.stages).filter(|(number, _)| is_seen(vertex, *number));
        stages.map(|(_, stage)| stage.uid.clone()).collect()
    };
    plan.vertices.iter().flat_map(of_vertex).collect()
}

/// The operator that a name means: one by its uid, or a piece of one behind a `/`.
pub(crate) fn aim<'a>(plan: &'a Plan, state: &'a str) -> Option<Aim<'a>> {
    let find = |uid: &str, piece: Option<&'a str>| {
        plan.vertices.iter().find_map(|vertex| {
            let number = vertex.stages.iter().position(|stage| stage.uid == uid)?;
            Some(Aim { vertex, number: number as u16, piece })
        })
    };
    find(state, None).or_else(|| state.rsplit_once('/').and_then(|(uid, piece)| find(uid, Some(piece))))
}

/// Why a look finds nothing, for whoever has asked.
pub(crate) fn not_seen(level: Level, error: LookError) -> QueryError {
    match error {
        LookError::Key { reason } => QueryError::NoKey { reason },
        LookError::Large { max } => {
            QueryError::TooLarge { what: "the value".to_owned(), found: max as u64 + 1, max: max as u64 }
        }
        error @ (LookError::Opaque | LookError::Piece { .. }) => unfit(level, &error.to_string()),
    }
}

impl Operators {
    /// Whether a name means one of them.
    pub(super) fn have(&self, state: &str) -> bool {
        let is = |uid: &String| {
            state == uid || state.strip_prefix(uid.as_str()).is_some_and(|rest| rest.starts_with('/'))
        };
        self.uids.iter().any(is)
    }
}

impl Window {
    /// Asks the owner of a key of an operator's state.
    pub(super) async fn look_up(
        &self,
        Served { view, needs, carried, rebased, .. }: &Served,
        operators: &Operators,
        state: &str,
        key: &[u8],
    ) -> Result<Reply, QueryError> {
        let look = LookUp { state: state.to_owned(), key: key.to_vec() };
        let value = match operators.crew.send(look).await.map_err(|_| self.not_running())?? {
            Sighted::Here(value) => value,
            Sighted::Elsewhere(node) => return Ok(Reply::Elsewhere(node)),
        };
        check_bytes("the value", value.as_ref().map_or(0, Vec::len), VALUE_BYTES_MAX)?;
        let authority = view.authority;
        // It says nothing of what is shared, and is part of no checkpoint yet.
        let token = self.clerk.token(
            (authority.lineage, authority.run),
            VectorClock::new(),
            view.base,
            needs,
            &carried.inputs,
        );
        Ok(Reply::Found(Found {
            value,
            token: self.clerk.seal(token, &carried.elsewhere)?,
            run: authority.run,
            as_of: None,
            durable: false,
            rebased: *rebased,
            node: self.node.clone(),
        }))
    }
}
