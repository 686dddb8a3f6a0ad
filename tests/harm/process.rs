//! The stock binary as a process that may die.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The longest that a process may live. Whatever takes longer hangs.
const LIFE_MAX: Duration = Duration::from_secs(300);

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
pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn start(command: &mut Command) -> Self {
        // Nothing that is said here fills a pipe.
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Process(command.spawn().expect("the program starts"))
    }

    /// Whether it has not ended.
    pub(crate) fn lives(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }

    /// Sends it SIGKILL, and says whether it lived till then.
    pub(crate) fn kill(mut self) -> bool {
        let lives = self.lives();
        self.0.kill().unwrap();
        self.0.wait().unwrap();
        lives
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Ended {
        let begun = Instant::now();
        while self.lives() {
            if begun.elapsed() > LIFE_MAX {
                self.0.kill().unwrap();
                let said = ended(self.0.wait_with_output().unwrap());
                panic!("a process has not ended within {LIFE_MAX:?}: {said:?}");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        ended(self.0.wait_with_output().unwrap())
    }
}

fn ended(Output { status, stdout, stderr }: Output) -> Ended {
    let said = String::from_utf8_lossy(&stdout) + String::from_utf8_lossy(&stderr);
    Ended { code: status.code(), signal: status.signal(), said: said.into_owned() }
}
