//! What a job did, once it is over.

use std::fmt::Write;
use std::path::Path;

use indicatif::HumanCount;
use serde::Serialize;
use watershed_core::{Plan, VertexId};
use watershed_runtime::{CheckpointReport, JobEnd, Summary};

use super::dead_letters;
use super::failure::one_line;
use super::resume::Resumed;

/// The closing account of a job.
#[derive(Serialize)]
pub(super) struct Account {
    pipeline: String,
    end: End,
    elapsed_seconds: f64,
    records_read: u64,
    records_read_per_second: f64,
    records_written: u64,
    late: u64,
    dead_letters: u64,
    /// The file of the dead letters, where there are any and the pipeline does not keep them itself.
    dead_letters_kept: Option<String>,
    sources: Vec<Edge>,
    sinks: Vec<Edge>,
    /// How the checkpoints stand, where there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    checkpoints: Option<Checkpoints>,
}

/// How a job ended.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum End {
    Complete,
    /// The job had come to its end in an earlier process; nothing has run.
    CompleteBefore,
    Cancelled,
    Suspended,
    Drained,
}

/// How the checkpoints of a job stand once it is over.
#[derive(Serialize)]
struct Checkpoints {
    state_dir: String,
    /// What the job went on from.
    resumed: Option<Resumed>,
    /// The newest one.
    newest: Option<u64>,
    /// How often the job went back to its last one.
    restarts: u64,
}

/// A source or a sink, and how many records passed through it.
#[derive(Serialize)]
struct Edge {
    uid: String,
    name: String,
    records: u64,
}

impl Account {
    /// The account of a plan that was run; `kept` is where its dead letters are, where it does not take them itself.
    pub(super) fn new(plan: &Plan, summary: &Summary, kept: &Path) -> Self {
        let beside = dead_letters::vertex(plan);
        let vertices = || {
            let reports = plan.vertices.iter().zip(&summary.vertices).enumerate();
            reports.filter(move |(index, _)| Some(*index) != beside).map(|(_, pair)| pair)
        };
        let edge = |id: VertexId, last: bool, records| {
            let stages = &plan.vertices[id.0 as usize].stages;
            let stage = if last { stages.last() } else { stages.first() };
            let stage = stage.expect("an entrance or exit is a stage");
            Edge { uid: stage.uid.clone(), name: stage.name.clone(), records }
        };
        let sources: Vec<Edge> = vertices()
            .filter(|(vertex, _)| vertex.is_source)
            .map(|(vertex, report)| edge(vertex.id, false, report.counters.records_in))
            .collect();
        let sinks: Vec<Edge> = vertices()
            .filter(|(vertex, _)| vertex.is_sink)
            .map(|(vertex, report)| edge(vertex.id, true, report.counters.records_out))
            .collect();
        let dead_letters = dead_letters::count(plan, &summary.vertices);
        let records_read = sources.iter().map(|source| source.records).sum();
        let elapsed_seconds = summary.elapsed.as_secs_f64();
        Account {
            pipeline: plan.name.clone(),
            end: match summary.end {
                JobEnd::Complete if summary.checkpoints.runs == 0 => End::CompleteBefore,
                JobEnd::Complete => End::Complete,
                JobEnd::Cancelled => End::Cancelled,
                JobEnd::Suspended(_) => End::Suspended,
                JobEnd::Drained => End::Drained,
            },
            elapsed_seconds,
            records_read,
            records_read_per_second: records_read as f64 / elapsed_seconds.max(f64::MIN_POSITIVE),
            records_written: sinks.iter().map(|sink| sink.records).sum(),
            late: vertices().map(|(_, report)| report.counters.late).sum(),
            dead_letters,
            dead_letters_kept: (dead_letters > 0 && beside.is_some()).then(|| kept.display().to_string()),
            sources,
            sinks,
            checkpoints: None,
        }
    }

