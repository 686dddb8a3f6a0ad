//! `wait`, `submit --wait`: waits for the end of a job, and says meanwhile how it gets on.

use std::time::{Duration, Instant};

use indicatif::HumanCount;
use serde_json::Value;
use watershed_runtime::cluster::JobState;
use watershed_server::view::JobView;

use super::{Client, client, connect, path_of, show};
use crate::cli::answer;
use crate::cli::arguments;
use crate::cli::failure::Failure;
use crate::cli::settings::{Options, Settings};
use crate::cli::streams::tell;
use crate::parameters::parse_duration;

/// How often a job that is waited for is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How often a line says how it gets on.
const TELL_EVERY: Duration = Duration::from_secs(2);

/// How long a cluster that does not answer is asked again: a new leader is elected in a few seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for the end of the job that has a name now.
pub(in crate::cli) fn wait(
    settings: &mut Settings,
    arguments: &arguments::Wait,
    options: &Options,
) -> Result<(), Failure> {
    let timeout = arguments.timeout.as_deref().map(parse_duration).transpose();
    let timeout = timeout.map_err(|error| Failure::Usage(format!("--timeout: {error}")))?;
    let job = &arguments.job.job;
    let client = connect(settings, &arguments.job.place)?;
    let view: JobView = client::understood(client.get(&path_of(job, ""))?)?;
    Waiting { client: &client, job, timeout, submitted: None }.for_end_of(view.number, options)
}

/// A job that is waited for.
pub(super) struct Waiting<'a> {
    pub(super) client: &'a Client,
    /// Its name.
    pub(super) job: &'a str,
    /// For how long it is waited, where that has an end.
    pub(super) timeout: Option<Duration>,
    /// When it was submitted, where that is known.
    pub(super) submitted: Option<Instant>,
}

impl Waiting<'_> {
    /// Waits until the job that has this number has ended, and tells how.
    pub(super) fn for_end_of(self, number: u32, options: &Options) -> Result<(), Failure> {
        let Waiting { client, job, timeout, submitted } = self;
        let begun = Instant::now();
        let (mut told, mut read, mut heard) = (begun, 0, begun);
        loop {
            let looked = match client.get(&path_of(job, "")) {
                Err(Failure::Unreachable(why)) if heard.elapsed() < PATIENCE => {
                    tracing::debug!(why, "the cluster does not answer, and is asked again");
                    std::thread::sleep(LOOK_EVERY);
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
                let took = submitted.map(|submitted| submitted.elapsed());
                return end(&view, looked, read, took, options);
            }
            if let Some(timeout) = timeout.filter(|timeout| begun.elapsed() >= *timeout) {
                let state = show::state(view.state);
                let why = format!("{job} has not ended within {timeout:?}: it is {state}");
                return Err(Failure::Unreachable(why));
            }
            if told.elapsed() >= TELL_EVERY && !options.quiet && !options.json {
                told = Instant::now();
                tell(&show::line(&view));
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

fn has_ended(state: JobState) -> bool {
    match state {
        JobState::Waiting | JobState::Running => false,
        JobState::Suspended | JobState::Finished | JobState::Cancelled | JobState::Failed => true,
    }
}

/// Tells how a job has ended, and how long it took where that is known.
fn end(
    view: &JobView,
    looked: Value,
    read: u64,
    took: Option<Duration>,
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
        let after = took.map_or_else(String::new, |took| format!(" after {:.1} s", took.as_secs_f64()));
        tell(&format!("{job} (number {}): {state}{after}", view.number));
        tell(&format!("  newest checkpoint: {newest}, records seen to be read: {}", HumanCount(read)));
    }
    Ok(())
}
