//! What whoever asks has seen: a token on the command line, or in a file that is kept up to date.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use watershed_server::view::StateView;

use crate::cli::arguments::OfKey;
use crate::cli::failure::Failure;
use crate::cli::short_file;

/// How long a file with a token may be, in bytes; the longest token is shorter.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// What was seen, and where that is kept.
pub(super) struct Seen {
    token: Option<String>,
    file: Option<PathBuf>,
}

impl Seen {
    /// What was seen by the arguments. A file that is not there is one of somebody who has seen nothing.
    pub(super) fn by(of: &OfKey) -> Result<Self, Failure> {
        let file = of.token_file.clone();
        let kept = file.as_deref().map(read).transpose()?.flatten();
        Ok(Seen { token: of.token.clone().or(kept), file })
    }

    pub(super) fn token(&self) -> Option<String> {
        self.token.clone()
    }

    /// Keeps the token of an answer. It is there as a whole or not at all, also where several keep theirs in one file.
    pub(super) fn keep(&self, StateView { token, .. }: &StateView) -> Result<(), Failure> {
        let Some(file) = &self.file else { return Ok(()) };
        let mut draft = file.clone().into_os_string();
        draft.push(format!(".{}", std::process::id()));
        let written = fs::write(&draft, format!("{token}\n")).and_then(|()| fs::rename(&draft, file));
        written.map_err(|error| {
            let path = file.display();
            Failure::Unable(format!(
                "the token cannot be written to {path}: {error}; the answer came, as token {token}"
            ))
        })
    }
}

/// The token in a file, where there is one.
fn read(file: &Path) -> Result<Option<String>, Failure> {
    let failed = |why: &dyn std::fmt::Display| {
        Failure::Usage(format!("the token in {} cannot be read: {why}", file.display()))
    };
    let text = match short_file::text_in(file, FILE_BYTES_MAX) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(&error)),
    };
    let token = text.trim();
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(failed(&"it holds something else than one word"));
    }
    Ok(Some(token.to_owned()).filter(|token| !token.is_empty()))
}
