//! What a cluster answers, as people read it.

use std::fmt::Write;

use indicatif::{HumanBytes, HumanCount};
use watershed_core::{EventTime, Watermark};
use watershed_runtime::cluster::{JobState, NodeReport};
use watershed_server::view::{Checkpoints, CheckpointsView, JobView, Verdict, VertexView};

use crate::cli::failure::one_line;
use crate::cli::progress::time_of;
use crate::cli::table::Table;

pub(super) fn state(state: JobState) -> &'static str {
    match state {
        JobState::Waiting => "waiting",
        JobState::Running => "running",
        JobState::Suspended => "suspended",
        JobState::Finished => "finished",
        JobState::Cancelled => "cancelled",
        JobState::Failed => "failed",
    }
}

/// How many records the sources of a job have read.
pub(super) fn records_read(job: &JobView) -> u64 {
    job.vertices.iter().filter(|vertex| vertex.is_source).map(|vertex| vertex.records_in).sum()
}

/// A job in a line, while it is waited for.
pub(super) fn line(job: &JobView) -> String {
    let why = job.reason.as_ref().map_or_else(String::new, |why| format!(", {}", one_line(why)));
    let read = HumanCount(records_read(job));
    format!("{}: {}{why}, {read} records read{}", job.job, state(job.state), newest(&job.checkpoints))
}

fn newest(checkpoints: &CheckpointsView) -> String {
    match (checkpoints.newest, checkpoints.age_seconds) {
        (None, _) => String::new(),
        (Some(newest), None) => format!(", checkpoint {newest}"),
        (Some(newest), Some(age)) => format!(", checkpoint {newest} ({age:.1} s ago)"),
    }
}

pub(super) fn jobs(jobs: &[JobView]) -> String {
    let mut table =
        Table::new(["job", "number", "state", "parallelism", "checkpoint", "records read", "why"]);
    table.right(&[1, 3, 4, 5]);
    for job in jobs {
        let checkpoint = job.checkpoints.newest.map_or("-".to_owned(), |newest| newest.to_string());
        table.row([
            job.job.clone(),
            job.number.to_string(),
            state(job.state).to_owned(),
            job.parallelism.to_string(),
            checkpoint,
            HumanCount(records_read(job)).to_string(),
            one_line(job.reason.as_deref().unwrap_or_default()),
        ]);
    }
    if jobs.is_empty() { "no jobs; `submit` makes one".to_owned() } else { table.to_string() }
}

pub(super) fn nodes(nodes: &[NodeReport]) -> String {
    let mut table = Table::new(["node", "state", "part", "slots", "cpu", "memory", "links", "http"]);
    table.right(&[3, 4, 5]);
    for node in nodes {
        let state = match (node.alive, node.leaving) {
            (false, _) => "away",
            (true, true) => "leaving",
            (true, false) => "here",
        };
        let part = match (node.leader, node.coordinator) {
            (true, _) => "leader",
            (false, true) => "coordinator",
            (false, false) => "worker",
        };
        table.row([
            node.node.clone(),
            state.to_owned(),
            part.to_owned(),
            format!("{} of {}", node.used, node.slots),
            format!("{} %", node.busy_percent),
            HumanBytes(node.memory_bytes).to_string(),
            one_line(&node.address),
            one_line(node.http.as_deref().unwrap_or("-")),
        ]);
    }
    table.to_string()
}

pub(super) fn job(job: &JobView) -> String {
    let mut text = String::new();
    write_job(&mut text, job).expect("writing to a string succeeds");
    text
}

fn write_job(text: &mut String, job: &JobView) -> std::fmt::Result {
    let run = job.run.map_or_else(String::new, |run| format!(", run {run}"));
    let (name, number, state) = (&job.job, job.number, state(job.state));
    writeln!(text, "{name} (number {number}): {state}{run}, parallelism {}", job.parallelism)?;
    if let Some(reason) = &job.reason {
        writeln!(text, "  {}", one_line(reason))?;
    }
    let by = if job.submitted_by.is_empty() {
        String::new()
    } else {
        format!(", by {}", one_line(&job.submitted_by))
    };
    writeln!(text, "  pipeline: {}{by}", one_line(&job.pipeline))?;
    for (name, value) in job.parameters.iter().chain(&job.settings) {
        writeln!(text, "    {}={}", one_line(name), one_line(value))?;
    }
    if !job.slots.is_empty() {
        let slots: Vec<String> = job.slots.iter().map(|(node, slots)| format!("{node} {slots}")).collect();
        writeln!(text, "  slots: {}", slots.join(", "))?;
    }
    if !job.vertices.is_empty() {
        let mut table = Table::new(["vertex", "in", "out", "late", "dead letters", "watermark"]);
        table.right(&[1, 2, 3, 4]);
        for vertex in &job.vertices {
            let counts = [vertex.records_in, vertex.records_out, vertex.late, vertex.dead_letters];
            let [records_in, out, late, letters] = counts.map(|count| HumanCount(count).to_string());
            let name = if vertex.name.is_empty() { "-" } else { &vertex.name };
            table.row([one_line(name), records_in, out, late, letters, watermark(vertex)]);
        }
        for line in table.to_string().lines() {
            writeln!(text, "  {line}")?;
        }
    }
    let newest = newest(&job.checkpoints);
    let newest = if newest.is_empty() { "no checkpoint yet" } else { newest.trim_start_matches(", ") };
    writeln!(text, "  {newest}, restarts: {}", job.checkpoints.restarts)
}

fn watermark(vertex: &VertexView) -> String {
    time_of(match vertex.watermark_ms {
        Some(time) => Watermark(EventTime::from_millis(time)),
        None if vertex.at_end => Watermark::MAX,
        None => Watermark::MIN,
    })
}

pub(super) fn checkpoints(found: &Checkpoints) -> String {
    let mut table = Table::new(["checkpoint", "taken at", "standing", "objects", "size", "certificate", ""]);
    table.right(&[0, 3, 4]);
    for one in &found.checkpoints {
        let certificate = match one.certificate {
            Verdict::Proved => "proved",
            Verdict::Violated => "violated",
            Verdict::NotRead => "not read",
        };
        let kind = match (one.savepoint, one.last) {
            (_, true) => "last",
            (true, false) => "savepoint",
            (false, false) => "",
        };
        table.row([
            one.checkpoint.to_string(),
            time_of(Watermark(EventTime::from_millis(one.taken_at_ms))),
            one.standing.replace('-', " "),
            one.objects.to_string(),
            HumanBytes(one.bytes).to_string(),
            certificate.to_owned(),
            kind.to_owned(),
        ]);
    }
    let problems = found.checkpoints.iter().flat_map(|one| {
        one.problems
            .iter()
            .map(move |problem| format!("checkpoint {}: {}\n", one.checkpoint, one_line(problem)))
    });
    let let_go = found.let_go.iter().map(|gone| {
        format!("checkpoint {gone}: the job let it go before it was proved; it keeps newer ones\n")
    });
    let unread = found.unread.iter().map(|what| format!("cannot be read: {}\n", one_line(what)));
    let table =
        if found.checkpoints.is_empty() { "no checkpoints yet\n".to_owned() } else { table.to_string() };
    table + &problems.chain(let_go).chain(unread).collect::<String>()
}
