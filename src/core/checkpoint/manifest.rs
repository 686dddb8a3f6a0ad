//! The object that names a checkpoint.

use serde::{Deserialize, Serialize};

use crate::checkpoint::Vote;
use crate::plan::Fingerprint;
use crate::{Epoch, KeyGroups, Lineage, Run, Term};

/// One checkpoint, whole: who voted what. It exists for the world only once the meta store points to it.
///
/// The votes are also its certificate: whoever holds a manifest can prove the cut again, without the job.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Manifest {
    /// The job's name, as in the state directory.
    pub job: String,
    /// The history that it belongs to.
    pub lineage: Lineage,
    /// Its number.
    pub epoch: Epoch,
    /// The execution that it was taken of.
    pub run: Run,
    /// The reign in which it was decided.
    pub term: Term,
    /// The checkpoint that this run was restored from or that it completed last.
    pub base: Option<Epoch>,
    /// The program.
    pub plan: Fingerprint,
    /// Into how many groups the keys are divided.
    pub key_groups: KeyGroups,
    /// Wall-clock time of the decision, in milliseconds since 1970 (UTC). For people; nothing depends on it.
    pub taken_at: i64,
    /// Whether a person asked for it: it is kept until that person deletes it.
    pub savepoint: bool,
    /// Whether it is the last one of a job that came to its end.
    pub last: bool,
    /// What each subtask voted, in the order of the subtasks.
    pub votes: Vec<Vote>,
}
