//! How far jobs have come: their checkpoints, and what their vertices have counted.

use watershed_core::Watermark;
use watershed_runtime::cluster::JobReport;
use watershed_runtime::{CheckpointReport, VertexReport};

use super::exposition::{Exposition, Kind};

/// What is known of a job, wherever it runs.
pub(super) struct Told<'a> {
    pub(super) job: &'a str,
    pub(super) vertices: &'a [VertexReport],
    pub(super) checkpoints: &'a CheckpointReport,
}

impl<'a> Told<'a> {
    pub(super) fn of(report: &'a JobReport) -> Self {
        Told { job: &report.job, vertices: &report.vertices, checkpoints: &report.checkpoints }
    }
}

/// Writes how far jobs have come.
pub(super) fn write(out: &mut Exposition, jobs: &[Told<'_>], now_ms: i64) {
    write_checkpoints(out, jobs);
    write_vertices(out, jobs, now_ms);
}

fn write_checkpoints(out: &mut Exposition, jobs: &[Told<'_>]) {
    let mut each = |name, kind, help, value: &dyn Fn(&Told<'_>) -> Option<f64>| {
        out.family(name, kind, help);
        for job in jobs {
            if let Some(value) = value(job) {
                out.sample(&[("job", job.job)], value);
            }
        }
    };
    each("watershed_job_checkpoint", Kind::Gauge, "The newest checkpoint that is complete.", &|job| {
        job.checkpoints.completed.map(|epoch| epoch.0 as f64)
    });
    each("watershed_job_checkpoint_age_seconds", Kind::Gauge, "How long ago that was.", &|job| {
        job.checkpoints.age.map(|age| age.as_secs_f64())
    });
    each("watershed_job_runs_total", Kind::Counter, "Runs that have begun under this leader.", &|job| {
        Some(job.checkpoints.runs as f64)
    });
    let help = "How often a job went back to its last checkpoint under this leader.";
    each("watershed_job_restarts_total", Kind::Counter, help, &|job| Some(job.checkpoints.restarts as f64));
    let help = "How long barriers held subtasks up, of those remembered.";
    out.family("watershed_job_barrier_pause_seconds", Kind::Gauge, help);
    for job in jobs {
        let report = job.checkpoints;
        let pauses = [("0.5", report.pause_p50), ("0.99", report.pause_p99), ("1", report.pause_max)];
        for (quantile, pause) in pauses {
            out.sample(&[("job", job.job), ("quantile", quantile)], pause.as_secs_f64());
        }
    }
}

fn write_vertices(out: &mut Exposition, jobs: &[Told<'_>], now_ms: i64) {
    let mut each = |name, kind, help, value: &dyn Fn(&VertexReport) -> Option<f64>| {
        out.family(name, kind, help);
        for job in jobs {
            for (index, vertex) in job.vertices.iter().enumerate() {
                let index = index.to_string();
                let labels = [("job", job.job), ("vertex", &index), ("operators", &vertex.name)];
                if let Some(value) = value(vertex) {
                    out.sample(&labels, value);
                }
            }
        }
    };
    each("watershed_records_in_total", Kind::Counter, "Records that came in, or were read.", &|vertex| {
        Some(vertex.counters.records_in as f64)
    });
    each(
        "watershed_records_out_total",
        Kind::Counter,
        "Records that went out, or were written.",
        &|vertex| Some(vertex.counters.records_out as f64),
    );
    each(
        "watershed_records_late_total",
        Kind::Counter,
        "Records that came too late to be used.",
        &|vertex| Some(vertex.counters.late as f64),
    );
    each("watershed_dead_letters_total", Kind::Counter, "Pieces of input that were set aside.", &|vertex| {
        Some(vertex.counters.dead_letters as f64)
    });
    let help = "How far the watermark of the hindmost subtask lies behind the clock.";
    each("watershed_watermark_lag_seconds", Kind::Gauge, help, &|vertex| {
        let told = vertex.watermark > Watermark::MIN && vertex.watermark < Watermark::MAX;
        told.then(|| now_ms.saturating_sub(vertex.watermark.0.as_millis()) as f64 / 1e3)
    });
}
