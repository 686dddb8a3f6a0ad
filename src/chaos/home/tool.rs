//! Programs of the system that make a home, such as `ip` and `docker`.

use std::io::ErrorKind;
use std::process::{Command, Output, Stdio};

use crate::error::ChaosError;

/// How much of what a tool has said is quoted.
const SAID_CHARS_MAX: usize = 400;

/// Runs a tool. What it prints, without the space around it.
///
/// # Errors
///
/// Where it is not there, or says that it failed.
pub(super) fn run(tool: &str, arguments: &[&str]) -> Result<String, ChaosError> {
    let failed = |said: String| ChaosError::Tool { command: format!("{tool} {}", arguments.join(" ")), said };
    let Output { status, stdout, stderr } =
        Command::new(tool).args(arguments).stdin(Stdio::null()).output().map_err(|error| {
            failed(match error.kind() {
                ErrorKind::NotFound => "there is no such program".to_owned(),
                _ => error.to_string(),
            })
        })?;
    if !status.success() {
        let said: String = String::from_utf8_lossy(&stderr).trim().chars().take(SAID_CHARS_MAX).collect();
        return Err(failed(if said.is_empty() { status.to_string() } else { said }));
    }
    Ok(String::from_utf8_lossy(&stdout).trim().to_owned())
}

/// Whether there is a tool of this name, which says its version where it is asked to by this argument.
pub(super) fn is_there(tool: &str, version: &str) -> bool {
    let mut command = Command::new(tool);
    command.arg(version).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_that_is_missing_or_fails_is_told_with_what_it_was_asked() {
        assert_eq!(run("echo", &["a", " b "]).ok().as_deref(), Some("a  b"));
        let error = run("no-such-tool", &["-x"]).expect_err("it is not there").to_string();
        assert_eq!(error, "`no-such-tool -x` failed: there is no such program");
        let error = run("sh", &["-c", "echo so >&2; exit 3"]).expect_err("it fails").to_string();
        assert!(error.ends_with("failed: so"), "{error}");
        assert!(!is_there("no-such-tool", "-V"));
    }
}
