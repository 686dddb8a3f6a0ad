//! A disk that can be full: a file system in memory, mounted for this thread and all that it begins, and for nobody else.
//!
//! It is full when its size is what is in use: whoever writes a byte more is told ENOSPC by the kernel. What is mounted
//! is seen within the mount namespace that the thread has made for itself, and goes with the last who is in there, however
//! that ends: nothing of it is left in the machine's table.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::ChaosError;

/// How much room there is beyond what is in use.
const ROOM_BYTES: u64 = 1 << 30;

/// How often it is tried to make the size what is in use, which others may change meanwhile.
const FILL_TRIES: usize = 1000;

/// The least size: of 0, the kernel makes none at all.
const SIZE_BYTES_MIN: u64 = 4096;

/// A disk that can be full.
#[derive(Debug)]
pub(crate) struct Disk {
    at: PathBuf,
}

/// Why there can be none here; nothing where there can.
pub(crate) fn hindrance() -> Option<String> {
    let tried = std::thread::spawn(|| {
        let place = std::env::temp_dir();
        kernel::leave_mounts().and_then(|()| kernel::mount(&place, ROOM_BYTES))
    });
    let error = tried.join().expect("to try it does no harm").err()?;
    Some(format!("a file system cannot be mounted ({error}): run it as root"))
}

impl Disk {
    /// Mounts one on a directory, which is made.
    ///
    /// # Errors
    ///
    /// Where the rights are missing.
    pub(crate) fn mount(at: &Path) -> Result<Disk, ChaosError> {
        fs::create_dir(at).map_err(ChaosError::at(at))?;
        kernel::leave_mounts().and_then(|()| kernel::mount(at, ROOM_BYTES)).map_err(ChaosError::at(at))?;
        Ok(Disk { at: at.to_owned() })
    }

    /// Takes all room away.
    pub(crate) fn fill(&self) -> Result<(), ChaosError> {
        let mut tried = Ok(());
        for _ in 0..FILL_TRIES {
            tried = kernel::used_bytes(&self.at)
                .and_then(|used| kernel::resize(&self.at, used.max(SIZE_BYTES_MIN)));
            if tried.is_ok() {
                break;
            }
        }
        tried.map_err(ChaosError::at(&self.at))
    }

    /// Gives room again.
    pub(crate) fn make_room(&self) -> Result<(), ChaosError> {
        kernel::used_bytes(&self.at)
            .and_then(|used| kernel::resize(&self.at, used + ROOM_BYTES))
            .map_err(ChaosError::at(&self.at))
    }
}

/// Copies a directory with all that is in it to a place where there is nothing.
pub(crate) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let mut folders = vec![(from.to_owned(), to.to_owned())];
    while let Some((from, to)) = folders.pop() {
        fs::create_dir(&to)?;
        for entry in fs::read_dir(&from)? {
            let entry = entry?;
            let place = to.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                folders.push((entry.path(), place));
            } else {
                fs::copy(entry.path(), place)?;
            }
        }
    }
    Ok(())
}

/// What the kernel is asked for.
#[cfg(target_os = "linux")]
mod kernel {
    use std::io;
    use std::path::Path;

    use nix::mount::MsFlags;
    use nix::sched::{CloneFlags, unshare};
    use nix::sys::statvfs::statvfs;

    const NOTHING: Option<&str> = None;

    /// Has this thread see mounts of its own, which nobody else does.
    pub(super) fn leave_mounts() -> io::Result<()> {
        unshare(CloneFlags::CLONE_NEWNS)?;
        Ok(nix::mount::mount(NOTHING, "/", NOTHING, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NOTHING)?)
    }

    pub(super) fn mount(at: &Path, bytes: u64) -> io::Result<()> {
        let size = format!("size={bytes}");
        let (name, flags) = (Some("watershed-chaos"), MsFlags::empty());
        Ok(nix::mount::mount(name, at, Some("tmpfs"), flags, Some(size.as_str()))?)
    }

    pub(super) fn resize(at: &Path, bytes: u64) -> io::Result<()> {
        let size = format!("size={bytes}");
        Ok(nix::mount::mount(NOTHING, at, NOTHING, MsFlags::MS_REMOUNT, Some(size.as_str()))?)
    }

    pub(super) fn used_bytes(at: &Path) -> io::Result<u64> {
        let room = statvfs(at)?;
        Ok((room.blocks() - room.blocks_free()) * room.fragment_size())
    }
}

/// What other kernels cannot do.
#[cfg(not(target_os = "linux"))]
mod kernel {
    use std::io;
    use std::path::Path;

    pub(super) fn leave_mounts() -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn mount(_: &Path, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn resize(_: &Path, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn used_bytes(_: &Path) -> io::Result<u64> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_is_full_takes_nothing_until_there_is_room_and_keeps_what_it_has() {
        if let Some(hindrance) = hindrance() {
            return println!("skipped: {hindrance}");
        }
        let place = tempfile::tempdir().expect("a directory can be made");
        let path = place.path().join("disk");
        let mounted = path.clone();
        std::thread::spawn(move || {
            let disk = Disk::mount(&mounted).expect("it was possible before");
            let write = |name: &str| fs::write(mounted.join(name), "more than nothing");
            write("a").expect("there is room");
            disk.fill().expect("it can be filled");
            let refused = write("b").expect_err("it is full");
            assert_eq!(refused.kind(), io::ErrorKind::StorageFull);
            disk.make_room().expect("room can be made");
            write("b").expect("there is room again");
            assert_eq!(fs::read(mounted.join("a")).ok().as_deref(), Some(&b"more than nothing"[..]));
            copy(&mounted, &mounted.with_extension("kept")).expect("it can be copied");
        })
        .join()
        .expect("nothing failed");
        assert!(!path.join("a").exists(), "nobody else has seen the disk");
        assert!(path.with_extension("kept").join("b").exists());
    }
}
