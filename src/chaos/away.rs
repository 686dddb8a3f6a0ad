//! A directory that is away: it can be neither written nor read, by whoever opens it and by whoever has it open.
//!
//! Unlike a mode that forbids it, that holds for whoever may do anything. Of the directory and of every folder two levels
//! below, a file takes the place:
//!
//! ```text
//!   checkpoints/                        checkpoints             a file
//!   └── chaos-1-1/                      checkpoints.away/
//!       └── ck/  ..              ──►    └── chaos-1-1/          a job has this one open, and finds
//!                                           ├── ck              a file in it
//!                                           └── ck.away/  ..
//! ```
//!
//! A file and a folder change places in one step where the kernel can do that, so that no writer can make a new folder in
//! between.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What is added to the name of what is away.
const AWAY: &str = "away";

/// Sends a directory away.
pub(crate) fn send_away(directory: &Path) -> io::Result<()> {
    change_places(directory)?;
    for folder in folders_of_jobs(&elsewhere(directory))? {
        if folder.extension().is_none_or(|extension| extension != AWAY) {
            change_places(&folder)?;
        }
    }
    Ok(())
}

/// Brings it back with all that is in it.
pub(crate) fn bring_back(directory: &Path) -> io::Result<()> {
    for folder in folders_of_jobs(&elsewhere(directory))? {
        if folder.extension().is_some_and(|extension| extension == AWAY) {
            change_back(&folder.with_extension(""))?;
        }
    }
    change_back(directory)
}

/// Where a directory is while it is away.
fn elsewhere(directory: &Path) -> PathBuf {
    directory.with_extension(AWAY)
}

/// The folders two levels below.
fn folders_of_jobs(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for job in folders(directory)? {
        found.extend(folders(&job)?);
    }
    Ok(found)
}

fn folders(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.push(entry.path());
        }
    }
    Ok(found)
}

fn change_places(folder: &Path) -> io::Result<()> {
    let elsewhere = elsewhere(folder);
    fs::write(&elsewhere, "")?;
    exchange(folder, &elsewhere)
}

fn change_back(folder: &Path) -> io::Result<()> {
    let elsewhere = elsewhere(folder);
    exchange(folder, &elsewhere)?;
    fs::remove_file(elsewhere)
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};

    Ok(renameat2(AT_FDCWD, one, AT_FDCWD, other, RenameFlags::RENAME_EXCHANGE)?)
}

/// In three steps, where one is not to be had.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    let aside = other.with_extension("aside");
    fs::rename(one, &aside)?;
    fs::rename(other, one)?;
    fs::rename(&aside, other)
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use nix::fcntl::{OFlag, openat};
    use nix::sys::stat::Mode;

    use super::*;

    #[test]
    fn a_directory_that_is_away_takes_nothing_and_comes_back_whole() {
        let place = tempfile::tempdir().expect("a directory can be made");
        let directory = place.path().join("checkpoints");
        let job = directory.join("chaos-1-1");
        fs::create_dir_all(job.join("ck/0")).expect("it can be made");
        fs::write(job.join("ck/0/a"), "1").expect("it can be written");
        // As a job has it, which goes on from there and not from the root.
        let open = File::open(&job).expect("it is there");
        let enter = || {
            let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
            openat(&open, "ck", flags, Mode::empty()).is_ok()
        };
        assert!(enter());
        for _ in 0..2 {
            send_away(&directory).expect("it goes");
            assert!(fs::write(directory.join("b"), "2").is_err() && fs::read(job.join("ck/0/a")).is_err());
            assert!(fs::create_dir_all(directory.join("c")).is_err(), "nobody can begin anew");
            assert!(!enter(), "who has it open can do nothing with it either");
            bring_back(&directory).expect("it comes back");
            assert_eq!(fs::read(job.join("ck/0/a")).ok().as_deref(), Some(&b"1"[..]));
            assert!(enter());
        }
        let left = fs::read_dir(&job).expect("it is there").count();
        assert_eq!(
            (left, fs::read_dir(place.path()).expect("it is there").count()),
            (1, 1),
            "nothing is left"
        );
    }
}
