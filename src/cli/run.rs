//! `run`: a pipeline in this process, from its first record to its last.

use indicatif::MultiProgress;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use watershed_core::Plan;
use watershed_runtime::Config;

use super::arguments::Choice;
use super::failure::Failure;
use super::progress::Progress;
use super::settings::{Options, Settings};
use super::summary::Account;
use super::{answer, dead_letters, find, signals};
use crate::app::App;
use crate::job::Job;

/// Runs a pipeline and tells how it ended.
pub(super) fn run(app: &App, choice: &Choice, settings: Settings, options: &Options) -> Result<(), Failure> {
    let (plan, config) = prepare(app, choice, settings, options)?;
    let screen = MultiProgress::new();
    log_to(&screen);
    let job = Job::new(plan).config(config);
    let mut progress = None;
    let result = job.run_observed(|handle| {
        let quiet = options.quiet || options.json;
        if !quiet {
            progress = Some(Progress::start(handle.clone(), job.plan(), &screen));
        }
        signals::watch(handle, screen.clone(), quiet);
    });
    if let Some(progress) = progress {
        progress.finish();
    }
    let kept = dead_letters::path(&choice.pipeline, options);
    let account = Account::new(job.plan(), &result?, &kept);
    if options.json {
        answer(&account.to_json());
    } else if !options.quiet {
        eprint!("{}", account.to_text());
    }
    Ok(())
}

/// The plan of a pipeline with everything that was set, and the limits within which to run it.
pub(super) fn prepare(
    app: &App,
    choice: &Choice,
    mut settings: Settings,
    options: &Options,
) -> Result<(Plan, Config), Failure> {
    let registered = find(app, &choice.pipeline)?;
    if let Some(parallelism) = choice.parallelism {
        settings.limits.set("parallelism", parallelism.to_string(), "--parallelism");
    }
    let (config, key_groups) = settings.config()?;
    let values = settings.parameters(app, &choice.pipeline, &choice.set)?;
    let pipeline = registered.describe(key_groups, &values)?;
    dead_letters::keep(&pipeline, dead_letters::path(&choice.pipeline, options));
    Ok((pipeline.plan()?, config))
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
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.suspend(|| std::io::stderr().write(bytes))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}
