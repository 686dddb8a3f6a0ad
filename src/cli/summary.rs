//! What a job did, once it is over.

use std::fmt::Write;
use std::path::Path;

use indicatif::HumanCount;
use serde::Serialize;
use watershed_core::{Plan, VertexId};
use watershed_runtime::{JobEnd, Summary};

use super::dead_letters;
use super::failure::one_line;

/// The closing account of a job.
#[derive(Serialize)]
pub(super) struct Account {
    pipeline: String,
    /// `complete`, or `cancelled`.
    end: &'static str,
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
                JobEnd::Complete => "complete",
                JobEnd::Cancelled => "cancelled",
                JobEnd::Suspended(_) => "suspended",
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
        }
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
        let end = match self.end {
            "complete" => format!("done in {time}"),
            _ => format!("cancelled after {time}, what had been read is finished"),
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
        }
    }
}

/// A span of time as people measure it.
fn time_of(seconds: f64) -> String {
    if seconds < 1.0 { format!("{:.0} ms", seconds * 1e3) } else { format!("{seconds:.2} s") }
}
