//! The right to write an output: two jobs that wrote the same file would undo each other.
//!
//! ```text
//! DIR/.inprogress/hourly.csv-00001.lock   held by the writer of subtask 1, locked, for as long as it lives: "RUN JOB"
//! ```
//!
//! The lock is the operating system's, on an open file: it ends with the process, however that ends, so that what
//! a killed job has left locks nobody out. Jobs that write different files of one directory do not see each other.
//!
//! A process that stands still, or is cut off from its cluster, keeps its locks, and the job has to go on without it. So
//! the file says which run of which job holds it, and a newer run of the same job puts a file of its own in the place
//! of the locked one. An older run finds out when it looks at its claim, at the latest when it prepares; what it writes
//! before are drafts that nobody will commit, and what it commits has been decided, and is the same whoever does it.
//!
//! SUBTLE: a lock file is removed by whoever lets it go, and somebody else may have opened it just before, and lock
//! what no path leads to any more. So a lock counts only where the path still leads to the locked file. And
//! the folder is removed by whoever leaves it empty, under the feet of those who are about to enter: they make
//! it anew. Once a lock lies in it, it cannot be removed, and drafts can be created there without a second look.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use watershed_core::{JobId, Run, SinkError, SinkPlace};

use crate::sink::failure;

/// The folder of drafts and locks within a directory of outputs.
pub(super) const IN_PROGRESS: &str = ".inprogress";
/// How the name of a lock ends.
const LOCK: &str = ".lock";

/// How often a folder or lock is made anew that others have just removed.
const TRIES: u32 = 1000;
/// How often a claim that somebody else has is looked at again: a job that is about to end lets it go.
const LOOKS: u32 = 5;
/// How often where nobody has said yet that it is theirs: whoever sweeps the folder has it for a moment, which may be
/// long where the machine has much to do, and has to let it go.
const LOOKS_AT_NOBODYS: u32 = 300;
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
    file: File,
    holder: Holder,
    /// Whether an older run may still be there, standing still.
    taken_over: bool,
    made: Made,
}

/// Who has a claim, as its lock file says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Holder {
    job: JobId,
    run: Run,
}

/// How much of a lock file is read.
const HOLDER_BYTES_MAX: u64 = 4096;

impl Claims {
    /// Claims the output `name` in a directory for a subtask. None where another job has it.
    pub(super) fn take(
        &self,
        directory: &Path,
        name: &str,
        place: &SinkPlace,
    ) -> Result<Option<Arc<Claim>>, SinkError> {
        let subtask = place.subtask.index;
        let holder = Holder { job: place.job_id.clone(), run: place.run };
        let mut claims = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = claims.get(&(name.to_owned(), subtask)).and_then(Weak::upgrade);
        if let Some(claim) = known.filter(|claim| claim.holder == holder && claim.is_held()) {
            return Ok(Some(claim));
        }
        let claim =
            Claim::take(directory, name, subtask, holder).map_err(failure::at(directory))?.map(Arc::new);
        if let Some(claim) = &claim {
            claims.insert((name.to_owned(), subtask), Arc::downgrade(claim));
        }
        Ok(claim)
    }

    /// As [`Claims::take`]; an error that says what to do where another job has it.
    pub(super) fn demand(
        &self,
        directory: &Path,
        name: &str,
        place: &SinkPlace,
    ) -> Result<Arc<Claim>, SinkError> {
        self.take(directory, name, place)?.ok_or_else(|| {
            let why = format!(
                "another job that is running, or another sink of this one, writes {name} in this directory: wait for \
                 its end, or choose another directory"
            );
            SinkError::new(directory.display().to_string(), why)
        })
    }
}

impl Claim {
    fn take(directory: &Path, name: &str, subtask: u32, holder: Holder) -> io::Result<Option<Claim>> {
        let folder = directory.join(IN_PROGRESS);
        let lock = folder.join(format!("{name}-{subtask:05}{LOCK}"));
        let mut made = Made::default();
        let (mut tries, mut looks) = (0, 0);
        let mut taken_over = false;
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
                    holder.write(&file)?;
                    let (directory, name) = (directory.to_owned(), name.to_owned());
                    return Ok(Some(Claim { directory, name, lock, file, holder, taken_over, made }));
                }
                Ok(None) if looks < LOOKS || (looks < LOOKS_AT_NOBODYS && is_empty(&lock)) => {
                    looks += 1;
                    thread::sleep(LOOK_EVERY);
                }
                Ok(None) if tries < TRIES && holder.overtakes(&Holder::read(&lock)) => {
                    tries += 1;
                    taken_over = true;
                    // SUBTLE: where two runs do this at a time, the older one may remove what the newer one has just
                    // put there. It is overtaken in its turn: its own claim fails with the job's next run.
                    match fs::remove_file(&lock) {
                        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                        Ok(()) | Err(_) => {}
                    }
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

    /// Whether an older run of the job may still be there, and write.
    pub(super) fn is_taken_over(&self) -> bool {
        self.taken_over
    }

    /// Demands that no newer run has taken the place of this one.
    pub(super) fn demand_held(&self) -> Result<(), SinkError> {
        if self.is_held() {
            return Ok(());
        }
        let why = "a newer run of this job writes it: this one was given up";
        Err(SinkError::new(self.output().display().to_string(), why))
    }

    fn is_held(&self) -> bool {
        leads_to(&self.lock, &self.file).unwrap_or(false)
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
        if self.is_held() {
            // What cannot be removed is taken over by the next job in the same place.
            let _ = fs::remove_file(&self.lock);
        }
        let folder = self.directory.join(IN_PROGRESS);
        if fs::remove_dir(&folder).is_err() {
            sweep(&folder);
            let _ = fs::remove_dir(&folder);
        }
    }
}

impl Holder {
    fn write(&self, mut file: &File) -> io::Result<()> {
        file.set_len(0)?;
        write!(file, "{self}")
    }

