//! The objects in which a checkpoint keeps shared state.
//!
//! ```text
//! base: array 5    1, run, epoch, high water, [[name, saved table as bin], ..]     all lanes up to the epoch
//! log:  array 4    1, high water, [names by number], [update, ..]                  of one site, in its order
//! ```
//!
//! An update is an array of its stamp, its dependencies and `[number of the state, key as bin, delta as bin]`. What a
//! table saves is said in `watershed_core::shared`. Both are plain MessagePack.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use watershed_core::causal::HybridTime;
use watershed_core::{Epoch, Run};
use watershed_protocol::causal::Update;

use super::Operation;

/// The version of both formats.
const FORMAT: u8 = 1;

/// How deep what is read may nest.
const DEPTH_MAX: usize = 16;

/// All shared state of a job up to an epoch.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Base {
    format: u8,
    pub(super) run: Run,
    /// The lanes of the run up to this epoch are in it, and all of older runs.
    pub(super) epoch: Epoch,
    pub(super) high_water: HybridTime,
    pub(super) tables: Vec<SavedTable>,
}

/// A shared state in a [`Base`].
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SavedTable {
    pub(super) name: String,
    #[serde(with = "serde_bytes")]
    pub(super) bytes: Vec<u8>,
}

/// Updates of one site.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Log {
    format: u8,
    pub(super) high_water: HybridTime,
    /// What the states are called, by the numbers by which the updates name them.
    pub(super) names: Vec<String>,
    pub(super) updates: Vec<Update<Arc<Operation>>>,
}

/// Why an object cannot be read. It has arrived as it was written, since its hash was right.
#[derive(Debug, thiserror::Error)]
pub(super) enum SavedError {
    #[error("saved shared state cannot be read: {0}")]
    Malformed(#[from] rmp_serde::decode::Error),
    #[error("saved shared state is of format {0}, and this program reads format {FORMAT}")]
    Format(u8),
    #[error("something follows saved shared state")]
    Trailing,
}

impl Base {
    pub(super) fn new(run: Run, epoch: Epoch, high_water: HybridTime, tables: Vec<SavedTable>) -> Self {
        Base { format: FORMAT, run, epoch, high_water, tables }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, SavedError> {
        let base: Base = decode(bytes)?;
        if base.format == FORMAT { Ok(base) } else { Err(SavedError::Format(base.format)) }
    }
}

impl Log {
    pub(super) fn new(
        high_water: HybridTime,
        names: Vec<String>,
        updates: Vec<Update<Arc<Operation>>>,
    ) -> Self {
        Log { format: FORMAT, high_water, names, updates }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, SavedError> {
        let log: Log = decode(bytes)?;
        if log.format == FORMAT { Ok(log) } else { Err(SavedError::Format(log.format)) }
    }
}

fn encode(value: &impl Serialize) -> Vec<u8> {
    rmp_serde::to_vec(value).expect("plain data can be written to memory")
}

fn decode<T: for<'a> Deserialize<'a>>(mut bytes: &[u8]) -> Result<T, SavedError> {
    let mut reader = rmp_serde::Deserializer::new(&mut bytes);
    reader.set_max_depth(DEPTH_MAX);
    let value = T::deserialize(&mut reader)?;
    if bytes.is_empty() { Ok(value) } else { Err(SavedError::Trailing) }
}
