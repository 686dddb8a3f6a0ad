//! Where a pipeline's dead letters go that takes them nowhere itself.

use std::path::PathBuf;

use watershed_actors::sink::Files;
use watershed_core::{Pipeline, Plan};

use super::settings::Options;

/// The uid of the sink.
const UID: &str = "dead-letters";

/// Connects the dead letters of a pipeline to a file, unless the pipeline has a taker for them.
pub(super) fn keep(pipeline: &Pipeline, path: PathBuf) {
    if !pipeline.takes_dead_letters() {
        pipeline.dead_letters().sink(Files::dead_letters(path)).named("dead letters").uid(UID);
    }
}

/// The file in which the dead letters of a pipeline are kept.
pub(super) fn path(pipeline: &str, options: &Options) -> PathBuf {
    let default = || PathBuf::from("dead-letters").join(format!("{pipeline}.jsonl"));
    options.dead_letters.clone().unwrap_or_else(default)
}

/// Which vertex of a plan keeps them, where the pipeline does not do so itself.
pub(super) fn vertex(plan: &Plan) -> Option<usize> {
    plan.vertices.iter().position(|vertex| vertex.stages.iter().any(|stage| stage.uid == UID))
}
