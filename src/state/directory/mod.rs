//! A state directory: whose it is, and that it is not taken for another's.

#[cfg(test)]
mod tests;

use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use watershed_core::KeyGroups;
use watershed_core::checkpoint::{Manifest, Pointer};
use watershed_core::plan::Fingerprint;

use crate::durable::Folder;
use crate::meta::{FileMetaStore, TornTail};
use crate::store::path::ROOT;
use crate::{CheckpointStore, StoreError};

/// The version of the directory's layout, the only one that is read.
const FORMAT: u32 = 1;

/// The name of the file that says whose directory it is.
const IDENTITY: &str = "watershed.json";

/// The longest such file.
const IDENTITY_BYTES_MAX: u64 = 4 << 20;

/// Whose directory it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The job's name.
    pub job: String,
    /// Into how many groups the keys are divided; saved state is cut by it.
    pub key_groups: KeyGroups,
    /// The program.
    pub plan: Fingerprint,
    /// Where its objects are: an [address](CheckpointStore::at), or else the directory itself. A job that names none
    /// goes on where they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<String>,
}

/// Which programs may go on with a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adopt {
    /// The one that began it.
    SamePlan,
    /// Also one with another plan, which is the directory's from then on. Job and key groups must be the
    /// same.
    OtherPlan,
}

/// What is written down: the identity, and the layout's version so that it is read first.
#[derive(Serialize, Deserialize)]
struct Written {
    format: u32,
    #[serde(flatten)]
    identity: Identity,
}

/// The layout's version alone, which every version has.
#[derive(Deserialize)]
struct Format {
    format: u32,
}

/// A state directory that this process has open, alone.
#[derive(Debug)]
pub struct StateDirectory {
    /// Its objects.
    pub store: CheckpointStore,
    /// Its decisions.
    pub meta: FileMetaStore,
    /// What was cut off the decision log when it was opened.
    pub torn: Option<TornTail>,
    path: PathBuf,
    identity: Identity,
}

impl StateDirectory {
    /// Opens the directory of a job, or begins one where there is nothing yet.
    ///
    /// # Errors
    ///
    /// Where it is another job's, has another layout, is in use or is damaged; where it holds checkpoints and
    /// has lost the file that says whose they are or the one that says which are decided; and where the file
    /// system fails. Nothing is changed then.
    pub fn open(path: &Path, mut identity: Identity, adopt: Adopt) -> Result<StateDirectory, StoreError> {
        let shown = path.display().to_string();
        let folder = Folder::open_or_make(path)?;
        let found = read_identity(&folder)?;
        let logged = folder.open_file(crate::meta::LOG, nix::fcntl::OFlag::O_RDONLY)?.is_some();
        let foreign = |reason: String| StoreError::Foreign { directory: shown.clone(), reason };
        if let (None, Some(found)) = (&identity.store, &found) {
            identity.store.clone_from(&found.store);
        }
        match &found {
            Some(found) => {
                fits(found, &identity, adopt).map_err(foreign)?;
                if !logged {
                    return Err(foreign(format!(
                        "its decision log {} is gone, so nobody knows which checkpoint is the newest; bring the \
                         log back from a copy, or move the directory away to begin from nothing",
                        crate::meta::LOG
                    )));
                }
            }
            None if folder.enter(ROOT)?.is_some() => {
                return Err(foreign(format!(
                    "it holds checkpoints ({ROOT}), and the file {IDENTITY} that says whose they are is gone; \
                     bring it back from a copy, or choose another directory"
                )));
            }
            None => {}
        }
        let (meta, torn) = FileMetaStore::open(path)?;
        // The directory is locked now, and another job may have begun it a moment before.
        let found = read_identity(&folder)?;
        if let Some(found) = &found {
            fits(found, &identity, adopt).map_err(foreign)?;
        }
        if found.as_ref() != Some(&identity) {
            let written = Written { format: FORMAT, identity: identity.clone() };
            let mut text = serde_json::to_string_pretty(&written).expect("an identity is plain data");
            text.push('\n');
            folder.replace(IDENTITY, text.as_bytes())?;
        }
        Ok(StateDirectory {
            store: CheckpointStore::at(path, identity.store.as_deref())?,
            meta,
            torn,
            path: path.to_owned(),
            identity,
        })
    }

