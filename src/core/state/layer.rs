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
    /// It holds what has changed since the layer before it: some of its state is saved as [`Changed`], and all
    /// other stands in the place of what was saved of it before.
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

impl Layer {
    /// A layer of what was saved of each stage: full, unless it holds changes.
    pub fn of(stages: BTreeMap<String, Sections>) -> Layer {
        let changes = stages.values().any(Sections::hold_changes);
        Layer { kind: if changes { LayerKind::Changes } else { LayerKind::Full }, stages }
    }

    /// Lays layers, oldest first, over each other.
    pub fn settled(layers: impl IntoIterator<Item = Layer>) -> BTreeMap<String, Sections> {
        let mut settled: BTreeMap<String, Sections> = BTreeMap::new();
        for Layer { kind: _, stages } in layers {
            settled.retain(|uid, _| stages.contains_key(uid));
            for (uid, later) in stages {
                settled.entry(uid).or_default().lay_over(later);
            }
        }
        settled
    }
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
