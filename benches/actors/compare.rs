//! Measures the systems in turn, each time in two fresh processes.

use std::io::{self, Write};
use std::process::{Command, Stdio};
use std::{env, fs};

use clap::ValueEnum;

use crate::error::Error;
use crate::flood;
use crate::measure::{Figures, Load};
use crate::second::Second;
use crate::system::System;
use crate::table::Table;

/// Arguments of a comparison.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Which systems, separated by commas. Default: all that this program was built with.
    #[arg(long, value_enum, value_delimiter = ',')]
    systems: Vec<System>,
    /// How often each is measured. What is shown is the median.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Sends that many bytes as frames without actors, too.
    #[arg(long, value_name = "BYTES")]
    flood: Option<u64>,
    #[command(flatten)]
    load: Load,
}

/// Arguments of one measurement.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Measure {
    #[arg(long, value_enum)]
    system: System,
    #[command(flatten)]
    load: Load,
}

/// Measures each system in turn, and prints what came of it.
pub(crate) fn compare(arguments: &Arguments) -> Result<(), Error> {
    let mut systems = arguments.systems.clone();
    if systems.is_empty() {
        systems = System::value_variants().to_vec();
        systems.retain(|system| *system != System::Frames);
    }
    println!("load average at the beginning: {}", load_average());
    let mut measured = Vec::new();
    for round in 1..=arguments.rounds.max(1) {
        for system in &systems {
            let figures = run(*system, arguments)?;
            println!("round {round}, {system}: {}", line(&figures));
            measured.push((*system, figures));
        }
    }
    println!("load average at the end: {}\n\n{}", load_average(), Table::of(&systems, &measured));
    if let Some(bytes) = arguments.flood {
        for _ in 0..arguments.rounds.max(1) {
            flood::run(bytes)?;
        }
    }
    Ok(())
}

/// Measures one system in this process and its second.
pub(crate) fn measure(arguments: &Measure) -> Result<(), Error> {
    let second = Second::start(arguments.system)?;
    let figures = arguments.system.measure(&second.place, &arguments.load)?;
    writeln!(io::stdout(), "{}", line(&figures)).map_err(Error::Write)
}

fn line(figures: &Figures) -> String {
    serde_json::to_string(figures).expect("figures are numbers")
}

fn run(system: System, arguments: &Arguments) -> Result<Figures, Error> {
    let start = |source| Error::Start { system, source };
    let output = Command::new(env::current_exe().map_err(start)?)
        .args(["measure".to_owned(), format!("--system={system}")])
        .args(arguments.load.to_arguments())
        .stderr(Stdio::inherit())
        .output()
        .map_err(start)?;
    let figures = output.status.success().then(|| serde_json::from_slice(&output.stdout).ok()).flatten();
    figures.ok_or_else(|| Error::Run { system, status: output.status.to_string() })
}

/// How busy the machine was over the last 1, 5 and 15 minutes, if the kernel tells.
fn load_average() -> String {
    let told = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let words: Vec<_> = told.split(' ').take(3).collect();
    if words.len() == 3 { words.join(" ") } else { "unknown".to_owned() }
}
