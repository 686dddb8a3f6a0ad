//! `state`: what a checkpoint has saved: of operators, without the types that wrote it; of shared state, by its values where
//! the program knows its types.

use std::io::{self, Write};

use serde_json::{Value, json};
use watershed_state::inspect::{Entry, Held, SharedEntry, Wanted};

use super::answer;
use super::arguments::{Export, Get, State};
use super::failure::{Failure, one_line};
use super::look::{open, which};
use super::settings::{Options, Settings};
use super::shared::Program;
use super::streams::written;
use crate::app::App;
use crate::job::state::wait;

/// Carries a look at saved state out.
pub(super) fn look(
    app: &App,
    command: &State,
    settings: &Settings,
    options: &Options,
) -> Result<(), Failure> {
    let program = Program { app, settings };
    match command {
        State::Get(arguments) => get(&program, arguments, options),
        State::Export(arguments) => export(&program, arguments, options),
    }
}

fn get(program: &Program<'_>, arguments: &Get, options: &Options) -> Result<(), Failure> {
    let offline = open(&arguments.place.directory)?;
    let (which, wanted) = (which(arguments.checkpoint), Wanted::of(&arguments.key));
    let mut entries = wait(offline.get(which, &wanted))?;
    let mut shared = program.shared(&offline, which, &arguments.set)?;
    shared.entries.retain(|entry| entry.is_of(&wanted));
    if let Some(operator) = &arguments.operator {
        entries.retain(|entry| entry.operator == *operator);
        shared.entries.retain(|entry| entry.shared == *operator);
    }
    shared.unresolved.retain(|name, _| shared.entries.iter().any(|entry| entry.shared == *name));
    shared.tell(options);
    if options.json {
        let (shared, unresolved) = (shared.entries, shared.unresolved);
        let found = json!({ "entries": entries, "shared": shared, "unresolved": unresolved });
        return answer(&found.to_string());
    }
    if entries.is_empty() && shared.entries.is_empty() {
        return answer(&format!("nothing is kept for {}", one_line(&arguments.key)));
    }
    let lines: Vec<String> =
        entries.iter().map(line).chain(shared.entries.iter().map(line_of_shared)).collect();
    answer(&lines.join("\n"))
}

/// An entry as a line: where it is kept, its key, its value.
fn line(entry: &Entry) -> String {
    let Entry { operator, part, key, value, .. } = entry;
    let key: Vec<String> = key.iter().map(Value::to_string).collect();
    one_line(&format!("{operator} {part}: {} = {value}", key.join(" / ")))
}

/// A key of shared state as a line: of which, the key, its value or what was saved.
fn line_of_shared(entry: &SharedEntry) -> String {
    let SharedEntry { shared, key, held } = entry;
    one_line(&match held {
        Held::Value { value } => format!("{shared} shared: {key} = {value}"),
        Held::Saved { state, updates } => {
            let updates: String = updates.iter().map(|update| format!(", then {update}")).collect();
            format!("{shared} shared, as it was saved: {key} = {state}{updates}")
        }
    })
}

/// JSON is the form of an export, with `--json` and without.
fn export(program: &Program<'_>, arguments: &Export, options: &Options) -> Result<(), Failure> {
    let (offline, which) = (open(&arguments.place.directory)?, which(arguments.checkpoint));
    let shared = program.shared(&offline, which, &arguments.set)?;
    shared.tell(options);
    let mut out = io::BufWriter::new(io::stdout());
    match wait(offline.export(which, &mut out)).map_err(Failure::from) {
        // A reader that has seen enough is no failure.
        Err(Failure::Output(error)) => return written(Err(error)),
        exported => exported?,
    };
    let mut write = |entry: &SharedEntry| {
        serde_json::to_writer(&mut out, entry).map_err(io::Error::from).and_then(|()| out.write_all(b"\n"))
    };
    written(shared.entries.iter().try_for_each(&mut write).and_then(|()| out.flush()))
}
