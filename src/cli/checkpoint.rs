//! `checkpoint`: what there is, in which state it is, and what a changed pipeline would make of it.

use std::fmt::Display;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use watershed_core::Epoch;
use watershed_core::checkpoint::Manifest;
use watershed_protocol::checkpoint::certify_manifest;
use watershed_state::inspect::{Offline, Report, SharedDiff, Which};

use super::answer;
use super::arguments::{Checkpoint, Migrate, Several};
use super::explain::{Explained, explain};
use super::failure::Failure;
use super::look::{open, which};
use super::run::{Prepared, prepare};
use super::settings::{Options, Settings};
use super::shared::Program;
use crate::app::App;
use crate::job::state::wait;

/// The exit code where something is damaged, or would not fit.
const UNSOUND: u8 = 1;

/// How often a directory is read again whose decision log and manifests do not fit each other: a job may have decided
/// between the two.
const READS_MAX: usize = 5;
/// How long it is waited before.
const READ_PAUSE: Duration = Duration::from_millis(100);

/// Carries a look at checkpoints out.
pub(super) fn look(
    app: &App,
    command: &Checkpoint,
    settings: Settings,
    options: &Options,
) -> Result<ExitCode, Failure> {
    match command {
        Checkpoint::List(place) => show(&wait(open(&place.directory)?.list())?, options),
        Checkpoint::Show(one) => show(&wait(open(&one.place.directory)?.show(which(one.epoch)))?, options),
        Checkpoint::Diff(two) => {
            let offline = open(&two.place.directory)?;
            let (from, to) = (Which::Epoch(Epoch(two.from)), which(two.to));
            let mut diff = wait(offline.diff(from, to, two.keys))?;
            let program = Program { app, settings: &settings };
            let shared = |which| program.shared(&offline, which, &two.set);
            let (before, after) = (shared(from)?, shared(to)?);
            diff.shared = SharedDiff::between(&before.entries, &after.entries, two.keys);
            after.tell(options);
            show(&diff, options)
        }
        Checkpoint::Verify(several) => verify(several, options),
        Checkpoint::Migrate(arguments) => migrate(app, arguments, settings, options),
    }
}

/// Answers with what was found.
fn show(found: &(impl Display + Serialize), options: &Options) -> Result<ExitCode, Failure> {
    if options.json {
        answer(&serde_json::to_string(found).expect("what is found is plain data"))?;
    } else {
        answer(found.to_string().trim_end())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Proves the cut by the rules by which it was decided.
fn certificate(manifest: &Manifest, base: Option<&Manifest>) -> Vec<String> {
    let violated = certify_manifest(manifest, base).err();
    violated.map(|violation| format!("no consistent cut: {violation}")).into_iter().collect()
}

fn verify(several: &Several, options: &Options) -> Result<ExitCode, Failure> {
    let directory = &several.place.directory;
    let (reports, unread) = if several.epochs.is_empty() {
        let (reports, unread) = wait(all(directory))?;
        if reports.is_empty() && unread.is_empty() {
            let directory = directory.display();
            return Err(Failure::Usage(format!(
                "{directory} holds no checkpoint yet: there is nothing to prove"
            )));
        }
        (reports, unread)
    } else {
        let offline = open(directory)?;
        let prove = |&epoch| wait(offline.verify(Which::Epoch(Epoch(epoch)), &certificate));
        (several.epochs.iter().map(prove).collect::<Result<_, _>>()?, Vec::new())
    };
    let sound = unread.is_empty() && reports.iter().all(Report::is_sound);
    let reports: Vec<Explained> = if several.explain {
        wait(explain(&open(directory)?, reports))?
    } else {
        reports.into_iter().map(Explained::plain).collect()
    };
    if options.json {
        answer(&json!({ "sound": sound, "checkpoints": reports, "unread": unread }).to_string())?;
    } else {
        let unread = unread.iter().map(|what| format!("cannot be read: {what}"));
        let lines: Vec<String> =
            reports.iter().map(|report| report.to_string().trim_end().to_owned()).chain(unread).collect();
        answer(&lines.join("\n"))?;
    }
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::from(UNSOUND) })
}

/// Proves all that is kept.
async fn all(directory: &Path) -> Result<(Vec<Report>, Vec<String>), Failure> {
    let mut reads = 1;
    loop {
        let offline: Offline = open(directory)?;
        let (reports, unread) = offline.verify_all(&certificate).await?;
        if unread.is_empty() || reads == READS_MAX {
            return Ok((reports, unread));
        }
        reads += 1;
        tokio::time::sleep(READ_PAUSE).await;
    }
}

fn migrate(
    app: &App,
    arguments: &Migrate,
    settings: Settings,
    options: &Options,
) -> Result<ExitCode, Failure> {
    let directory = arguments.state_dir.as_ref().or(options.state_dir.as_ref());
    let directory =
        directory.ok_or_else(|| Failure::Usage("name the state directory by --state-dir".to_owned()))?;
    let Prepared { plan, config, .. } = prepare(app, &arguments.choice, settings, options)?;
    plan.check_parallelism(config.parallelism)?;
    let offline = open(directory)?;
    let migration = wait(async {
        let (_, manifest) = offline.manifest(which(arguments.checkpoint)).await?;
        Ok::<_, Failure>(watershed_runtime::migration(&plan, &config, offline.store(), &manifest).await?)
    })?;
    show(&migration, options)?;
    Ok(if migration.is_possible() { ExitCode::SUCCESS } else { ExitCode::from(UNSOUND) })
}
