//! An open folder, in which nothing is reached through symbolic links.
//!
//! Every step is relative to the handle of the folder before it (`openat` and its kin) and refuses links, so
//! that a link planted inside the store leads nowhere and a folder renamed meanwhile cannot redirect a write.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, renameat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstatat, mkdirat};
use nix::unistd::{UnlinkatFlags, linkat, unlinkat};

use crate::{StoreError, SyncFailure};

/// What the name of a file holds while it is not complete. No object may have it in its name.
pub const PARTIAL: &str = ".partial-";

/// Numbers the incomplete files of this process.
static PARTIALS: AtomicU64 = AtomicU64::new(0);

/// An open folder.
#[derive(Debug)]
pub struct Folder {
    handle: File,
    path: PathBuf,
    sync: fn(&File) -> io::Result<()>,
}

/// What became of a file that was to be written under a new name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is there now, durably.
    New,
    /// The name was taken; nothing was changed.
    Taken,
}

/// Something in a folder.
#[derive(Debug)]
pub struct Entry {
    /// What it is called.
    pub name: String,
    /// What it is.
    pub kind: EntryKind,
}

/// What it is.
#[derive(Debug)]
pub enum EntryKind {
    /// A file.
    File {
        /// How long it is.
        bytes: u64,
        /// When it was written last.
        modified: SystemTime,
    },
    /// A folder.
    Folder,
    /// A symbolic link, a socket, a name that is no text: nothing of ours.
    Other,
}

impl Folder {
    /// Opens a folder that the user named, through links where there are any: the way there is the user's.
    pub fn open(path: &Path) -> Result<Folder, StoreError> {
        Folder::open_with(path, File::sync_all)
    }

    /// Opens a folder that the user named, and makes it first, durably, where it is not there.
    pub fn open_or_make(path: &Path) -> Result<Folder, StoreError> {
        let failed = |source| StoreError::io("make the directory", path.display().to_string(), source);
        let missing: Vec<&Path> = path.ancestors().take_while(|folder| !folder.exists()).collect();
        std::fs::create_dir_all(path).map_err(failed)?;
        for folder in missing {
            // A relative path ends in the empty one, which is the current directory.
            let above = folder.parent().filter(|above| !above.as_os_str().is_empty());
            Folder::open(above.unwrap_or(Path::new(".")))?.sync()?;
        }
        Folder::open(path)
    }

    /// As [`open`](Folder::open), with another way to sync.
    pub fn open_with(path: &Path, sync: fn(&File) -> io::Result<()>) -> Result<Folder, StoreError> {
        let failed = |source| StoreError::io("open", path.display().to_string(), source);
        let handle = File::open(path).map_err(failed)?;
        if !handle.metadata().map_err(failed)?.is_dir() {
            return Err(failed(io::ErrorKind::NotADirectory.into()));
        }
        Ok(Folder { handle, path: path.to_owned(), sync })
    }

    /// A handle of its own to the same folder.
    pub fn again(&self) -> Result<Folder, StoreError> {
        let failed = |source| StoreError::io("open", self.path.display().to_string(), source);
        Ok(Folder {
            handle: self.handle.try_clone().map_err(failed)?,
            path: self.path.clone(),
            sync: self.sync,
        })
    }

