//! The command line of every binary that registers pipelines.

mod arguments;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};
use watershed_core::KeyGroups;

use crate::app::App;
use crate::job::Job;
use crate::parameters::Values;
use arguments::{Arguments, Command};

/// Gives an application the command line: the whole `main` of its binary.
pub fn main(app: App) -> ExitCode {
    let matches = Arguments::command().name(app.name).about(app.about).get_matches();
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    match arguments.command {
        Command::Pipelines => {
            for pipeline in &app.pipelines {
                println!("{}: {}", pipeline.name, pipeline.about);
                for parameter in &pipeline.parameters {
                    println!("    --set {}={}", parameter.name, parameter.default);
                }
            }
            ExitCode::SUCCESS
        }
        Command::Run(arguments) => {
            let Some(registered) = app.find(&arguments.pipeline) else { return ExitCode::from(2) };
            let mut values = Values::default();
            for set in &arguments.set {
                if let Some((name, value)) = set.split_once('=') {
                    values.set(name, value, "--set");
                }
            }
            let run = || -> Result<_, crate::Error> {
                let plan = registered.describe(KeyGroups::default(), &values)?.plan()?;
                let mut job = Job::new(plan);
                if let Some(parallelism) = arguments.parallelism {
                    job = job.parallelism(parallelism);
                }
                Ok(job.run()?)
            };
            match run() {
                Ok(summary) => {
                    eprintln!("{summary:?}");
                    ExitCode::SUCCESS
                }
                Err(error) => {
                    eprintln!("error: {error}");
                    ExitCode::FAILURE
                }
            }
        }
    }
}
