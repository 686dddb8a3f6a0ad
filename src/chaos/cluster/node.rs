//! A node: a process that keeps its name, its addresses and its directory from life to life.

use std::fs::{self, File};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::error::ChaosError;

/// How many lines of what a node has said are shown.
const SAID_LINES: usize = 20;

/// A node of a cluster.
pub(crate) struct Node {
    pub(crate) name: String,
    /// Where it listens for the proxy.
    pub(super) listen: SocketAddr,
    /// Where it answers people.
    pub(super) http: SocketAddr,
    /// Where the others reach it: a door of the proxy.
    pub(super) advertise: SocketAddr,
    pub(super) coordinators: String,
    pub(super) slots: u32,
    pub(super) binary: PathBuf,
    /// Where all nodes keep checkpoints; below it, each has a directory of its own.
    pub(super) directory: PathBuf,
    pub(super) process: Option<Child>,
    pub(super) is_still: bool,
}

impl Node {
    /// Begins a life.
    pub(crate) fn start(&mut self) -> Result<(), ChaosError> {
        let path = self.log();
        let log = File::options().create(true).append(true).open(&path).map_err(ChaosError::at(&path))?;
        let errors = log.try_clone().map_err(ChaosError::at(&path))?;
        let mut command = clean(&self.binary);
        command.arg("--config").arg(self.directory.join("nodes.toml"));
        command.args(["node", "--cluster", "chaos", "--name", &self.name]);
        command.args(["--coordinators", &self.coordinators, "--slots", &self.slots.to_string()]);
        command.args(["--listen", &self.listen.to_string(), "--http", &self.http.to_string()]);
        command.args(["--advertise", &self.advertise.to_string()]);
        command.arg("--data").arg(self.data());
        command.arg("--checkpoints").arg(self.directory.join("checkpoints"));
        command.args(["--dies-with", &std::process::id().to_string()]);
        command.env("RUST_BACKTRACE", "1");
        // A Ctrl-C on the terminal is for whoever started this.
        command.stdin(Stdio::null()).stdout(log).stderr(errors).process_group(0);
        let what = || format!("node {}", self.name);
        let process = command.spawn().map_err(|error| ChaosError::Process { what: what(), error })?;
        (self.process, self.is_still) = (Some(process), false);
        Ok(())
    }

    /// Where it keeps its own.
    pub(crate) fn data(&self) -> PathBuf {
        self.directory.join(&self.name)
    }

    fn log(&self) -> PathBuf {
        self.directory.join(format!("{}.log", self.name))
    }

    /// Whether it can answer.
    pub(crate) fn answers(&self) -> bool {
        self.process.is_some() && !self.is_still
    }

    /// The number of its process, while it lives.
    pub(crate) fn id(&self) -> Option<u32> {
        self.process.as_ref().map(Child::id)
    }

    /// Sends it SIGKILL. Whether it lived.
    pub(crate) fn kill(&mut self) -> bool {
        let Some(mut process) = self.process.take() else { return false };
        let lived = matches!(process.try_wait(), Ok(None));
        // One that has ended by itself in between is dead, too.
        let _ = process.kill();
        let _ = process.wait();
        self.is_still = false;
        lived
    }

    /// How it has ended, if it has, by itself.
    pub(crate) fn ended(&mut self) -> Option<String> {
        let status = self.process.as_mut()?.try_wait().ok()??;
        self.process = None;
        Some(match (status.code(), status.signal()) {
            (Some(code), _) => format!("exit code {code}"),
            (None, Some(signal)) => format!("signal {signal}"),
            (None, None) => status.to_string(),
        })
    }

    /// Lets it stand still, or go on.
    pub(crate) fn stand_still(&mut self, still: bool) {
        let Some(id) = self.id() else { return };
        let signal = if still { Signal::SIGSTOP } else { Signal::SIGCONT };
        // A process that has ended is noticed elsewhere.
        self.is_still = kill(Pid::from_raw(id.cast_signed()), signal).is_ok() && still;
    }

    /// The last that it has said.
    pub(crate) fn said(&self) -> String {
        let said = self.all_said();
        let lines: Vec<&str> = said.lines().rev().take(SAID_LINES).collect();
        format!("{} says:\n{}", self.name, lines.into_iter().rev().collect::<Vec<_>>().join("\n"))
    }

    fn all_said(&self) -> String {
        fs::read(self.log()).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
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

/// The program, to be run without settings from around it.
pub(crate) fn clean(binary: &Path) -> Command {
    let mut command = Command::new(binary);
    for (name, _) in std::env::vars_os() {
        let ours = |name: &str| name.starts_with("WATERSHED_") || name == "RUST_LOG" || name == "FAILPOINTS";
        if name.to_str().is_some_and(ours) {
            command.env_remove(name);
        }
    }
    command
}

/// Ports of loopback that nobody has at the moment.
pub(super) fn free_ports(count: usize) -> io::Result<Vec<SocketAddr>> {
    let listeners: Vec<TcpListener> =
        (0..count).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<io::Result<_>>()?;
    listeners.iter().map(TcpListener::local_addr).collect()
}
