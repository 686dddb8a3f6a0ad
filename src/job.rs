//! Runs pipelines inside a program or a test, without a command line.

use std::path::PathBuf;
use std::rc::Rc;

use watershed_core::plan::Fingerprint;
use watershed_core::{KeyGroups, Pipeline, Plan};
use watershed_runtime::{Config, JobError, JobHandle, Storage, Summary};
use watershed_state::{Adopt, Identity, StateDirectory};

use crate::Error;

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
    state: Option<PathBuf>,
}

impl Job {
    /// A job that runs a plan, with default limits.
    pub fn new(plan: Plan) -> Self {
        Job { plan: Rc::new(plan), config: Config::default(), state: None }
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
        self.state = Some(path.into());
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
        let storage = match &self.state {
            None => Storage::none(),
            Some(path) => {
                let (job, key_groups) = (self.plan.name.clone(), self.plan.key_groups);
                let identity = Identity { job, key_groups, plan: Fingerprint::of(&self.plan) };
                let directory = StateDirectory::open(path, identity, Adopt::SamePlan)?;
                Storage::directory(&directory)
            }
        };
        watershed_runtime::run(&self.plan, &self.config, storage, observe)
    }
}
