//! One writer at a time, across processes.

use std::fs::File;
use std::io::{Read, Seek, Write};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::StoreError;
use crate::durable::Folder;

/// Locks a folder by its lock file of this name, for whoever holds what is returned: other processes, and others in
/// this one, are refused.
pub fn lock(folder: &Folder, name: &str) -> Result<Flock<File>, StoreError> {
    let mut file = folder.open_or_make_file(name)?;
    let mut holder = String::new();
    // Only for the message, so it may be missing.
    let _ = (&mut file).take(32).read_to_string(&mut holder);
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(mut lock) => {
            let noted = lock.set_len(0).and_then(|()| lock.rewind());
            let _ = noted.and_then(|()| write!(lock, "{}", std::process::id()));
            Ok(lock)
        }
        Err((_, Errno::EWOULDBLOCK)) => {
            let holder = holder.trim();
            let named = !holder.is_empty() && holder.bytes().all(|byte| byte.is_ascii_digit());
            let holder = if named { format!(" ({holder})") } else { String::new() };
            Err(StoreError::InUse { directory: folder.path().display().to_string(), holder })
        }
        Err((_, errno)) => {
            let path = folder.path().join(name).display().to_string();
            Err(StoreError::io("lock", path, errno.into()))
        }
    }
}
