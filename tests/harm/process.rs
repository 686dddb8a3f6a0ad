//! The stock binary as a process that may die.

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::NamedTempFile;

/// The longest that a process may live. Whatever takes longer hangs.
const LIFE_MAX: Duration = Duration::from_secs(600);

/// How long it is waited between two looks.
const LOOK: Duration = Duration::from_millis(5);

/// How a process ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Its exit code; none where a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) said: String,
}

impl Ended {
    /// Whether it was killed, as by `kill -9`.
    pub(crate) fn is_killed(&self) -> bool {
        self.signal == Some(9)
    }

    #[track_caller]
    pub(crate) fn expect_done(&self, what: &str) {
        assert_eq!(self.code, Some(0), "{what}: {self:?}");
    }
}

/// The binary, to be run in a folder without settings from around it.
pub(crate) fn watershed(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_watershed"));
    for (name, _) in std::env::vars_os() {
        let ours = |name: &str| name.starts_with("WATERSHED_") || name == "RUST_LOG" || name == "FAILPOINTS";
        if name.to_str().is_some_and(ours) {
            command.env_remove(name);
        }
    }
    command.current_dir(folder).args(arguments);
    command
}

/// A process that lives.
pub(crate) struct Process {
    child: Child,
    /// What it says. A file takes all of it, also of a process that nobody listens to.
    said: NamedTempFile,
}

impl Process {
    pub(crate) fn start(command: &mut Command) -> Self {
        let said = NamedTempFile::new().unwrap();
        // Behind each other's words, and not over them.
        let log = File::options().append(true).open(said.path()).unwrap();
        let command = command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        Process { child: command.spawn().expect("the program starts"), said }
    }

    /// Whether it has not ended.
    pub(crate) fn lives(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// What it has said up to now.
    pub(crate) fn said(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.said.path()).unwrap()).into_owned()
    }

    /// Whether it stands still, as behind SIGSTOP.
    pub(crate) fn stands_still(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        // The state is behind the name, which may hold anything.
        stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('T'))
    }

    /// Waits until something is so.
    #[track_caller]
    pub(crate) fn wait_until(&mut self, what: &str, is_so: impl Fn(&Process) -> bool) {
        assert!(self.comes_to(what, is_so), "{what}: the process has ended before: {}", self.said());
    }

    /// Waits until something is so, or the process has ended; whether it was so before.
    #[track_caller]
    pub(crate) fn comes_to(&mut self, what: &str, is_so: impl Fn(&Process) -> bool) -> bool {
        let begun = Instant::now();
        while !is_so(self) {
            if !self.lives() {
                return false;
            }
            assert!(begun.elapsed() < LIFE_MAX, "{what}: not within {LIFE_MAX:?}: {}", self.said());
            std::thread::sleep(LOOK);
        }
        true
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    /// Sends it SIGKILL, and says whether it lived till then.
    pub(crate) fn kill(mut self) -> bool {
        let lives = self.lives();
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        lives
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Ended {
        let begun = Instant::now();
        while self.lives() {
            if begun.elapsed() > LIFE_MAX {
                self.child.kill().unwrap();
                self.child.wait().unwrap();
                panic!("a process has not ended within {LIFE_MAX:?}: {}", self.said());
            }
            std::thread::sleep(LOOK);
        }
        let status = self.child.wait().unwrap();
        Ended { code: status.code(), signal: status.signal(), said: self.said() }
    }
}

impl Drop for Process {
    /// A test that is over leaves nobody behind, also where it has failed.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
