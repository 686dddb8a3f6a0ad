//! What is written on standard output and standard error, and what happens where that fails.
//!
//! Standard output is what a command was asked for: where it cannot be written, the command has failed. Standard
//! error is a courtesy: where nobody can read it, the work goes on and the exit code says how it went.

use std::io::{self, Write};

use super::failure::Failure;

/// Writes lines on standard output.
///
/// # Errors
///
/// Where they cannot be written. A reader that has seen enough (`| head`) is no error.
pub(super) fn answer(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    written(writeln!(out, "{text}").and_then(|()| out.flush()))
}

/// Judges an attempt to write on standard output.
pub(super) fn written(written: io::Result<()>) -> Result<(), Failure> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::Output(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Writes a line on standard error, for whoever is there to read it.
pub(super) fn tell(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}
