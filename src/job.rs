//! Runs pipelines inside a program or a test, without a command line.

pub(crate) mod state;

use std::io::{self, Write};
use std::path::PathBuf;
use std::rc::Rc;

use watershed_core::{Epoch, KeyGroups, Pipeline, Plan};
use watershed_runtime::{Config, JobError, JobHandle, Summary};

use crate::Error;
use crate::memory::{Bound, Exceeded};
use state::State;
pub use state::StateBackend;

/// Runs a pipeline in this process, with default limits, and returns when it is over.
///
/// # Errors
///
/// Where `describe` fails, the plan cannot be run, its input or output cannot be opened, or something
/// fails on the way.
pub fn run(describe: impl FnOnce(&Pipeline) -> Result<(), Error>) -> Result<Summary, JobError> {
    Job::describe("pipeline", describe)?.run()
}

/// A pipeline that is about to run in this process.
///
/// ```
/// use watershed::prelude::*;
/// use watershed::{Job, JobEnd};
///
/// # fn main() -> Result<(), watershed::JobError> {
/// let job = Job::describe("squares", |pipeline| {
///     pipeline.source(Generator::new(7, |n, _| n).take(1000)).map(|n| n * n).discard();
///     Ok(())
/// })?;
/// let summary = job.parallelism(2).run()?;
/// assert_eq!(summary.end, JobEnd::Complete);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Job {
    plan: Rc<Plan>,
    config: Config,
    state: State,
    /// How many bytes of memory the process may take.
    memory: Option<u64>,
}

impl Job {
    /// A job that runs a plan, with default limits.
    pub fn new(plan: Plan) -> Self {
        Job { plan: Rc::new(plan), config: Config::default(), state: State::default(), memory: None }
    }

    /// A job that runs the pipeline which a function describes, with default limits.
    ///
    /// # Errors
    ///
    /// Where the function fails, or what it describes cannot be run.
    pub fn describe(
        name: &str,
        describe: impl FnOnce(&Pipeline) -> Result<(), Error>,
    ) -> Result<Self, JobError> {
        let pipeline = Pipeline::new(name, KeyGroups::default());
        if let Err(error) = describe(&pipeline) {
            pipeline.fail(error.to_string());
        }
        Ok(Job::new(pipeline.plan()?))
    }

    /// Runs it within other limits.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// How many subtasks a vertex has that does not say.
    #[must_use]
    pub fn parallelism(mut self, parallelism: u32) -> Self {
        self.config.parallelism = parallelism;
        self
    }

    /// Keeps checkpoints in a directory, made if there is none, and goes on from the newest one in it. See
    /// [`Config::checkpoints`] for when they are taken.
    #[must_use]
    pub fn state_directory(mut self, path: impl Into<PathBuf>) -> Self {
        self.state.path = Some(path.into());
        self
    }

    /// Keeps the checkpoints of the state directory elsewhere: in `s3://bucket/prefix`, with the feature `s3`. Endpoint,
    /// region and credentials come from the environment (`AWS_*`). What is decided stays in the directory, and so does
    /// this address: a job that goes on needs not name it.
    #[must_use]
    pub fn checkpoint_store(mut self, address: Option<String>) -> Self {
        self.state.store = address;
        self
    }

    /// Goes on also where the state directory is of another plan, if this one can go on from its newest checkpoint:
    /// see [`watershed_runtime::migration()`] for when. From then on the directory is this plan's.
    #[must_use]
    pub fn allow_other_plan(mut self, allow: bool) -> Self {
        self.state.other_plan = allow;
        self
    }

    /// Goes back to an older checkpoint of the state directory, as a new history (lineage). What came after it has
    /// been shown already, and will come again.
    #[must_use]
    pub fn from_checkpoint(mut self, epoch: Option<Epoch>) -> Self {
        self.state.back_to = epoch;
        self
    }

    /// Where the values of operators' keys are kept: in memory unless told.
    #[must_use]
    pub fn state_backend(mut self, backend: StateBackend) -> Self {
        self.state.backend = backend;
        self
    }

    /// How many bytes of memory the process may take while the job runs. Where it takes more, it says so on standard
    /// error and ends with exit code 1, as if it had been killed: a job with a state directory goes on from there when it
    /// is started again. Without this, the operating system decides.
    #[must_use]
    pub fn memory_limit(mut self, bytes: Option<u64>) -> Self {
        self.memory = bytes;
        self
    }

    /// The plan that will run.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Runs the job and returns when it is over.
    ///
    /// # Errors
    ///
    /// Where the plan cannot be run, its input or output cannot be opened, or something fails on the way.
    pub fn run(&self) -> Result<Summary, JobError> {
        self.run_observed(|_| {})
    }

    /// As [`Job::run`]. `observe` is called once the job has begun, with a handle that shows its counters
    /// and can cancel it, on a thread where actix tasks can be spawned; it must not block.
    ///
    /// # Errors
    ///
    /// As [`Job::run`].
    pub fn run_observed(&self, observe: impl FnOnce(JobHandle)) -> Result<Summary, JobError> {
        let tell = |exceeded: &Exceeded| drop(writeln!(io::stderr(), "error: {exceeded}"));
        let bound = self.memory.map(|limit| Bound::set(limit, tell)).transpose();
        let _kept = bound.map_err(|error| JobError::Stopped {
            reason: format!(
                "its memory cannot be bounded, for the system does not tell how much it takes: {error}"
            ),
        })?;
        let storage = self.state.open(&self.plan, &self.config)?;
        watershed_runtime::run(&self.plan, &self.config, storage, observe)
    }
}
