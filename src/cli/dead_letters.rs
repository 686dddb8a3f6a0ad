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

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use watershed_actors::sink::Collect;
    use watershed_actors::source::JsonLines;
    use watershed_core::KeyGroups;

    use super::*;
    use crate::cli::summary::Account;
    use crate::job::Job;

    #[test]
    fn input_that_cannot_be_used_is_kept_and_harms_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let (input, kept) = (place.path().join("numbers.jsonl"), place.path().join("letters.jsonl"));
        std::fs::write(&input, "1\nnone\n3\n").unwrap();
        let pipeline = Pipeline::new("numbers", KeyGroups::default());
        let (sink, numbers) = Collect::<u64>::new();
        pipeline.source(JsonLines::at(&input)).sink(sink);
        keep(&pipeline, kept.clone());
        let job = Job::new(pipeline.plan().unwrap()).parallelism(1);
        let summary = job.run().unwrap();
        assert_eq!(numbers.take(), [1, 3]);
        let letter: Value = serde_json::from_str(&std::fs::read_to_string(&kept).unwrap()).unwrap();
        assert_eq!((&letter["operator"], &letter["text"]), (&"source-1".into(), &"none".into()));
        let account: Value =
            serde_json::from_str(&Account::new(job.plan(), &summary, &kept).to_json()).unwrap();
        assert_eq!(account["dead_letters"], 1);
        assert_eq!(account["dead_letters_kept"], kept.display().to_string());
        assert_eq!(account["records_written"], 2, "the file of the dead letters is no sink of the pipeline");
    }

    #[test]
    fn a_pipeline_that_takes_its_dead_letters_keeps_them() {
        let pipeline = Pipeline::new("numbers", KeyGroups::default());
        pipeline.source(JsonLines::<u64>::at("numbers.jsonl")).discard();
        pipeline.dead_letters().discard();
        keep(&pipeline, PathBuf::from("letters.jsonl"));
        assert_eq!(vertex(&pipeline.plan().unwrap()), None);
    }
}
