//! The lines of what a job has written, against those of a job that nobody has hurt.
//!
//! A pipeline that runs on several threads or nodes writes the same lines in another order, and sinks that write parts
//! divide them otherwise. So what lies in the directory of the output is compared as a bag of lines, file by file at its
//! top, and folder by folder; files whose names differ by numbers alone are parts of one output.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use crate::error::ChaosError;

/// What a job has written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outputs {
    /// The lines of each file or folder, sorted.
    lines: BTreeMap<String, Vec<String>>,
    /// What is no text.
    binary: BTreeMap<String, Vec<Vec<u8>>>,
}

/// What the output is called of a pipeline that writes one file.
const ONLY: &str = "output";

/// How long a line may be that is quoted.
const QUOTED_CHARS_MAX: usize = 120;

impl Outputs {
    /// Reads all that lies in a directory, or a file where the pipeline has written one. What begins with a dot is not
    /// there yet.
    pub(crate) fn read(place: &Path) -> Result<Outputs, ChaosError> {
        let mut outputs = Outputs::default();
        let tops = if place.is_file() {
            BTreeMap::from([(ONLY.to_owned(), place.to_owned())])
        } else {
            entries(place).map_err(ChaosError::at(place))?
        };
        for (name, path) in tops {
            let name = without_numbers(&name);
            let mut folders = vec![path];
            while let Some(path) = folders.pop() {
                if path.is_dir() {
                    let inner = entries(&path).map_err(ChaosError::at(&path))?;
                    folders.extend(inner.into_values());
                } else {
                    outputs.add(&name, fs::read(&path).map_err(ChaosError::at(&path))?);
                }
            }
        }
        outputs.lines.values_mut().for_each(|lines| lines.sort_unstable());
        outputs.binary.values_mut().for_each(|files| files.sort_unstable());
        Ok(outputs)
    }

    fn add(&mut self, name: &str, bytes: Vec<u8>) {
        match String::from_utf8(bytes) {
            Ok(text) => {
                let lines = self.lines.entry(name.to_owned()).or_default();
                lines.extend(text.lines().map(str::to_owned));
            }
            Err(error) => self.binary.entry(name.to_owned()).or_default().push(error.into_bytes()),
        }
    }

    /// How much there is.
    pub(crate) fn extent(&self) -> String {
        let lines: usize = self.lines.values().map(Vec::len).sum();
        format!("{lines} lines of {} outputs", self.lines.len() + self.binary.len())
    }

    /// Whether there is nothing at all, so that it says nothing to be the same.
    pub(crate) fn is_empty(&self) -> bool {
        self.lines.values().all(Vec::is_empty) && self.binary.is_empty()
    }

    /// What is wrong with these, where the others are right.
    pub(crate) fn against(&self, right: &Outputs) -> Vec<String> {
        let none = Vec::new();
        let names: std::collections::BTreeSet<&String> =
            self.lines.keys().chain(right.lines.keys()).collect();
        let mut wrong = Vec::new();
        for name in names {
            let (found, expected) =
                (self.lines.get(name).unwrap_or(&none), right.lines.get(name).unwrap_or(&none));
            let (lost, extra) = (beyond(expected, found), beyond(found, expected));
            let tell = |lines: &[&String], what: &str| {
                lines.first().map(|first| {
                    let quoted: String = first.chars().take(QUOTED_CHARS_MAX).collect();
                    format!(
                        "{name}: {} of {} lines {what}, the first is {quoted:?}",
                        lines.len(),
                        expected.len()
                    )
                })
            };
            wrong.extend(tell(&lost, "are lost"));
            wrong.extend(tell(&extra, "are doubled, or should not be there"));
        }
        let changed = right.binary.iter().filter(|(name, files)| self.binary.get(*name) != Some(files));
        wrong.extend(changed.map(|(name, _)| format!("{name}: it is no text, and its bytes are others")));
        let strange = self.binary.keys().filter(|name| !right.binary.contains_key(*name));
        wrong.extend(strange.map(|name| format!("{name}: it is no text, and should not be there")));
        wrong
    }
}

/// A name in which every number is a `#`.
fn without_numbers(name: &str) -> String {
    let mut plain = String::with_capacity(name.len());
    for c in name.chars() {
        if !c.is_ascii_digit() {
            plain.push(c);
        } else if !plain.ends_with('#') {
            plain.push('#');
        }
    }
    plain
}

/// What one sorted list has more often than another.
fn beyond<'a>(one: &'a [String], other: &[String]) -> Vec<&'a String> {
    let mut other = other.iter().peekable();
    let is_beyond = |line: &&String| {
        while other.next_if(|next| next < line).is_some() {}
        other.next_if(|next| next == line).is_none()
    };
    one.iter().filter(is_beyond).collect()
}

fn entries(directory: &Path) -> io::Result<BTreeMap<String, std::path::PathBuf>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            found.insert(name, entry.path());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outputs(files: &[(&str, &str)]) -> Outputs {
        let directory = tempfile::tempdir().expect("a directory can be made");
        for (name, text) in files {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().expect("it lies in the directory")).expect("it can be made");
            fs::write(path, text).expect("it can be written");
        }
        Outputs::read(directory.path()).expect("it can be read")
    }

    #[test]
    fn the_order_of_lines_and_their_parts_are_not_compared() {
        let right = outputs(&[("a.csv", "1\n2\n2\n"), ("parts/x", "3\n"), ("parts/y", "4\n")]);
        let found = outputs(&[("a.csv", "2\n1\n2\n"), ("parts/z", "4\n3\n"), (".aside", "5\n")]);
        assert_eq!(found.against(&right), [] as [String; 0]);
        assert_eq!(found.extent(), "5 lines of 2 outputs");
        let right = outputs(&[("sheet-1-0.txt", "1\n2\n"), ("sheet-12-0.txt", "3\n")]);
        assert_eq!(outputs(&[("sheet-3-7.txt", "3\n2\n1\n")]).against(&right), [] as [String; 0]);
    }

    #[test]
    fn what_is_lost_doubled_or_changed_is_told() {
        let right = outputs(&[("a.csv", "1\n2\n3\n")]);
        assert_eq!(
            outputs(&[("a.csv", "1\n3\n")]).against(&right),
            ["a.csv: 1 of 3 lines are lost, the first is \"2\""]
        );
        assert_eq!(
            outputs(&[("a.csv", "1\n1\n2\n3\n")]).against(&right),
            ["a.csv: 1 of 3 lines are doubled, or should not be there, the first is \"1\""]
        );
        assert_eq!(outputs(&[("a.csv", "1\n2\n4\n")]).against(&right).len(), 2);
        assert_eq!(outputs(&[]).against(&right).len(), 1);
        assert_eq!(outputs(&[("a.csv", "1\n2\n3\n"), ("b.csv", "1\n")]).against(&right).len(), 1);
    }

    #[test]
    fn a_pipeline_may_write_one_file() {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let read = |name: &str, text: &str| {
            fs::write(directory.path().join(name), text).expect("it can be written");
            Outputs::read(&directory.path().join(name)).expect("it can be read")
        };
        let right = read("undisturbed", "1\n2\n");
        assert_eq!(read("chaos-1", "2\n1\n").against(&right), [] as [String; 0]);
        assert_eq!(
            read("chaos-2", "2\n").against(&right),
            ["output: 1 of 2 lines are lost, the first is \"1\""]
        );
    }

    #[test]
    fn nothing_is_no_proof() {
        assert!(outputs(&[("a.csv", "")]).is_empty() && !outputs(&[("a.csv", "1\n")]).is_empty());
    }
}
