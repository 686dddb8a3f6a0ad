//! Checkpoints made up for tests.

use std::collections::BTreeMap;

use watershed_core::checkpoint::{Manifest, Payload, Pointer, Staged, Vote, Xid};
use watershed_core::plan::Fingerprint;
use watershed_core::state::{Layer, LayerKind, Sections};
use watershed_core::testing::Numbers;
use watershed_core::{Epoch, KeyGroup, KeyGroups, Lineage, Pipeline, Run, SubtaskId, Term, VertexId};

use crate::{CheckpointStore, Header, Object, ObjectKey};

/// The job of all made-up checkpoints.
pub(crate) const JOB: &str = "flights";

pub(crate) fn subtask(vertex: u32, index: u32) -> SubtaskId {
    SubtaskId { vertex: VertexId(vertex), index }
}

/// The fingerprint of a plan that maps so many times.
pub(crate) fn plan(maps: usize) -> Fingerprint {
    let pipeline = Pipeline::new(JOB, KeyGroups::default());
    let source = pipeline.source(Numbers::up_to(1));
    match maps {
        1 => source.map(|n| n).discard(),
        _ => source.map(|n| n).map(|n| n).discard(),
    };
    Fingerprint::of(&pipeline.plan().expect("the plan is complete"))
}

/// A manifest without votes.
pub(crate) fn manifest(epoch: u64, run: u32, base: Option<u64>) -> Manifest {
    Manifest {
        job: JOB.to_owned(),
        lineage: Lineage(0),
        epoch: Epoch(epoch),
        run: Run(run),
        term: Term(1),
        base: base.map(Epoch),
        plan: plan(1),
        key_groups: KeyGroups::default(),
        taken_at: 1_700_000_000_000 + epoch as i64 * 1000,
        savepoint: false,
        last: false,
        votes: Vec::new(),
    }
}

/// A vote with nothing in it.
pub(crate) fn vote(subtask: SubtaskId) -> Vote {
    Vote {
        subtask,
        plan: 1,
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

/// A full layer of one stage `counts` whose part `state` holds counts by key.
pub(crate) fn counts(entries: &[(u16, &[(&str, u64)])]) -> Layer {
    let mut counts = Sections::default();
    for (group, entries) in entries {
        counts.part("state").put(KeyGroup(*group), entries);
    }
    counts.part("watermark").put_whole(&1000_i64);
    Layer { kind: LayerKind::Full, stages: BTreeMap::from([("counts".to_owned(), counts)]) }
}

pub(crate) fn header(manifest: &Manifest, subtask: SubtaskId) -> Header {
    Header {
        job: manifest.job.clone(),
        lineage: manifest.lineage,
        epoch: manifest.epoch,
        run: manifest.run,
        subtask,
        key_groups: manifest.key_groups,
        kind: LayerKind::Full,
    }
}

/// Writes a checkpoint of a counting subtask and a sink that has staged some bytes.
pub(crate) async fn checkpoint(
    store: &CheckpointStore,
    mut manifest: Manifest,
    layer: Layer,
) -> (Pointer, Manifest) {
    let (counting, sink) = (subtask(1, 0), subtask(2, 0));
    let mut counted = vote(counting);
    counted.snapshot =
        vec![store.put_layer(header(&manifest, counting), layer).await.expect("it is written")];
    counted.key_groups = Some(manifest.key_groups.range(0, 1));
    let Manifest { lineage, epoch, run, .. } = manifest;
    let key = ObjectKey { lineage, epoch, run, object: Object::Staged(sink) };
    let payload = Payload::Object(store.put(key, format!("rows of {epoch}")).await.expect("it is written"));
    let mut wrote = vote(sink);
    wrote.staged = vec![Staged { xid: Xid { lineage, epoch, run, subtask: sink }, payload }];
    manifest.votes = vec![counted, wrote];
    (store.put_manifest(&manifest).await.expect("it is written"), manifest)
}
