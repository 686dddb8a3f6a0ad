//! The command line of every binary that registers pipelines.
//!
//! | goes to | what |
//! | --- | --- |
//! | standard output | what the pipeline prints, and answers: `pipelines`, `plan`, `checkpoint`, .., every JSON object |
//! | standard error | progress, the summary, errors, the log |
//!
//! So a pipeline's output can be piped on while its progress is watched. With `--json`, the summary or the error
//! is one object in one line, the last line of standard output.

mod arguments;
mod ask;
mod certs;
#[cfg(test)]
mod changed_plan;
mod chaos;
mod checkpoint;
mod cluster;
mod dead_letters;
mod explain;
mod failure;
mod log;
mod look;
mod node;
mod pipelines;
mod plan;
mod programs;
mod progress;
mod query;
mod requests;
mod resume;
mod run;
mod settings;
mod shared;
mod short_file;
mod signals;
mod state;
mod streams;
mod summary;
mod table;
#[cfg(feature = "postgres")]
mod txn;

use std::ffi::OsString;
use std::process::ExitCode;
use std::rc::Rc;

use clap::FromArgMatches;
use clap::error::ErrorKind;

use crate::app::{App, Registered};
use crate::parameters::nearest;
use arguments::{Arguments, Command};
use failure::{Failure, without_passwords};
use settings::{Options, Settings};
use streams::answer;

/// Gives an application the command line: the whole `main` of its binary.
///
/// `run PIPELINE` runs one of its pipelines, `pipelines` lists them, `plan PIPELINE` shows how one would run,
/// `checkpoint` and `state` look at what a job has saved, `savepoint` and `cancel` ask a running one, `query`
/// and `update` read and change its state, `txn` resolves what is in doubt, `node` takes part in a cluster,
/// `submit`, `jobs`, `status`, `wait` and others ask one; `--help` says the rest. The exit code is 0 where it is
/// done, 1 where the job failed or its answer could not be written, 2 where the command or its configuration is
/// wrong and nothing has run, and 3 where no job or no cluster answers.
pub fn main(app: App) -> ExitCode {
    let app = Rc::new(app);
    let matches = arguments::command(&app).try_get_matches();
    let parsed = matches.and_then(|matches| Arguments::from_arg_matches(&matches));
    match parsed {
        Ok(arguments) => execute(&app, &arguments).unwrap_or_else(|(failure, json)| failure.report(json)),
        Err(error) => refuse(&error, std::env::args_os()),
    }
}

