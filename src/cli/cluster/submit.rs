//! `submit`: has a cluster run a pipeline, and waits for its end if that is asked for.

use std::time::{Duration, Instant};

use indicatif::HumanCount;
use serde_json::Value;
use watershed_runtime::cluster::JobState;
use watershed_server::view::{JobView, PlacementView, Submit, Submitted};

use super::{Client, client, connect, path_of, show};
use crate::app::App;
use crate::cli::answer;
use crate::cli::arguments::{self, Placement};
use crate::cli::failure::Failure;
use crate::cli::settings::{Options, Settings};
use crate::cli::streams::tell;

/// How often a job that is waited for is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How often a line says how it gets on.
const TELL_EVERY: Duration = Duration::from_secs(2);

/// How long a cluster that does not answer is asked again: a new leader is elected in a few seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// Submits a job.
pub(in crate::cli) fn submit(
    app: &App,
    mut settings: Settings,
    arguments: &arguments::Submit,
    options: &Options,
) -> Result<(), Failure> {
    let flags = [
        ("interval", &arguments.checkpoint_interval, "--checkpoint-interval"),
        ("guarantee", &arguments.guarantee, "--guarantee"),
    ];
    for (name, value, flag) in flags {
        if let Some(value) = value {
            settings.checkpoints.set(name, value, flag);
        }
    }
    if let Some(backend) = &arguments.state_backend {
        settings.options.set("state_backend", backend, "--state-backend");
    }
    if let Some(policy) = &arguments.poison {
        settings.poison.set("policy", policy, "--poison");
    }
    // What is written wrongly is found here, with where it was written.
    settings.config()?;
    let client = connect(&mut settings, &arguments.place)?;
    let parameters = settings.parameters(app, &arguments.pipeline, &arguments.set)?;
    let text = |(name, value): (&str, &str)| (name.to_owned(), Value::from(value));
    let set = settings.of_job().into_iter().map(|(name, value)| (name, Value::from(value)));
    let default = settings.limits.iter().find(|(name, _)| *name == "parallelism");
    let default = default.and_then(|(_, parallelism)| parallelism.parse().ok());
    let submit = Submit {
        name: arguments.name.clone(),
        pipeline: arguments.pipeline.clone(),
        parameters: parameters.iter().map(text).collect(),
        settings: set.collect(),
        parallelism: arguments.parallelism.or(default),
        placement: match arguments.placement {
            Placement::Spread => PlacementView::Spread,
            Placement::Pack => PlacementView::Pack,
        },
        submitted_by: std::env::var("USER").ok(),
    };
    let begun = Instant::now();
    let submitted = client.post("/api/v1/jobs", &submit)?;
    let Submitted { job, number } = client::understood(submitted.clone())?;
    if arguments.wait {
        return wait(&client, &job, number, begun, options);
    }
    if options.json {
        return answer(&submitted.to_string());
    }
    answer(&format!("{job} (number {number}) is submitted; `status {job}` shows how it gets on"))
}

/// Waits for the end of a job.
fn wait(client: &Client, job: &str, number: u32, begun: Instant, options: &Options) -> Result<(), Failure> {
    let (mut told, mut read, mut heard) = (begun, 0, Instant::now());
    loop {
        std::thread::sleep(LOOK_EVERY);
        let looked = match client.get(&path_of(job, "")) {
            Err(Failure::Unreachable(why)) if heard.elapsed() < PATIENCE => {
                tracing::debug!(why, "the cluster does not answer, and is asked again");
                continue;
            }
            looked => looked?,
        };
        heard = Instant::now();
        let view: JobView = client::understood(looked.clone())?;
        if view.number != number {
            return Err(Failure::Unable(format!(
                "another job has the name {job} now: number {}",
                view.number
            )));
        }
        read = show::records_read(&view).max(read);
        if has_ended(view.state) {
            return end(&view, looked, read, begun.elapsed(), options);
        }
        if told.elapsed() >= TELL_EVERY && !options.quiet && !options.json {
            told = Instant::now();
            tell(&show::line(&view));
        }
    }
}

fn has_ended(state: JobState) -> bool {
    match state {
        JobState::Waiting | JobState::Running => false,
        JobState::Suspended | JobState::Finished | JobState::Cancelled | JobState::Failed => true,
    }
}

/// Tells how a job has ended.
fn end(
    view: &JobView,
    looked: Value,
    read: u64,
    elapsed: Duration,
    options: &Options,
) -> Result<(), Failure> {
    let job = &view.job;
    let failed = |message: String| Err(Failure::Job { message, letters: None });
    match view.state {
        JobState::Failed => {
            return failed(view.reason.clone().unwrap_or_else(|| format!("{job} has failed")));
        }
        JobState::Cancelled => return failed(format!("{job} was cancelled")),
        JobState::Waiting | JobState::Running | JobState::Suspended | JobState::Finished => {}
    }
    if options.json {
        return answer(&looked.to_string());
    }
    if !options.quiet {
        let state = show::state(view.state);
        let newest = view.checkpoints.newest.map_or("none".to_owned(), |newest| newest.to_string());
        let seconds = elapsed.as_secs_f64();
        tell(&format!("{job} (number {}): {state} after {seconds:.1} s", view.number));
        tell(&format!("  newest checkpoint: {newest}, records seen to be read: {}", HumanCount(read)));
    }
    Ok(())
}
