//! The right to write an output: two jobs that wrote the same file would undo each other.
//!
//! ```text
//! DIR/.inprogress/hourly.csv-00001.lock   held by the writer of subtask 1, locked, for as long as it lives
//! ```
//!
//! The lock is the operating system's, on an open file: it ends with the process, however that ends, so that what
//! a killed job has left locks nobody out. Jobs that write different files of one directory do not see each other.
//!
//! SUBTLE: a lock file is removed by whoever lets it go, and somebody else may have opened it just before, and lock
//! what no path leads to any more. So a lock counts only where the path still leads to the locked file. And
//! the folder is removed by whoever leaves it empty, under the feet of those who are about to enter: they make
//! it anew. Once a lock lies in it, it cannot be removed, and drafts can be created there without a second look.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use watershed_core::SinkError;

use crate::sink::failure;

/// The folder of drafts and locks within a directory of outputs.
pub(super) const IN_PROGRESS: &str = ".inprogress";
/// How the name of a lock ends.
const LOCK: &str = ".lock";

/// How often a folder or lock is made anew that others have just removed.
const TRIES: u32 = 1000;
/// How often a claim that somebody else has is looked at again: a job that is about to end lets it go, and one that
/// sweeps the folder has it for a moment.
const LOOKS: u32 = 5;
/// How long it is waited before each of these looks.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// The claims of a sink's subtasks in this process, shared by the clones of the sink: those are of one job, and its
/// subtasks do not lock each other out when one of them is opened again.
#[derive(Clone, Debug, Default)]
pub(super) struct Claims(Arc<Mutex<BTreeMap<(String, u32), Weak<Claim>>>>);

/// The right of one subtask to write an output. The directories that were made for it are removed with it, where
/// they are still empty.
#[derive(Debug)]
pub(super) struct Claim {
    directory: PathBuf,
    name: String,
    lock: PathBuf,
    /// Keeps the lock, for as long as it is open.
    _file: File,
    made: Made,
}

impl Claims {
    /// Claims the output `name` in a directory for a subtask. None where another job has it.
    pub(super) fn take(
        &self,
        directory: &Path,
        name: &str,
        subtask: u32,
    ) -> Result<Option<Arc<Claim>>, SinkError> {
        let mut claims = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(claim) = claims.get(&(name.to_owned(), subtask)).and_then(Weak::upgrade) {
            return Ok(Some(claim));
        }
        let claim = Claim::take(directory, name, subtask).map_err(failure::at(directory))?.map(Arc::new);
        if let Some(claim) = &claim {
            claims.insert((name.to_owned(), subtask), Arc::downgrade(claim));
        }
        Ok(claim)
    }

    /// As [`Claims::take`]; an error that says what to do where another job has it.
    pub(super) fn demand(&self, directory: &Path, name: &str, subtask: u32) -> Result<Arc<Claim>, SinkError> {
        self.take(directory, name, subtask)?.ok_or_else(|| {
            let why = format!(
                "another job that is running, or another sink of this one, writes {name} in this directory: wait for \
                 its end, or choose another directory"
            );
            SinkError::new(directory.display().to_string(), why)
        })
    }
}

