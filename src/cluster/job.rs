//! What is decided of one job, kept by the cluster.

use std::io;
use std::sync::OnceLock;

use async_trait::async_trait;
use watershed_core::checkpoint::Meta;
use watershed_state::{Change, Guard, MetaError, MetaStore, StoreError};

use crate::cluster::{Cluster, ClusterView};
use crate::decided::{ClusterChange, JobRecord};
use crate::error::ProposeError;

/// The [`MetaStore`] of one job of the cluster.
///
/// The job that has the name when it is first asked for is the one that is meant from then on: where a later job has
/// taken over the name, nothing is read of it or decided in it.
#[derive(Debug)]
pub struct JobMeta {
    name: String,
    number: OnceLock<u32>,
    cluster: Cluster,
}

impl JobMeta {
    pub(crate) fn new(name: &str, cluster: Cluster) -> JobMeta {
        JobMeta { name: name.to_owned(), number: OnceLock::new(), cluster }
    }

    /// The job's number, once it has been asked for.
    pub fn number(&self) -> Option<u32> {
        self.number.get().copied()
    }

    async fn record(&self) -> Result<JobRecord, MetaError> {
        let view = self.cluster.view().await.map_err(|unavailable| self.failed(unavailable.to_string()))?;
        self.find(&view).cloned()
    }

    /// The job in what is decided, if it still is the one that is meant.
    fn find<'a>(&self, view: &'a ClusterView) -> Result<&'a JobRecord, MetaError> {
        match view.state.jobs.get(&self.name) {
            Some(job) if *self.number.get_or_init(|| job.number) == job.number => Ok(job),
            Some(_) | None => Err(self.failed("the job has been removed".to_owned())),
        }
    }

    fn source(&self, reason: String) -> StoreError {
        let path = format!("job {}", self.name);
        StoreError::Io {
            action: "reach what the cluster has decided of",
            path,
            source: io::Error::other(reason),
        }
    }

    fn failed(&self, reason: String) -> MetaError {
        MetaError::Failed { source: self.source(reason) }
    }
}

#[async_trait]
impl MetaStore for JobMeta {
    async fn read(&self) -> Result<Meta, MetaError> {
        self.record().await.map(|job| job.meta)
    }

    async fn cas(&self, guard: Guard, change: Change) -> Result<Meta, MetaError> {
        let number = match self.number() {
            Some(number) => number,
            None => self.record().await?.number,
        };
        let decide = ClusterChange::Decide { name: self.name.clone(), number, guard, change: change.clone() };
        match self.cluster.propose(decide).await {
            Ok(view) => self.find(&view).map(|job| job.meta.clone()),
            Err(ProposeError::Failed { reason }) => Err(self.failed(reason)),
            Err(ProposeError::Unknown { reason }) => Err(MetaError::Unknown { source: self.source(reason) }),
            Err(ProposeError::Refused { refusal, view }) => {
                let current = Box::new(self.find(&view)?.meta.clone());
                // The same rule on the same facts says why, in words that the caller knows.
                match change.apply(guard, &current) {
                    Err(refusal) => Err(MetaError::Refused { current, refusal }),
                    Ok(_) => Err(self.failed(refusal.to_string())),
                }
            }
        }
    }
}
