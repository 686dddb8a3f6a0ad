//! `submit`: has a cluster run a pipeline, and waits for its end if that is asked for.

use std::time::Instant;

use serde_json::Value;
use watershed_server::view::{PlacementView, Submit, Submitted};

use super::wait::Waiting;
use super::{client, connect};
use crate::app::App;
use crate::cli::answer;
use crate::cli::arguments::{self, Placement};
use crate::cli::failure::Failure;
use crate::cli::settings::{Options, Settings};

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
        let waiting = Waiting { client: &client, job: &job, timeout: None, submitted: Some(begun) };
        return waiting.for_end_of(number, options);
    }
    if options.json {
        return answer(&submitted.to_string());
    }
    answer(&format!("{job} (number {number}) is submitted; `status {job}` shows how it gets on"))
}
