//! How what a job shares stands on one node, for metrics.

use watershed_core::{Epoch, Run, Site};
use watershed_protocol::causal::Lag;

use super::window::Window;
use super::windows::Windows;

/// How what a job shares stands on one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedReport {
    /// The job.
    pub job: String,
    /// The run.
    pub run: Run,
    /// The number of the node in that run.
    pub site: Site,
    /// Everything up to this epoch is on all nodes.
    pub settled: Epoch,
    /// What this run has done here.
    pub tallies: Tallies,
    /// What is held, and how far the other nodes are behind.
    pub lag: Lag,
    /// How many questions from outside wait.
    pub waiting: usize,
}

/// How many updates there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tallies {
    /// Made here, by tasks and by clients.
    pub made: u64,
    /// Of other nodes, and applied here.
    pub applied: u64,
    /// Not made here, or set aside.
    pub refused: u64,
}

impl Windows {
    /// How what the jobs share stands here that live here.
    pub(crate) fn standings(&self) -> Vec<SharedReport> {
        self.all().into_iter().filter_map(|(job, window)| window.standing(job)).collect()
    }
}

impl Window {
    /// How what the job shares stands here; nothing where it shares nothing, or no run lives here.
    pub(crate) fn standing(&self, job: String) -> Option<SharedReport> {
        let view = self.views.borrow().clone()?;
        let replica = view.replica?;
        let (tallies, lag, waiting) = replica.standing();
        let (run, site, settled) = (view.authority.run, replica.site(), replica.settled());
        Some(SharedReport { job, run, site, settled, tallies, lag, waiting })
    }
}
