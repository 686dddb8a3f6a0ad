//! `chaos`: hurts a pipeline on a cluster of this machine, and judges what is left of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;
use watershed_chaos::{ChaosError, Draw, Home, Kind, Rehearsal, Report};

use super::arguments::{Chaos, Rehearse};
use super::failure::Failure;
use super::settings::{Options, Settings};
use super::streams::tell;
use super::{answer, find, signals};
use crate::app::App;
use crate::parameters::parse_duration;

/// The exit code of a rehearsal that was interrupted twice.
const INTERRUPTED: i32 = 130;

/// The exit code where something is wrong.
const NOT_HELD: u8 = 1;

/// The longest rehearsal, in minutes.
const MINUTES_MAX: f64 = 7.0 * 24.0 * 60.0;

/// Carries `chaos` out.
pub(super) fn run(
    app: &App,
    command: &Chaos,
    settings: Settings,
    options: &Options,
) -> Result<ExitCode, Failure> {
    let Chaos::Run(arguments) = command;
    let (rehearsal, is_passing) = rehearsal(app, arguments, settings)?;
    rehearsal.check()?;
    if arguments.dry_run {
        let acts = rehearsal.draw.acts();
        if options.json {
            answer(&json!({ "faults": acts }).to_string())?;
        }
        for act in acts.iter().filter(|_| !options.json) {
            let (at, lasts) = (act.at.as_secs_f64(), act.lasts.as_secs_f64());
            answer(&format!("{at:6.1} s  {:<9}  {:<11}  for {lasts:.1} s", act.kind, act.victim))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    watch(rehearsal.interrupted.clone());
    let quiet = options.quiet || options.json;
    let held = rehearsal.hold(&|line| {
        if !quiet {
            tell(line);
        }
    });
    let directory = &rehearsal.directory;
    match held {
        Ok(report) => end(&report, arguments, options, (directory, is_passing)),
        Err(error) => {
            if is_passing {
                // What is left of it is of no use to anybody.
                let _ = fs::remove_dir_all(directory);
            }
            Err(error.into())
        }
    }
}

/// Tells what was shown. The directory goes with a rehearsal that held, if nobody has asked for it.
fn end(
    report: &Report,
    arguments: &Rehearse,
    options: &Options,
    (directory, is_passing): (&Path, bool),
) -> Result<ExitCode, Failure> {
    let json = serde_json::to_string(report).expect("a report is plain data");
    let write = |path: &Option<PathBuf>, text: &str| match path {
        Some(path) => fs::write(path, text)
            .map_err(|error| Failure::Unable(format!("{} cannot be written: {error}", path.display()))),
        None => Ok(()),
    };
    write(&arguments.report, &json)?;
    write(&arguments.svg, &report.draw())?;
    if options.json {
        answer(&json)?;
    } else {
        answer(&report.to_string())?;
    }
    if report.held {
        if is_passing {
            // A file that is left over is removed with the others of its place.
            let _ = fs::remove_dir_all(directory);
        }
        return Ok(ExitCode::SUCCESS);
    }
    if !options.json {
        tell(&format!("what the nodes wrote and said is in {}", directory.display()));
    }
    Ok(ExitCode::from(NOT_HELD))
}

/// What is asked for, and whether its directory is of this time only.
fn rehearsal(app: &App, arguments: &Rehearse, mut settings: Settings) -> Result<(Rehearsal, bool), Failure> {
    let registered = find(app, &arguments.pipeline)?;
    let names = |pipeline: &str| -> Option<Vec<String>> {
        let found = app.find(pipeline)?;
        Some(found.parameters.iter().map(|one| one.name.clone()).collect())
    };
    settings.checkpoints.set("interval", &arguments.checkpoint_interval, "--checkpoint-interval");
    // What is written wrongly is found here, with where it was written.
    settings.config()?;
    let parameters = settings.parameters(app, &arguments.pipeline, &arguments.set)?;
    registered.describe(settings.config()?.1, &parameters)?;
    let listed =
        Kind::list(&arguments.faults).map_err(|error| Failure::Usage(format!("--faults: {error}")))?;
    let (kinds, left_out) = possible(arguments, listed);
    if !(arguments.minutes > 0.0 && arguments.minutes <= MINUTES_MAX) {
        let minutes = arguments.minutes;
        return Err(Failure::Usage(format!(
            "--minutes {minutes}: write a number above 0, up to {MINUTES_MAX}"
        )));
    }
    let every =
        parse_duration(&arguments.every).map_err(|error| Failure::Usage(format!("--every: {error}")))?;
    let seed = arguments.seed.unwrap_or_else(lot);
    let span = Duration::from_secs_f64(arguments.minutes * 60.0);
    let binary = std::env::current_exe()
        .map_err(|error| Failure::Usage(format!("the program's own file cannot be found: {error}")))?;
    let audit = format!("{}-audit", arguments.pipeline);
    let passing = || std::env::temp_dir().join(format!("watershed-chaos-{}", std::process::id()));
    Ok((
        Rehearsal {
            binary,
            pipeline: arguments.pipeline.clone(),
            known: names(&arguments.pipeline).unwrap_or_default(),
            parameters: parameters.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            settings: settings.of_job(),
            audit: names(&audit).map(|known| (audit, known)),
            parallelism: arguments.parallelism.unwrap_or(arguments.nodes as u32),
            home: arguments.home,
            image: arguments.image.clone(),
            command: repeat(app, arguments, &kinds, seed),
            left_out,
            draw: Draw { seed, kinds, nodes: arguments.nodes, span, every },
            directory: arguments.directory.clone().unwrap_or_else(passing),
            interrupted: Arc::default(),
        },
        arguments.directory.is_none(),
    ))
}

/// Of `all` kinds, those that can be done, and why others cannot; of others, whichever they are, all.
fn possible(arguments: &Rehearse, listed: Vec<Kind>) -> (Vec<Kind>, BTreeMap<Kind, String>) {
    let mut left_out = BTreeMap::new();
    if arguments.faults.trim() == "all" {
        let why = |kind: &Kind| Some((*kind, arguments.home.hindrance(*kind, arguments.nodes)?));
        left_out = listed.iter().filter_map(why).collect();
    }
    (listed.into_iter().filter(|kind| !left_out.contains_key(kind)).collect(), left_out)
}

/// The command that does the same again.
fn repeat(app: &App, arguments: &Rehearse, kinds: &[Kind], seed: u64) -> String {
    let Rehearse { pipeline, nodes, home, minutes, every, set, parallelism, checkpoint_interval, .. } =
        arguments;
    // On another machine, or with other rights, `all` may be others.
    let faults = kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(",");
    let mut command = format!(
        "{} chaos run {pipeline} --nodes {nodes} --in {home} --faults {faults} --seed {seed} --minutes {minutes} --every {every} \
         --checkpoint-interval {checkpoint_interval}",
        app.name
    );
    if let Some(parallelism) = parallelism {
        command.push_str(&format!(" --parallelism {parallelism}"));
    }
    if *home == Home::Containers {
        command.push_str(&format!(" --image {}", arguments.image));
    }
    for set in set {
        command.push_str(&format!(" --set {set}"));
    }
    command
}

/// A seed that nobody has chosen, short enough to be typed.
fn lot() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::from(since.subsec_micros())
}

/// Has the rehearsal end in order at the first signal, and at once at the second.
fn watch(interrupted: Arc<AtomicBool>) {
    let first = move || {
        interrupted.store(true, Relaxed);
        tell("stopping the nodes (again to exit at once)");
    };
    std::thread::spawn(move || {
        actix_rt::System::new().block_on(async {
            // The nodes end with their parent.
            signals::on_first_and_second(first, || std::process::exit(INTERRUPTED));
            std::future::pending::<()>().await;
        });
    });
}

/// Has a node end with the process that has started it, where that is asked for.
pub(super) fn die_with(parent: Option<u32>) -> Result<(), Failure> {
    let refused = |why: String| Failure::Usage(format!("--dies-with: {why}"));
    parent.map_or(Ok(()), |parent| watershed_chaos::die_with(parent).map_err(refused))
}

impl From<ChaosError> for Failure {
    fn from(error: ChaosError) -> Self {
        match error {
            ChaosError::Asked(_)
            | ChaosError::Undisturbed(_)
            | ChaosError::Audit(_)
            | ChaosError::Place { .. }
            | ChaosError::Home { .. } => Failure::Usage(error.to_string()),
            error => Failure::Unable(error.to_string()),
        }
    }
}
