//! What tests of the neighbours have in common.

use watershed_core::checkpoint::Manifest;
use watershed_core::plan::Fingerprint;
use watershed_core::testing::Numbers;
use watershed_core::{Epoch, KeyGroups, Lineage, Pipeline, Run, Term};

/// A checkpoint of the job `test`, whose source has the uid `orders`, without votes.
pub(super) fn manifest(epoch: Epoch, run: Run) -> Manifest {
    let pipeline = Pipeline::new("test", KeyGroups::default());
    pipeline.source(Numbers::up_to(1)).uid("orders").discard();
    Manifest {
        job: "test".to_owned(),
        lineage: Lineage(0),
        epoch,
        run,
        term: Term(1),
        base: None,
        plan: Fingerprint::of(&pipeline.plan().expect("it is complete")),
        key_groups: KeyGroups::default(),
        taken_at: 0,
        savepoint: false,
        last: false,
        votes: Vec::new(),
    }
}
