//! Objects: written durably, believed only when proved.

mod disk;
mod listings;
mod manifests;
mod objects;
mod paths;
#[cfg(feature = "s3")]
mod remote;
#[cfg(feature = "s3")]
pub(crate) mod server;

use watershed_core::{Epoch, Lineage, Run};

use crate::fixture::subtask;
use crate::{Object, ObjectKey};

fn key(epoch: u64) -> ObjectKey {
    let object = Object::Snapshot(subtask(3, 1));
    ObjectKey { lineage: Lineage(0), epoch: Epoch(epoch), run: Run(2), object }
}
