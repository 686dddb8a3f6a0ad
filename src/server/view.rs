//! What is asked and answered in JSON. Times are numbers of seconds, or of milliseconds since 1970 where they end in `_ms`.

mod state;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use watershed_core::Watermark;
use watershed_runtime::cluster::{CancelHow, JobReport, JobState, NodeReport, Placement};
use watershed_runtime::{CheckpointReport, VertexReport};
use watershed_state::inspect::Summary;

pub use crate::problem::{Document as ProblemDocument, NOT_LEADING};
pub use state::{AskState, AwaitDurable, ChangeState, DurableView, LevelView, StateView, TOKEN_HEADER};

/// What is to be run: the body of `POST /api/v1/jobs`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Submit {
    /// The name of the job; the pipeline's where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The name of the pipeline.
    pub pipeline: String,
    /// Its parameters: texts, numbers or booleans.
    #[serde(default)]
    pub parameters: BTreeMap<String, Value>,
    /// The settings of the run, as `checkpoint_interval`: texts, numbers or booleans.
    #[serde(default)]
    pub settings: BTreeMap<String, Value>,
    /// How many subtasks a vertex has that does not say; one for each node that is there where this is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallelism: Option<u32>,
    /// Where its subtasks go.
    #[serde(default)]
    pub placement: PlacementView,
    /// Who submits it, for people to read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submitted_by: Option<String>,
}

/// Where the subtasks of a job go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PlacementView {
    /// Over as many nodes as there are.
    #[default]
    Spread,
    /// On as few nodes as will do.
    Pack,
}

/// A job was accepted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Submitted {
    /// Its name.
    pub job: String,
    /// Its number, which is never another job's.
    pub number: u32,
}

/// How a job is to end: the body of `POST /api/v1/jobs/{job}/cancel`.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cancel {
    /// How.
    #[serde(default)]
    pub how: CancelHow,
}

/// With how many subtasks a job is to go on: the body of `POST /api/v1/jobs/{job}/rescale`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rescale {
    /// How many subtasks a vertex has that does not say.
    pub parallelism: u32,
}

/// Nothing more needs to be said: the body of `POST /api/v1/jobs/{job}/savepoint` and of `../resume`.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// A checkpoint was taken, or the job ended without one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Savepoint {
    /// The job.
    pub job: String,
    /// The number of the checkpoint.
    pub checkpoint: Option<u64>,
}

/// All jobs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Jobs {
    /// The jobs, by name.
    pub jobs: Vec<JobView>,
}

/// How a job stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobView {
    /// Its name.
    pub job: String,
    /// Its number, which is never another job's.
    pub number: u32,
    /// The name of its pipeline.
    pub pipeline: String,
    /// Where it is in its life.
    pub state: JobState,
    /// What it waits for, or why it failed.
    pub reason: Option<String>,
    /// The execution that it is in.
    pub run: Option<u32>,
    /// How many subtasks a vertex has that does not say.
    pub parallelism: u32,
    /// Where its subtasks go.
    pub placement: PlacementView,
    /// The pipeline's parameters, without passwords in addresses.
    pub parameters: BTreeMap<String, String>,
    /// The settings of the run.
    pub settings: BTreeMap<String, String>,
    /// Who submitted it.
    pub submitted_by: String,
    /// How many of its slots each node has.
    pub slots: BTreeMap<String, u32>,
    /// What its vertices have done since this run's nodes began.
    pub vertices: Vec<VertexView>,
    /// How its checkpoints stand.
    pub checkpoints: CheckpointsView,
}

/// What a vertex has done.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VertexView {
    /// Its operators' names, joined by arrows.
    pub name: String,
    /// Whether it reads from the world.
    pub is_source: bool,
    /// Whether it writes to the world.
    pub is_sink: bool,
    /// Records that came in, or were read.
    pub records_in: u64,
    /// Records that went out, or were written.
    pub records_out: u64,
    /// Records that came too late to be used.
    pub late: u64,
    /// Pieces of input that were set aside.
    pub dead_letters: u64,
    /// The watermark of its hindmost subtask; none before the first, and none at the end.
    pub watermark_ms: Option<i64>,
    /// Whether no record will follow at all.
    pub at_end: bool,
}

/// How the checkpoints of a job stand.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CheckpointsView {
    /// The newest that is complete.
    pub newest: Option<u64>,
    /// How long ago that was, where it was under this leader.
    pub age_seconds: Option<f64>,
    /// How long that took from when it was triggered, where both were under this leader.
    #[serde(default)]
    pub took_seconds: Option<f64>,
    /// How many runs have begun under this leader.
    pub runs: u64,
    /// How often the job has gone back to its last checkpoint under this leader.
    pub restarts: u64,
    /// How long a barrier held its subtask up: the longest of 50 in 100.
    pub pause_p50_seconds: f64,
    /// The longest of 99 in 100.
    pub pause_p99_seconds: f64,
    /// The longest.
    pub pause_max_seconds: f64,
}

