//! Where a pipeline's dead letters go that takes them nowhere itself.

use std::path::PathBuf;

use watershed_actors::sink::DeadLetterFile;
use watershed_core::{Pipeline, Plan};
use watershed_runtime::VertexReport;

use super::failure::KeptLetters;
use super::settings::Options;

/// The uid of the sink.
const UID: &str = "dead-letters";

/// Connects the dead letters of a pipeline to a file, unless the pipeline has a taker for them.
pub(super) fn keep(pipeline: &Pipeline, path: PathBuf) -> DeadLetterFile {
    let file = DeadLetterFile::at(path);
    if !pipeline.takes_dead_letters() {
        pipeline.dead_letters().sink(file.clone()).named("dead letters").uid(UID);
    }
    file
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

/// How many dead letters a plan's vertices have written, by their reports.
pub(super) fn count(plan: &Plan, reports: &[VertexReport]) -> u64 {
    let beside = vertex(plan);
    let others = reports.iter().enumerate().filter(|(index, _)| Some(*index) != beside);
    others.map(|(_, report)| report.counters.dead_letters).sum()
}

/// The dead letters of a job that has failed, where it had any.
pub(super) fn of_failed(plan: &Plan, reports: &[VertexReport], kept: &DeadLetterFile) -> Option<KeptLetters> {
    let dead_letters = count(plan, reports);
    let path = vertex(plan).map(|_| kept.path().display().to_string());
    (dead_letters > 0).then_some(KeptLetters { dead_letters, dead_letters_kept: path })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use watershed_actors::sink::Collect;
    use watershed_actors::source::{Generator, JsonLines};
    use watershed_core::{EventTime, EventTimes, KeyGroups};

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
        assert_eq!(keep(&pipeline, kept.clone()).path(), kept);
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

    /// Runs a pipeline that fails, and returns why, the number of its dead letters, and those that were kept.
    fn failed(pipeline: &Pipeline, kept: PathBuf, parallelism: u32) -> (String, u64, Vec<Value>) {
        let file = keep(pipeline, kept);
        let job = Job::new(pipeline.plan().unwrap()).parallelism(parallelism);
        let mut begun = None;
        let error = job.run_observed(|handle| begun = Some(handle)).unwrap_err().to_string();
        let letters = of_failed(job.plan(), &begun.unwrap().report(), &file).unwrap();
        let path = file.path();
        assert_eq!(letters.dead_letters_kept, Some(path.display().to_string()));
        let lines = std::fs::read_to_string(path).unwrap();
        (error, letters.dead_letters, lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
    }

    #[test]
    fn the_dead_letters_of_a_job_that_fails_are_kept_and_counted() {
        for (bad, parallelism) in [(3, 1), (3, 2), (100_000, 1), (100_000, 2)] {
            let place = tempfile::tempdir().unwrap();
            let input = place.path().join("numbers.jsonl");
            std::fs::write(&input, "none\n".repeat(bad) + "7\n").unwrap();
            let pipeline = Pipeline::new("numbers", KeyGroups::default());
            let (sink, numbers) = Collect::<u64>::new();
            let checked = pipeline.source(JsonLines::<u64>::at(&input)).rebalance().map(|n| {
                assert!(n != 7, "cannot bear it");
                n
            });
            checked.sink(sink);
            let (error, count, kept) = failed(&pipeline, place.path().join("letters.jsonl"), parallelism);
            assert!(error.contains(": cannot bear it; keep checkpoints "), "{error}");
            assert_eq!((count, kept.len()), (bad as u64, bad), "at parallelism {parallelism}");
            let last = &kept[bad - 1];
            assert_eq!(last["origin"], format!("{} line {bad}", input.display()));
            assert_eq!(numbers.take(), [] as [u64; 0]);
        }
    }

    #[test]
    fn the_letters_that_were_not_handed_over_yet_are_kept_too() {
        let place = tempfile::tempdir().unwrap();
        let input = place.path().join("numbers.jsonl");
        std::fs::write(&input, "none\nnone\n7\nnone\n").unwrap();
        let pipeline = Pipeline::new("numbers", KeyGroups::default());
        // In the chain of the source itself: the letters before it are in a batch that is not full.
        let checked = pipeline.source(JsonLines::<u64>::at(&input)).map(|n| {
            assert!(n != 7, "cannot bear it");
            n
        });
        checked.discard();
        let (error, count, kept) = failed(&pipeline, place.path().join("letters.jsonl"), 1);
        assert!(error.contains(": cannot bear it; keep checkpoints "), "{error}");
        assert_eq!((count, kept.len()), (2, 2));
    }

    #[test]
    fn a_record_whose_time_is_not_plausible_is_kept_with_its_place_and_bytes() {
        let place = tempfile::tempdir().unwrap();
        let (input, kept) = (place.path().join("times.jsonl"), place.path().join("letters.jsonl"));
        std::fs::write(&input, "1\n\n2\n 900 \n3\n901").unwrap();
        let pipeline = Pipeline::new("times", KeyGroups::default());
        let (sink, times) = Collect::<i64>::new();
        let rule = EventTimes::by(|time: &i64| EventTime::from_millis(*time));
        let plausible = EventTime::from_millis(0)..=EventTime::from_millis(100);
        let rule = rule.plausible(plausible);
        pipeline.source(JsonLines::at(&input)).event_times(rule.clone()).uid("times").sink(sink);
        let made = pipeline.source(Generator::new(0, |n, _| n as i64 * 1000).take(2));
        made.event_times(rule).uid("made").discard();
        let file = keep(&pipeline, kept);
        Job::new(pipeline.plan().unwrap()).parallelism(1).run().unwrap();
        assert_eq!(times.take(), [1, 2, 3]);
        let lines = std::fs::read_to_string(file.path()).unwrap();
        let mut letters: Vec<[String; 3]> = lines
            .lines()
            .map(|line| {
                let letter: Value = serde_json::from_str(line).unwrap();
                let bytes = if letter["text"].is_null() { &letter["hex"] } else { &letter["text"] };
                [&letter["operator"], &letter["origin"], bytes].map(|part| part.as_str().unwrap().to_owned())
            })
            .collect();
        letters.sort();
        let input = input.display();
        let of_file =
            |line, bytes: &str| ["times".to_owned(), format!("{input} line {line}"), bytes.to_owned()];
        assert_eq!(letters[1..], [of_file(4, " 900 "), of_file(6, "901")]);
        assert_eq!(letters[0][0], "made");
        assert!(letters[0][1].ends_with(" behind position 0"), "{:?}", letters[0]);
        assert_eq!(letters[0][2], "cd03e8", "the record as MessagePack");
        assert!(lines.contains("event time 900ms is not plausible: outside 0ms to 100ms"), "{lines}");
    }

    #[test]
    fn a_pipeline_that_takes_its_dead_letters_keeps_them() {
        let pipeline = Pipeline::new("numbers", KeyGroups::default());
        pipeline.source(JsonLines::<u64>::at("numbers.jsonl")).discard();
        pipeline.dead_letters().discard();
        let _ = keep(&pipeline, PathBuf::from("letters.jsonl"));
        assert_eq!(vertex(&pipeline.plan().unwrap()), None);
    }
}
