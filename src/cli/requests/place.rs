//! Where the socket of a state directory is.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

/// The socket's name in the state directory.
const SOCKET: &str = "requests.sock";

/// The way to a state directory's socket. A socket's path may have about a hundred bytes and a directory's many more,
/// so where the system has names for open files, the way goes over the open directory.
pub(in crate::cli) struct Door {
    directory: File,
    path: PathBuf,
}

impl Door {
    pub(in crate::cli) fn of(directory: &Path) -> io::Result<Self> {
        Ok(Door { directory: File::open(directory)?, path: directory.to_owned() })
    }

    /// Does something with the path, which is good only meanwhile.
    pub(in crate::cli) fn with<T>(&self, work: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
        let open = PathBuf::from(format!("/proc/self/fd/{}", self.directory.as_raw_fd()));
        let directory = if open.is_dir() { &open } else { &self.path };
        work(&directory.join(SOCKET))
    }
}
