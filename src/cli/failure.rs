//! How a command fails: one line that says what to do, and an exit code.

use std::process::ExitCode;

use watershed_core::PlanError;
use watershed_runtime::JobError;

use super::answer;
use crate::parameters::ParameterError;

/// Why a command did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// It was asked wrongly, or its surroundings are not as they have to be; nothing has run.
    #[error("{0}")]
    Usage(String),
    /// The job began, and failed.
    #[error("{0}")]
    Job(String),
}

impl Failure {
    /// The exit code of usage and configuration errors.
    pub(super) const USAGE: u8 = 2;

    /// 1 where a job failed, 2 where nothing has run.
    fn code(&self) -> u8 {
        match self {
            Failure::Usage(_) => Failure::USAGE,
            Failure::Job(_) => 1,
        }
    }

    /// Tells whoever asked, as a line of text or of JSON.
    pub(super) fn report(&self, json: bool) -> ExitCode {
        if json {
            report_json(&self.to_string(), self.code());
        } else {
            eprintln!("error: {}", one_line(&self.to_string()));
        }
        ExitCode::from(self.code())
    }
}

impl From<ParameterError> for Failure {
    fn from(error: ParameterError) -> Self {
        Failure::Usage(error.to_string())
    }
}

impl From<PlanError> for Failure {
    fn from(error: PlanError) -> Self {
        Failure::Usage(error.to_string())
    }
}

impl From<JobError> for Failure {
    fn from(error: JobError) -> Self {
        match error {
            JobError::Plan(_) | JobError::Start { .. } => Failure::Usage(error.to_string()),
            _ => Failure::Job(error.to_string()),
        }
    }
}

/// Writes an error as a JSON object.
pub(super) fn report_json(message: &str, code: u8) {
    answer(&serde_json::json!({ "error": message, "exit_code": code }).to_string());
}

/// A text without what would break its line or steer a terminal: messages may quote input.
pub(super) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        let turns = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if c.is_control() || turns || matches!(c, '\u{2028}' | '\u{2029}') {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line_whatever_it_quotes() {
        assert_eq!(
            one_line("no \u{1b}[2J\r\nerror: forged\u{202e}"),
            "no \\u{1b}[2J\\r\\nerror: forged\\u{202e}"
        );
        assert_eq!(one_line("größer als 5"), "größer als 5");
    }
}
