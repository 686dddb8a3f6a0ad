//! A pipeline's own judge: where a binary has `PIPELINE-audit` beside `PIPELINE`, what that says of an output must be what
//! it says of the output that nobody has disturbed.
//!
//! It is for outputs whose lines are not the same from run to run, such as a database, or counts that depend on the order of
//! what two sources send.
//!
//! What an audit prints on its standard output is compared, but for the space around it. It must come to its end with exit
//! code 0, and print something, in [`AUDIT_BYTES_MAX`] and [`AUDIT_WITHIN`]. One that does not has [not judged](Unjudged):
//! that two fail alike says nothing of what they were to judge.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::cluster::LOOK;
use crate::error::ChaosError;
use crate::home::clean;

/// How long an audit may take.
const AUDIT_WITHIN: Duration = Duration::from_secs(300);

/// How much an audit may say.
const AUDIT_BYTES_MAX: u64 = 1 << 20;

/// How long it is waited behind its end for what it has said: somebody else may have its standard output, too.
const SAID_WITHIN: Duration = Duration::from_secs(5);

/// Why an audit has not judged.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unjudged {
    /// It failed.
    #[error("it failed ({status}): {said}")]
    Failed {
        status: ExitStatus,
        /// The last that it has said on its standard error.
        said: String,
    },
    /// It came to no end.
    #[error("it did not end within {} s", .0.as_secs())]
    Endless(Duration),
    /// It said nothing.
    #[error("it ended and printed nothing that could be compared")]
    Silent,
    /// It said too much.
    #[error("it printed more than {0} bytes")]
    Verbose(u64),
    /// It said something else than text.
    #[error("what it printed is no text")]
    NoText,
    /// What it says cannot be had.
    #[error("{0}")]
    Unheard(#[from] io::Error),
    /// Somebody has had enough.
    #[error("interrupted")]
    Interrupted,
}

/// What is borne of an audit.
#[derive(Clone, Copy, Debug)]
struct Patience {
    within: Duration,
    bytes_max: u64,
}

/// What the audit says of an output: a program that is run with these arguments of `run`. What it says on its standard error
/// goes into a file.
pub(crate) fn audited(
    binary: &Path,
    settings: &Path,
    errors: &Path,
    arguments: &[String],
    interrupted: &AtomicBool,
) -> Result<Result<String, Unjudged>, ChaosError> {
    let mut command = clean(binary);
    command.arg("--config").arg(settings).args(["run", "--quiet"]).args(arguments);
    command.stderr(File::create(errors).map_err(ChaosError::at(errors))?);
    let patience = Patience { within: AUDIT_WITHIN, bytes_max: AUDIT_BYTES_MAX };
    match said(command, patience, interrupted) {
        Err(Unjudged::Interrupted) => Err(ChaosError::Interrupted),
        Err(Unjudged::Failed { status, .. }) => {
            let said = std::fs::read_to_string(errors).unwrap_or_default();
            let said = said.lines().last().unwrap_or_default().to_owned();
            Ok(Err(Unjudged::Failed { status, said }))
        }
        said => Ok(said),
    }
}

/// What a program says on its standard output, to its end.
fn said(mut command: Command, patience: Patience, interrupted: &AtomicBool) -> Result<String, Unjudged> {
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut process = command.spawn()?;
    let reader = read(process.stdout.take().expect("it was piped"), patience.bytes_max);
    let ended = wait(&mut process, patience, interrupted);
    if ended.is_err() {
        // One that has ended meanwhile needs not be killed.
        let _ = process.kill();
        let _ = process.wait();
    }
    let (status, ended_at) = (ended?, Instant::now());
    while !reader.is_finished() {
        if ended_at.elapsed() > SAID_WITHIN {
            return Err(Unjudged::Endless(SAID_WITHIN));
        }
        thread::sleep(LOOK);
    }
    let bytes = reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
    // Whose pipe was closed for that may have failed by it.
    if bytes.len() as u64 > patience.bytes_max {
        return Err(Unjudged::Verbose(patience.bytes_max));
    }
    if !status.success() {
        return Err(Unjudged::Failed { status, said: String::new() });
    }
    let said = String::from_utf8(bytes).map_err(|_| Unjudged::NoText)?;
    let said = said.trim();
    if said.is_empty() { Err(Unjudged::Silent) } else { Ok(said.to_owned()) }
}

/// Reads what a process says while it comes, on a thread of its own: a pipe that is full holds up whoever writes. One byte
/// beyond the limit shows that there is more.
fn read(out: ChildStdout, bytes_max: u64) -> JoinHandle<io::Result<Vec<u8>>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        out.take(bytes_max + 1).read_to_end(&mut bytes).map(|_| bytes)
    })
}

fn wait(process: &mut Child, patience: Patience, interrupted: &AtomicBool) -> Result<ExitStatus, Unjudged> {
    let begun = Instant::now();
    loop {
        if let Some(status) = process.try_wait()? {
            return Ok(status);
        }
        if interrupted.load(Relaxed) {
            return Err(Unjudged::Interrupted);
        }
        if begun.elapsed() > patience.within {
            return Err(Unjudged::Endless(patience.within));
        }
        thread::sleep(LOOK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience { within: Duration::from_secs(60), bytes_max: 200_000 };

    fn shell(script: &str, patience: Patience) -> Result<String, Unjudged> {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stderr(Stdio::null());
        said(command, patience, &AtomicBool::new(false))
    }

    #[test]
    fn what_an_audit_prints_is_compared_but_for_the_space_around_it() {
        assert_eq!(
            shell("echo; echo '7 events: lost 0'", PATIENCE).ok().as_deref(),
            Some("7 events: lost 0")
        );
        assert_ne!(shell("echo 1", PATIENCE).ok(), shell("echo 2", PATIENCE).ok());
    }

    #[test]
    fn an_audit_that_fails_or_says_nothing_has_not_judged() {
        let why = |script| shell(script, PATIENCE).expect_err(script).to_string();
        assert!(why("echo 'all is well'; exit 1").starts_with("it failed (exit status: 1)"));
        assert!(why("echo 'all is well'; kill -9 $$").starts_with("it failed (signal: 9"));
        assert_eq!(why("exit 0"), "it ended and printed nothing that could be compared");
        assert_eq!(why("echo; echo ' '"), "it ended and printed nothing that could be compared");
        assert_eq!(why("printf '\\377'"), "what it printed is no text");
    }

    #[test]
    fn an_audit_that_comes_to_no_end_is_ended() {
        let patience = Patience { within: Duration::from_millis(200), ..PATIENCE };
        let begun = Instant::now();
        let endless = shell("echo 'all is well'; exec sleep 1000", patience);
        assert!(matches!(endless, Err(Unjudged::Endless(_))), "{endless:?}");
        assert!(begun.elapsed() < Duration::from_secs(300));
        let command = Command::new("yes");
        let interrupted = said(command, PATIENCE, &AtomicBool::new(true));
        assert!(matches!(interrupted, Err(Unjudged::Interrupted | Unjudged::Verbose(_))), "{interrupted:?}");
    }

    #[test]
    fn an_audit_may_say_more_than_a_pipe_holds_up_to_a_limit() {
        let zeros = |count| format!("head -c {count} /dev/zero | tr '\\0' 0");
        assert_eq!(shell(&zeros(200_000), PATIENCE).ok().map(|said| said.len()), Some(200_000));
        let verbose = shell(&zeros(200_001), PATIENCE);
        assert!(matches!(verbose, Err(Unjudged::Verbose(200_000))), "{verbose:?}");
    }
}
