//! What complete checkpoints have of a key.
//!
//! A complete checkpoint is one consistent cut through all state of a job, it never changes, and no failure undoes it. So
//! whoever reads from one reads the same again and again, and all that is read from one belongs together: the values of
//! many keys, of shared state and of operators' own.
//!
//! Which checkpoints are complete is told by the decision alone: the newest one, and from there back whatever each of
//! them says it was built upon. A manifest that is there but was never decided is on no such way. That way ends where
//! retention has let one go; of savepoints behind it those are left that were complete, since the others are let go as
//! long as the way still shows which they are ([`watershed_state::retention`]).

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use actix::prelude::*;
use futures_util::FutureExt;
use futures_util::future::{LocalBoxFuture, Shared};
use tokio::time::{Instant, timeout_at};
use watershed_core::checkpoint::{Manifest, Meta, SiteShare};
use watershed_core::shared::AnyShared;
use watershed_core::state::{Clock, Glance, LookError};
use watershed_core::{Epoch, EventTime, KeyGroupRange, Lineage, Plan, ProcessingTime};
use watershed_protocol::causal::Submitted;
use watershed_state::inspect::{InspectError, Offline, Which};
use watershed_state::{CheckpointStore, StoreError};

use super::clerk::{Clerk, Shown};
use super::inputs::{lacking, put_in};
use super::limits::{KEY_BYTES_MAX, LOOK_EVERY, VALUE_BYTES_MAX};
use super::operators::{Aim, aim, not_seen, uids};
use super::order::{Onward, Past};
use super::reading::{THE_CHECKPOINT, check_bytes, deadline, late, not_taken, unfit};
use super::{AsOf, Found, Level, Query, QueryError};
use crate::shared::{Tables, read_back};

/// Reads from the checkpoints of one job.
pub(crate) struct Archivist(Rc<Archive>);

/// The checkpoints of one job.
struct Archive {
    plan: Rc<Plan>,
    store: CheckpointStore,
    clerk: Clerk,
    node: String,
    /// The shared state of the checkpoint that was read last.
    kept: RefCell<Option<Kept>>,
}

/// What is being read, for all who have asked for it.
type Loading = Shared<LocalBoxFuture<'static, Result<Arc<Tables>, String>>>;

struct Kept {
    lineage: Lineage,
    epoch: Epoch,
    tables: Loading,
}

/// To an archivist: what does a checkpoint have of a key? With what is decided of the job.
#[derive(Message)]
#[rtype(result = "Result<Found, QueryError>")]
pub(crate) struct ReadBack {
    pub(crate) meta: Meta,
    pub(crate) query: Query,
}

/// How often a checkpoint is read that is let go meanwhile.
const READS_MAX: usize = 5;

/// Says why a checkpoint is not the one that is waited for, where it is not.
fn await_input(which: AsOf, manifest: &Manifest, inputs: &[Submitted]) -> Result<(), QueryError> {
    let level = Level::AsOf(which);
    if which != AsOf::Latest {
        return Err(unfit(level, "what was put in is waited for in the newest checkpoint: ask as of latest"));
    }
    if inputs.is_empty() {
        let why = "nothing is known to have been put in: say what, or show a token that does";
        return Err(unfit(level, why));
    }
    match lacking(manifest, inputs)? {
        Some(missing) => Err(QueryError::Unavailable { missing }),
        None => Ok(()),
    }
}

