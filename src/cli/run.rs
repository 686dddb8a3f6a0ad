//! `run`: a pipeline in this process, from its first record to its last.

use std::net::SocketAddr;

use indicatif::MultiProgress;
use watershed_actors::sink::DeadLetterFile;
use watershed_core::{Epoch, Plan};
use watershed_runtime::{Config, JobHandle};
use watershed_server::{Access, Server, ServerConfig};

use super::arguments::{self, Choice};
use super::failure::Failure;
use super::progress::Progress;
use super::requests::Requests;
use super::resume::Resumed;
use super::settings::{Options, Settings};
use super::streams::{answer, tell};
use super::summary::Account;
use super::{dead_letters, find, log, signals};
use crate::app::App;
use crate::job::Job;

/// Runs a pipeline and tells how it ended.
pub(super) fn run(
    app: &App,
    arguments: &arguments::Run,
    settings: Settings,
    options: &Options,
) -> Result<(), Failure> {
    needs_directory(arguments, options)?;
    let store = settings.checkpoint_store()?;
    if store.is_some() && options.state_dir.is_none() {
        let why =
            "[checkpoints] store needs a state directory, which holds what is decided: add --state-dir DIR";
        return Err(Failure::Usage(why.to_owned()));
    }
    let Prepared { plan, config, dead_letters } = prepare(app, &arguments.choice, settings, options)?;
    let screen = MultiProgress::new();
    log::to(&screen, "warn");
    let _bound = options.bound_memory()?;
    let back_to = arguments.from_savepoint.map(Epoch);
    let server = arguments.metrics.as_deref().map(listening).transpose()?;
    let mut job = Job::new(plan).config(config);
    if let Some(directory) = &options.state_dir {
        job = job.state_directory(directory).allow_other_plan(arguments.allow_other_plan);
        job = job.from_checkpoint(back_to).checkpoint_store(store);
    }
    job = job.state_backend(options.backend()?);
    let directory = options.state_dir.as_deref();
    let resumed = directory.and_then(|directory| Resumed::from(directory, back_to));
    let (mut progress, mut begun, mut requests) = (None, None, None);
    let result = job.run_observed(|handle| {
        begun = Some(handle.clone());
        let quiet = options.quiet || options.json;
        if let Some(resumed) = resumed.as_ref().filter(|_| !quiet) {
            tell(&resumed.to_string());
        }
        requests = directory.and_then(|directory| match Requests::take(directory, handle.clone()) {
            Ok(requests) => Some(requests),
            Err(error) => {
                tracing::warn!(%error, "`savepoint` and `cancel` cannot reach this job");
                None
            }
        });
        if !quiet {
            progress = Some(Progress::start(handle.clone(), job.plan(), &screen));
        }
        if let Some(server) = server {
            show_counts(server, &job.plan().name, handle.clone(), quiet);
        }
        signals::watch(handle, screen.clone(), quiet, directory.is_some());
    });
    if let Some(requests) = requests {
        requests.finish();
    }
    if let Some(progress) = progress {
        progress.finish();
    }
    let summary = result.map_err(|error| match Failure::from(error) {
        Failure::Job { message, .. } => {
            let reports = begun.map(|handle| handle.report()).unwrap_or_default();
            let letters = dead_letters::of_failed(job.plan(), &reports, &dead_letters);
            Failure::Job { message, letters }
        }
        other => other,
    })?;
    let account = Account::new(job.plan(), &summary, &dead_letters.path());
    let account = account.lasting(directory, resumed, &summary.checkpoints);
    if options.json {
        return answer(&account.to_json());
    }
    if !options.quiet {
        tell(account.to_text().trim_end());
    }
    Ok(())
}

/// Listens where the job's counts are to be read, on an address of this machine alone.
fn listening(address: &str) -> Result<Server, Failure> {
    let refused = |why: &str| Failure::Usage(format!("--metrics {address}: {why}"));
    let parsed = address.parse::<SocketAddr>();
    let address = parsed.map_err(|_| refused("write an address and a port, as 127.0.0.1:7190"))?;
    if !address.ip().is_loopback() {
        return Err(refused("what is counted is told on this machine alone: write a loopback address"));
    }
    Server::bind(ServerConfig::new(address, Access::Loopback))
        .map_err(|error| Failure::Usage(format!("--metrics: {error}")))
}

/// Shows the job's counts from now on. Who looks at a job does not stop it.
fn show_counts(server: Server, name: &str, job: JobHandle, quiet: bool) {
    let address = server.address();
    match server.serve_job(name, job) {
        Ok(()) if quiet => {}
        Ok(()) => tell(&format!("what is counted is told at http://{address}/metrics")),
        Err(error) => tracing::warn!(%error, "nobody can read what is counted"),
    }
}

/// Flags that speak of a state directory, without one, were meant otherwise.
fn needs_directory(arguments: &arguments::Run, options: &Options) -> Result<(), Failure> {
    let flags = [
        ("--checkpoint-interval", arguments.checkpoint_interval.is_some()),
        ("--poison", arguments.poison.is_some()),
        ("--guarantee", arguments.guarantee.is_some()),
        ("--from-savepoint", arguments.from_savepoint.is_some()),
        ("--allow-other-plan", arguments.allow_other_plan),
    ];
    match flags.iter().find(|(_, given)| *given && options.state_dir.is_none()) {
        Some((flag, _)) => {
            Err(Failure::Usage(format!("{flag} needs a state directory: add --state-dir DIR")))
        }
        None => Ok(()),
    }
}

/// A pipeline with everything that was set, ready to be run.
pub(super) struct Prepared {
    pub(super) plan: Plan,
    /// The limits within which to run it.
    pub(super) config: Config,
    /// Where its dead letters go that it does not take itself.
    dead_letters: DeadLetterFile,
}

/// Describes a pipeline with everything that was set.
pub(super) fn prepare(
    app: &App,
    choice: &Choice,
    mut settings: Settings,
    options: &Options,
) -> Result<Prepared, Failure> {
    let registered = find(app, &choice.pipeline)?;
    if let Some(parallelism) = choice.parallelism {
        settings.limits.set("parallelism", parallelism.to_string(), "--parallelism");
    }
    let (config, key_groups) = settings.config()?;
    let values = settings.parameters(app, &choice.pipeline, &choice.set)?;
    let pipeline = registered.describe(key_groups, &values)?;
    let dead_letters = dead_letters::keep(&pipeline, dead_letters::path(&choice.pipeline, options));
    Ok(Prepared { plan: pipeline.plan()?, config, dead_letters })
}
