//! Where a sink's files lie, and what they are called.
//!
//! ```text
//! DIR/hourly.csv                           the output of one subtask
//! DIR/hourly/part-00001-00000.csv          .. of several, or of one that rolls: subtask, number
//! DIR/.inprogress/hourly.csv-00001-00004-00000   a draft, being written or staged: subtask, run, number
//! DIR/.inprogress/hourly.csv-00001.lock          the claim of the subtask that writes it
//! ```

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};
use watershed_core::{Run, SinkError};

use crate::sink::claim::IN_PROGRESS;
use crate::sink::failure;

/// The place of a finished file within a sink's output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Target {
    /// The one file.
    File,
    /// A part in the folder, by its name.
    Part(String),
}

/// Where everything of one sink lies.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    directory: PathBuf,
    name: String,
    stem: String,
    extension: &'static str,
}

impl Layout {
    /// The layout around the path of the one file.
    pub(super) fn new(path: &Path, extension: &'static str) -> Result<Layout, SinkError> {
        let refuse = |why: &str| SinkError::new(path.display().to_string(), why);
        let name = path.file_name().ok_or_else(|| refuse("names no file"))?;
        let name = name.to_str().ok_or_else(|| refuse("is no UTF-8"))?;
        let ending = format!(".{extension}");
        let stem = name.strip_suffix(&ending).filter(|stem| !stem.is_empty()).unwrap_or(name);
        let directory = match path.parent() {
            Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
            Some(parent) => parent,
            None => Path::new("/"),
        };
        Ok(Layout {
            directory: directory.to_owned(),
            name: name.to_owned(),
            stem: stem.to_owned(),
            extension,
        })
    }

    /// The directory in which everything lies.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The name of the one file.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The one file.
    pub(super) fn file(&self) -> PathBuf {
        self.directory.join(&self.name)
    }

    /// The folder of parts.
    pub(super) fn folder(&self) -> PathBuf {
        self.directory.join(&self.stem)
    }

    /// The folder of drafts.
    pub(super) fn in_progress(&self) -> PathBuf {
        self.directory.join(IN_PROGRESS)
    }

    /// The path of a target. What comes out of a checkpoint is not trusted to stay within the folder.
    pub(super) fn target(&self, target: &Target) -> Result<PathBuf, SinkError> {
        match target {
            Target::File => Ok(self.file()),
            Target::Part(name) => within(self.folder(), name),
        }
    }

    /// The path of a draft, with the same distrust.
    pub(super) fn draft(&self, name: &str) -> Result<PathBuf, SinkError> {
        within(self.in_progress(), name)
    }

    /// The name of a draft.
    ///
    /// SUBTLE: no two runs give a draft the same name. A checkpoint may be gone back to several times, and each time
    /// what it names as staged is committed again. A run that began its numbers anew would leave drafts of its
    /// own under those names, and the run behind it would take them for what was staged.
    pub(super) fn draft_name(&self, subtask: u32, run: Run, number: u32) -> String {
        format!("{}-{subtask:05}-{:05}-{number:05}", self.name, run.0)
    }

    /// The name of a part.
    pub(super) fn part_name(&self, subtask: u32, number: u32) -> String {
        let part = format!("part-{subtask:05}-{number:05}");
        // Where the path has no extension, neither have the parts.
        if self.stem == self.name { part } else { format!("{part}.{}", self.extension) }
    }

    /// The subtasks, numbers and names of all drafts that lie there.
    pub(super) fn drafts(&self) -> Result<Vec<(u32, u32, String)>, SinkError> {
        list(&self.in_progress(), |name| {
            let (subtask, rest) = name.strip_prefix(&self.name)?.strip_prefix('-')?.split_once('-')?;
            let (_run, number) = numbers(rest)?;
            Some((digits(subtask)?, number))
        })
    }

    /// The subtasks, numbers and names of all parts that lie there.
    pub(super) fn parts(&self) -> Result<Vec<(u32, u32, String)>, SinkError> {
        list(&self.folder(), |name| self.numbers_of(name))
    }

    /// The subtask and the number in the name of a part.
    pub(super) fn numbers_of(&self, part: &str) -> Option<(u32, u32)> {
        let ending = if self.stem == self.name { String::new() } else { format!(".{}", self.extension) };
        numbers(part.strip_prefix("part-")?.strip_suffix(&ending)?)
    }
}

fn within(folder: PathBuf, name: &str) -> Result<PathBuf, SinkError> {
    let mut components = Path::new(name).components();
    match (components.next(), components.next()) {
        (Some(Component::Normal(_)), None) => Ok(folder.join(name)),
        _ => Err(SinkError::new(folder.display().to_string(), format!("a staged file names {name:?}"))),
    }
}

/// `00001-00002` as its two numbers.
fn numbers(text: &str) -> Option<(u32, u32)> {
    let (subtask, number) = text.split_once('-')?;
    Some((digits(subtask)?, digits(number)?))
}

/// `00001` as a number.
fn digits(text: &str) -> Option<u32> {
    let plain = text.len() >= 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

/// The files of a folder that a rule knows; none where there is no folder.
fn list(
    folder: &Path,
    rule: impl Fn(&str) -> Option<(u32, u32)>,
) -> Result<Vec<(u32, u32, String)>, SinkError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        // A file of that name: whoever needs the folder says so.
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Ok(Vec::new()),
        Err(error) => return Err(failure::at(folder)(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let name = entry.map_err(failure::at(folder))?.file_name();
        if let Some((name, (subtask, number))) = name.to_str().and_then(|name| Some((name, rule(name)?))) {
            found.push((subtask, number, name.to_owned()));
        }
    }
    found.sort_unstable();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_parts_has_the_files_name_without_its_extension() {
        let layout = Layout::new(Path::new("out/hourly.csv"), "csv").unwrap();
        assert_eq!(layout.file(), Path::new("out/hourly.csv"));
        assert_eq!(layout.folder(), Path::new("out/hourly"));
        assert_eq!(layout.part_name(1, 20), "part-00001-00020.csv");
        assert_eq!(Layout::new(Path::new("rows"), "csv").unwrap().folder(), Path::new("./rows"));
        assert!(Layout::new(Path::new("out/.."), "csv").is_err());
    }

    #[test]
    fn only_names_of_this_sink_are_taken_for_its_drafts() {
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout::new(&directory.path().join("a.csv"), "csv").unwrap();
        fs::create_dir(layout.in_progress()).unwrap();
        for name in ["a.csv-00000-00007-00001", "b.csv-00000-00007-00001", "a.csv-00000-00001", "a.csv-0-7-1"]
        {
            fs::write(layout.in_progress().join(name), "").unwrap();
        }
        assert_eq!(layout.drafts().unwrap(), [(0, 1, "a.csv-00000-00007-00001".to_owned())]);
    }

    #[test]
    fn a_staged_name_cannot_lead_elsewhere() {
        let layout = Layout::new(Path::new("out/hourly.csv"), "csv").unwrap();
        for name in ["../../etc/passwd", "/etc/passwd", "..", "a/b", ""] {
            assert!(layout.draft(name).is_err(), "{name}");
            assert!(layout.target(&Target::Part(name.to_owned())).is_err(), "{name}");
        }
    }
}