/// Reads, with what is decided at the time, until there is an answer, or no time is left to wait for what was put in.
pub(crate) async fn read_until(
    query: &Query,
    read: impl AsyncFn() -> (Option<Epoch>, Result<Found, QueryError>),
) -> Result<Found, QueryError> {
    let until = deadline(query.wait);
    let mut answer = Err(late(THE_CHECKPOINT));
    loop {
        match timeout_at(until, read_again(&read)).await {
            Ok(read) => answer = read,
            Err(_) => return answer,
        }
        let is_early = matches!(
            answer,
            // Its first checkpoint may be about to be taken, or the split to be read for the first time.
            Err(QueryError::Unavailable { .. }
                | QueryError::NoCheckpoint { .. }
                | QueryError::NoInput { .. })
        );
        if !(query.await_input && is_early) || Instant::now() + LOOK_EVERY >= until {
            return answer;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Reads, with what is decided at the time, until there is an answer. A checkpoint may be let go while it is read, and then
/// there is a newer one; where there is none, what is missing is missing for good.
async fn read_again(
    read: impl AsyncFn() -> (Option<Epoch>, Result<Found, QueryError>),
) -> Result<Found, QueryError> {
    let (mut newest, mut answer) = read().await;
    for _ in 1..READS_MAX {
        if !matches!(answer, Err(QueryError::Unreadable { .. })) {
            break;
        }
        let before = newest;
        (newest, answer) = read().await;
        if newest == before {
            break;
        }
    }
    answer
}

impl Archivist {
    pub(crate) fn new(plan: Rc<Plan>, store: CheckpointStore, clerk: Clerk, node: &str) -> Self {
        let node = node.to_owned();
        Archivist(Rc::new(Archive { plan, store, clerk, node, kept: RefCell::default() }))
    }
}

impl Actor for Archivist {
    type Context = Context<Self>;
}

impl Handler<ReadBack> for Archivist {
    type Result = ResponseFuture<Result<Found, QueryError>>;

    fn handle(&mut self, ReadBack { meta, query }: ReadBack, _: &mut Self::Context) -> Self::Result {
        let archive = self.0.clone();
        Box::pin(async move { archive.read(&meta, &query).await })
    }
}

impl Archive {
    async fn read(&self, meta: &Meta, query: &Query) -> Result<Found, QueryError> {
        let Query { state, key, level, token, .. } = query;
        let Level::AsOf(which) = level else {
            return Err(unfit(*level, "a checkpoint is asked only as of itself"));
        };
        check_bytes("the key", key.len(), KEY_BYTES_MAX)?;
        let Shown { here, elsewhere } = self.clerk.open(token.as_deref())?;
        let inputs = put_in(here.as_ref(), query)?;
        let past = Past::of(meta, here, inputs, query)?;
        let manifest = self.checkpoint(meta, *which).await?;
        if query.await_input {
            await_input(*which, &manifest, past.inputs())?;
        }
        let shared = self.plan.shared.iter().position(|shared| shared.state.name() == state);
        let value = match shared {
            Some(place) => {
                let tables = self.tables(&manifest).await?;
                tables[place].get(Epoch(u64::MAX), key).map_err(not_taken)?
            }
            None => self.look_back(&manifest, *level, state, key).await?,
        };
        check_bytes("the value", value.as_ref().map_or(0, Vec::len), VALUE_BYTES_MAX)?;
        let Onward { token, durable, rebased } = past.onward(&self.clerk, &manifest);
        let Manifest { run, epoch, .. } = manifest;
        let token = self.clerk.seal(token, &elsewhere)?;
        let node = self.node.clone();
        Ok(Found { value, token, run, as_of: Some(epoch), durable, rebased, node })
    }

    /// The manifest of a complete checkpoint.
    async fn checkpoint(&self, meta: &Meta, which: AsOf) -> Result<Manifest, QueryError> {
        let newest = meta.completed.as_ref().map(|pointer| pointer.epoch);
        let asked = match which {
            AsOf::Latest => newest,
            AsOf::Epoch(epoch) => Some(epoch),
        };
        let none = || QueryError::NoCheckpoint { asked, newest };
        let offline = Offline::of(self.store.clone(), Some(meta.clone()));
        let (Some(_), Some(asked)) = (newest, asked) else { return Err(none()) };
        let mut next = Which::Newest;
        loop {
            let Some(manifest) = found(&offline, next).await? else {
                let savepoint = found(&offline, Which::Epoch(asked)).await?;
                return savepoint.filter(|manifest| manifest.savepoint).ok_or_else(none);
            };
            if manifest.epoch == asked {
                return Ok(manifest);
            }
            let before = manifest.base.filter(|base| *base >= asked && *base < manifest.epoch);
            next = Which::Epoch(before.ok_or_else(none)?);
        }
    }

    /// What a checkpoint has of shared state: read once for all who ask meanwhile, and to its end, also where they give up.
    async fn tables(&self, manifest: &Manifest) -> Result<Arc<Tables>, QueryError> {
        let Manifest { lineage, epoch, .. } = *manifest;
        let is_it = |kept: &Kept| (kept.lineage, kept.epoch) == (lineage, epoch);
        let kept = self.kept.borrow().as_ref().filter(|kept| is_it(kept)).map(|kept| kept.tables.clone());
        let tables = kept.unwrap_or_else(|| {
            let tables = self.load(manifest);
            actix::spawn(tables.clone().map(drop));
            *self.kept.borrow_mut() = Some(Kept { lineage, epoch, tables: tables.clone() });
            tables
        });
        tables.await.map_err(|why| {
            // Whoever asks next may have more luck.
            self.kept.borrow_mut().take_if(|kept| is_it(kept));
            QueryError::Unreadable { why }
        })
    }

    fn load(&self, manifest: &Manifest) -> Loading {
        let Manifest { epoch, run, .. } = *manifest;
        let cuts = manifest.votes.iter().filter_map(|vote| vote.shared.as_ref());
        let shares: Vec<SiteShare> = cuts.filter_map(|cut| cut.share.clone()).collect();
        let states: Vec<AnyShared> = self.plan.shared.iter().map(|shared| shared.state.clone()).collect();
        let store = self.store.clone();
        let load = async move {
            let read = read_back(&store, &shares, &states, (run, epoch)).await;
            read.map(|(tables, _)| Arc::new(tables)).map_err(|error| error.to_string())
        };
        load.boxed_local().shared()
    }

    /// What a checkpoint has of an operator's state.
    async fn look_back(
        &self,
        manifest: &Manifest,
        level: Level,
        state: &str,
        key: &[u8],
    ) -> Result<Option<Vec<u8>>, QueryError> {
        let unreadable = |why: String| QueryError::Unreadable { why };
        let unknown = || {
            let shared = self.plan.shared.iter().map(|shared| shared.state.name().to_owned());
            QueryError::NoState { name: state.to_owned(), known: shared.chain(uids(&self.plan)).collect() }
        };
        let Aim { vertex, number, piece } = aim(&self.plan, state).ok_or_else(unknown)?;
        let group = vertex.factory.group_of(number, key, manifest.key_groups);
        let group = group.ok_or_else(|| not_seen(level, LookError::Opaque))?;
        let group = group.map_err(|error| not_seen(level, error))?;
        let uids: Vec<String> = vertex.stages.iter().map(|stage| stage.uid.clone()).collect();
        let now = ProcessingTime::from_millis(manifest.taken_at);
        let clock = Clock { time: EventTime::MIN, reached: EventTime::MIN, now };
        let range = KeyGroupRange(group.0..group.0 + 1);
        let owns = |range: &Option<KeyGroupRange>| range.as_ref().is_some_and(|range| range.contains(group));
        // Another plan may have had the operator in another vertex.
        for vote in manifest.votes.iter().filter(|vote| owns(&vote.key_groups)) {
            let snapshot = self.store.state(&vote.snapshot, Some(&range), true).await;
            let snapshot = snapshot.map_err(|error: StoreError| unreadable(error.to_string()))?;
            if !snapshot.contains_key(&uids[usize::from(number)]) {
                continue;
            }
            let looked = vertex.factory.look_back(number, &uids, &snapshot, Glance { piece, key, clock });
            let looked = looked.map_err(|error| unreadable(error.to_string()))?;
            return looked.map_err(|error| not_seen(level, error));
        }
        Ok(None)
    }
}

/// A manifest, if it is there.
async fn found(offline: &Offline, which: Which) -> Result<Option<Manifest>, QueryError> {
    match offline.manifest(which).await {
        Ok((_, manifest)) => Ok(Some(manifest)),
        Err(InspectError::NoSuch { .. } | InspectError::NoneCompleted { .. }) => Ok(None),
        Err(error) => Err(QueryError::Unreadable { why: error.to_string() }),
    }
}