    /// What a lock file says; None where it says nothing yet, or nothing that we would say.
    fn read(lock: &Path) -> Option<Holder> {
        let mut text = String::new();
        File::open(lock).ok()?.take(HOLDER_BYTES_MAX).read_to_string(&mut text).ok()?;
        let (run, job) = text.strip_suffix('\n')?.split_once(' ')?;
        Some(Holder { job: JobId(job.to_owned()), run: Run(run.parse().ok()?) })
    }

    /// Whether the place of another holder is for this one to take.
    fn overtakes(&self, other: &Option<Holder>) -> bool {
        other.as_ref().is_some_and(|other| other.job == self.job && other.run < self.run)
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {}", self.run, self.job)
    }
}

/// Whether a lock file says nothing yet: it has just been made.
fn is_empty(lock: &Path) -> bool {
    fs::metadata(lock).is_ok_and(|found| found.len() == 0)
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

    fn first_run() -> SinkPlace {
        SinkPlace::alone("files")
    }

    #[test]
    fn an_output_has_one_job_at_a_time_and_another_output_another_job() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("a/b");
        let (first, second) = (Claims::default(), Claims::default());
        let claim = first.demand(&directory, "hourly.csv", &first_run()).unwrap();
        let refused = second.demand(&directory, "hourly.csv", &first_run()).unwrap_err().to_string();
        let why = "another job that is running, or another sink of this one, writes hourly.csv in this directory: \
                   wait for its end, or choose another directory";
        assert_eq!(refused, format!("{}: {why}", directory.display()));
        let beside = second.demand(&directory, "daily.csv", &first_run()).unwrap();
        let again = first.clone().demand(&directory, "hourly.csv", &first_run()).unwrap();
        drop(claim);
        assert!(
            second.take(&directory, "hourly.csv", &first_run()).unwrap().is_none(),
            "a clone still writes"
        );
        drop((again, beside));
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0, "what was made is removed");
        second.demand(&directory, "hourly.csv", &first_run()).unwrap();
    }

    #[test]
    fn directories_that_were_there_or_are_needed_stay() {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir(place.path().join("mine")).unwrap();
        drop(Claims::default().demand(&place.path().join("mine"), "a", &first_run()).unwrap());
        let claim = Claims::default().demand(&place.path().join("made"), "a", &first_run()).unwrap();
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
        drop(Claims::default().demand(place.path(), "a", &first_run()).unwrap());
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
                        let own = Claims::default().demand(directory, &format!("own-{job}"), &first_run());
                        own.expect("nobody else writes this");
                        match Claims::default()
                            .take(directory, "shared", &first_run())
                            .expect("the place is there")
                        {
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

    #[test]
    fn a_newer_run_of_the_same_job_takes_the_place_of_one_that_stands_still() {
        let place = tempfile::tempdir().unwrap();
        let take = |place_of: &SinkPlace| Claims::default().take(place.path(), "a", place_of).unwrap();
        let still = take(&first_run()).expect("nobody has it");
        assert!(take(&first_run()).is_none(), "the same run");
        let other = SinkPlace { job_id: JobId("other".to_owned()), ..first_run().in_run(2) };
        assert!(take(&other).is_none(), "another job");
        let newer = take(&first_run().in_run(2)).expect("it is the same job's");
        assert!(newer.is_taken_over() && !still.is_taken_over());
        newer.demand_held().unwrap();
        let lost = still.demand_held().unwrap_err().to_string();
        assert!(lost.ends_with("a newer run of this job writes it: this one was given up"), "{lost}");
        assert!(take(&first_run()).is_none(), "an older run comes back");
        drop(still);
        newer.demand_held().expect("what is left of the older run takes nothing away");
        drop(newer);
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_claim_that_was_lost_is_not_found_again_by_a_clone() {
        let place = tempfile::tempdir().unwrap();
        let claims = Claims::default();
        let old = claims.demand(place.path(), "a", &first_run()).unwrap();
        let elsewhere = Claims::default().demand(place.path(), "a", &first_run().in_run(2)).unwrap();
        let again = claims.demand(place.path(), "a", &first_run().in_run(3)).unwrap();
        again.demand_held().unwrap();
        assert!(old.demand_held().is_err() && elsewhere.demand_held().is_err());
    }

    #[test]
    fn a_lock_that_says_nothing_we_know_is_nobodys_to_take() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join(IN_PROGRESS);
        fs::create_dir(&folder).unwrap();
        let held = File::create(folder.join("a-00000.lock")).unwrap();
        held.try_lock().unwrap();
        for text in ["", "1", "1 test", "x test\n", "4294967296 test\n"] {
            held.set_len(0).unwrap();
            fs::write(folder.join("a-00000.lock"), text).unwrap();
            assert!(Claims::default().take(place.path(), "a", &first_run().in_run(9)).unwrap().is_none());
        }
    }
}
