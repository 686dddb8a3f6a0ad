//! The stock binary in a directory of its own.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

pub(crate) const STARTS: &str = "the binary starts";

/// The binary, in a directory of its own and without settings from around it.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Place(TempDir::new().expect("a temporary directory can be made"))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        std::fs::write(self.path().join(file), text).expect("the directory is ours");
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_watershed"));
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("WATERSHED_") || name == "RUST_LOG") {
                command.env_remove(name);
            }
        }
        command.current_dir(self.path()).args(arguments);
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        Ended::of(self.command(arguments).output().expect(STARTS))
    }

    pub(crate) fn run_with(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Ended {
        Ended::of(self.command(arguments).envs(variables.iter().copied()).output().expect(STARTS))
    }
}

/// What a command said, and its exit code.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) code: Option<i32>,
}

impl Ended {
    pub(crate) fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("what it says is UTF-8");
        Ended { out: text(output.stdout), err: text(output.stderr), code: output.status.code() }
    }

    /// The object in the last line of standard output.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(self.out.lines().last().unwrap_or_default()).expect("the last line is JSON")
    }
}

pub(crate) fn run(arguments: &[&str]) -> Ended {
    Place::new().run(arguments)
}

/// Runs what is refused before anything has run, and returns what it says.
pub(crate) fn refused(place: &Place, arguments: &[&str]) -> String {
    let ended = place.run(arguments);
    assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""), "{ended:?}");
    assert_eq!(ended.err.lines().count(), 1, "an error is one line: {ended:?}");
    assert!(ended.err.starts_with("error: "), "{ended:?}");
    ended.err
}