    /// Where it is, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder of this name inside; `None` where there is none.
    pub fn enter(&self, name: &str) -> Result<Option<Folder>, StoreError> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        match openat(&self.handle, name, flags, Mode::empty()) {
            Ok(fd) => Ok(Some(Folder { handle: fd.into(), path: self.path.join(name), sync: self.sync })),
            Err(Errno::ENOENT) => Ok(None),
            Err(errno) => Err(self.failed("open the folder", name, errno)),
        }
    }

    /// Makes the folder of this name inside where there is none. Not durable before [`sync`](Folder::sync).
    pub fn make(&self, name: &str) -> Result<(), StoreError> {
        match mkdirat(&self.handle, name, Mode::from_bits_truncate(0o777)) {
            Ok(()) | Err(Errno::EEXIST) => Ok(()),
            Err(errno) => Err(self.failed("make the folder", name, errno)),
        }
    }

    /// Reads a file of at most `bytes_max` bytes; `None` where there is none.
    pub fn read(&self, name: &str, bytes_max: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(file) = self.open_file(name, OFlag::O_RDONLY)? else { return Ok(None) };
        let failed = |source| StoreError::io("read", self.name(name), source);
        let bytes = file.metadata().map_err(failed)?.len();
        if bytes > bytes_max {
            let what = format!("the length of {}", self.name(name));
            return Err(StoreError::TooLarge { what, found: bytes, max: bytes_max });
        }
        let mut content = Vec::with_capacity(bytes as usize);
        // One byte more than was announced shows a file that grows.
        file.take(bytes + 1).read_to_end(&mut content).map_err(failed)?;
        Ok(Some(content))
    }

    /// Opens a regular file that exists; `None` where there is none.
    pub fn open_file(&self, name: &str, access: OFlag) -> Result<Option<File>, StoreError> {
        // Without O_NONBLOCK, a pipe planted under the name would hold the reader for ever.
        let flags = access | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let file: File = match openat(&self.handle, name, flags, Mode::empty()) {
            Ok(fd) => fd.into(),
            Err(Errno::ENOENT) => return Ok(None),
            Err(errno) => return Err(self.failed("open", name, errno)),
        };
        let failed = |source| StoreError::io("open", self.name(name), source);
        if !file.metadata().map_err(failed)?.is_file() {
            return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file")));
        }
        Ok(Some(file))
    }

    /// Opens a file for reading and writing, made empty where there is none.
    pub fn open_or_make_file(&self, name: &str) -> Result<File, StoreError> {
        let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let fd = openat(&self.handle, name, flags, Mode::from_bits_truncate(0o666));
        fd.map(File::from).map_err(|errno| self.failed("open", name, errno))
    }

    /// Writes a file under a new name, durably and all at once. Where the name is taken, nothing changes.
    pub fn write_new(&self, name: &str, bytes: &[u8]) -> Result<Written, StoreError> {
        self.write(name, bytes, |partial| {
            match linkat(&self.handle, partial, &self.handle, name, AtFlags::empty()) {
                Ok(()) => Ok(Written::New),
                Err(Errno::EEXIST) => Ok(Written::Taken),
                // A file system without hard links: the check is not atomic there, but two writers of one
                // name write the same bytes, since the name holds their hash.
                Err(Errno::EPERM | Errno::EOPNOTSUPP) if self.stat(name)?.is_some() => Ok(Written::Taken),
                Err(Errno::EPERM | Errno::EOPNOTSUPP) => self.rename(partial, name).map(|()| Written::New),
                Err(errno) => Err(self.failed("name", name, errno)),
            }
        })
    }

    /// Writes a file, durably and all at once, in the place of the one that has the name, if any.
    pub fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.write(name, bytes, |partial| self.rename(partial, name).map(|()| Written::New)).map(drop)
    }

    fn write(
        &self,
        name: &str,
        bytes: &[u8],
        publish: impl FnOnce(&str) -> Result<Written, StoreError>,
    ) -> Result<Written, StoreError> {
        let (partial, file) = self.make_partial(name)?;
        let outcome = self.write_partial(file, name, bytes).and_then(|()| publish(&partial));
        // After a rename there is nothing to remove, and what cannot be removed is swept later.
        let _ = unlinkat(&self.handle, partial.as_str(), UnlinkatFlags::NoRemoveDir);
        // Where the name was taken, its first writer may not have come to this.
        let written = outcome?;
        self.sync()?;
        Ok(written)
    }

    /// Makes an empty file that nobody else writes to. The number of the process alone is no such name: every
    /// container counts its own, and they may share the folder.
    fn make_partial(&self, name: &str) -> Result<(String, File), StoreError> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        loop {
            let number = PARTIALS.fetch_add(1, Ordering::Relaxed);
            let partial = format!("{PARTIAL}{}-{number}", std::process::id());
            match openat(&self.handle, partial.as_str(), flags, Mode::from_bits_truncate(0o666)) {
                Ok(fd) => return Ok((partial, fd.into())),
                Err(Errno::EEXIST) => {}
                Err(errno) => return Err(self.failed("write", name, errno)),
            }
        }
    }

    fn write_partial(&self, mut file: File, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        file.write_all(bytes).map_err(|source| StoreError::io("write", self.name(name), source))?;
        (self.sync)(&file).map_err(|source| match source.kind() {
            // A file system that finds its room only now. The file is thrown away, and never synced again.
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                StoreError::io("write", self.name(name), source)
            }
            _ => SyncFailure { path: self.name(name), source }.into(),
        })
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), StoreError> {
        renameat(&self.handle, from, &self.handle, to).map_err(|errno| self.failed("name", to, errno))
    }

    /// Makes the names in this folder durable.
    pub fn sync(&self) -> Result<(), StoreError> {
        match (self.sync)(&self.handle) {
            // File systems that cannot sync a folder say so; there is nothing else to do on them.
            Err(source) if source.kind() == io::ErrorKind::InvalidInput => Ok(()),
            synced => {
                synced.map_err(|source| SyncFailure { path: self.path.display().to_string(), source }.into())
            }
        }
    }

    /// Takes a file out; false where there is none.
    pub fn remove(&self, name: &str) -> Result<bool, StoreError> {
        self.unlink(name, UnlinkatFlags::NoRemoveDir)
    }

    /// Takes a folder out where it is empty; false where it is not, or is not there.
    pub fn remove_folder(&self, name: &str) -> Result<bool, StoreError> {
        self.unlink(name, UnlinkatFlags::RemoveDir)
    }

    fn unlink(&self, name: &str, flags: UnlinkatFlags) -> Result<bool, StoreError> {
        match unlinkat(&self.handle, name, flags) {
            Ok(()) => Ok(true),
            Err(Errno::ENOENT | Errno::ENOTEMPTY | Errno::EEXIST) => Ok(false),
            Err(errno) => Err(self.failed("remove", name, errno)),
        }
    }

    /// Takes out what writes that never came to their end have left. Only for who writes here alone.
    pub fn remove_partials(&self) -> Result<(), StoreError> {
        let left = self.list()?.into_iter().filter(|entry| entry.name.starts_with(PARTIAL));
        left.map(|entry| self.remove(&entry.name)).try_for_each(|removed| removed.map(drop))
    }

    /// What is in the folder, by name.
    pub fn list(&self) -> Result<Vec<Entry>, StoreError> {
        let failed = |errno| self.failed("list", "", errno);
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let mut dir = Dir::openat(&self.handle, ".", flags, Mode::empty()).map_err(failed)?;
        let mut entries = Vec::new();
        for entry in dir.iter() {
            let entry = entry.map_err(failed)?;
            let Ok(name) = entry.file_name().to_str() else {
                let name = entry.file_name().to_string_lossy().into_owned();
                entries.push(Entry { name, kind: EntryKind::Other });
                continue;
            };
            if name == "." || name == ".." {
                continue;
            }
            // Gone since it was listed: not there.
            let Some(stat) = self.stat(name)? else { continue };
            entries.push(Entry { name: name.to_owned(), kind: kind(&stat) });
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn stat(&self, name: &str) -> Result<Option<FileStat>, StoreError> {
        match fstatat(&self.handle, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::ENOENT) => Ok(None),
            Err(errno) => Err(self.failed("look at", name, errno)),
        }
    }

    fn failed(&self, action: &'static str, name: &str, errno: Errno) -> StoreError {
        let source = match errno {
            Errno::ELOOP | Errno::ENOTDIR => io::Error::other(
                "it is a symbolic link or no folder, and links inside a store are not followed",
            ),
            errno => errno.into(),
        };
        StoreError::io(action, self.name(name), source)
    }

    fn name(&self, name: &str) -> String {
        self.path.join(name).display().to_string()
    }
}

fn kind(stat: &FileStat) -> EntryKind {
    let format = SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT;
    if format == SFlag::S_IFDIR {
        EntryKind::Folder
    } else if format == SFlag::S_IFREG {
        let since = Duration::from_secs(u64::try_from(stat.st_mtime).unwrap_or(0));
        let modified = SystemTime::UNIX_EPOCH.checked_add(since).unwrap_or(SystemTime::UNIX_EPOCH);
        EntryKind::File { bytes: u64::try_from(stat.st_size).unwrap_or(0), modified }
    } else {
        EntryKind::Other
    }
}
