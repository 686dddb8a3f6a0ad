//! The pipelines that every node of a cluster can run.

use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use watershed_cluster::JobSpec;
use watershed_core::Plan;
use watershed_core::state::{Backend, BackendError};

use crate::config::Config;
use crate::guard::{Caught, guarded};

/// Draws the plans of jobs. All nodes run the same program, so that nothing but names and parameters has to travel.
pub trait Programs {
    /// The plan of a job, and the limits within which it runs. Called on the leader when the job is submitted, and on
    /// each node that takes part; the same job has the same plan everywhere.
    ///
    /// # Errors
    ///
    /// What is wrong with it, for whoever has submitted it.
    fn plan(&self, spec: &JobSpec) -> Result<Planned, String>;

    /// Finds out early whether a job can be run at all, without opening anything.
    ///
    /// # Errors
    ///
    /// As [`Programs::plan`].
    fn check(&self, spec: &JobSpec) -> Result<(), String> {
        self.plan(spec).map(drop)
    }
}

/// A plan, and the limits within which it runs.
pub struct Planned {
    /// The plan.
    pub plan: Plan,
    /// The limits.
    pub config: Config,
    /// Opens a place for state that does not fit into memory, where the job is to have one: in a directory that is empty,
    /// and that each run on a node has to itself.
    pub backend: Option<Box<OpenBackend>>,
}

/// Opens a place for state in a directory.
pub type OpenBackend = dyn Fn(&Path) -> Result<Arc<dyn Backend>, BackendError>;

/// Other programs, whose panics are reasons like any: a pipeline is drawn from what somebody has submitted, on the threads
/// that lead the cluster, and again by whoever leads it next.
pub(super) struct Guarded(pub(super) Rc<dyn Programs>);

impl Programs for Guarded {
    fn plan(&self, spec: &JobSpec) -> Result<Planned, String> {
        guarded(|| self.0.plan(spec)).unwrap_or_else(|caught| Err(panicked(&caught)))
    }

    fn check(&self, spec: &JobSpec) -> Result<(), String> {
        guarded(|| self.0.check(spec)).unwrap_or_else(|caught| Err(panicked(&caught)))
    }
}

fn panicked(caught: &Caught) -> String {
    let at = caught.location.as_ref().map_or_else(String::new, |location| format!(" ({location})"));
    format!("its pipeline panics when it is drawn: {}{at}; see to its parameters", caught.message)
}
