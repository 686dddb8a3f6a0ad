//! What the decision log says of prepared transactions.

use std::os::unix::net::UnixStream;
use std::path::Path;

use serde::Serialize;
use watershed_actors::sink::{InDoubt, StagedTransaction};
use watershed_core::checkpoint::{Meta, Payload};
use watershed_state::inspect::{InspectError, Offline, Which};
use watershed_state::meta::Hold;
use watershed_state::{FileMetaStore, StoreError};

use crate::cli::failure::Failure;
use crate::cli::look;
use crate::cli::requests::Door;
use crate::job::state::wait;

/// What would become of a prepared transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Verdict {
    /// The newest checkpoint names it: a recovery commits it.
    Decided,
    /// No checkpoint that counts names it: a recovery rolls it back.
    Undecided,
    /// It is of a lineage or a run that the log is not of.
    OtherHistory,
    /// It is another job's than the state directory.
    OtherJob,
    /// There is no decision log to ask.
    Unknown,
}

/// What is decided of one job.
pub(super) struct Decisions {
    job: String,
    meta: Meta,
    /// What the newest checkpoint names. A vote names all that is prepared and not known to be committed, also of earlier
    /// epochs, so this is all that a recovery commits.
    decided: Vec<StagedTransaction>,
    running: bool,
    /// Keeps jobs from beginning meanwhile.
    _hold: Option<Hold>,
}

impl Decisions {
    /// Reads a state directory as it lies there; a job may be running on it.
    pub(super) fn read(directory: &Path) -> Result<Decisions, Failure> {
        let offline = look::open(directory)?;
        let damaged = || {
            let why = "it cannot be said what was decided: `checkpoint list` shows what is wrong with the directory";
            Failure::Unable(format!("{}: {why}", directory.display()))
        };
        let job = offline.identity().ok_or_else(damaged)?.job.clone();
        let meta = offline.meta().ok_or_else(damaged)?.clone();
        let decided = wait(named(&offline, &meta))?;
        // Somebody who listens there runs a job.
        let running = Door::of(directory).and_then(|door| door.with(|path| UnixStream::connect(path)));
        Ok(Decisions { job, meta, decided, running: running.is_ok(), _hold: None })
    }

    /// As [`read`](Decisions::read), and keeps jobs from beginning on the directory.
    pub(super) fn held(directory: &Path) -> Result<Decisions, Failure> {
        look::open(directory)?;
        let hold = FileMetaStore::hold(directory)?;
        Ok(Decisions { _hold: Some(hold), ..Decisions::read(directory)? })
    }

    /// The job's name.
    pub(super) fn job(&self) -> &str {
        &self.job
    }

    /// The transactions that the newest checkpoint names.
    pub(super) fn decided(&self) -> &[StagedTransaction] {
        &self.decided
    }

    /// Whether a job runs on the directory, which will decide what is undecided.
    pub(super) fn job_runs(&self) -> bool {
        self.running
    }
}

/// The prepared transactions that the newest checkpoint names.
async fn named(offline: &Offline, meta: &Meta) -> Result<Vec<StagedTransaction>, Failure> {
    if meta.completed.is_none() {
        return Ok(Vec::new());
    }
    let (_, manifest) = offline.manifest(Which::Newest).await?;
    let mut named = Vec::new();
    for staged in manifest.votes.iter().flat_map(|vote| &vote.staged) {
        let transaction = match &staged.payload {
            Payload::Inline(bytes) => StagedTransaction::in_payload(bytes),
            // Names of transactions are short; what is kept apart is rows.
            Payload::Object(object) => {
                let bytes = offline.store().get(object).await.map_err(unread)?;
                StagedTransaction::in_payload(&bytes)
            }
        };
        named.extend(transaction);
    }
    Ok(named)
}

fn unread(error: StoreError) -> Failure {
    InspectError::from(error).into()
}

impl Verdict {
    /// What would become of a transaction, by what is decided.
    pub(super) fn of(one: &InDoubt, decisions: Option<&Decisions>) -> Verdict {
        let Some(Decisions { job, meta, decided, .. }) = decisions else { return Verdict::Unknown };
        if !one.is_of(job) {
            return Verdict::OtherJob;
        }
        if decided.iter().any(|staged| staged.gid() == one.gid) {
            return Verdict::Decided;
        }
        if one.xid.lineage != meta.lineage || one.xid.run > meta.run {
            return Verdict::OtherHistory;
        }
        Verdict::Undecided
    }

    /// The verdict as a person reads it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Verdict::Decided => "decided",
            Verdict::Undecided => "undecided",
            Verdict::OtherHistory => "other history",
            Verdict::OtherJob => "other job",
            Verdict::Unknown => "unknown",
        }
    }

    /// What follows from it.
    pub(super) fn meaning(self, running: bool) -> &'static str {
        match self {
            Verdict::Decided if running => "the job that runs commits it",
            Verdict::Decided => "a recovery commits it, and so does `txn commit`",
            Verdict::Undecided if running => "the job that runs will decide it",
            Verdict::Undecided => "a recovery rolls it back, and so does `txn abort`",
            Verdict::OtherHistory => {
                "of a lineage or run that the decision log is not of (the job was set back, or has another state \
                 directory)"
            }
            Verdict::OtherJob => "of another job than the state directory",
            Verdict::Unknown => "the job's --state-dir would say whether it was decided",
        }
    }
}