impl Claim {
    fn take(directory: &Path, name: &str, subtask: u32) -> io::Result<Option<Claim>> {
        let folder = directory.join(IN_PROGRESS);
        let lock = folder.join(format!("{name}-{subtask:05}{LOCK}"));
        let mut made = Made::default();
        let (mut tries, mut looks) = (0, 0);
        loop {
            made.note(&folder);
            let file = fs::create_dir_all(&folder)
                .and_then(|()| File::options().write(true).create(true).truncate(false).open(&lock));
            let locked = file.and_then(|file| match file.try_lock() {
                Ok(()) if leads_to(&lock, &file)? => Ok(Some(file)),
                Ok(()) => Err(io::ErrorKind::NotFound.into()),
                Err(TryLockError::WouldBlock) => Ok(None),
                Err(TryLockError::Error(error)) => Err(error),
            });
            match locked {
                Ok(Some(file)) => {
                    let (directory, name) = (directory.to_owned(), name.to_owned());
                    return Ok(Some(Claim { directory, name, lock, _file: file, made }));
                }
                Ok(None) if looks < LOOKS => {
                    looks += 1;
                    thread::sleep(LOOK_EVERY);
                }
                Ok(None) => return Ok(None),
                // Somebody has removed what was just made, or was just found there.
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists)
                        && tries < TRIES =>
                {
                    tries += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The path of the output.
    pub(super) fn output(&self) -> PathBuf {
        self.directory.join(&self.name)
    }

    /// Makes the names of the directories durable that were made for it.
    pub(super) fn sync(&self) -> Result<(), SinkError> {
        let above = self.made.0.iter().filter_map(|made| made.parent());
        for directory in above.filter(|above| !above.as_os_str().is_empty()) {
            File::open(directory).and_then(|open| open.sync_all()).map_err(failure::at(directory))?;
        }
        Ok(())
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // What cannot be removed is taken over by the next job in the same place.
        let _ = fs::remove_file(&self.lock);
        let folder = self.directory.join(IN_PROGRESS);
        if fs::remove_dir(&folder).is_err() {
            sweep(&folder);
            let _ = fs::remove_dir(&folder);
        }
    }
}

/// Removes the locks that nobody holds: those of jobs that were killed.
fn sweep(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    for lock in entries.filter(|path| path.as_os_str().as_encoded_bytes().ends_with(LOCK.as_bytes())) {
        let Ok(file) = File::options().write(true).open(&lock) else { continue };
        if file.try_lock().is_ok() && leads_to(&lock, &file).unwrap_or(false) {
            // Somebody may be about to take it, and makes it anew.
            let _ = fs::remove_file(&lock);
        }
    }
}

/// The directories that claims of this process have made, and how many claims lie below each: the sinks of a job
/// often share one, and whichever leaves last removes it.
static MADE: Mutex<BTreeMap<PathBuf, usize>> = Mutex::new(BTreeMap::new());

/// The directories above a claim that were not there before, the innermost first. They are removed with it where
/// they are empty then.
#[derive(Debug, Default)]
struct Made(Vec<PathBuf>);

impl Made {
    /// Takes note of what is about to be made.
    fn note(&mut self, folder: &Path) {
        let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
        for directory in folder.ancestors().filter(|directory| !directory.as_os_str().is_empty()) {
            let is_new = made.contains_key(directory) || !directory.exists();
            if is_new && self.0.iter().all(|known| known != directory) {
                *made.entry(directory.to_owned()).or_default() += 1;
                self.0.push(directory.to_owned());
            }
        }
        self.0.sort_by_key(|directory| std::cmp::Reverse(directory.components().count()));
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
        for directory in &self.0 {
            // Somebody else may have put something there, or have removed it already.
            let _ = fs::remove_dir(directory);
            if let Some(claims) = made.get_mut(directory) {
                *claims -= 1;
                if *claims == 0 {
                    made.remove(directory);
                }
            }
        }
    }
}

/// Whether a path leads to an open file.
#[cfg(unix)]
fn leads_to(path: &Path, file: &File) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let (there, here) = (fs::metadata(path)?, file.metadata()?);
    Ok((there.dev(), there.ino()) == (here.dev(), here.ino()))
}

/// Whether a path leads to an open file: where open files cannot be removed, it does.
#[cfg(not(unix))]
fn leads_to(path: &Path, _file: &File) -> io::Result<bool> {
    fs::metadata(path).map(|_| true)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn an_output_has_one_job_at_a_time_and_another_output_another_job() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("a/b");
        let (first, second) = (Claims::default(), Claims::default());
        let claim = first.demand(&directory, "hourly.csv", 0).unwrap();
        let refused = second.demand(&directory, "hourly.csv", 0).unwrap_err().to_string();
        let why = "another job that is running, or another sink of this one, writes hourly.csv in this directory: \
                   wait for its end, or choose another directory";
        assert_eq!(refused, format!("{}: {why}", directory.display()));
        let beside = second.demand(&directory, "daily.csv", 0).unwrap();
        let again = first.clone().demand(&directory, "hourly.csv", 0).unwrap();
        drop(claim);
        assert!(second.take(&directory, "hourly.csv", 0).unwrap().is_none(), "a clone still writes");
        drop((again, beside));
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0, "what was made is removed");
        second.demand(&directory, "hourly.csv", 0).unwrap();
    }

    #[test]
    fn directories_that_were_there_or_are_needed_stay() {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir(place.path().join("mine")).unwrap();
        drop(Claims::default().demand(&place.path().join("mine"), "a", 0).unwrap());
        let claim = Claims::default().demand(&place.path().join("made"), "a", 0).unwrap();
        fs::write(place.path().join("made/a"), "").unwrap();
        drop(claim);
        let mut left: Vec<_> = fs::read_dir(place.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["made", "mine"]);
        assert_eq!(fs::read_dir(place.path().join("made")).unwrap().count(), 1);
    }

    #[test]
    fn what_a_killed_job_has_left_locks_nobody_out_and_is_swept() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join(IN_PROGRESS);
        fs::create_dir(&folder).unwrap();
        for name in ["a-00000.lock", "a-00001.lock"] {
            fs::write(folder.join(name), "").unwrap();
        }
        drop(Claims::default().demand(place.path(), "a", 0).unwrap());
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
    }

    #[test]
    fn jobs_that_come_and_go_do_not_stumble_over_each_other() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("out");
        let (held, refused) = (AtomicU32::new(0), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for job in 0..4_u32 {
                let (directory, held, refused) = (&directory, &held, &refused);
                scope.spawn(move || {
                    for _ in 0..500 {
                        let own = Claims::default().demand(directory, &format!("own-{job}"), 0);
                        own.expect("nobody else writes this");
                        match Claims::default().take(directory, "shared", 0).expect("the place is there") {
                            None => drop(refused.fetch_add(1, Ordering::SeqCst)),
                            Some(claim) => {
                                assert_eq!(held.fetch_add(1, Ordering::SeqCst), 0, "two have the same claim");
                                std::thread::yield_now();
                                held.fetch_sub(1, Ordering::SeqCst);
                                drop(claim);
                            }
                        }
                    }
                });
            }
        });
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
    }
}
