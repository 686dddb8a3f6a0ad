//! A node: it keeps its name, its addresses and its directory from life to life.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::Child;

use crate::error::ChaosError;
use crate::home::{Addresses, Dwelling};

/// How many lines of what a node has said are shown.
const SAID_LINES: usize = 20;

/// By how much the exit code of something exceeds the signal that has ended it, where that is told by another process.
const CODE_OF_SIGNAL: i32 = 128;

/// A node of a cluster.
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) dwelling: Box<dyn Dwelling>,
    /// With which its program is run, life for life.
    pub(super) arguments: Vec<String>,
    /// What it has said, in all its lives.
    pub(super) log: PathBuf,
    pub(super) process: Option<Child>,
    pub(super) is_still: bool,
}

impl Node {
    /// Begins a life.
    pub(crate) fn start(&mut self) -> Result<(), ChaosError> {
        let process = self.dwelling.start(&self.arguments, &self.log)?;
        (self.process, self.is_still) = (Some(process), false);
        Ok(())
    }

    pub(crate) fn addresses(&self) -> &Addresses {
        self.dwelling.addresses()
    }

    /// Whether it can answer.
    pub(crate) fn answers(&self) -> bool {
        self.process.is_some() && !self.is_still
    }

    /// Whether it lives, as far as has been noticed.
    pub(crate) fn lives(&self) -> bool {
        self.process.is_some()
    }

    /// The number of its process, while it lives.
    pub(crate) fn id(&self) -> Option<u32> {
        self.dwelling.id(self.process.as_ref()?)
    }

    /// Sends it SIGKILL. Whether it lived.
    pub(crate) fn kill(&mut self) -> bool {
        let Some(mut process) = self.process.take() else { return false };
        let lived = matches!(process.try_wait(), Ok(None));
        self.dwelling.kill(&mut process);
        self.is_still = false;
        lived
    }

    /// How it has ended, if it has, by itself.
    pub(crate) fn ended(&mut self) -> Option<String> {
        let status = self.process.as_mut()?.try_wait().ok()??;
        self.process = None;
        Some(match (status.code(), status.signal()) {
            (Some(code), _) if code > CODE_OF_SIGNAL => format!("signal {}", code - CODE_OF_SIGNAL),
            (Some(code), _) => format!("exit code {code}"),
            (None, Some(signal)) => format!("signal {signal}"),
            (None, None) => status.to_string(),
        })
    }

    /// Lets it stand still, or go on.
    pub(crate) fn stand_still(&mut self, still: bool) {
        let Some(process) = &self.process else { return };
        self.is_still = self.dwelling.stand_still(process, still) && still;
    }

    /// The last that it has said.
    pub(crate) fn said(&self) -> String {
        let said = self.all_said();
        let lines: Vec<&str> = said.lines().rev().take(SAID_LINES).collect();
        format!("{} says:\n{}", self.name, lines.into_iter().rev().collect::<Vec<_>>().join("\n"))
    }

    fn all_said(&self) -> String {
        fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// What it has said of panics that nobody has caught.
    pub(crate) fn panics(&self) -> Vec<String> {
        let said = self.all_said();
        let lines: Vec<&str> = said.lines().collect();
        let panics = lines.windows(2).filter(|pair| is_panic(pair[0]));
        panics.map(|pair| format!("{}: {} {}", self.name, pair[0].trim(), pair[1].trim())).collect()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Whether a line is what the standard library says of a panic; what was caught is told in other words.
fn is_panic(line: &str) -> bool {
    line.starts_with("thread '") && line.contains(" panicked at ")
}
