//! Decisions: which are made, which are refused, and what is left of them after a crash.

mod crash;
mod one_process;
mod rules;

use watershed_core::checkpoint::{ContentHash, ObjectRef, Pointer};
use watershed_core::{Epoch, Lineage};

use crate::meta::Change;

fn pointer(lineage: u32, epoch: u64) -> Pointer {
    let manifest = ObjectRef {
        path: format!("ck/{lineage}/{epoch}/1/manifest.0707070707070707"),
        bytes: 1234,
        hash: ContentHash([7; 32]),
    };
    Pointer { lineage: Lineage(lineage), epoch: Epoch(epoch), manifest }
}

/// What the first checkpoint of a job decides, in order.
fn first_checkpoint() -> [Change; 3] {
    [Change::BeginRun, Change::Burn(Epoch(64)), Change::Complete(pointer(0, 1))]
}
