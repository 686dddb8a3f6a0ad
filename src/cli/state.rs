//! `state`: what a checkpoint has saved, without the types that wrote it.

use std::io::{self, Write};

use serde_json::{Value, json};
use watershed_state::inspect::Entry;

use super::answer;
use super::arguments::{Export, Get, State};
use super::failure::{Failure, one_line};
use super::look::{open, which};
use super::settings::Options;
use super::streams::written;
use crate::job::state::wait;

/// Carries a look at saved state out.
pub(super) fn look(command: &State, options: &Options) -> Result<(), Failure> {
    match command {
        State::Get(arguments) => get(arguments, options),
        State::Export(arguments) => export(arguments),
    }
}

fn get(arguments: &Get, options: &Options) -> Result<(), Failure> {
    let offline = open(&arguments.place.directory)?;
    let mut entries = wait(offline.get(which(arguments.checkpoint), &arguments.key))?;
    if let Some(operator) = &arguments.operator {
        entries.retain(|entry| entry.operator == *operator);
    }
    if options.json {
        return answer(&json!({ "entries": entries }).to_string());
    }
    if entries.is_empty() {
        return answer(&format!("nothing is kept for {}", one_line(&arguments.key)));
    }
    let lines: Vec<String> = entries.iter().map(line).collect();
    answer(&lines.join("\n"))
}

/// An entry as a line: where it is kept, its key, its value.
fn line(entry: &Entry) -> String {
    let Entry { operator, part, key, value, .. } = entry;
    let key: Vec<String> = key.iter().map(Value::to_string).collect();
    one_line(&format!("{operator} {part}: {} = {value}", key.join(" / ")))
}

/// JSON is the form of an export, with `--json` and without.
fn export(arguments: &Export) -> Result<(), Failure> {
    let offline = open(&arguments.place.directory)?;
    let mut out = io::BufWriter::new(io::stdout());
    match wait(offline.export(which(arguments.checkpoint), &mut out)).map_err(Failure::from) {
        // A reader that has seen enough is no failure.
        Err(Failure::Output(error)) => written(Err(error)),
        exported => exported.and_then(|_| written(out.flush())),
    }
}
