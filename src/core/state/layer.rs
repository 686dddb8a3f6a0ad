//! Saved state in layers: everything once, and from then on what has changed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::state::Sections;

/// Whether a layer stands alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LayerKind {
    /// It holds all of the state; layers before it do not matter.
    Full,
    /// It holds what has changed since the layer before it: its pieces of key groups are [`Changed`], its
    /// pieces of whole subtasks stand in the place of the older ones.
    Changes,
}

/// What a subtask saved at one barrier: the sections of each of its stages, by their uids.
///
/// State is restored from a list of layers, oldest first, of which the first one is full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Whether it stands alone.
    pub kind: LayerKind,
    /// The sections of each stage, by its uid.
    pub stages: BTreeMap<String, Sections>,
}

/// The piece of a key group in a layer of changes.
///
/// `put` has the form of the same piece in a full layer, with the entries that are new or other now;
/// `removed` lists the keys of the entries that are gone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed<P, R> {
    /// The entries that were added or changed.
    pub put: Vec<P>,
    /// The keys of the entries that were taken out.
    pub removed: Vec<R>,
}
