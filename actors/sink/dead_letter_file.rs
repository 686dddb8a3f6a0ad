//! Dead letters in a file, from the moment they come.
//!
//! A dead letter is a diagnostic, not output: whoever looks for the reason why a job fails needs those that came
//! before it failed. So what has come is in the file when the stream pauses, while the job runs and however it ends,
//! and what this sink stages is only how long the file was at the checkpoint. A job that goes on from there cuts off
//! what lies behind: it will come again.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use watershed_core::{Data, DeadLetter, Epoch, EventTime, Run, Sink, SinkError, SinkPlace, Writer};

use crate::sink::claim::{Claim, Claims};
use crate::sink::files::refuse_special;
use crate::sink::{DeadLetterLines, Encode, failure};

/// How much is gathered before it is handed to the operating system, in bytes.
const BUFFER_BYTES: usize = 64 * 1024;
/// How many jobs may keep their dead letters beside each other under one name.
const JOBS_MAX: u32 = 100;

/// Keeps dead letters as [lines of JSON](DeadLetterLines) in a file, which is made with the first of them.
///
/// * **When they are seen.** When the stream pauses, and at the latest when the job ends, well or not. A job that goes
///   on from a checkpoint takes those back that came behind it, so that each is there once in the end.
/// * **An earlier job's letters** in the same file are removed when the job begins.
/// * **Two jobs at a time.** Where another job that is running has the file, this one's letters go to one beside it,
///   `letters.2.jsonl`: [`path`](DeadLetterFile::path) says which.
///
/// ```
/// use watershed_actors::sink::DeadLetterFile;
/// use watershed_core::{KeyGroups, Pipeline};
///
/// let pipeline = Pipeline::new("orders", KeyGroups::default());
/// pipeline.dead_letters().sink(DeadLetterFile::at("out/dead-letters.jsonl"));
/// ```
#[derive(Clone, Debug)]
pub struct DeadLetterFile {
    wanted: PathBuf,
    claims: Claims,
    /// Where they go, once the sink has been opened.
    found: Arc<Mutex<Option<PathBuf>>>,
}

impl DeadLetterFile {
    /// Keeps dead letters in a file.
    pub fn at(path: impl AsRef<Path>) -> Self {
        let wanted = path.as_ref().to_owned();
        DeadLetterFile { wanted, claims: Claims::default(), found: Arc::default() }
    }

    /// Where the letters go: the path that was asked for, or, once this sink or a clone of it has been opened, the
    /// one beside it that was free.
    pub fn path(&self) -> PathBuf {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.as_ref().unwrap_or(&self.wanted).clone()
    }

    /// Claims the file that was asked for, or the first beside it that no other job has.
    fn claim(&self, place: &SinkPlace) -> Result<Arc<Claim>, SinkError> {
        let refuse = |why: &str| SinkError::new(self.wanted.display().to_string(), why);
        let name = self.wanted.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| refuse("names no file, or one whose name is no UTF-8"))?;
        let directory = match self.wanted.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            Some(_) | None => Path::new("."),
        };
        for number in 1..=JOBS_MAX {
            if let Some(claim) = self.claims.take(directory, &numbered(name, number), place)? {
                return Ok(claim);
            }
        }
        Err(refuse("too many jobs that are running keep their dead letters here; choose another path"))
    }
}

/// The name of the file for so many jobs at a time: `letters.jsonl`, `letters.2.jsonl`.
fn numbered(name: &str, number: u32) -> String {
    match name.rsplit_once('.') {
        _ if number == 1 => name.to_owned(),
        Some((stem, extension)) if !stem.is_empty() => format!("{stem}.{number}.{extension}"),
        Some(_) | None => format!("{name}.{number}"),
    }
}

impl Sink for DeadLetterFile {
    type In = DeadLetter;
    type Staged = KeptUpTo;
    type Writer = DeadLetterWriter;

    fn open(&self, place: &SinkPlace) -> Result<DeadLetterWriter, SinkError> {
        let parallelism = place.parallelism;
        let refuse = |path: &Path, why: &str| Err(SinkError::new(path.display().to_string(), why));
        if parallelism != 1 {
            return refuse(&self.wanted, "dead letters are written by one subtask: set the parallelism to 1");
        }
        if self.wanted.is_dir() {
            return refuse(&self.wanted, "is a directory, and has to be a file");
        }
        refuse_special(&self.wanted)?;
        let claim = self.claim(place)?;
        let path = claim.output();
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = Some(path.clone());
        let (file, committed) = (None, None);
        let run = place.run;
        Ok(DeadLetterWriter {
            path,
            run,
            claim,
            file,
            buffer: Vec::new(),
            begun: false,
            dirty: false,
            committed,
        })
    }
}

/// How far a file of dead letters belongs to a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Data)]
pub struct KeptUpTo {
    /// The file, from the root: another one of its name is none of ours.
    path: String,
    /// Its length.
    bytes: u64,
}

