//! The job of the model: a source of a few records feeds a staged sink and an XA sink.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use watershed_core::checkpoint::{ChannelCut, ChannelKey, ContentHash, ObjectRef, SplitCut, Vote};
use watershed_core::plan::{Fingerprint, Plan};
use watershed_core::shared::Propagation;
use watershed_core::{ChannelId, Epoch, KeyGroups, Position, SplitId, SubtaskId, VertexId};
use watershed_protocol::checkpoint::{CheckpointConfig, Role, Roster};

pub(crate) const JOB: &str = "model";
pub(crate) const SOURCE: SubtaskId = SubtaskId { vertex: VertexId(0), index: 0 };
/// Stages its output in the checkpoint store, and shows it in one transaction with a fence row.
pub(crate) const STAGED: SubtaskId = SubtaskId { vertex: VertexId(1), index: 0 };
/// Prepares its output in the external system.
pub(crate) const XA: SubtaskId = SubtaskId { vertex: VertexId(2), index: 0 };
pub(crate) const SINKS: [SubtaskId; 2] = [STAGED, XA];

pub(crate) fn roster() -> Roster {
    let (source, sink) = (Role { source: true, sink: false }, Role { source: false, sink: true });
    Roster {
        plan: plan(),
        key_groups: KeyGroups::default(),
        subtasks: BTreeMap::from([(SOURCE, source), (STAGED, sink), (XA, sink)]),
        channels: SINKS.map(channel).into(),
    }
}

fn plan() -> Fingerprint {
    let (name, key_groups, propagation) = (JOB.to_owned(), KeyGroups::default(), Propagation::default());
    let (vertices, edges, shared) = (Vec::new(), Vec::new(), Vec::new());
    Fingerprint::of(&Plan { name, key_groups, vertices, edges, shared, propagation })
}

fn channel(to: SubtaskId) -> ChannelKey {
    ChannelKey { to, channel: ChannelId(0) }
}

/// A configuration in which whatever waits for time may happen at any time, and nothing else depends on time.
///
/// All ticks are 0: a checkpoint can time out at once or never, and the next one is wanted at once. Orders to
/// commit are not repeated, since the network of the model does not forget. A job that is cancelled and not patient may
/// end at any time.
pub(crate) fn config(patient: bool) -> CheckpointConfig {
    CheckpointConfig {
        interval: Some(Duration::ZERO),
        pause_min: Duration::ZERO,
        timeout: Duration::ZERO,
        back_off: Duration::ZERO,
        back_off_max: Duration::MAX,
        failures_tolerated: 100,
        pending_max: 100,
        retain: 1,
        block: 1,
        restore_timeout: Duration::MAX,
        cancel_timeout: if patient { Duration::MAX } else { Duration::ZERO },
        commit_retry: Duration::MAX,
        store_retry: Duration::ZERO,
        restarts_max: 100,
        restart_pause: Duration::ZERO,
        halt_on_violation: true,
    }
}

fn cut(to: SubtaskId, records: u8) -> ChannelCut {
    let records = u64::from(records);
    ChannelCut { channel: channel(to), records, batches: records, sum: records }
}

/// The object that a subtask saves its state in; its length tells the epoch.
fn snapshot(epoch: Epoch) -> ObjectRef {
    ObjectRef { path: String::new(), bytes: epoch.0, hash: ContentHash([0; 32]) }
}

/// The epoch of such an object.
pub(crate) fn taken_at(snapshot: &ObjectRef) -> Epoch {
    Epoch(snapshot.bytes)
}

fn vote(subtask: SubtaskId, epoch: Epoch, finished: bool) -> Vote {
    Vote {
        subtask,
        plan: plan().digest(),
        snapshot: vec![snapshot(epoch)],
        key_groups: None,
        received: Vec::new(),
        sent: Vec::new(),
        in_flight: Vec::new(),
        splits: Vec::new(),
        staged: Vec::new(),
        finished,
        shared: None,
    }
}

/// The source stands at `position` and has sent `sent` records in this run.
pub(crate) fn source_vote(epoch: Epoch, position: u8, sent: u8, ended: bool) -> Vote {
    let position = Position(u64::from(position));
    let split = SplitCut { split: SplitId(0), description: Vec::new(), position, ended };
    Vote { sent: SINKS.map(|sink| cut(sink, sent)).into(), splits: vec![split], ..vote(SOURCE, epoch, ended) }
}

/// A sink has received so many records in this run.
pub(crate) fn sink_vote(subtask: SubtaskId, epoch: Epoch, received: u8, ended: bool) -> Vote {
    Vote { received: vec![cut(subtask, received)], ..vote(subtask, epoch, ended) }
}

/// Where the source stood when these votes were cast.
pub(crate) fn position(votes: &[Vote]) -> u8 {
    let splits = votes.iter().flat_map(|vote| &vote.splits);
    splits.map(|split| split.position.0 as u8).max().unwrap_or(0)
}

/// The subtasks of the job.
pub(crate) fn subtasks() -> BTreeSet<SubtaskId> {
    [SOURCE, STAGED, XA].into()
}
