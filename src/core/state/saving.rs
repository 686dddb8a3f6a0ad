//! State on its way out: taken at a barrier, written beside the stream.
//!
//! The stream waits while its state is taken, so that is all that happens there: entries are copied in a row, and the
//! work of grouping and writing them is put off to [`Saving::encode`], on another thread.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::KeyGroups;
use crate::state::Sections;

/// State that has been taken and is to be written: named parts, and what is put off for each.
pub struct Saving {
    groups: KeyGroups,
    parts: BTreeMap<String, Saving>,
    later: Vec<Box<dyn FnOnce(&mut Sections) + Send>>,
}

impl Saving {
    /// Nothing yet, for a job with so many key groups.
    pub fn new(groups: KeyGroups) -> Self {
        Saving { groups, parts: BTreeMap::new(), later: Vec::new() }
    }

    /// Into how many groups the job's keys are divided.
    pub fn key_groups(&self) -> KeyGroups {
        self.groups
    }

    /// The part of this name, made on demand.
    pub fn part(&mut self, name: &str) -> &mut Saving {
        let groups = self.groups;
        self.parts.entry(name.to_owned()).or_insert_with(|| Saving::new(groups))
    }

    /// Writes the piece of the whole subtask.
    pub fn put_whole<T: Serialize + Send + 'static>(&mut self, value: T) {
        self.later(move |sections| sections.put_whole(&value));
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
