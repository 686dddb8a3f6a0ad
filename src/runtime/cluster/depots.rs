//! Where the jobs of a cluster keep their checkpoints, as one node sees it.

use std::path::PathBuf;

use watershed_core::{JobId, Run};
use watershed_state::inspect::CLUSTER_MARK;
use watershed_state::{CheckpointStore, IngressLogs};

use super::message::Ticket;
use crate::Config;
use crate::guarantee;
use crate::storage::Depot;

/// How many bytes of copies a node keeps of a job's objects.
const COPIES_BYTES_MAX: u64 = 4 << 30;

/// Where the jobs of a cluster keep their checkpoints: a place that all of its nodes reach, below which each job has
/// its own. What only one node needs (spilled state, logs of what arrives) lies in the node's own directory.
#[derive(Clone, Debug)]
pub struct Depots {
    /// The directory of checkpoints, which all nodes share; of no use where there is an address.
    pub shared: PathBuf,
    /// The address of an object store (`s3://bucket/prefix`) instead.
    pub address: Option<String>,
    /// The node's own directory.
    pub own: PathBuf,
}

impl Depots {
    /// The depot of a job.
    pub(crate) fn of(&self, ticket: &Ticket, config: &Config) -> Result<Depot, String> {
        self.open(&ticket.name, ticket.number, config)
    }

    /// The checkpoint store of a job.
    ///
    /// # Errors
    ///
    /// Where it cannot be opened.
    pub fn store(&self, name: &str, number: u32) -> Result<CheckpointStore, String> {
        let place = format!("{name}-{number}");
        let address = self.address.as_ref().map(|address| format!("{address}/{place}"));
        let directory = self.shared.join(&place);
        if address.is_none() {
            let mark = directory.join(CLUSTER_MARK);
            let text = format!("{{\"job\": \"{name}\", \"number\": {number}}}\n");
            // The same text for all who write it, so that it does not matter who does.
            let made = std::fs::create_dir_all(&directory)
                .and_then(|()| if mark.exists() { Ok(()) } else { std::fs::write(&mark, text) });
            made.map_err(|error| {
                format!("the checkpoints of a job lie in {}: {error}", directory.display())
            })?;
        }
        CheckpointStore::at(&directory, address.as_deref()).map_err(|error| error.to_string())
    }

    /// An empty directory on this node for what a run of a job works with, and nobody needs when it is over. Those of
    /// older runs are removed.
    pub(crate) fn workplace(&self, ticket: &Ticket, run: Run) -> Result<PathBuf, String> {
        let all = self.own_of(&ticket.name, ticket.number).join("work");
        let own = all.join(run.to_string());
        let emptied = match std::fs::remove_dir_all(&all) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => std::fs::create_dir_all(&own),
        };
        emptied.map_err(|error| format!("state is kept in {}: {error}", own.display()))?;
        Ok(own)
    }

    /// What this node keeps of a job.
    fn own_of(&self, name: &str, number: u32) -> PathBuf {
        self.own.join("jobs").join(format!("{name}-{number}"))
    }

    fn open(&self, name: &str, number: u32, config: &Config) -> Result<Depot, String> {
        let own = self.own_of(name, number);
        let mut store = self.store(name, number)?;
        if self.address.is_some() {
            // What is written to a place far away is kept here too, for a run that goes on here.
            let kept = store.with_copies(&own.join("copies"), COPIES_BYTES_MAX);
            store = kept.map_err(|error| error.to_string())?;
        }
        let place = self.address.clone().unwrap_or_else(|| self.shared.display().to_string());
        let mut depot = Depot::new(JobId(format!("{place}/{name}-{number}")), store);
        if guarantee::logs(config.guarantee) {
            depot.ingress = Some(IngressLogs::new(&own, config.ingress));
        }
        Ok(depot)
    }
}