    /// The account of a job that keeps its checkpoints in a directory, where it does.
    pub(super) fn lasting(
        mut self,
        directory: Option<&Path>,
        resumed: Option<Resumed>,
        report: &CheckpointReport,
    ) -> Self {
        let newest = report.completed.or(resumed.as_ref().map(Resumed::checkpoint));
        self.checkpoints = directory.map(|directory| Checkpoints {
            state_dir: directory.display().to_string(),
            resumed,
            newest: newest.map(|epoch| epoch.0),
            restarts: report.restarts,
        });
        self
    }

    /// The account as a JSON object in one line.
    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("an account is plain data")
    }

    /// The account as lines of text.
    pub(super) fn to_text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text).expect("writing to a string succeeds");
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        let time = time_of(self.elapsed_seconds);
        if self.end == End::CompleteBefore {
            return self.write_complete_before(text);
        }
        let end = match self.end {
            End::Complete | End::CompleteBefore => format!("done in {time}"),
            End::Cancelled if self.checkpoints.is_some() => format!("cancelled after {time}"),
            End::Cancelled => format!("cancelled after {time}, what had been read is finished"),
            End::Suspended => format!("suspended after {time}"),
            End::Drained => format!("drained after {time}"),
        };
        writeln!(
            text,
            "{}: {end}, {} records read ({}/s)",
            self.pipeline,
            HumanCount(self.records_read),
            HumanCount(self.records_read_per_second as u64)
        )?;
        for (edges, done) in [(&self.sources, "read"), (&self.sinks, "written")] {
            for edge in edges {
                let name = one_line(&edge.name);
                // Two edges of one name are told apart by their uids.
                let same = self.sources.iter().chain(&self.sinks).filter(|other| other.name == edge.name);
                let uid = if same.count() > 1 { format!(" ({})", edge.uid) } else { String::new() };
                writeln!(text, "  {name}{uid}: {} {done}", HumanCount(edge.records))?;
            }
        }
        write!(text, "  late: {}, dead letters: {}", HumanCount(self.late), HumanCount(self.dead_letters))?;
        match &self.dead_letters_kept {
            Some(path) => writeln!(text, ", kept in {}", one_line(path)),
            None if self.dead_letters > 0 => writeln!(text, ", taken by the pipeline"),
            None => writeln!(text),
        }?;
        self.checkpoints.as_ref().map_or(Ok(()), |checkpoints| checkpoints.write(self.end, text))
    }

    /// A job that is started once more, after its end.
    fn write_complete_before(&self, text: &mut String) -> std::fmt::Result {
        let (directory, newest) = match &self.checkpoints {
            Some(Checkpoints { state_dir, newest: Some(newest), .. }) => {
                (one_line(state_dir), format!(" (checkpoint {newest})"))
            }
            Some(Checkpoints { state_dir, newest: None, .. }) => (one_line(state_dir), String::new()),
            None => (String::new(), String::new()),
        };
        writeln!(text, "{}: the job has come to its end before{newest}, and nothing was run", self.pipeline)?;
        writeln!(
            text,
            "  to run it again, choose another directory than {directory}, or go back with --from-savepoint N"
        )
    }
}

impl Checkpoints {
    fn write(&self, end: End, text: &mut String) -> std::fmt::Result {
        let newest = self.newest.map_or("none".to_owned(), |newest| newest.to_string());
        let directory = one_line(&self.state_dir);
        writeln!(text, "  newest checkpoint: {newest}, restarts: {}, kept in {directory}", self.restarts)?;
        match end {
            End::Suspended => {
                writeln!(text, "  the same command goes on behind the last record that was read")
            }
            End::Cancelled if self.newest.is_some() => {
                writeln!(text, "  the same command goes on from that checkpoint")
            }
            End::Cancelled => writeln!(text, "  the same command begins from the start"),
            End::Complete | End::CompleteBefore | End::Drained => Ok(()),
        }
    }
}

/// A span of time as people measure it.
fn time_of(seconds: f64) -> String {
    if seconds < 1.0 { format!("{:.0} ms", seconds * 1e3) } else { format!("{seconds:.2} s") }
}
