//! What complete checkpoints have of a key.
//!
//! A complete checkpoint is one consistent cut through all state of a job, it never changes, and no failure undoes it. So
//! whoever reads from one reads the same again and again, and all that is read from one belongs together: the values of
//! many keys, of shared state and of operators' own.
//!
//! Which checkpoints are complete is told by the decision alone: the newest one, and from there back whatever each of
//! them says it was built upon. A manifest that is there but was never decided is on no such way.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use actix::prelude::*;
use watershed_core::causal::VectorClock;
use watershed_core::checkpoint::{Manifest, Meta, SiteShare};
use watershed_core::shared::{AnyShared, AnyTable};
use watershed_core::state::{Clock, Glance, LookError};
use watershed_core::{Epoch, EventTime, KeyGroupRange, Lineage, Plan, ProcessingTime};
use watershed_protocol::causal::Needs;
use watershed_state::inspect::{InspectError, Offline, Which};
use watershed_state::{CheckpointStore, StoreError};

use super::clerk::Clerk;
use super::limits::{KEY_BYTES_MAX, VALUE_BYTES_MAX};
use super::operators::{Aim, aim, not_seen, uids};
use super::reading::{check_bytes, not_taken, unfit};
use super::{AsOf, Found, Level, Query, QueryError};
use crate::shared::read_back;

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

struct Kept {
    lineage: Lineage,
    epoch: Epoch,
    tables: Tables,
}

type Tables = Arc<Vec<Arc<dyn AnyTable>>>;

/// To an archivist: what does a checkpoint have of a key? With what is decided of the job.
#[derive(Message)]
#[rtype(result = "Result<Found, QueryError>")]
pub(crate) struct ReadBack {
    pub(crate) meta: Meta,
    pub(crate) query: Query,
}

/// How often a checkpoint is read that is let go meanwhile.
const READS_MAX: usize = 5;

/// Reads, with what is decided at the time, until there is an answer. A checkpoint may be let go while it is read, and then
/// there is a newer one; where there is none, what is missing is missing for good.
pub(crate) async fn read_again(
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
        self.clerk.open(token.as_deref())?;
        let manifest = self.checkpoint(meta, *which).await?;
        let shared = self.plan.shared.iter().position(|shared| shared.state.name() == state);
        let value = match shared {
            Some(place) => {
                let tables = self.tables(&manifest).await?;
                tables[place].get(Epoch(u64::MAX), key).map_err(not_taken)?
            }
            None => self.look_back(&manifest, *level, state, key).await?,
        };
        check_bytes("the value", value.as_ref().map_or(0, Vec::len), VALUE_BYTES_MAX)?;
        let Manifest { run, epoch, .. } = manifest;
        let token = self.clerk.token((meta.lineage, run), VectorClock::new(), Some(epoch), &Needs::default());
        let token = self.clerk.seal(&token)?;
        let node = self.node.clone();
        Ok(Found { value, token, run, as_of: Some(epoch), durable: true, rebased: false, node })
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
            let (_, manifest) = offline.manifest(next).await.map_err(|error| match error {
                InspectError::NoSuch { .. } | InspectError::NoneCompleted { .. } => none(),
                error => QueryError::Unreadable { why: error.to_string() },
            })?;
            if manifest.epoch == asked {
                return Ok(manifest);
            }
            let before = manifest.base.filter(|base| *base >= asked && *base < manifest.epoch);
            next = Which::Epoch(before.ok_or_else(none)?);
        }
    }

    /// What a checkpoint has of shared state.
    async fn tables(&self, manifest: &Manifest) -> Result<Tables, QueryError> {
        let Manifest { lineage, epoch, run, .. } = *manifest;
        let is_it = |kept: &&Kept| (kept.lineage, kept.epoch) == (lineage, epoch);
        let kept = self.kept.borrow().as_ref().filter(is_it).map(|kept| kept.tables.clone());
        if let Some(tables) = kept {
            return Ok(tables);
        }
        let cuts = manifest.votes.iter().filter_map(|vote| vote.shared.as_ref());
        let shares: Vec<SiteShare> = cuts.filter_map(|cut| cut.share.clone()).collect();
        let states: Vec<AnyShared> = self.plan.shared.iter().map(|shared| shared.state.clone()).collect();
        let (store, runtime) = (self.store.clone(), tokio::runtime::Handle::current());
        // It may be much, and others are served on this thread.
        let read = move || runtime.block_on(read_back(&store, &shares, &states, (run, epoch)));
        let read = tokio::task::spawn_blocking(read).await;
        let tables = read.map_err(|error| error.to_string()).and_then(|read| read.map_err(|e| e.to_string()));
        let tables = Arc::new(tables.map_err(|why| QueryError::Unreadable { why })?);
        *self.kept.borrow_mut() = Some(Kept { lineage, epoch, tables: tables.clone() });
        Ok(tables)
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