/// Whether an application has this command line: see [`App::understands`].
pub(crate) fn understand(app: &App, arguments: &[OsString]) -> Result<(), String> {
    let name = OsString::from(app.name);
    let matches = arguments::command(app).try_get_matches_from(std::iter::once(&name).chain(arguments));
    match matches {
        Err(error) if error.use_stderr() => Err(error.to_string()),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Carries a command out. A failure comes with whether it is to be told in JSON.
fn execute(app: &Rc<App>, arguments: &Arguments) -> Result<ExitCode, (Failure, bool)> {
    let plain = |failure| (failure, arguments.json);
    let mut settings =
        Settings::read(app, arguments.config.as_deref(), std::env::vars_os()).map_err(plain)?;
    if arguments.json {
        settings.options.set("json", "true", "--json");
    }
    if arguments.quiet {
        settings.options.set("quiet", "true", "--quiet");
    }
    if let Command::Run(arguments) = &arguments.command
        && let Some(path) = &arguments.dead_letters
    {
        settings.options.set("dead_letters", path.to_string_lossy(), "--dead-letters");
    }
    if let Command::Run(arguments) = &arguments.command {
        if let Some(path) = &arguments.state_dir {
            settings.options.set("state_dir", path.to_string_lossy(), "--state-dir");
        }
        if let Some(backend) = &arguments.state_backend {
            settings.options.set("state_backend", backend, "--state-backend");
        }
        if let Some(mebibytes) = &arguments.memory_limit_mib {
            settings.options.set("memory_limit_mib", mebibytes, "--memory-limit-mib");
        }
        if let Some(interval) = &arguments.checkpoint_interval {
            settings.checkpoints.set("interval", interval, "--checkpoint-interval");
        }
        if let Some(policy) = &arguments.poison {
            settings.poison.set("policy", policy, "--poison");
        }
        if let Some(guarantee) = &arguments.guarantee {
            settings.checkpoints.set("guarantee", guarantee, "--guarantee");
        }
    }
    if let Command::Node(arguments) = &arguments.command
        && let Some(mebibytes) = &arguments.memory_limit_mib
    {
        settings.options.set("memory_limit_mib", mebibytes, "--memory-limit-mib");
    }
    let options: Options = settings.options.read().map_err(|error| plain(error.into()))?;
    let done = |result: Result<(), Failure>| result.map(|()| ExitCode::SUCCESS);
    let result = match &arguments.command {
        Command::Run(arguments) => done(run::run(app, arguments, settings, &options)),
        Command::Pipelines => done(pipelines::list(app, &options)),
        Command::Plan(arguments) => done(plan::show(app, arguments, settings, &options)),
        Command::Settings => done(settings::show_all(&options)),
        Command::Checkpoint(look) => checkpoint::look(app, look, settings, &options),
        Command::State(look) => done(state::look(app, look, &settings, &options)),
        Command::Savepoint(arguments) if cluster::is_local(&arguments.job, &arguments.place) => {
            done(ask::savepoint(arguments, &options))
        }
        Command::Savepoint(arguments) => done(cluster::savepoint(&mut settings, arguments, &options)),
        Command::Cancel(arguments) if cluster::is_local(&arguments.job.job, &arguments.job.place) => {
            done(ask::cancel(arguments, &options))
        }
        Command::Cancel(arguments) => done(cluster::cancel(&mut settings, arguments, &options)),
        Command::Query(arguments) => done(query::query(&mut settings, arguments, &options)),
        Command::Update(arguments) => done(query::update(&mut settings, arguments, &options)),
        Command::Node(arguments) => {
            let node = chaos::die_with(arguments.dies_with).and_then(|()| arguments.set(&mut settings));
            done(node.and_then(|node| node::run(app, node, &options)))
        }
        Command::Chaos(command) => chaos::run(app, command, settings, &options),
        Command::Submit(arguments) => done(cluster::submit(app, settings, arguments, &options)),
        Command::Jobs(place) => done(cluster::jobs(&mut settings, place, &options)),
        Command::Status(job) => done(cluster::status(&mut settings, job, &options)),
        Command::Wait(arguments) => done(cluster::wait(&mut settings, arguments, &options)),
        Command::Nodes(place) => done(cluster::nodes(&mut settings, place, &options)),
        Command::Rescale(arguments) => done(cluster::rescale(&mut settings, arguments, &options)),
        Command::Resume(job) => done(cluster::resume(&mut settings, job, &options)),
        Command::Checkpoints(job) => done(cluster::checkpoints(&mut settings, job, &options)),
        Command::Certs(arguments) => done(certs::make(arguments, &options)),
        #[cfg(feature = "postgres")]
        Command::Txn(command) => txn::resolve(command, &options),
    };
    result.map_err(|failure| (failure, options.json))
}

/// Answers a command line that is none, or that asks for help.
fn refuse(error: &clap::Error, mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let helps = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    let text = error.render().to_string();
    // What is quoted may be an address that was typed in the wrong place.
    let clean = without_passwords(&text);
    if !helps && arguments.any(|argument| argument == "--json") {
        let message = clean.lines().next().unwrap_or_default();
        let message = message.trim_start_matches("error: ");
        if let Err(failure) = failure::report_json(message, Failure::USAGE, failure::Known::Nothing {}) {
            return failure.report(false);
        }
    } else if !helps && clean != text {
        streams::tell(clean.trim_end());
    } else {
        let printed = error.print();
        if helps && let Err(failure) = streams::written(printed) {
            return failure.report(false);
        }
    }
    if helps { ExitCode::SUCCESS } else { ExitCode::from(Failure::USAGE) }
}

/// The pipeline of a name.
fn find<'a>(app: &'a App, name: &str) -> Result<&'a Registered, Failure> {
    app.find(name).ok_or_else(|| {
        let hint = nearest(name, app.pipelines.iter().map(|one| one.name))
            .map_or_else(String::new, |nearest| format!(", did you mean {nearest:?}?"));
        Failure::Usage(format!("there is no pipeline {name:?}{hint} (`{} pipelines` lists them)", app.name))
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use watershed_core::Pipeline;

    use super::*;
    use crate::actors::aggregate::Count;
    use crate::actors::source::{Generator, Lines};
    use crate::actors::window::{Session, Windows};

    fn app() -> App {
        let count = |pipeline: &Pipeline| pipeline.source(Generator::new(0, |n, _| n).take(10));
        App::new("test")
            .pipeline("twice", "Has two operators of one uid", move |pipeline: &Pipeline| {
                count(pipeline).map(|n| n).uid("same").map(|n| n).uid("same").discard();
                Ok(())
            })
            .pipeline("absent", "Reads a file that is not there", |pipeline: &Pipeline| {
                pipeline.source(Lines::at("not/there.txt")).discard();
                Ok(())
            })
            .pipeline("unwilling", "Describes nothing", |_: &Pipeline| Err("the gap must be positive".into()))
            .pipeline("hasty", "Panics while it is described", |pipeline: &Pipeline| {
                let gap = std::time::Duration::ZERO;
                pipeline
                    .source(Generator::new(0, |n, _| n).take(10))
                    .key_by(|n| *n)
                    .window(Session::with_gap(gap))
                    .aggregate(Count)
                    .discard();
                Ok(())
            })
            .pipeline("fragile", "Panics", move |pipeline: &Pipeline| {
                let fragile = count(pipeline).map(|n| u64::checked_sub(5, n).expect("at most five"));
                fragile.uid("fragile").discard();
                Ok(())
            })
    }

    /// Why a command fails.
    fn failure(arguments: &[&str]) -> Failure {
        let dead_letters = tempfile::tempdir().expect("a temporary directory can be made");
        let path = dead_letters.path().join("letters.jsonl").display().to_string();
        let run = ["test", "run", "--quiet", "--dead-letters", &path];
        let arguments = run.iter().chain(arguments);
        let (failure, json) =
            execute(&Rc::new(app()), &Arguments::parse_from(arguments)).expect_err("the command fails");
        assert!(!json);
        failure
    }

    fn usage(arguments: &[&str]) -> String {
        match failure(arguments) {
            Failure::Usage(message) => message,
            failure => panic!("it was not refused: {failure}"),
        }
    }

    #[test]
    fn what_is_wrong_before_the_first_record_is_a_matter_of_usage() {
        assert!(usage(&["twice"]).contains("two operators have the uid \"same\""));
        assert!(usage(&["absent"]).contains("not/there.txt"));
        assert_eq!(usage(&["unwilling"]), "the gap must be positive");
        let error = usage(&["hasty"]);
        let start =
            "the pipeline cannot be described: the gap between sessions lasts a millisecond or more (at ";
        assert!(error.starts_with(start) && error.contains("session.rs:"), "{error}");
        assert_eq!(usage(&["fragile", "--set", "x=1"]), "--set: there is no \"x\": nothing can be set here");
    }

    #[test]
    fn what_fails_on_the_way_is_a_failed_job() {
        let Failure::Job { message, .. } = failure(&["fragile"]) else { panic!("it ran") };
        assert!(message.starts_with("operator fragile (subtask "), "{message}");
    }

    #[test]
    fn the_command_line_is_well_formed() {
        arguments::command(&app()).debug_assert();
    }
}
