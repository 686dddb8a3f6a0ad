//! One update of shared state, as it travels.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use watershed_core::causal::VectorClock;
use watershed_core::shared::Stamp;

/// What an update takes beside its delta and its dependencies, about.
const STAMP_BYTES: usize = 64;
/// What one dependency takes, about.
const DEPENDENCY_BYTES: usize = 32;

/// Tells how much memory a delta takes, so that what waits can be bounded.
pub trait Size {
    /// How many bytes, about.
    fn bytes(&self) -> usize;
}

impl Size for Vec<u8> {
    fn bytes(&self) -> usize {
        self.len()
    }
}

impl<D: Size> Size for Arc<D> {
    fn bytes(&self) -> usize {
        self.as_ref().bytes()
    }
}

/// One update of shared state: what it is called, what came before it, and what it changes.
///
/// It is cloned for the log and for each effect, so `D` is best something that is cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Update<D> {
    /// Its name, its time and its writer.
    pub stamp: Stamp,
    /// All that the writer's site had applied in the lanes that the writer could see: no more than that can have
    /// caused it, and that is causally closed.
    pub deps: VectorClock,
    /// What it changes. Nobody looks inside here.
    pub delta: D,
}

impl<D: Size> Update<D> {
    /// How many bytes of memory it takes, about.
    pub fn bytes(&self) -> usize {
        STAMP_BYTES + DEPENDENCY_BYTES * self.deps.len() + self.delta.bytes()
    }
}
