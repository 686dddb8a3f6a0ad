//! Whether a client may be served here, by what it has seen; and waiting until it may be.

use futures_util::future::{Either, select};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};
use watershed_core::{Epoch, Run};
use watershed_protocol::causal::{self, JobToken, Needs, Submitted, Translation, translate};

use super::limits::WAITING_MAX;
use super::window::{View, Window};
use super::{QueryError, Undone};
use crate::breakage::{Breakage, is_broken};
use crate::shared;

/// A client, as it comes.
pub(super) struct Client<'a> {
    /// What it shows of the job.
    pub(super) token: Option<&'a JobToken>,
    pub(super) carried: &'a Carried,
    /// Whether it goes on without what was undone.
    pub(super) rebase: bool,
    /// Whether it is to write.
    pub(super) writes: bool,
}

/// What goes over from the token that is shown to that of the answer as it is, whichever run there is.
#[derive(Clone, Debug, Default)]
pub(super) struct Carried {
    /// What the client has put into the job's sources, by its token and otherwise.
    pub(super) inputs: Vec<Submitted>,
    /// What it has seen of other jobs.
    pub(super) elsewhere: Vec<JobToken>,
}

/// A client that may be served.
pub(super) struct Served {
    pub(super) view: View,
    /// What of its token holds in this run.
    pub(super) needs: Needs,
    pub(super) carried: Carried,
    /// Whether some of it did not.
    pub(super) rebased: bool,
    /// Whether the client has seen a later run than there is here: its own token says more than any of here.
    pub(super) is_ahead: bool,
}

/// What a client's token comes to in a run.
enum Judged {
    /// It holds, or as much of it.
    Holds { needs: Needs, rebased: bool },
    /// It is of a run that has not begun here.
    Ahead { missing: String },
}

/// What a client waits for.
enum Pending {
    /// A word of the replica; or another run.
    Turn { missing: String, turn: Option<oneshot::Receiver<()>> },
    /// The run is over, and the view will say so.
    Over,
}

impl Window {
    /// Waits until the client may be served here.
    pub(super) async fn turn(&self, client: &Client<'_>, until: Instant) -> Result<Served, QueryError> {
        let mut views = self.views.subscribe();
        loop {
            let view = views.borrow_and_update().clone();
            if view.is_none() && !self.is_alone() {
                return Err(self.not_running());
            }
            let pending = match &view {
                None => Pending::Over,
                Some(view) => match self.look_at(view, client)? {
                    Ok(served) => return Ok(served),
                    Err(pending) => pending,
                },
            };
            let missing = match pending {
                Pending::Over => timeout_at(until, views.changed()).await.is_err().then(String::new),
                Pending::Turn { missing, turn: None } => {
                    timeout_at(until, views.changed()).await.is_err().then_some(missing)
                }
                Pending::Turn { missing, turn: Some(turn) } => {
                    let changed = std::pin::pin!(views.changed());
                    let woken = timeout_at(until, select(turn, changed)).await;
                    let given_up = woken.map(|either| match either {
                        Either::Left((_, _)) | Either::Right((_, _)) => (),
                    });
                    given_up.is_err().then_some(missing)
                }
            };
            match missing {
                None => {}
                Some(_) if view.is_none() => return Err(self.not_running()),
                Some(missing) => return Err(QueryError::Unavailable { missing }),
            }
        }
    }

    /// Serves a client with what is here now, whatever it has seen, if nothing of that was undone.
    pub(super) fn at_once(&self, client: &Client<'_>) -> Result<Served, QueryError> {
        let view = self.views.borrow().clone().ok_or_else(|| self.not_running())?;
        let (needs, rebased, is_ahead) = match judge(&view, client.token, client.rebase)? {
            Judged::Holds { needs, rebased } => (needs, rebased, false),
            Judged::Ahead { .. } => (Needs::default(), false, true),
        };
        Ok(Served { view, needs, carried: client.carried.clone(), rebased, is_ahead })
    }

    fn look_at(&self, view: &View, client: &Client<'_>) -> Result<Result<Served, Pending>, QueryError> {
        if let Some(doubt) = &view.doubt {
            let missing = format!("certainty that run {} goes on here: {doubt}", view.authority.run);
            return Ok(Err(Pending::Turn { missing, turn: None }));
        }
        let (needs, rebased) = match judge(view, client.token, client.rebase)? {
            Judged::Holds { needs, rebased } => (needs, rebased),
            Judged::Ahead { missing } => return Ok(Err(Pending::Turn { missing, turn: None })),
        };
        let carried = client.carried.clone();
        let served = |needs| Served { view: view.clone(), needs, carried, rebased, is_ahead: false };
        let Some(replica) = &view.replica else { return Ok(Ok(served(needs))) };
        match replica.take_turn(&needs, client.writes) {
            shared::Turn::Now => Ok(Ok(served(needs))),
            shared::Turn::Later(turn) => {
                let missing = replica.lacks(&needs, client.writes);
                Ok(Err(Pending::Turn { missing, turn: Some(turn) }))
            }
            shared::Turn::Full => Err(QueryError::Busy { max: WAITING_MAX as u64 }),
            shared::Turn::Over => Ok(Err(Pending::Over)),
        }
    }

    pub(crate) fn not_running(&self) -> QueryError {
        QueryError::NotRunning { job: self.clerk.job().to_owned() }
    }
}

/// What a token comes to in a run. Whoever shows none has seen nothing.
fn judge(view: &View, token: Option<&JobToken>, rebase: bool) -> Result<Judged, QueryError> {
    let token = token.filter(|_| !is_broken(Breakage::Tokens));
    let Some(token) = token else { return Ok(Judged::Holds { needs: Needs::default(), rebased: false }) };
    match translate(token, &view.place()) {
        Translation::Wait(needs) => Ok(Judged::Holds { needs, rebased: false }),
        Translation::RolledBack { rest, .. } if is_broken(Breakage::Translation) => {
            Ok(Judged::Holds { needs: rest, rebased: false })
        }
        Translation::RolledBack { rest, .. } if rebase => Ok(Judged::Holds { needs: rest, rebased: true }),
        Translation::Ahead { run } => Ok(Judged::Ahead { missing: format!("run {run} of the job") }),
        Translation::RolledBack { from, to, base, undone, rest: _ } => {
            Err(rolled_back((from, to), base, &undone))
        }
        Translation::Forked { from, to } => Err(QueryError::Forked { from, to }),
        Translation::Expired => Err(QueryError::TokenExpired),
    }
}

/// What is told to a client that has seen what was undone.
pub(super) fn rolled_back(
    (from_run, to_run): (Run, Run),
    base: Option<Epoch>,
    undone: &[causal::Undone],
) -> QueryError {
    let told =
        |one: &causal::Undone| Undone { lane: one.up_to.lane, up_to: one.up_to.counter, by: one.by.run };
    QueryError::RolledBack { from_run, to_run, base, undone: undone.iter().map(told).collect() }
}