/// Writes [`DeadLetterFile`].
#[derive(Debug)]
pub struct DeadLetterWriter {
    path: PathBuf,
    run: Run,
    claim: Arc<Claim>,
    file: Option<File>,
    buffer: Vec<u8>,
    /// Whether the letters of an earlier job are gone, or to be kept.
    begun: bool,
    /// Whether anything was written that might not survive a power failure.
    dirty: bool,
    /// How far the file belongs to the newest checkpoint.
    committed: Option<KeptUpTo>,
}

impl DeadLetterWriter {
    /// Hands what was gathered to the operating system.
    fn drain(&mut self) -> Result<(), SinkError> {
        if !self.begun {
            self.begun = true;
            match fs::remove_file(&self.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(failure::at(&self.path)(error));
                }
                Ok(()) | Err(_) => {}
            }
        }
        // What cannot be written is not tried again: a part of it may be there.
        let lines = std::mem::take(&mut self.buffer);
        if lines.is_empty() {
            return Ok(());
        }
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                let open = OpenOptions::new().append(true).create(true).open(&self.path);
                self.file.insert(open.map_err(failure::at(&self.path))?)
            }
        };
        self.dirty = true;
        file.write_all(&lines).map_err(failure::at(&self.path))
    }

    /// The file from the root, where its path can be said in text.
    fn whole_path(&self) -> Option<String> {
        std::path::absolute(&self.path).ok()?.into_os_string().into_string().ok()
    }

    /// Takes back what came behind a checkpoint. A file that is shorter than it was there is somebody else's doing, and
    /// left alone.
    fn cut_off_behind(&self, bytes: u64) -> Result<(), SinkError> {
        let file = match OpenOptions::new().write(true).open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            opened => opened.map_err(failure::at(&self.path))?,
        };
        let length = file.metadata().map_err(failure::at(&self.path))?.len();
        if self.claim.is_taken_over() && length >= bytes {
            return self.keep_a_copy_of(bytes);
        }
        if length > bytes {
            file.set_len(bytes).and_then(|()| file.sync_all()).map_err(failure::at(&self.path))?;
        }
        Ok(())
    }

    /// Puts a copy of so many bytes in the place of the file: an older run, which stands still, has the file open and
    /// would go on adding to it.
    fn keep_a_copy_of(&self, bytes: u64) -> Result<(), SinkError> {
        let mut draft = self.path.clone().into_os_string();
        draft.push(format!(".run-{}", self.run));
        let copy = || {
            let mut to = File::create(&draft)?;
            io::copy(&mut File::open(&self.path)?.take(bytes), &mut to)?;
            to.sync_all()?;
            fs::rename(&draft, &self.path)
        };
        copy().map_err(failure::at(&self.path))
    }

    /// Makes what was written survive a power failure.
    fn sync(&mut self) -> Result<(), SinkError> {
        self.drain()?;
        if let Some(file) = self.file.as_ref().filter(|_| self.dirty) {
            file.sync_all().map_err(failure::at(&self.path))?;
            self.claim.sync()?;
            self.dirty = false;
        }
        Ok(())
    }
}

impl Writer for DeadLetterWriter {
    type In = DeadLetter;
    type Staged = KeptUpTo;

    fn resume(&mut self) -> Result<(), SinkError> {
        let path = self.whole_path();
        match self.committed.take() {
            Some(kept) => {
                self.begun = true;
                if Some(&kept.path) == path.as_ref() { self.cut_off_behind(kept.bytes) } else { Ok(()) }
            }
            // There were none yet: the file begins anew.
            None if path.is_some() => self.drain(),
            None => {
                self.begun = true;
                Ok(())
            }
        }
    }

    fn write(&mut self, letter: DeadLetter, _time: EventTime) -> Result<(), SinkError> {
        let error = |error| SinkError::new(self.path.display().to_string(), error);
        DeadLetterLines.encode(&letter, &mut self.buffer).map_err(error)?;
        if self.buffer.len() >= BUFFER_BYTES { self.drain() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        self.drain()
    }

    fn prepare(&mut self, _epoch: Epoch) -> Result<Option<KeptUpTo>, SinkError> {
        self.claim.demand_held()?;
        self.sync()?;
        let bytes = match fs::metadata(&self.path) {
            Ok(file) => file.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(failure::at(&self.path)(error)),
        };
        // A job without letters has nothing staged that would hold its plan to this sink.
        Ok(self.whole_path().filter(|_| bytes > 0).map(|path| KeptUpTo { path, bytes }))
    }

    /// Nothing is to be shown that is not there yet.
    fn commit(&mut self, staged: KeptUpTo) -> Result<(), SinkError> {
        self.committed = Some(staged);
        Ok(())
    }

    fn abort(&mut self, _staged: KeptUpTo) -> Result<(), SinkError> {
        Ok(())
    }
}

impl Drop for DeadLetterWriter {
    /// Writes what is left of a job that has failed.
    fn drop(&mut self) {
        if self.dirty || !self.buffer.is_empty() {
            // The job has ended, and nobody is there to hear of another failure.
            let _ = self.sync();
        }
    }
}

#[cfg(test)]
mod tests {
    use watershed_core::testing::SinkHarness;

    use super::*;

