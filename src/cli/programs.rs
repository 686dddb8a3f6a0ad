//! The pipelines of an application, as the nodes of a cluster run them.

use std::path::PathBuf;
use std::rc::Rc;

use watershed_runtime::cluster::{JobSpec, Planned, Programs};
use watershed_runtime::guarantee;

use super::failure::Failure;
use super::settings::{Options, Settings};
use super::{dead_letters, find};
use crate::app::App;
use crate::parameters::Values;

/// The pipelines of an application on one node.
///
/// A plan comes from what was submitted alone, and from nothing that is set for the node: all nodes must draw the same.
pub(super) struct Pipelines {
    pub(super) app: Rc<App>,
    /// Where this node keeps dead letters that no pipeline takes.
    pub(super) dead_letters: PathBuf,
}

impl Programs for Pipelines {
    fn plan(&self, spec: &JobSpec) -> Result<Planned, String> {
        self.planned(spec).map_err(|failure| failure.to_string())
    }
}

impl Pipelines {
    fn planned(&self, spec: &JobSpec) -> Result<Planned, Failure> {
        let registered = find(&self.app, &spec.pipeline)?;
        let mut settings = Settings::from_job(&spec.settings)?;
        settings.limits.set("parallelism", spec.parallelism.max(1).to_string(), "parallelism");
        let options: Options = settings.options.read()?;
        let (config, key_groups) = settings.config()?;
        let mut values = Values::default();
        for (name, value) in &spec.parameters {
            values.set(name, value, "parameters");
        }
        let pipeline = registered.describe(key_groups, &values)?;
        let beside = || self.dead_letters.join(format!("{}.jsonl", spec.pipeline));
        dead_letters::keep(&pipeline, options.dead_letters.clone().unwrap_or_else(beside));
        let plan = pipeline.plan()?;
        plan.check_parallelism(config.parallelism)?;
        guarantee::demand(&plan, config.guarantee)?;
        Ok(Planned { plan, config, backend: options.node_backend()? })
    }
}
