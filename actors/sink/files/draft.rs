//! A file that is being written, hidden until it is committed.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use watershed_core::{Run, SinkError};

use crate::sink::failure;
use crate::sink::files::layout::Layout;
use crate::sink::{Encode, EncodeError};

/// How much is gathered before it is handed to the operating system, in bytes.
const BUFFER_BYTES: usize = 64 * 1024;

/// A file of records on its way to become visible. Dropped before it is sealed, it is removed.
pub(super) struct Draft {
    path: PathBuf,
    to: Hashed<File>,
    since: Instant,
    sealed: bool,
}

/// A draft whose bytes will not change and survive a power failure.
pub(super) struct Sealed {
    pub(super) length: u64,
    pub(super) hash: String,
}

impl Draft {
    /// Creates the draft of a subtask with the first number, from `number` on, that is free; says which. The
    /// folder of drafts is there: the subtask's claim lies in it.
    pub(super) fn create(
        layout: &Layout,
        subtask: u32,
        run: Run,
        number: u32,
    ) -> Result<(Draft, u32), SinkError> {
        let folder = layout.in_progress();
        let mut number = number;
        loop {
            let path = folder.join(layout.draft_name(subtask, run, number));
            match File::create_new(&path) {
                Ok(file) => {
                    let to = Hashed::new(file);
                    return Ok((Draft { path, to, since: Instant::now(), sealed: false }, number));
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(failure::at(&path)(error)),
            }
        }
    }

    /// Appends a record.
    #[inline]
    pub(super) fn write<T>(&mut self, record: &T, encoder: &mut impl Encode<T>) -> Result<(), SinkError> {
        self.to.append(|buffer| encoder.encode(record, buffer)).map_err(|error| self.about(error))?;
        if self.to.buffer.len() >= BUFFER_BYTES { self.drain() } else { Ok(()) }
    }

    /// How many bytes it holds.
    pub(super) fn length(&self) -> u64 {
        self.to.length + self.to.buffer.len() as u64
    }

    /// When it was begun.
    pub(super) fn since(&self) -> Instant {
        self.since
    }

    /// Ends the file and makes it durable. The directory's entry is the caller's to make durable.
    pub(super) fn seal<T>(mut self, encoder: &mut impl Encode<T>) -> Result<Sealed, SinkError> {
        encoder.finish(&mut self.to.buffer);
        self.drain()?;
        self.to.to.sync_all().map_err(failure::at(&self.path))?;
        self.sealed = true;
        Ok(Sealed { length: self.to.length, hash: self.to.hasher.finalize().to_hex().to_string() })
    }

    fn drain(&mut self) -> Result<(), SinkError> {
        self.to.drain().map_err(failure::at(&self.path))
    }

    fn about(&self, error: EncodeError) -> SinkError {
        SinkError::new(self.path.display().to_string(), error)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.sealed {
            // What cannot be removed stays hidden, and is removed by the next job in the same place.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Gathers bytes, and hashes what it writes.
struct Hashed<W> {
    to: W,
    buffer: Vec<u8>,
    length: u64,
    hasher: blake3::Hasher,
}

impl<W: io::Write> Hashed<W> {
    fn new(to: W) -> Self {
        Hashed { to, buffer: Vec::new(), length: 0, hasher: blake3::Hasher::new() }
    }

    /// Gathers what `append` appends, all of it or, where it fails, nothing.
    #[inline]
    fn append<E>(&mut self, append: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E> {
        let start = self.buffer.len();
        append(&mut self.buffer).inspect_err(|_| self.buffer.truncate(start))
    }

    /// Writes what was gathered.
    fn drain(&mut self) -> io::Result<()> {
        self.to.write_all(&self.buffer)?;
        self.hasher.update(&self.buffer);
        self.length += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}

/// The hash of a stretch of a file; `None` where the file is not there or ends before it.
pub(super) fn hash_of(path: &Path, offset: u64, length: u64) -> Result<Option<String>, SinkError> {
    use std::io::{Read as _, Seek as _};
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failure::at(path)(error)),
    };
    let mut hasher = blake3::Hasher::new();
    let mut copy = || {
        file.seek(io::SeekFrom::Start(offset))?;
        hasher.update_reader((&mut file).take(length))?;
        file.stream_position()
    };
    let end = copy().map_err(failure::at(path))?;
    Ok((end == offset + length).then(|| hasher.finalize().to_hex().to_string()))
}

/// Creates a directory and those above it that are missing, durably.
pub(super) fn create_directory(path: &Path) -> Result<(), SinkError> {
    let missing: Vec<&Path> = path.ancestors().take_while(|above| !above.exists()).collect();
    fs::create_dir_all(path).map_err(failure::at(path))?;
    missing
        .iter()
        .filter_map(|made| made.parent())
        .filter(|above| above.exists())
        .try_for_each(sync_directory)
}

/// Makes the entries of a directory durable.
pub(super) fn sync_directory(path: &Path) -> Result<(), SinkError> {
    File::open(path).and_then(|directory| directory.sync_all()).map_err(failure::at(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::JsonLines;

    #[test]
    fn a_full_disk_is_an_error_that_names_file_and_cure() {
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout::new(&directory.path().join("a.jsonl"), "jsonl").unwrap();
        fs::create_dir(layout.in_progress()).unwrap();
        let (mut draft, _) = Draft::create(&layout, 0, Run(2), 0).unwrap();
        draft.to.to = File::create("/dev/full").unwrap();
        draft.write(&1_u64, &mut JsonLines).unwrap();
        let error = draft.seal::<u64>(&mut JsonLines).err().unwrap().to_string();
        let path = layout.in_progress().join("a.jsonl-00000-00002-00000");
        assert_eq!(error, format!("{}: the disk is full: make room and start again", path.display()));
        assert!(!path.exists(), "a draft that failed is removed");
    }

    #[test]
    fn a_record_that_cannot_be_encoded_leaves_no_bytes() {
        let mut to = Hashed::new(Vec::new());
        to.append::<()>(|buffer| {
            buffer.push(1);
            Ok(())
        })
        .unwrap();
        to.append(|buffer| {
            buffer.push(2);
            Err(())
        })
        .unwrap_err();
        to.drain().unwrap();
        assert_eq!((to.to, to.length), (vec![1], 1));
    }

    #[test]
    fn a_stretch_of_a_file_has_a_hash_only_if_it_is_all_there() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        assert_eq!(hash_of(&path, 0, 0).unwrap(), None);
        fs::write(&path, "abcd").unwrap();
        let expected = blake3::hash(b"bc").to_hex().to_string();
        assert_eq!(hash_of(&path, 1, 2).unwrap(), Some(expected));
        assert_eq!(hash_of(&path, 1, 4).unwrap(), None);
    }
}
