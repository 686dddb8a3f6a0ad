//! Looking at checkpoints that were made up, sound and not.

mod export;
mod prove;
mod see;

use watershed_core::checkpoint::{Manifest, Meta, Pointer};
use watershed_core::{Epoch, Run};

use crate::CheckpointStore;
use crate::fixture::{self, checkpoint, counts};

/// Two checkpoints of a job that counts, the second one decided last.
async fn two(store: &CheckpointStore) -> (Meta, [(Pointer, Manifest); 2]) {
    let before = counts(&[(3, &[("EWR", 1), ("LGA", 5)]), (90, &[("JFK", 2)])]);
    let first = checkpoint(store, fixture::manifest(1, 1, None), before).await;
    let after = counts(&[(3, &[("EWR", 1), ("HPN", 1)]), (90, &[("JFK", 7)])]);
    let second = checkpoint(store, fixture::manifest(2, 1, Some(1)), after).await;
    (meta(&second.0), [first, second])
}

fn meta(completed: &Pointer) -> Meta {
    Meta { run: Run(1), completed: Some(completed.clone()), burnt: Epoch(64), ..Meta::default() }
}
