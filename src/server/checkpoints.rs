//! The checkpoints of a job, proved anew: `/api/v1/jobs/{job}/checkpoints`.
//!
//! The job goes on meanwhile, decides new ones and lets old ones go. What is decided and what there is are read one after
//! the other, so both are read again where they do not fit; and a checkpoint that is gone when it is to be proved is only
//! named.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use watershed_core::checkpoint::Manifest;
use watershed_protocol::checkpoint::certify_manifest;
use watershed_runtime::cluster::{Depots, JobReport, NodeHandle};
use watershed_state::inspect::{InspectError, Listing, Offline, Report};

use crate::config::ServerConfig;
use crate::jobs;
use crate::problem::Problem;
use crate::view::{CheckpointView, Checkpoints};

/// How often what is decided and what there is are read until they fit.
const READS_MAX: usize = 5;
/// How long it is waited before they are read again.
const READ_PAUSE: Duration = Duration::from_millis(100);

pub(crate) async fn list(
    node: web::Data<NodeHandle>,
    depots: web::Data<Depots>,
    config: web::Data<ServerConfig>,
    job: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let report = jobs::one(&node, job.into_inner()).await?;
    let mut reads = 1;
    let (offline, listing) = loop {
        let (offline, listing) = read(&node, &depots, &report).await?;
        if listing.unread.is_empty() || reads == READS_MAX {
            break (offline, listing);
        }
        reads += 1;
        tokio::time::sleep(READ_PAUSE).await;
    };
    Ok(HttpResponse::Ok().json(prove(report.job, &offline, listing, &config).await))
}

async fn read(node: &NodeHandle, depots: &Depots, job: &JobReport) -> Result<(Offline, Listing), Problem> {
    let unavailable = |error: &dyn std::fmt::Display| {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, format!("the checkpoints cannot be read: {error}"))
    };
    let view = node.cluster().view().await.map_err(|error| unavailable(&error))?;
    let record = view.state.jobs.get(&job.job).filter(|record| record.number == job.number);
    let meta = record.map(|record| record.meta.clone());
    let store = depots.store(&job.job, job.number).map_err(|error| unavailable(&error))?;
    let offline = Offline::of(store, meta);
    let listing = offline.list().await.map_err(|error| unavailable(&error))?;
    Ok((offline, listing))
}

/// Proves the newest of those that are listed, as long as that is not too much to read.
async fn prove(job: String, offline: &Offline, listing: Listing, config: &ServerConfig) -> Checkpoints {
    let unread = listing.unread.clone();
    let mut found = Checkpoints { job, checkpoints: Vec::new(), let_go: Vec::new(), unread };
    let mut bytes_left = config.proved_bytes_max;
    for (index, summary) in listing.checkpoints.iter().rev().enumerate() {
        if index >= config.proved_max || summary.bytes > bytes_left {
            found.checkpoints.push(CheckpointView::new(summary, None));
            continue;
        }
        bytes_left -= summary.bytes;
        match problems(offline.verify_listed(&listing, summary, &certificate).await) {
            Some(problems) => found.checkpoints.push(CheckpointView::new(summary, Some(problems))),
            None => found.let_go.push(summary.epoch.0),
        }
    }
    found.checkpoints.reverse();
    found.let_go.reverse();
    found
}

/// What is wrong with a checkpoint, nothing where it is proved; `None` where there is nothing to prove any more.
fn problems(proved: Result<Option<Report>, InspectError>) -> Option<Vec<String>> {
    let of = |object: Option<String>| object.map_or_else(String::new, |object| format!("{object}: "));
    match proved {
        Ok(report) => {
            Some(report?.problems.into_iter().map(|problem| of(problem.object) + &problem.what).collect())
        }
        Err(error) => Some(vec![error.to_string()]),
    }
}

/// Proves the cut by the rules by which it was decided.
fn certificate(manifest: &Manifest, base: Option<&Manifest>) -> Vec<String> {
    let violated = certify_manifest(manifest, base).err();
    violated.map(|violation| format!("no consistent cut: {violation}")).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::net::SocketAddr;

    use watershed_core::plan::Fingerprint;
    use watershed_core::testing::Numbers;
    use watershed_core::{Epoch, KeyGroups, Lineage, Pipeline, Run, Term};
    use watershed_state::CheckpointStore;

    use super::*;
    use crate::Access;
    use crate::view::Verdict;

    fn manifest(epoch: u64) -> Manifest {
        let pipeline = Pipeline::new("counting", KeyGroups::default());
        pipeline.source(Numbers::up_to(1)).discard();
        let plan = pipeline.plan().unwrap();
        Manifest {
            job: "counting".to_owned(),
            lineage: Lineage(0),
            epoch: Epoch(epoch),
            run: Run(1),
            term: Term(1),
            base: None,
            plan: Fingerprint::of(&plan),
            key_groups: KeyGroups::default(),
            taken_at: 0,
            savepoint: false,
            last: false,
            votes: Vec::new(),
        }
    }

    #[tokio::test]
    async fn a_checkpoint_that_is_let_go_before_its_proof_is_named_and_no_violation() {
        let folder = tempfile::tempdir().unwrap();
        let store = CheckpointStore::local(folder.path()).unwrap();
        let mut pointers = Vec::new();
        for epoch in 3..=5 {
            pointers.push(store.put_manifest(&manifest(epoch)).await.unwrap());
        }
        let offline = Offline::of(store, None);
        let listing = offline.list().await.unwrap();
        let file = |epoch: usize| folder.path().join(&pointers[epoch - 3].manifest.path);
        fs::remove_file(file(3)).unwrap();
        fs::write(file(4), "no manifest any more").unwrap();
        let config = ServerConfig::new(SocketAddr::from(([127, 0, 0, 1], 0)), Access::Loopback);
        let found = prove("counting".to_owned(), &offline, listing, &config).await;
        let verdicts: Vec<_> =
            found.checkpoints.iter().map(|one| (one.checkpoint, one.certificate)).collect();
        assert_eq!(verdicts, [(4, Verdict::Violated), (5, Verdict::Proved)]);
        assert_eq!((found.let_go, found.unread), (vec![3], Vec::new()));
    }
}
