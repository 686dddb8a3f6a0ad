//! Reads from what a job shares.

use tokio::time::{Instant, timeout_at};
use watershed_core::shared::{Refusal, TableError};
use watershed_protocol::causal::{JobToken, is_durable};

use super::clerk::Shown;
use super::inputs::put_in;
use super::limits::{KEY_BYTES_MAX, VALUE_BYTES_MAX, WAIT_MAX};
use super::turn::{Carried, Client, Served};
use super::window::{View, Window};
use super::{Found, Level, Query, QueryError, Reply};
use crate::shared::SiteReplica;

impl Window {
    /// Answers a question about the run that lives here.
    pub(crate) async fn query(&self, query: &Query, until: Instant) -> Result<Reply, QueryError> {
        let Query { state, key, level, token, rebase, .. } = query;
        check_bytes("the key", key.len(), KEY_BYTES_MAX)?;
        let Shown { here, elsewhere } = self.clerk.open(token.as_deref())?;
        if query.await_input {
            return Err(unfit(*level, "what was put in is waited for in a checkpoint: ask as of latest"));
        }
        let carried = Carried { inputs: put_in(here.as_ref(), query)?, elsewhere };
        let client = Client { token: here.as_ref(), carried: &carried, rebase: *rebase, writes: false };
        let served = match level {
            Level::Eventual => self.at_once(&client)?,
            Level::Causal => self.turn(&client, until).await?,
            Level::AsOf(_) => return Err(unfit(*level, "it is asked of the checkpoints, not of a run")),
            Level::Linearizable => return Err(unfit(*level, LINEARIZABLE)),
        };
        let operators = served.view.operators.as_ref().filter(|operators| operators.have(state));
        let reply = match operators {
            Some(_) if *level == Level::Causal => return Err(unfit(*level, OWN)),
            Some(operators) => {
                let look = self.look_up(&served, operators, state, key);
                timeout_at(until, look).await.unwrap_or_else(|_| Err(late("its owner, which is busy")))?
            }
            None => Reply::Found(self.read(&served, state, key)?),
        };
        Ok(match (reply, here) {
            (Reply::Found(found), Some(here)) if served.is_ahead => {
                let Carried { inputs, elsewhere } = carried;
                let token = self.clerk.seal(JobToken { inputs, ..here }, &elsewhere)?;
                Reply::Found(Found { token, durable: false, ..found })
            }
            (reply, _) => reply,
        })
    }

    fn read(
        &self,
        Served { view, needs, carried, rebased, .. }: &Served,
        state: &str,
        key: &[u8],
    ) -> Result<Found, QueryError> {
        let (replica, shared) = self.find(view, state)?;
        let looked = replica.look(shared, key).map_err(not_taken)?;
        check_bytes("the value", looked.value.as_ref().map_or(0, Vec::len), VALUE_BYTES_MAX)?;
        let authority = view.authority;
        let of = (authority.lineage, authority.run);
        let token = self.clerk.token(of, looked.seen, view.whole(), needs, &carried.inputs);
        Ok(Found {
            value: looked.value,
            durable: is_durable(&token, &view.place()),
            token: self.clerk.seal(token, &carried.elsewhere)?,
            run: authority.run,
            as_of: None,
            rebased: *rebased,
            node: self.node.clone(),
        })
    }

    /// The replica and the number of a shared state.
    pub(super) fn find<'a>(
        &self,
        view: &'a View,
        state: &str,
    ) -> Result<(&'a SiteReplica, watershed_core::SharedId), QueryError> {
        let replica = view.replica.as_deref();
        let found = replica.and_then(|replica| Some((replica, replica.find(state)?)));
        found.ok_or_else(|| {
            let mut known = replica.map(SiteReplica::names).unwrap_or_default();
            known.extend(view.operators.iter().flat_map(|operators| operators.uids.to_vec()));
            QueryError::NoState { name: state.to_owned(), known }
        })
    }
}

/// What is missing where a checkpoint is not read in time.
pub(super) const THE_CHECKPOINT: &str = "the checkpoint, which is still being read";

/// What is said where nothing has come in time.
pub(crate) fn late(missing: &str) -> QueryError {
    QueryError::Unavailable { missing: missing.to_owned() }
}

/// When an answer is waited for no longer.
pub(crate) fn deadline(wait: std::time::Duration) -> Instant {
    Instant::now() + wait.min(WAIT_MAX)
}

const OWN: &str = "tokens say nothing of an operator's own state; ask for eventual, or for a checkpoint";

const LINEARIZABLE: &str = "shared state is joined, not agreed on; ask for causal, or declare the state as one that the \
                            nodes agree on";

pub(super) fn unfit(level: Level, why: &str) -> QueryError {
    QueryError::Unfit { level, why: why.to_owned() }
}

pub(super) fn check_bytes(what: &str, found: usize, max: usize) -> Result<(), QueryError> {
    if found <= max {
        return Ok(());
    }
    Err(QueryError::TooLarge { what: what.to_owned(), found: found as u64, max: max as u64 })
}

/// Why a table does not take what a client gives it.
pub(super) fn not_taken(error: TableError) -> QueryError {
    match error {
        TableError::Malformed { part: "a key", reason, .. } => QueryError::NoKey { reason },
        TableError::Refused { refusal, .. } => match refusal {
            Refusal::Key { found, max } => {
                QueryError::TooLarge { what: "the key".to_owned(), found: found as u64, max: max as u64 }
            }
            Refusal::Bytes { found, max } => {
                QueryError::TooLarge { what: "the update".to_owned(), found: found as u64, max: max as u64 }
            }
            Refusal::ClockSkew { ahead_ms, max_ms } => QueryError::ClockSkew { ahead_ms, max_ms },
            refusal => QueryError::Refused { why: refusal.to_string() },
        },
        error => QueryError::Refused { why: error.to_string() },
    }
}
