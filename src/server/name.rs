//! Names that come in an address, decoded once: whatever could not be a name is refused before anybody is asked for it.

use crate::problem::Problem;

/// How long the name of a job may be.
const JOB_BYTES_MAX: usize = 64;

/// How long the name of a state may be: that of a shared state, or the uid of an operator and a piece of its state.
const STATE_BYTES_MAX: usize = 512;

/// Checks that a text can be the name of a job.
pub(crate) fn job(text: &str) -> Result<(), Problem> {
    let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    if (1..=JOB_BYTES_MAX).contains(&text.len()) && text.bytes().all(known) {
        return Ok(());
    }
    Err(refused(format!("a job's name has 1 to {JOB_BYTES_MAX} of a-z, 0-9, - and _")))
}

/// Checks that a text can be the name of a state: parts without control characters, none of which is empty or only dots.
pub(crate) fn state(text: &str) -> Result<(), Problem> {
    let is_part = |part: &str| !part.bytes().all(|byte| byte == b'.') && !part.contains(char::is_control);
    if text.len() <= STATE_BYTES_MAX && text.split('/').all(is_part) {
        return Ok(());
    }
    Err(refused(format!(
        "a state's name has at most {STATE_BYTES_MAX} bytes, no control characters, and no part that is empty or only dots"
    )))
}

fn refused(what: String) -> Problem {
    Problem::invalid(what).coded("no-name")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_told_from_a_path_that_climbs() {
        for name in ["flights", "a-b_9", "7"] {
            assert_eq!((job(name), state(name)), (Ok(()), Ok(())), "{name}");
        }
        for name in ["rules/limits", "Zählung", "a.b", "count by key"] {
            assert!(job(name).is_err() && state(name).is_ok(), "{name}");
        }
        for name in ["", "..", "../a", "a/..", "a//b", "/a", "a/", "a/./b", "a\nb", "\0"] {
            assert!(job(name).is_err() && state(name).is_err(), "{name:?}");
        }
        assert!(job(&"a".repeat(65)).is_err() && state(&"a".repeat(513)).is_err());
    }
}
