//! What a node tells of itself, and what others know of it.

use serde::{Deserialize, Serialize};
use serde_json::{from_str, to_string};

/// Under this key goes what seldom changes.
pub(super) const ABOUT: &str = "about";

/// Under this key goes what changes all the time.
pub(super) const LOAD: &str = "load";

/// Under this key a leader tells its term.
pub(super) const REIGN: &str = "reign";

/// What a node tells of itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct About {
    /// Where its links are to be made to.
    pub address: String,
    /// Where it answers people, if it does.
    pub http: Option<String>,
    /// How many subtasks it takes.
    pub slots: u32,
    /// How much it has to do.
    pub load: Load,
    /// Whether it is about to leave and takes nothing new.
    pub leaving: bool,
}

/// How much a node has to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// The share of its processors that is busy, 0 to 1.
    pub cpu: f32,
    /// How much memory its process has.
    pub memory_bytes: u64,
    /// How many batches wait in its mailboxes.
    pub queue: u64,
}

/// A node of the cluster, as another one knows it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Member {
    /// The number of its life.
    pub incarnation: u64,
    /// Where its links are to be made to.
    pub address: String,
    /// Where it answers people, if it does.
    pub http: Option<String>,
    /// Whether it may lead.
    pub coordinator: bool,
    /// How many subtasks it takes.
    pub slots: u32,
    /// How much it has to do.
    pub load: Load,
    /// Whether it is about to leave and takes nothing new.
    pub leaving: bool,
    /// Whether it has been heard of lately.
    pub alive: bool,
}

/// What seldom changes, as it is written.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Slow {
    pub(super) address: String,
    pub(super) http: Option<String>,
    pub(super) coordinator: bool,
    pub(super) slots: u32,
    pub(super) leaving: bool,
}

impl Slow {
    pub(super) fn of(about: &About, coordinator: bool) -> Slow {
        let About { address, http, slots, leaving, load: _ } = about.clone();
        Slow { address, http, coordinator, slots, leaving }
    }

    pub(super) fn write(&self) -> String {
        to_string(self).expect("plain data with text for keys can be written as JSON")
    }

    pub(super) fn read(text: &str) -> Option<Slow> {
        from_str(text).ok()
    }
}

impl Load {
    pub(super) fn write(&self) -> String {
        to_string(self).expect("plain data with text for keys can be written as JSON")
    }

    pub(super) fn read(text: &str) -> Option<Load> {
        from_str(text).ok()
    }
}
