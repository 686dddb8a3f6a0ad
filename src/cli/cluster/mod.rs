//! What is asked of a cluster, over HTTP, from any machine.

mod ask;
mod client;
mod show;
mod state;
mod submit;
mod wait;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use watershed_server::view::{Checkpoints, JobView, Jobs, Nodes, Nothing, Rescale};

use super::answer;
use super::arguments::{self, OfJob, Where};
use super::failure::Failure;
use super::settings::{NodeOptions, Options, Settings};
use super::streams;
use crate::client::{Patience, path_of};
pub(super) use ask::{cancel, is_local, savepoint};
pub(super) use client::Client;
pub(super) use state::{query, update};
pub(super) use submit::submit;
pub(super) use wait::wait;

/// The cluster that the settings and flags name.
pub(super) fn connect(settings: &mut Settings, place: &Where) -> Result<Client, Failure> {
    if let Some(url) = &place.url {
        settings.node.set("url", url, "--node");
    }
    if let Some(path) = &place.http_token_file {
        settings.node.set("http_token_file", path, "--http-token-file");
    }
    if let Some(within) = &place.within {
        settings.node.set("within", within, "--within");
    }
    let NodeOptions { url, within, http_token_file, .. } = settings.node.read()?;
    let token = http_token_file.as_deref().map(super::node::token_in).transpose()?;
    let Options { quiet, json, .. } = settings.options.read()?;
    let tell: fn(&str) = if quiet || json { |_| {} } else { streams::tell };
    Client::new(&url, token, Patience { within, tell })
}

/// Lists the jobs.
pub(super) fn jobs(settings: &mut Settings, place: &Where, options: &Options) -> Result<(), Failure> {
    let jobs = connect(settings, place)?.get("/api/v1/jobs")?;
    tell(jobs, options, |Jobs { jobs }| show::jobs(&jobs))
}

/// Shows a job.
pub(super) fn status(settings: &mut Settings, job: &OfJob, options: &Options) -> Result<(), Failure> {
    let status = connect(settings, &job.place)?.get(&path_of(&job.job, ""))?;
    tell(status, options, |job: JobView| show::job(&job))
}

/// Lists the nodes.
pub(super) fn nodes(settings: &mut Settings, place: &Where, options: &Options) -> Result<(), Failure> {
    let nodes = connect(settings, place)?.get("/api/v1/nodes")?;
    tell(nodes, options, |Nodes { nodes }| show::nodes(&nodes))
}

/// Lists the checkpoints of a job.
pub(super) fn checkpoints(settings: &mut Settings, job: &OfJob, options: &Options) -> Result<(), Failure> {
    let checkpoints = connect(settings, &job.place)?.get(&path_of(&job.job, "/checkpoints"))?;
    tell(checkpoints, options, |checkpoints: Checkpoints| show::checkpoints(&checkpoints))
}

/// Lets a job go on with another number of subtasks.
pub(super) fn rescale(
    settings: &mut Settings,
    arguments: &arguments::Rescale,
    options: &Options,
) -> Result<(), Failure> {
    let OfJob { job, place } = &arguments.job;
    let rescale = Rescale { parallelism: arguments.parallelism };
    connect(settings, place)?.post(&path_of(job, "/rescale"), &rescale)?;
    if options.json {
        return answer(&serde_json::json!({ "job": job, "parallelism": rescale.parallelism }).to_string());
    }
    answer(&format!(
        "{job} goes on with a parallelism of {}; `status {job}` shows when it does",
        rescale.parallelism
    ))
}

/// Lets a job go on that was stopped at a savepoint.
pub(super) fn resume(settings: &mut Settings, job: &OfJob, options: &Options) -> Result<(), Failure> {
    connect(settings, &job.place)?.post(&path_of(&job.job, "/resume"), &Nothing {})?;
    let job = &job.job;
    if options.json {
        return answer(&serde_json::json!({ "granted": "resume", "job": job }).to_string());
    }
    answer(&format!("{job} goes on; `status {job}` shows how it gets on"))
}

/// Tells what a node has answered: as it is, or as people read it.
fn tell<T: DeserializeOwned + Serialize>(
    answered: Value,
    options: &Options,
    text: impl FnOnce(T) -> String,
) -> Result<(), Failure> {
    if options.json {
        return answer(&answered.to_string());
    }
    answer(text(client::understood(answered)?).trim_end())
}
