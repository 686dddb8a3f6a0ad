//! How a job comes to its state directory: its own, another plan's that it can go on from, or an older checkpoint.

use std::future::Future;
use std::path::{Path, PathBuf};
#[cfg(feature = "disk")]
use std::sync::Arc;

use watershed_core::plan::Fingerprint;
#[cfg(feature = "disk")]
use watershed_core::state::BackendError;
use watershed_core::{Epoch, Plan};
use watershed_runtime::{Config, Fork, JobError, Storage, guarantee, migration};
#[cfg(feature = "disk")]
use watershed_state::DiskBackend;
use watershed_state::inspect::{Offline, Standing, Which};
use watershed_state::{Adopt, CheckpointStore, Identity, StateDirectory, StoreError};

/// Where a job keeps its checkpoints, and how it begins there.
#[derive(Debug, Default)]
pub(super) struct State {
    /// The directory; `None` keeps nothing.
    pub(super) path: Option<PathBuf>,
    /// Whether it may be another plan's.
    pub(super) other_plan: bool,
    /// Where the checkpoints are, if not in the directory: `s3://bucket/prefix`.
    pub(super) store: Option<String>,
    /// The checkpoint to go back to; `None` goes on from the newest.
    pub(super) back_to: Option<Epoch>,
    /// Where the values of operators are kept.
    pub(super) backend: StateBackend,
}

/// Where a job keeps the values of its operators' keys.
///
/// What is saved in checkpoints is the same, so a job may go on with another backend than it began with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StateBackend {
    /// All in memory.
    #[default]
    Memory,
    /// On disk, below the state directory, with those in use in memory. Windows and timers are in memory all the same.
    #[cfg(feature = "disk")]
    Disk {
        /// About how many bytes the values in use of an operator's subtask may have.
        memory: usize,
    },
}

impl State {
    /// Opens the directory for a plan. Whatever hinders that is found before anything is changed.
    pub(super) fn open(&self, plan: &Plan, config: &Config) -> Result<Storage, JobError> {
        let Some(path) = &self.path else {
            #[cfg(feature = "disk")]
            if let StateBackend::Disk { .. } = self.backend {
                let what = "state on disk lies below a state directory, and the job has none".to_owned();
                return Err(BackendError { place: "nowhere".to_owned(), what }.into());
            }
            return match self.back_to {
                None => Ok(Storage::none()),
                Some(epoch) => Err(none_to_go_back_to("the job without a state directory", epoch)),
            };
        };
        guarantee::demand(plan, config.guarantee)?;
        let (job, key_groups) = (plan.name.clone(), plan.key_groups);
        let store = self.store.as_deref().map(CheckpointStore::address).transpose()?;
        let ours = Identity { job, key_groups, plan: Fingerprint::of(plan), store };
        let found = if path.is_dir() { StateDirectory::identity_of(path)? } else { None };
        let known = found.as_ref().and_then(|found| found.store.as_ref());
        if let Some(address) = known.or(ours.store.as_ref()) {
            wait(reach(path, address, found.is_none()))?;
        }
        let fork = match (&found, self.back_to) {
            (Some(found), back_to) => {
                let offline = Offline::open(path)?;
                let fork = back_to.map(|epoch| wait(chosen(&offline, epoch))).transpose()?;
                if (&found.job, found.key_groups) == (&ours.job, ours.key_groups)
                    && (found.plan != ours.plan || fork.is_some())
                {
                    self.judge(plan, &ours, config, &offline)?;
                }
                fork
            }
            (None, Some(epoch)) => return Err(none_to_go_back_to(&path.display().to_string(), epoch)),
            (None, None) => None,
        };
        let adopt = if self.other_plan { Adopt::OtherPlan } else { Adopt::SamePlan };
        let directory = StateDirectory::open(path, ours, adopt)?;
        let mut storage = Storage::directory(&directory);
        if guarantee::logs(config.guarantee) {
            storage = storage.with_ingress_logs(&directory, config.ingress);
        }
        #[cfg(feature = "disk")]
        if let StateBackend::Disk { memory } = self.backend {
            storage = storage.with_backend(Arc::new(DiskBackend::open(path, memory)?));
        }
        Ok(match fork {
            Some(fork) => storage.going_back_to(fork),
            None => storage,
        })
    }

    /// Refuses a plan that cannot go on from the checkpoint, and any other one that nobody has allowed.
    fn judge(
        &self,
        plan: &Plan,
        ours: &Identity,
        config: &Config,
        offline: &Offline,
    ) -> Result<(), JobError> {
        let which = match self.back_to {
            Some(epoch) => Which::Epoch(epoch),
            None if offline.meta().is_some_and(|meta| meta.completed.is_some()) => Which::Newest,
            // Nothing was saved, so nothing can be lost.
            None => return Ok(()),
        };
        let judged = wait(async {
            let (_, manifest) = offline.manifest(which).await?;
            if manifest.plan == ours.plan {
                return Ok(None);
            }
            Ok::<_, JobError>(Some(migration(plan, config, offline.store(), &manifest).await?))
        })?;
        match judged {
            Some(judged) if !(judged.is_possible() && self.other_plan) => {
                Err(JobError::OtherPlan(judged.into()))
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// Looks whether a store answers, before anything is begun; and that a new directory does not mix its checkpoints with
/// those of another.
async fn reach(directory: &Path, address: &str, is_new: bool) -> Result<(), StoreError> {
    let objects = CheckpointStore::at(directory, Some(address))?.list().await?;
    if is_new && !objects.is_empty() {
        let reason = "it holds the checkpoints of another state directory; choose another prefix, or bring that directory \
                      back";
        return Err(StoreError::Foreign { directory: address.to_owned(), reason: reason.to_owned() });
    }
    Ok(())
}

fn none_to_go_back_to(directory: &str, epoch: Epoch) -> JobError {
    let reason =
        format!("it holds no checkpoints, so it cannot go back to {epoch}; name the directory that does");
    StoreError::Foreign { directory: directory.to_owned(), reason }.into()
}

/// The checkpoint that a person has chosen to go back to.
async fn chosen(offline: &Offline, epoch: Epoch) -> Result<Fork, JobError> {
    let (pointer, _) = offline.manifest(Which::Epoch(epoch)).await?;
    let listing = offline.list().await?;
    let listed = listing.checkpoints.iter().find(|one| one.manifest == pointer.manifest.path);
    match listed.map(|one| one.standing) {
        Some(Standing::NotDecided) => {
            let reason = format!(
                "checkpoint {epoch} was written and never decided, so its history went on without it; choose another"
            );
            Err(StoreError::Foreign { directory: offline.store().name(), reason }.into())
        }
        Some(Standing::Newest | Standing::Decided | Standing::Unknown) | None => {
            Ok(Fork::Checkpoint(pointer))
        }
    }
}

/// Waits for a look at the store, before the job's own threads are there.
pub(crate) fn wait<T>(look: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a thread can wait for its own files").block_on(look)
}
