//! The second of two processes, and how the first one starts it.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::{env, io, thread};

use crate::error::Error;
use crate::system::System;

/// Arguments of the second process.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Arguments {
    #[arg(long, value_enum)]
    system: System,
}

/// The second process, which ends when this is dropped.
pub(crate) struct Second {
    child: Child,
    /// What it says first: where it is reached.
    pub(crate) place: String,
}

impl Second {
    /// Starts it, and waits until it says where it is reached.
    pub(crate) fn start(system: System) -> Result<Self, Error> {
        let failed = |source| Error::Start { system, source };
        let mut child = Command::new(env::current_exe().map_err(failed)?)
            .args(["answer".to_owned(), format!("--system={system}")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let said = child.stdout.take().expect("its standard output is a pipe");
        let mut second = Second { child, place: String::new() };
        BufReader::new(said).read_line(&mut second.place).map_err(failed)?;
        second.place.truncate(second.place.trim_end().len());
        Ok(second)
    }
}

impl Drop for Second {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Has the actor of a system until the first process ends or asks no more.
pub(crate) fn answer(arguments: &Arguments) -> Result<(), Error> {
    thread::spawn(|| {
        // Nothing is ever said there: it ends with the first process.
        let _ = io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    arguments.system.answer()
}

/// Says where this process is reached.
pub(crate) fn say(place: &str) -> Result<(), String> {
    writeln!(io::stdout(), "{place}").map_err(|error| error.to_string())
}