/// The checkpoints of a job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Checkpoints {
    /// The job.
    pub job: String,
    /// The checkpoints that are kept, oldest first.
    pub checkpoints: Vec<CheckpointView>,
    /// The numbers of those that the job let go while they were to be proved.
    #[serde(default)]
    pub let_go: Vec<u64>,
    /// What could not be read.
    pub unread: Vec<String>,
}

/// One checkpoint.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CheckpointView {
    /// Its number.
    pub checkpoint: u64,
    /// Its history.
    pub lineage: u32,
    /// The execution that took it.
    pub run: u32,
    /// When it was taken.
    pub taken_at_ms: i64,
    /// Whether it counts: newest, decided, not-decided, unknown.
    pub standing: String,
    /// Whether a person asked for it.
    pub savepoint: bool,
    /// Whether the job came to its end with it.
    pub last: bool,
    /// How many objects it names.
    pub objects: usize,
    /// How many bytes these have.
    pub bytes: u64,
    /// Whether it was proved a consistent cut, to the last byte, just now: `proved`, `violated`, or `not-read` where
    /// it is too old or too large to be read for a question.
    pub certificate: Verdict,
    /// What is wrong with it.
    pub problems: Vec<String>,
}

/// What became of a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It is a consistent cut, and all of it is there.
    Proved,
    /// It is not, or something of it is damaged or missing.
    Violated,
    /// It was not looked at.
    NotRead,
}

/// All nodes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Nodes {
    /// The nodes, by name.
    pub nodes: Vec<NodeReport>,
}

impl From<JobReport> for JobView {
    fn from(report: JobReport) -> Self {
        let JobReport { job, number, spec, state, reason, run, parallelism, slots, vertices, checkpoints } =
            report;
        let parameters = spec.parameters.into_iter().map(|(name, value)| (name, without_password(&value)));
        JobView {
            job,
            number,
            pipeline: spec.pipeline,
            state,
            reason,
            run,
            parallelism,
            placement: spec.placement.into(),
            parameters: parameters.collect(),
            settings: spec.settings,
            submitted_by: spec.submitted_by,
            slots,
            vertices: vertices.into_iter().map(VertexView::from).collect(),
            checkpoints: checkpoints.into(),
        }
    }
}

impl From<VertexReport> for VertexView {
    fn from(report: VertexReport) -> Self {
        let VertexReport { name, is_source, is_sink, counters, watermark } = report;
        let told = watermark > Watermark::MIN && watermark < Watermark::MAX;
        VertexView {
            name,
            is_source,
            is_sink,
            records_in: counters.records_in,
            records_out: counters.records_out,
            late: counters.late,
            dead_letters: counters.dead_letters,
            watermark_ms: told.then(|| watermark.0.as_millis()),
            at_end: watermark == Watermark::MAX,
        }
    }
}

impl From<CheckpointReport> for CheckpointsView {
    fn from(report: CheckpointReport) -> Self {
        CheckpointsView {
            newest: report.completed.map(|epoch| epoch.0),
            age_seconds: report.age.map(|age| age.as_secs_f64()),
            took_seconds: report.took.map(|took| took.as_secs_f64()),
            runs: report.runs,
            restarts: report.restarts,
            pause_p50_seconds: report.pause_p50.as_secs_f64(),
            pause_p99_seconds: report.pause_p99.as_secs_f64(),
            pause_max_seconds: report.pause_max.as_secs_f64(),
        }
    }
}

impl CheckpointView {
    /// A checkpoint, and what is wrong with it where that was looked for.
    pub(crate) fn new(summary: &Summary, problems: Option<Vec<String>>) -> Self {
        CheckpointView {
            checkpoint: summary.epoch.0,
            lineage: summary.lineage.0,
            run: summary.run.0,
            taken_at_ms: summary.taken_at,
            standing: summary.standing.to_string().replace(' ', "-"),
            savepoint: summary.savepoint,
            last: summary.last,
            objects: summary.objects,
            bytes: summary.bytes,
            certificate: match &problems {
                None => Verdict::NotRead,
                Some(problems) if problems.is_empty() => Verdict::Proved,
                Some(_) => Verdict::Violated,
            },
            problems: problems.unwrap_or_default(),
        }
    }
}

impl From<Placement> for PlacementView {
    fn from(placement: Placement) -> Self {
        match placement {
            Placement::Spread => PlacementView::Spread,
            Placement::Pack => PlacementView::Pack,
        }
    }
}

impl From<PlacementView> for Placement {
    fn from(placement: PlacementView) -> Self {
        match placement {
            PlacementView::Spread => Placement::Spread,
            PlacementView::Pack => Placement::Pack,
        }
    }
}

/// A value in which an address has no password.
fn without_password(value: &str) -> String {
    match value.split_once("://") {
        // A password may hold an @ that should have been escaped: all up to the last one is hidden.
        Some((scheme, address)) => match address.rsplit_once('@') {
            Some((_, place)) => format!("{scheme}://...@{place}"),
            None => value.to_owned(),
        },
        None => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        assert_eq!(without_password("postgresql://me:se@cret@db:5432/x"), "postgresql://...@db:5432/x");
        assert_eq!(without_password("s3://bucket/prefix"), "s3://bucket/prefix");
        assert_eq!(without_password("me@home"), "me@home");
    }
}
