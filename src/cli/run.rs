//! `run`: a pipeline in this process, from its first record to its last.

use indicatif::MultiProgress;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use watershed_actors::sink::DeadLetterFile;
use watershed_core::Plan;
use watershed_runtime::Config;

use super::arguments::Choice;
use super::failure::Failure;
use super::progress::Progress;
use super::settings::{Options, Settings};
use super::streams::{answer, tell};
use super::summary::Account;
use super::{dead_letters, find, signals};
use crate::app::App;
use crate::job::Job;

/// Runs a pipeline and tells how it ended.
pub(super) fn run(app: &App, choice: &Choice, settings: Settings, options: &Options) -> Result<(), Failure> {
    let Prepared { plan, config, dead_letters } = prepare(app, choice, settings, options)?;
    let screen = MultiProgress::new();
    log_to(&screen);
    let mut job = Job::new(plan).config(config);
    if let Some(directory) = &options.state_dir {
        job = job.state_directory(directory);
    }
    let (mut progress, mut begun) = (None, None);
    let result = job.run_observed(|handle| {
        begun = Some(handle.clone());
        let quiet = options.quiet || options.json;
        if !quiet {
            progress = Some(Progress::start(handle.clone(), job.plan(), &screen));
        }
        signals::watch(handle, screen.clone(), quiet);
    });
    if let Some(progress) = progress {
        progress.finish();
    }
    let summary = result.map_err(|error| match Failure::from(error) {
        Failure::Job { message, .. } => {
            let reports = begun.map(|handle| handle.report()).unwrap_or_default();
            let letters = dead_letters::of_failed(job.plan(), &reports, &dead_letters);
            Failure::Job { message, letters }
        }
        other @ (Failure::Usage(_) | Failure::Output(_)) => other,
    })?;
    let account = Account::new(job.plan(), &summary, &dead_letters.path());
    if options.json {
        return answer(&account.to_json());
    }
    if !options.quiet {
        tell(account.to_text().trim_end());
    }
    Ok(())
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

/// Sends the log to standard error, above the progress bar.
fn log_to(screen: &MultiProgress) {
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::WARN.into()).from_env_lossy();
    let screen = screen.clone();
    let lines = move || LogLine(screen.clone());
    // A program that embeds the command line may have a log of its own.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(lines).try_init();
}

/// Writes above the progress bar.
struct LogLine(MultiProgress);

impl std::io::Write for LogLine {
    /// What cannot be written is dropped: the log would complain of it in the same place, and panic.
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let _ = self.0.suspend(|| std::io::stderr().write_all(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