    fn letter(reason: &str) -> DeadLetter {
        DeadLetter::new("a.csv line 2", reason, b"x")
    }

    /// The reasons of the letters in a file.
    fn reasons(path: &Path) -> Vec<String> {
        let text = fs::read_to_string(path).unwrap_or_default();
        let reason = |line: &str| line.split('"').nth(11).unwrap_or_default().to_owned();
        text.lines().map(reason).collect()
    }

    #[test]
    fn letters_are_there_when_the_stream_pauses_and_when_the_job_fails() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("out/letters.jsonl");
        let mut harness = SinkHarness::new(DeadLetterFile::at(&path));
        harness.write(letter("one"), 0);
        harness.flush();
        assert_eq!(reasons(&path), ["one"]);
        harness.write(letter("two"), 0);
        drop(harness);
        assert_eq!(reasons(&path), ["one", "two"], "nothing was prepared: the job has failed");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no lock is left");
    }

    #[test]
    fn the_letters_of_an_earlier_job_go_when_the_next_begins_and_not_before() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("letters.jsonl");
        fs::write(&path, "yesterday's\n").unwrap();
        drop(SinkHarness::new(DeadLetterFile::at(&path)));
        assert!(path.exists(), "a job that is not started touches nothing");
        let mut harness = SinkHarness::new(DeadLetterFile::at(&path));
        harness.prepare();
        drop(harness);
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_job_that_goes_on_adds_to_its_letters() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("letters.jsonl");
        let mut harness = SinkHarness::new(DeadLetterFile::at(&path));
        harness.write(letter("one"), 0);
        let staged = harness.prepare();
        harness.crash();
        harness.commit(&staged);
        harness.resume();
        harness.write(letter("two"), 0);
        harness.prepare();
        assert_eq!(reasons(&path), ["one", "two"]);
    }

    #[test]
    fn letters_behind_the_checkpoint_that_a_job_goes_on_from_are_taken_back() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("letters.jsonl");
        let mut harness = SinkHarness::new(DeadLetterFile::at(&path));
        let nothing = harness.prepare();
        harness.write(letter("one"), 0);
        let staged = harness.prepare();
        harness.commit(&staged);
        harness.write(letter("two"), 0);
        harness.flush();
        for _ in 0..2 {
            harness.crash();
            harness.commit(&staged);
            assert_eq!(reasons(&path), ["one", "two"], "until it goes on they are there to be looked at");
            harness.resume();
            assert_eq!(reasons(&path), ["one"]);
            harness.write(letter("two"), 0);
            harness.flush();
        }
        harness.crash();
        harness.commit(&nothing);
        harness.resume();
        assert_eq!(reasons(&path), [] as [&str; 0]);
    }

    #[test]
    fn a_file_that_somebody_has_cut_or_that_lies_elsewhere_is_left_alone() {
        let place = tempfile::tempdir().unwrap();
        let (path, other) = (place.path().join("letters.jsonl"), place.path().join("other.jsonl"));
        let mut harness = SinkHarness::new(DeadLetterFile::at(&path));
        harness.write(letter("one"), 0);
        let staged = harness.prepare();
        drop(harness);
        fs::write(&other, "somebody's, and long enough to be cut where the letter ended; ".repeat(9))
            .unwrap();
        let before = fs::read(&other).unwrap();
        let mut harness = SinkHarness::new(DeadLetterFile::at(&other));
        harness.commit(&staged);
        harness.resume();
        drop(harness);
        assert_eq!(fs::read(&other).unwrap(), before);
        fs::write(&path, "short\n").unwrap();
        let mut harness = SinkHarness::new(DeadLetterFile::at(&path));
        harness.commit(&staged);
        harness.resume();
        drop(harness);
        assert_eq!(fs::read_to_string(&path).unwrap(), "short\n");
    }

    #[test]
    fn jobs_that_run_at_a_time_keep_their_letters_apart() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("letters.jsonl");
        let (first, second) = (DeadLetterFile::at(&path), DeadLetterFile::at(&path));
        let mut harnesses = [SinkHarness::new(first.clone()), SinkHarness::new(second.clone())];
        assert_eq!((first.path(), second.path()), (path.clone(), place.path().join("letters.2.jsonl")));
        harnesses[0].write(letter("one"), 0);
        harnesses[1].write(letter("two"), 0);
        drop(harnesses);
        assert_eq!(
            (reasons(&first.path()), reasons(&second.path())),
            (vec!["one".into()], vec!["two".into()])
        );
    }

    #[test]
    fn what_cannot_be_a_file_of_letters_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let refused = |path: &Path, parallelism| {
            SinkHarness::try_subtask(DeadLetterFile::at(path), 0, parallelism).err().unwrap().to_string()
        };
        assert!(refused(place.path(), 1).ends_with("is a directory, and has to be a file"));
        assert!(refused(&place.path().join("a"), 2).contains("one subtask"));
        assert!(refused(Path::new("/dev/null/letters.jsonl"), 1).starts_with("/dev/null: "));
        assert!(refused(Path::new("/dev/null"), 1).contains("a device"));
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
    }
}
