//! Updates of what a job shares, made by clients from outside.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use watershed_core::causal::{Dot, Lane};
use watershed_core::{Counter, Epoch};
use watershed_protocol::causal::{JobToken, StampError, Translation, is_durable, translate};

use super::clerk::Shown;
use super::limits::{DELTA_BYTES_MAX, KEY_BYTES_MAX};
use super::reading::{check_bytes, not_taken};
use super::turn::{Carried, Client, Served, rolled_back};
use super::window::{View, Window};
use super::{Found, QueryError, Update};
use crate::shared::NotWritten;

impl Window {
    /// Whether the values of a state are agreed on, so that nobody updates it.
    pub(crate) fn agrees_on(&self, state: &str) -> bool {
        let views = self.views.borrow();
        let replica = views.as_ref().and_then(|view| view.replica.as_deref());
        replica.is_some_and(|replica| replica.agrees_on(state))
    }

    /// Makes an update in the run that lives here, behind all that its writer has seen.
    pub(crate) async fn update(&self, update: &Update, until: Instant) -> Result<Found, QueryError> {
        check_bytes("the key", update.key.len(), KEY_BYTES_MAX)?;
        check_bytes("the update", update.delta.len(), DELTA_BYTES_MAX)?;
        let Shown { here, elsewhere } = self.clerk.open(update.token.as_deref())?;
        let inputs = here.as_ref().map(|here| here.inputs.clone()).unwrap_or_default();
        let carried = Carried { inputs, elsewhere };
        let client = Client { token: here.as_ref(), carried: &carried, rebase: false, writes: true };
        loop {
            let served = self.turn(&client, until).await?;
            // A run that ends in this instant takes nothing more; the next one is waited for.
            if let Some(token) = self.write(&served, update)? {
                return self.answer(served, update, token, until).await;
            }
        }
    }

    /// What the writer has seen with its update; nothing where the run is over.
    fn write(
        &self,
        Served { view, needs, carried, .. }: &Served,
        update: &Update,
    ) -> Result<Option<JobToken>, QueryError> {
        if view.operators.as_ref().is_some_and(|operators| operators.have(&update.state)) {
            return Err(QueryError::ReadOnly { state: update.state.clone() });
        }
        let (replica, shared) = self.find(view, &update.state)?;
        if update.durable && !view.lasts {
            let why =
                "the job keeps no checkpoint that an update could be part of: give it a state directory";
            return Err(QueryError::Refused { why: why.to_owned() });
        }
        let of = (view.authority.lineage, view.authority.run);
        // Behind the update no answer may fail that could have been known to: what is as long as any can be sealed.
        let lane = Lane { run: of.1, epoch: Epoch(u64::MAX), site: replica.site() };
        let longest = [Dot { lane, counter: Counter(u64::MAX) }].into_iter().collect();
        let token = |seen| self.clerk.token(of, seen, view.base, needs, &carried.inputs);
        self.clerk.seal(token(longest), &carried.elsewhere)?;
        match replica.write_for_client(shared, &update.key, &update.delta, &needs.seen) {
            Ok(dot) => Ok(Some(token([dot].into_iter().collect()))),
            Err(NotWritten::Over) => Ok(None),
            Err(NotWritten::Refused(error)) => Err(not_taken(error)),
            Err(NotWritten::Panicked(why)) => Err(QueryError::Unknown { why }),
            Err(NotWritten::Stamp(error)) => Err(match error {
                StampError::ClockSkew { ahead, max } => {
                    QueryError::ClockSkew { ahead_ms: millis(ahead), max_ms: millis(max) }
                }
                error => QueryError::Unavailable { missing: format!("room for it ({error})") },
            }),
        }
    }

    async fn answer(
        &self,
        served: Served,
        update: &Update,
        token: JobToken,
        until: Instant,
    ) -> Result<Found, QueryError> {
        let durable = update.durable && self.becomes_durable(&token, until).await?;
        let token = self.clerk.seal(token, &served.carried.elsewhere);
        Ok(Found {
            value: None,
            token: token.map_err(|error| QueryError::Unknown { why: error.to_string() })?,
            run: served.view.authority.run,
            as_of: None,
            durable,
            rebased: false,
            node: self.node.clone(),
        })
    }

    /// Waits until a complete checkpoint has all that a token names of the job, and says whether that came about in time.
    pub(crate) async fn await_durable(&self, shown: &str, until: Instant) -> Result<Found, QueryError> {
        let token = self.clerk.open(Some(shown))?.here;
        // What is undone already is told at once, and what is of another history.
        let carried = Carried::default();
        let client = Client { token: token.as_ref(), carried: &carried, rebase: false, writes: false };
        let served = self.at_once(&client)?;
        let durable = match &token {
            Some(token) => self.becomes_durable(token, until).await?,
            // Nothing has been seen of this job.
            None => true,
        };
        Ok(Found {
            value: None,
            token: shown.to_owned(),
            run: served.view.authority.run,
            as_of: None,
            durable,
            rebased: false,
            node: self.node.clone(),
        })
    }

    /// Waits until a complete checkpoint has all that a token names. Whether it came in time.
    async fn becomes_durable(&self, token: &JobToken, until: Instant) -> Result<bool, QueryError> {
        let mut views = self.views.subscribe();
        loop {
            let place = views.borrow_and_update().as_ref().map(View::place);
            if let Some(place) = place {
                if is_durable(token, &place) {
                    return Ok(true);
                }
                if let Translation::RolledBack { from, to, base, undone, .. } = translate(token, &place) {
                    return Err(rolled_back((from, to), base, &undone));
                }
            }
            if timeout_at(until, views.changed()).await.is_err() {
                return Ok(false);
            }
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
