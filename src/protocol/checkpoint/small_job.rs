//! A small job for tests: a source with one split feeds a sink over one channel, at any parallelism of the sink.

use std::collections::{BTreeMap, BTreeSet};

use watershed_core::checkpoint::{
    ChannelCut, ChannelKey, ContentHash, Manifest, ObjectRef, Payload, Pointer, SplitCut, Staged, Vote, Xid,
};
use watershed_core::plan::{Fingerprint, Plan};
use watershed_core::shared::Propagation;
use watershed_core::{
    ChannelId, Epoch, KeyGroups, Lineage, Position, Run, SplitId, SubtaskId, Term, VertexId,
};

use super::{Authority, Role, Roster};

pub(crate) const SOURCE: SubtaskId = SubtaskId { vertex: VertexId(0), index: 0 };
pub(crate) const SINK: SubtaskId = SubtaskId { vertex: VertexId(1), index: 0 };
pub(crate) const CHANNEL: ChannelKey = ChannelKey { to: SINK, channel: ChannelId(0) };

pub(crate) fn sink(index: u32) -> SubtaskId {
    SubtaskId { index, ..SINK }
}

pub(crate) fn plan() -> Fingerprint {
    Fingerprint::of(&Plan {
        name: "small".to_owned(),
        key_groups: key_groups(),
        vertices: Vec::new(),
        edges: Vec::new(),
        shared: Vec::new(),
        propagation: Propagation::default(),
    })
}

pub(crate) fn key_groups() -> KeyGroups {
    KeyGroups::new(8).expect("eight groups are allowed")
}

pub(crate) fn roster() -> Roster {
    let source = Role { source: true, sink: false };
    let sink = Role { source: false, sink: true };
    Roster {
        plan: plan(),
        key_groups: key_groups(),
        subtasks: BTreeMap::from([(SOURCE, source), (SINK, sink)]),
        channels: BTreeSet::from([CHANNEL]),
    }
}

pub(crate) fn authority(term: u64, run: u32) -> Authority {
    Authority { term: Term(term), run: Run(run), lineage: Lineage(0) }
}

pub(crate) fn object(path: &str) -> ObjectRef {
    ObjectRef { path: path.to_owned(), bytes: 1, hash: ContentHash([7; 32]) }
}

pub(crate) fn pointer(epoch: u64) -> Pointer {
    Pointer { lineage: Lineage(0), epoch: Epoch(epoch), manifest: object(&format!("manifest-{epoch}")) }
}

pub(crate) fn cut(records: u64) -> ChannelCut {
    ChannelCut { channel: CHANNEL, records, batches: records, sum: records }
}

pub(crate) fn xid(run: u32, epoch: u64) -> Xid {
    Xid { lineage: Lineage(0), epoch: Epoch(epoch), run: Run(run), subtask: SINK }
}

pub(crate) fn staged(run: u32, epoch: u64) -> Staged {
    Staged { xid: xid(run, epoch), payload: Payload::Inline(vec![epoch as u8]) }
}

fn vote(subtask: SubtaskId) -> Vote {
    Vote {
        subtask,
        plan: plan().digest(),
        snapshot: Vec::new(),
        key_groups: None,
        received: Vec::new(),
        sent: Vec::new(),
        in_flight: Vec::new(),
        splits: Vec::new(),
        staged: Vec::new(),
        finished: false,
        shared: None,
    }
}

/// The source has read and sent so many records.
pub(crate) fn source_vote(records: u64) -> Vote {
    let split =
        SplitCut { split: SplitId(0), description: Vec::new(), position: Position(records), ended: false };
    Vote { sent: vec![cut(records)], splits: vec![split], ..vote(SOURCE) }
}

/// The sink has received so many records and has these epochs staged.
pub(crate) fn sink_vote(records: u64, staged: Vec<Staged>) -> Vote {
    Vote { received: vec![cut(records)], staged, ..vote(SINK) }
}

pub(crate) fn manifest(run: u32, epoch: u64, base: Option<u64>, votes: Vec<Vote>) -> Manifest {
    let last = votes.iter().all(|vote| vote.finished);
    Manifest {
        job: "small".to_owned(),
        lineage: Lineage(0),
        epoch: Epoch(epoch),
        run: Run(run),
        term: Term(1),
        base: base.map(Epoch),
        plan: plan(),
        key_groups: key_groups(),
        taken_at: 0,
        savepoint: false,
        last,
        votes,
    }
}
