//! How a command fails: one line that says what to do, and an exit code.

use std::process::ExitCode;

use watershed_core::{MESSAGE_BYTES_MAX, PlanError, excerpt};
use watershed_runtime::JobError;
use watershed_runtime::query::QueryError;
use watershed_server::view::ProblemDocument;

use super::streams::{answer, tell};
use crate::parameters::ParameterError;

/// Why a command did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// It was asked wrongly, or its surroundings are not as they have to be; nothing has run.
    #[error("{0}")]
    Usage(String),
    /// The job began, and failed.
    #[error("{message}{}", after(letters))]
    Job {
        /// Why.
        message: String,
        /// The dead letters that came before.
        letters: Option<KeptLetters>,
    },
    /// It could not be done: what it was asked about is damaged, or somebody said no.
    #[error("{0}")]
    Unable(String),
    /// A question about state has no answer.
    #[error(transparent)]
    Question(Box<QueryError>),
    /// There is nobody to ask.
    #[error("{0}")]
    Unreachable(String),
    /// What was asked for could not be written.
    #[error("standard output cannot be written: {0}; see that there is room behind it")]
    Output(std::io::Error),
}

/// How many dead letters a job had, and where they are.
#[derive(Debug, serde::Serialize)]
pub(super) struct KeptLetters {
    /// How many there were.
    pub(super) dead_letters: u64,
    /// The file that has them, where the pipeline does not take them itself.
    pub(super) dead_letters_kept: Option<String>,
}

/// What is said of dead letters behind the reason for a failure.
fn after(letters: &Option<KeptLetters>) -> String {
    match letters {
        Some(KeptLetters { dead_letters: count, dead_letters_kept: Some(path) }) => {
            format!(" (dead letters: {count}, kept in {path})")
        }
        Some(KeptLetters { dead_letters: count, dead_letters_kept: None }) => {
            format!(" (dead letters: {count}, taken by the pipeline)")
        }
        None => String::new(),
    }
}

impl Failure {
    /// The exit code of usage and configuration errors.
    pub(super) const USAGE: u8 = 2;

    /// 1 where a job failed or its answer was not written, 2 where nothing has run, 3 where nobody answers.
    fn code(&self) -> u8 {
        match self {
            Failure::Usage(_) => Failure::USAGE,
            Failure::Question(error) => code_of(error),
            Failure::Job { .. } | Failure::Unable(_) | Failure::Output(_) => 1,
            Failure::Unreachable(_) => 3,
        }
    }

    /// Tells whoever asked, as a line of text or of JSON.
    pub(super) fn report(&self, json: bool) -> ExitCode {
        let known = match self {
            Failure::Job { letters: Some(letters), .. } => Known::Letters(letters),
            Failure::Question(error) => Known::Question((**error).clone().into()),
            Failure::Job { letters: None, .. }
            | Failure::Usage(_)
            | Failure::Unable(_)
            | Failure::Unreachable(_)
            | Failure::Output(_) => Known::Nothing {},
        };
        // Where standard output cannot be written, standard error is what is left.
        let told = json && !matches!(self, Failure::Output(_)) && {
            let message = one_line_of(&self.to_string());
            report_json(&message, self.code(), known).is_ok()
        };
        if !told {
            tell(&format!("error: {}", one_line_of(&self.to_string())));
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
            JobError::Plan(_)
            | JobError::Start { .. }
            | JobError::State(_)
            | JobError::Backend(_)
            | JobError::Checkpoint(_)
            | JobError::Guarantee { .. }
            | JobError::OtherPlan(_) => Failure::Usage(error.to_string()),
            _ => Failure::Job { message: error.to_string(), letters: None },
        }
    }
}

/// 2 where something else has to be asked, 3 where nobody has answered, 1 otherwise.
fn code_of(error: &QueryError) -> u8 {
    match error {
        QueryError::NoJob { .. }
        | QueryError::NoState { .. }
        | QueryError::NoKey { .. }
        | QueryError::NoInput { .. }
        | QueryError::NoCheckpoint { .. }
        | QueryError::Unfit { .. }
        | QueryError::TokenInvalid { .. }
        | QueryError::ReadOnly { .. }
        | QueryError::TooLarge { .. } => Failure::USAGE,
        QueryError::Unavailable { .. } | QueryError::Busy { .. } | QueryError::Unknown { .. } => 3,
        _ => 1,
    }
}

/// What else is known of a failure.
#[derive(serde::Serialize)]
#[serde(untagged)]
pub(super) enum Known<'a> {
    /// Nothing.
    Nothing {},
    /// The dead letters that came before.
    Letters(&'a KeptLetters),
    /// Why a question about state has no answer.
    Question(Told),
}

/// Why a question about state has no answer, for programs.
#[derive(serde::Serialize)]
pub(super) struct Told {
    code: Option<String>,
    #[serde(flatten)]
    members: serde_json::Map<String, serde_json::Value>,
}

impl From<QueryError> for Told {
    fn from(error: QueryError) -> Self {
        let ProblemDocument { code, members, .. } = error.into();
        Told { code, members }
    }
}

/// Writes an error as a JSON object.
pub(super) fn report_json(message: &str, code: u8, known: Known<'_>) -> Result<(), Failure> {
    #[derive(serde::Serialize)]
    struct Report<'a> {
        error: &'a str,
        exit_code: u8,
        #[serde(flatten)]
        known: Known<'a>,
    }
    let report = Report { error: message, exit_code: code, known };
    answer(&serde_json::to_string(&report).expect("an error is plain data"))
}

/// How much of an error is told, in bytes: what it quotes may be as long as the input.
const ERROR_BYTES_MAX: usize = 4 * MESSAGE_BYTES_MAX;

/// A message as a line that can be read.
fn one_line_of(message: &str) -> String {
    one_line(&excerpt(message, ERROR_BYTES_MAX))
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

/// A text in which addresses have no passwords, for what was typed in the wrong place.
pub(super) fn without_passwords(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("://") {
        let (before, address) = rest.split_at(start + 3);
        clean.push_str(before);
        let end = address.find(char::is_whitespace).unwrap_or(address.len());
        // A password may hold an @ that should have been escaped: all up to the last one is hidden.
        let secret = address[..end].rfind('@').unwrap_or(0);
        if secret > 0 {
            clean.push_str("...");
        }
        rest = &address[secret..];
    }
    clean.push_str(rest);
    clean
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
        assert!(one_line_of(&"x".repeat(400_000)).len() < 5000);
    }

    #[test]
    fn passwords_are_not_repeated() {
        let typed = "unexpected argument 'postgresql://me:se@cret@db:5432/x' found, see http://b.example/c";
        let expected = "unexpected argument 'postgresql://...@db:5432/x' found, see http://b.example/c";
        assert_eq!(without_passwords(typed), expected);
        assert_eq!(without_passwords("nothing"), "nothing");
    }
}
