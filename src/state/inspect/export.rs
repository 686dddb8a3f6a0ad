//! State, entry by entry.

use std::io::Write;

use watershed_core::SubtaskId;
use watershed_core::checkpoint::Vote;

use crate::StoreError;
use crate::error::Damage;
use crate::inspect::contents::{self, Part, PartName};
use crate::inspect::entries::{Entries, Entry, json_of};
use crate::inspect::{InspectError, Offline, Which};
use crate::msgpack::to_json;

/// A key as somebody typed it: read as JSON, and where it is none, or also, as text. `42` is the number and the text.
#[derive(Clone, Debug)]
pub struct Wanted(Vec<serde_json::Value>);

impl Wanted {
    /// What was typed.
    pub fn of(typed: &str) -> Wanted {
        let mut wanted = vec![serde_json::Value::from(typed)];
        wanted.extend(serde_json::from_str::<serde_json::Value>(typed).ok());
        Wanted(wanted)
    }

    /// Whether this is what may have been meant.
    pub(super) fn is(&self, key: &serde_json::Value) -> bool {
        self.0.contains(key)
    }
}

impl Offline {
    /// Finds all that is kept for a key, in every operator: every entry of which `key` is the key, a member
    /// of it, or what a timer is set for.
    ///
    /// # Errors
    ///
    /// Where the checkpoint, or what it names, is missing or damaged.
    pub async fn get(&self, which: Which, wanted: &Wanted) -> Result<Vec<Entry>, InspectError> {
        let mut found = Vec::new();
        self.each(which, |entry| {
            let whole = serde_json::Value::from(entry.key.clone());
            if wanted.is(&whole) || entry.key.iter().any(|part| wanted.is(part)) {
                found.push(entry);
            }
            Ok(())
        })
        .await?;
        Ok(found)
    }

    /// Writes all state as JSON, one [`Entry`] a line, and returns how many there were. Holds the state of
    /// one subtask at a time.
    ///
    /// # Errors
    ///
    /// Where the checkpoint, or what it names, is missing or damaged, and where `out` fails.
    pub async fn export(&self, which: Which, out: &mut (dyn Write + Send)) -> Result<u64, InspectError> {
        let mut entries = 0;
        self.each(which, |entry| {
            serde_json::to_writer(&mut *out, &entry).map_err(std::io::Error::from)?;
            out.write_all(b"\n")?;
            entries += 1;
            Ok(())
        })
        .await?;
        out.flush()?;
        Ok(entries)
    }

    /// Visits every entry, subtask by subtask.
    async fn each(
        &self,
        which: Which,
        mut visit: impl FnMut(Entry) -> Result<(), InspectError>,
    ) -> Result<(), InspectError> {
        let (_, manifest) = self.manifest(which).await?;
        for vote in &manifest.votes {
            for (name, part) in contents::of_subtask(&self.store, vote).await? {
                self.part(&name, &part, vote, &mut visit)?;
            }
        }
        Ok(())
    }

    fn part(
        &self,
        (operator, part): &PartName,
        content: &Part,
        vote: &Vote,
        visit: &mut impl FnMut(Entry) -> Result<(), InspectError>,
    ) -> Result<(), InspectError> {
        let unread = |what| {
            let path = vote.snapshot.last().map(|object| object.path.clone()).unwrap_or_default();
            StoreError::damaged(path, Damage::Content(what))
        };
        let groups = content.groups.iter().map(|(group, saved)| (Some(group.0), saved));
        let whole = content.whole.iter().map(|saved| (None, saved));
        for (key_group, (subtask, entries)) in groups.chain(whole) {
            let (subtask, Entries(entries)): (SubtaskId, &Entries) = (*subtask, entries);
            for (key, value) in entries {
                visit(Entry {
                    operator: operator.clone(),
                    part: part.clone(),
                    key_group,
                    subtask,
                    key: json_of(key).map_err(unread)?,
                    value: to_json(value).map_err(unread)?,
                })?;
            }
        }
        Ok(())
    }
}
