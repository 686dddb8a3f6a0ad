//! The checkpoints of a job, proved anew: `/api/v1/jobs/{job}/checkpoints`.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use watershed_core::checkpoint::Manifest;
use watershed_protocol::checkpoint::certify_manifest;
use watershed_runtime::cluster::{Depots, NodeHandle};
use watershed_state::inspect::{Offline, Summary, Which};

use crate::config::ServerConfig;
use crate::jobs;
use crate::problem::Problem;
use crate::view::{CheckpointView, Checkpoints};

pub(crate) async fn list(
    node: web::Data<NodeHandle>,
    depots: web::Data<Depots>,
    config: web::Data<ServerConfig>,
    job: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let report = jobs::one(&node, job.into_inner()).await?;
    let unavailable = |error: &dyn std::fmt::Display| {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, format!("the checkpoints cannot be read: {error}"))
    };
    let view = node.cluster().view().await.map_err(|error| unavailable(&error))?;
    let record = view.state.jobs.get(&report.job).filter(|record| record.number == report.number);
    let meta = record.map(|record| record.meta.clone());
    let store = depots.store(&report.job, report.number).map_err(|error| unavailable(&error))?;
    let offline = Offline::of(store, meta);
    let listing = offline.list().await.map_err(|error| unavailable(&error))?;
    let mut checkpoints = Vec::new();
    let mut bytes_left = config.proved_bytes_max;
    // The newest ones first, as long as that is not too much to read.
    for (index, summary) in listing.checkpoints.iter().rev().enumerate() {
        let proves = index < config.proved_max && summary.bytes <= bytes_left;
        let verdict = if proves {
            bytes_left -= summary.bytes;
            Some(prove(&offline, summary).await)
        } else {
            None
        };
        checkpoints.push(CheckpointView::new(summary, verdict));
    }
    checkpoints.reverse();
    Ok(HttpResponse::Ok().json(Checkpoints { job: report.job, checkpoints, unread: listing.unread }))
}

/// What is wrong with a checkpoint; nothing where it is proved.
async fn prove(offline: &Offline, summary: &Summary) -> Vec<String> {
    match offline.verify(Which::Epoch(summary.epoch), &certificate).await {
        Ok(report) => {
            let of = |object: Option<String>| object.map_or_else(String::new, |object| format!("{object}: "));
            report.problems.into_iter().map(|problem| of(problem.object) + &problem.what).collect()
        }
        // Also a checkpoint that was let go since it was listed.
        Err(error) => vec![error.to_string()],
    }
}

/// Proves the cut by the rules by which it was decided.
fn certificate(manifest: &Manifest, base: Option<&Manifest>) -> Vec<String> {
    let violated = certify_manifest(manifest, base).err();
    violated.map(|violation| format!("no consistent cut: {violation}")).into_iter().collect()
}