    /// Reads whose directory it is, without opening it; `None` where it is nobody's yet.
    ///
    /// # Errors
    ///
    /// Where it has another layout, or cannot be read.
    pub fn identity_of(path: &Path) -> Result<Option<Identity>, StoreError> {
        read_identity(&Folder::open(path)?)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whose it is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Reads the manifest of a decided checkpoint, and checks that it is of this job.
    ///
    /// # Errors
    ///
    /// As [`CheckpointStore::manifest`], and where it is another job's.
    pub async fn manifest(&self, pointer: &Pointer) -> Result<Manifest, StoreError> {
        let manifest = self.store.manifest(pointer).await?;
        let (ours, theirs) = (&self.identity, &manifest);
        if (&theirs.job, theirs.key_groups) == (&ours.job, ours.key_groups) {
            return Ok(manifest);
        }
        let reason = format!(
            "{} is a checkpoint of job {:?} with {} key groups, and the directory is job {:?}'s with {} key groups",
            pointer.manifest.path,
            theirs.job,
            theirs.key_groups.count(),
            ours.job,
            ours.key_groups.count()
        );
        Err(StoreError::Foreign { directory: self.path.display().to_string(), reason })
    }
}

fn read_identity(folder: &Folder) -> Result<Option<Identity>, StoreError> {
    let Some(bytes) = folder.read(IDENTITY, IDENTITY_BYTES_MAX)? else { return Ok(None) };
    let foreign = |reason| StoreError::Foreign { directory: folder.path().display().to_string(), reason };
    let unread = |error: serde_json::Error| foreign(format!("its file {IDENTITY} cannot be read: {error}"));
    let Format { format } = serde_json::from_slice(&bytes).map_err(unread)?;
    if format != FORMAT {
        return Err(foreign(format!(
            "it has layout version {format}, and this program reads version {FORMAT}; use the program that wrote it"
        )));
    }
    let written: Written = serde_json::from_slice(&bytes).map_err(unread)?;
    Ok(Some(written.identity))
}

/// Whether a job may go on with the directory that was found; where not, a message that names both.
fn fits(found: &Identity, ours: &Identity, adopt: Adopt) -> Result<(), String> {
    let mut wrong = String::new();
    let mut differ = |what: &str, theirs: &dyn std::fmt::Display, ours: &dyn std::fmt::Display| {
        write!(wrong, "it has {what} {theirs}, and this job has {ours}; ")
            .expect("writing to a string succeeds");
    };
    if found.job != ours.job {
        differ("job", &format!("{:?}", found.job), &format!("{:?}", ours.job));
    }
    if found.key_groups != ours.key_groups {
        differ("key-group count", &found.key_groups.count(), &ours.key_groups.count());
    }
    if found.store != ours.store {
        let place = |identity: &Identity| identity.store.clone().unwrap_or("the directory itself".to_owned());
        differ("its checkpoints in", &place(found), &place(ours));
    }
    if found.plan != ours.plan && adopt == Adopt::SamePlan {
        differ("plan", &found.plan, &ours.plan);
    }
    if wrong.is_empty() {
        return Ok(());
    }
    wrong.push_str("choose another state directory, or run the job that this one belongs to");
    let lines = found.plan.difference(&ours.plan);
    if !lines.is_empty() && adopt == Adopt::SamePlan {
        write!(wrong, "\nthe plans differ (- the directory's, + this job's):\n{}", lines.trim_end())
            .expect("writing to a string succeeds");
    }
    Err(wrong)
}
