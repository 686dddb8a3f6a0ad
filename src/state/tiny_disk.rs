//! A disk of 64 KiB for tests, where this process may mount one.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::need;

/// The file that fills the disk.
const BALLAST: &str = "ballast";

/// A mounted memory file system of 64 KiB; unmounted when dropped.
pub(crate) struct TinyDisk(tempfile::TempDir);

impl TinyDisk {
    /// Mounts a disk. Where that is not permitted, says which test is skipped.
    #[track_caller]
    pub(crate) fn mount(test: &str) -> Option<TinyDisk> {
        let directory = tempfile::tempdir().expect("tests may make temporary folders");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=64k", "watershed-test"]).arg(directory.path());
        match mount.stderr(Stdio::null()).status() {
            Ok(status) if status.success() => Some(TinyDisk(directory)),
            _ => {
                need::pass_over(test, "mount", "mounting a file system is not permitted");
                None
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes all the room there is.
    pub(crate) fn fill(&self) {
        let mut ballast = File::create(self.path().join(BALLAST)).expect("the disk can be written");
        while ballast.write_all(&[0; 512]).is_ok() {}
    }

    /// Gives it back.
    pub(crate) fn make_room(&self) {
        fs::remove_file(self.path().join(BALLAST)).expect("the ballast is there");
    }

    /// Lets the disk be read only.
    pub(crate) fn make_read_only(&self) {
        let status = Command::new("mount").args(["-o", "remount,ro"]).arg(self.path()).status();
        assert!(status.is_ok_and(|status| status.success()), "the disk can be mounted anew");
    }
}

impl Drop for TinyDisk {
    fn drop(&mut self) {
        // Detached even where a file of it is still open.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}
