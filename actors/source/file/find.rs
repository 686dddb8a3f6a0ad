//! Finds the files that a path stands for.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use watershed_core::SourceError;

/// The first two bytes of gzip data.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// A file that can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) path: String,
    pub(super) bytes: u64,
    pub(super) gzip: bool,
}

/// The files of all paths, those of one path in the order of their names.
pub(super) fn files(paths: &[PathBuf], extension: Option<&str>) -> Result<Vec<Found>, SourceError> {
    let mut found = Vec::new();
    for path in paths {
        for file in expand(path, extension)? {
            found.push(examine(&file)?);
        }
    }
    Ok(found)
}

fn expand(path: &Path, extension: Option<&str>) -> Result<Vec<PathBuf>, SourceError> {
    let name = path.display().to_string();
    let mut files = if path.is_dir() {
        let entries = fs::read_dir(path).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let entries = entries.map_err(|error| failed(&name, &error))?;
        let visible = |entry: &fs::DirEntry| !entry.file_name().as_encoded_bytes().starts_with(b".");
        entries.iter().filter(|entry| visible(entry)).map(fs::DirEntry::path).collect()
    } else if path.exists() || !name.contains(['*', '?', '[']) {
        return Ok(vec![path.to_owned()]);
    } else {
        let pattern = glob::glob(&name).map_err(|error| {
            SourceError::new(&name, format!("not a pattern of file names ({error}); correct it"))
        })?;
        let paths: Result<Vec<PathBuf>, _> = pattern.collect();
        paths.map_err(|error| failed(&error.path().display().to_string(), error.error()))?
    };
    files.retain(|file| file.is_file() && extension.is_none_or(|wanted| has_extension(file, wanted)));
    files.sort();
    if files.is_empty() {
        return Err(SourceError::new(name, "no file is there that fits; correct the path, or the extension"));
    }
    Ok(files)
}

fn has_extension(file: &Path, wanted: &str) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let name = name.strip_suffix(".gz").filter(|_| wanted != "gz").unwrap_or(&name);
    name.rsplit_once('.').is_some_and(|(_, extension)| extension.eq_ignore_ascii_case(wanted))
}

/// Sees whether a file can be read, and how.
fn examine(path: &Path) -> Result<Found, SourceError> {
    let Some(name) = path.to_str() else {
        return Err(SourceError::new(path.display().to_string(), "the name is not UTF-8; rename the file"));
    };
    let error = |error: io::Error| failed(name, &error);
    // Before it is opened: opening a pipe waits for somebody who writes.
    let metadata = fs::metadata(path).map_err(error)?;
    if !metadata.is_file() {
        let why = "not a regular file: it cannot be read again after a failure; copy it to one, or read it as \
                   standard input";
        return Err(SourceError::new(name, why));
    }
    let file = File::open(path).map_err(error)?;
    let mut magic = Vec::new();
    file.take(2).read_to_end(&mut magic).map_err(error)?;
    let gzip = magic == GZIP_MAGIC || path.extension().is_some_and(|extension| extension == "gz");
    Ok(Found { path: name.to_owned(), bytes: metadata.len(), gzip })
}

/// What went wrong with a file, and what to do.
pub(super) fn failed(what: &str, error: &io::Error) -> SourceError {
    let advice = match error.kind() {
        io::ErrorKind::NotFound => "correct the path",
        io::ErrorKind::PermissionDenied => "let this user read it",
        _ => "see that its disk can be read",
    };
    SourceError::new(what, format!("{error}; {advice}"))
}
