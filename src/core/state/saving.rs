//! State on its way out: taken at a barrier, written beside the stream.
//!
//! The stream waits while its state is taken, so that is all that happens there: entries are copied in a row, and the
//! work of grouping and writing them is put off to [`Saving::encode`], on another thread.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::state::{LayerKind, Sections};
use crate::{KeyGroupRange, KeyGroups};

/// State that has been taken and is to be written: named parts, and what is put off for each.
pub struct Saving {
    groups: KeyGroups,
    range: KeyGroupRange,
    kind: LayerKind,
    parts: BTreeMap<String, Saving>,
    later: Vec<Box<dyn FnOnce(&mut Sections) + Send>>,
}

impl Saving {
    /// Nothing yet, for a job with so many key groups, and a layer of this kind.
    pub fn new(groups: KeyGroups, kind: LayerKind) -> Self {
        Saving::within(groups, KeyGroupRange(0..groups.count()), kind)
    }

    /// As [`Saving::new`], for a subtask that has the key groups of `range`.
    pub fn within(groups: KeyGroups, range: KeyGroupRange, kind: LayerKind) -> Self {
        Saving { groups, range, kind, parts: BTreeMap::new(), later: Vec::new() }
    }

    /// The key groups of the subtask.
    pub fn range(&self) -> &KeyGroupRange {
        &self.range
    }

    /// What is asked for. Where it is [`LayerKind::Changes`], state may be saved as what has changed since
    /// it was saved the last time ([`Sections::begin_changes`]); or whole, as ever.
    pub fn kind(&self) -> LayerKind {
        self.kind
    }

    /// Into how many groups the job's keys are divided.
    pub fn key_groups(&self) -> KeyGroups {
        self.groups
    }

    /// The part of this name, made on demand.
    pub fn part(&mut self, name: &str) -> &mut Saving {
        let (groups, range, kind) = (self.groups, &self.range, self.kind);
        self.parts.entry(name.to_owned()).or_insert_with(|| Saving::within(groups, range.clone(), kind))
    }

    /// Writes the piece of the whole subtask.
    pub fn put_whole<T: Serialize + Send + 'static>(&mut self, value: T) {
        self.later(move |sections| sections.put_whole(&value));
    }

    /// Notes what has become of a part that was saved under another name, or is not kept any more: it is not missing.
    pub fn note_former(&mut self, name: &str, now: Option<&'static str>) {
        self.part(name).put_whole(now);
    }

    /// Puts the writing of pieces off. When it comes, the parts and what was put off before have been written.
    pub fn later(&mut self, write: impl FnOnce(&mut Sections) + Send + 'static) {
        self.later.push(Box::new(write));
    }

    /// Writes everything.
    pub fn encode(self) -> Sections {
        let mut sections = Sections::default();
        for (name, part) in self.parts {
            *sections.part(&name) = part.encode();
        }
        for write in self.later {
            write(&mut sections);
        }
        sections
    }
}

impl fmt::Debug for Saving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "state with parts {:?}, {} pieces put off", self.parts, self.later.len())
    }
}
