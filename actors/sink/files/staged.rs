//! Finished drafts on their way into view, and how each step may be repeated.

use std::fs::{self, OpenOptions};
use std::io::{self, Seek as _};
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use watershed_core::{Data, Lineage, SinkError};

use crate::sink::failure;
use crate::sink::files::draft::{create_directory, hash_of, sync_directory};
use crate::sink::files::layout::{Layout, Target};

/// The files of one subtask and epoch: durable, hidden, and enough to be committed by anybody.
///
/// Names are relative to the directory of the sink.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StagedFiles {
    /// What becomes visible.
    pub(super) files: Vec<StagedFile>,
    /// What an earlier job left in the same place.
    pub(super) replaced: Vec<Replaced>,
    /// The history that it belongs to. What was staged before this was written down does not say it.
    #[serde(default)]
    pub(super) lineage: Option<Lineage>,
}

impl Data for StagedFiles {}

/// A file of an earlier job, known by more than its name, so that removing it twice cannot remove another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Replaced {
    pub(super) target: Target,
    length: u64,
    /// Since the Unix epoch.
    modified: Option<Duration>,
    /// The file's number in its file system. A file that takes the place of another is made while that is there, and has
    /// another number, be it as long and made in the same tick of the clock. What was staged before this was written
    /// down does not say it.
    #[serde(default)]
    number: Option<u64>,
}

impl Replaced {
    /// The file that lies at a target now.
    pub(super) fn at(target: Target, layout: &Layout) -> Result<Replaced, SinkError> {
        let path = layout.target(&target)?;
        let found = fs::metadata(&path).map_err(failure::at(&path))?;
        let modified =
            found.modified().ok().and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
        Ok(Replaced { target, length: found.len(), modified, number: number_of(&found) })
    }

    fn remove(&self, layout: &Layout) -> Result<(), SinkError> {
        let path = layout.target(&self.target)?;
        match Replaced::at(self.target.clone(), layout) {
            Ok(found) if found.is(self) => remove(&path),
            _ => Ok(()),
        }
    }

    fn is(&self, other: &Replaced) -> bool {
        let numbered = self.number.is_some() && other.number.is_some();
        let same_number = !numbered || self.number == other.number;
        same_number && (self.length, self.modified) == (other.length, other.modified)
    }
}

/// The number of a file in its file system.
#[cfg(unix)]
fn number_of(found: &fs::Metadata) -> Option<u64> {
    use std::os::unix::fs::MetadataExt;
    Some(found.ino())
}

/// The number of a file in its file system.
#[cfg(not(unix))]
fn number_of(_found: &fs::Metadata) -> Option<u64> {
    None
}

/// One durable draft.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StagedFile {
    pub(super) draft: String,
    pub(super) target: Target,
    /// Where its bytes belong in the target: at 0, they are the target.
    pub(super) offset: u64,
    pub(super) length: u64,
    /// BLAKE3, in hexadecimal.
    pub(super) hash: String,
}

impl StagedFiles {
    /// Makes the files visible, then removes what they replace. May be repeated at any time: no draft's
    /// name is used twice, and a file that has been committed is known by its hash.
    pub(super) fn commit(&self, layout: &Layout, in_parts: bool) -> Result<(), SinkError> {
        for file in &self.files {
            file.commit(layout)?;
        }
        for old in &self.replaced {
            old.remove(layout)?;
        }
        let folder = layout.folder();
        if !in_parts && folder.is_dir() {
            // Where the parts of an earlier job were all that the folder held, it goes with them.
            let _ = fs::remove_dir(&folder);
        }
        if folder.is_dir() {
            sync_directory(&folder)?;
        }
        sync_directory(layout.directory())
    }

    /// Removes the drafts.
    pub(super) fn abort(&self, layout: &Layout) -> Result<(), SinkError> {
        for file in &self.files {
            remove(&layout.draft(&file.draft)?)?;
        }
        Ok(())
    }
}

impl StagedFile {
    fn commit(&self, layout: &Layout) -> Result<(), SinkError> {
        let (draft, target) = (layout.draft(&self.draft)?, layout.target(&self.target)?);
        match fs::metadata(&draft) {
            Ok(found) if found.len() == self.length => {}
            Ok(found) => {
                let why = format!("holds {} bytes where {} were staged", found.len(), self.length);
                return Err(SinkError::new(draft.display().to_string(), why));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return self.demand_committed(&target),
            Err(error) => return Err(failure::at(&draft)(error)),
        }
        if self.offset > 0 {
            return self.append(&draft, &target);
        }
        if let Target::Part(_) = self.target {
            let folder = layout.folder();
            create_directory(&folder)?;
            if target.exists() {
                self.demand_committed(&target)?;
                return remove(&draft);
            }
        }
        fs::rename(&draft, &target).map_err(failure::at(&target))
    }

    /// Copies the draft to its place at the end of the target.
    ///
    /// A copy that was cut short is made again, over itself. Epochs are committed in their order, so a target
    /// that is longer than this one's end holds a later epoch, and this one.
    ///
    /// SUBTLE: nothing is ever cut off. A process that stood still in the middle of this may wake up when the job has
    /// gone on without it: what it writes then is what is there already.
    fn append(&self, draft: &Path, target: &Path) -> Result<(), SinkError> {
        let mut to = OpenOptions::new().write(true).open(target).map_err(failure::at(target))?;
        let length = to.metadata().map_err(failure::at(target))?.len();
        if length < self.offset {
            let why = format!("ends at byte {length}: what was committed up to {} is gone", self.offset);
            return Err(SinkError::new(target.display().to_string(), why));
        }
        if length < self.offset + self.length {
            let mut copy = || {
                to.seek(io::SeekFrom::Start(self.offset))?;
                io::copy(&mut fs::File::open(draft)?, &mut to)?;
                to.sync_all()
            };
            copy().map_err(failure::at(target))?;
        }
        self.demand_committed(target)?;
        remove(draft)
    }

    /// Demands that the target holds what was staged.
    fn demand_committed(&self, target: &Path) -> Result<(), SinkError> {
        let refuse = |why: &str| Err(SinkError::new(target.display().to_string(), why));
        match hash_of(target, self.offset, self.length)? {
            Some(hash) if hash == self.hash => Ok(()),
            Some(_) => refuse("holds other bytes than were staged: somebody else has written it"),
            None => refuse("was staged, and neither it nor its draft is there: somebody has removed them"),
        }
    }
}

/// Removes a file, or finds it removed.
pub(super) fn remove(path: &Path) -> Result<(), SinkError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failure::at(path)(error)),
        _ => Ok(()),
    }
}
