//! A thread that lives in a network of its own, and does there what it is asked to.
//!
//! A network namespace lasts as long as somebody is in it. This thread is, and nobody gives the namespace a name: however
//! the process ends, the namespace goes with it, with its links, its addresses and its rules, and nothing is left to be
//! swept up. Processes and threads that are begun here are here, too.
//!
//! SUBTLE: a child that asks to be killed with its parent is killed with the *thread* that has started it. So whoever
//! starts a node here keeps this thread for as long as the node is to live.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::thread;

type Job = Box<dyn FnOnce() + Send>;

/// A thread in a network of its own. It ends when this is dropped.
pub(super) struct Apart {
    jobs: Sender<Job>,
    path: PathBuf,
}

impl Apart {
    /// In a new network, where there is nothing but a loopback that is down.
    ///
    /// # Errors
    ///
    /// Where the rights are missing, or the kernel does not know of such networks.
    pub(super) fn in_new_network() -> io::Result<Apart> {
        Apart::begin(kernel::leave_network)
    }

    /// In the network of a process.
    ///
    /// # Errors
    ///
    /// Where the rights are missing, or there is no such process.
    pub(super) fn in_network_of(process: u32) -> io::Result<Apart> {
        Apart::begin(move || kernel::enter_network(Path::new(&format!("/proc/{process}/ns/net"))))
    }

    fn begin(enter: impl FnOnce() -> io::Result<()> + Send + 'static) -> io::Result<Apart> {
        let (jobs, wanted) = channel::<Job>();
        let (entered, is_entered) = channel();
        thread::Builder::new().name("apart".to_owned()).spawn(move || {
            let entered_at = enter().and_then(|()| kernel::path_of_network());
            // Whoever began this waits for it.
            let _ = entered.send(entered_at);
            wanted.into_iter().for_each(|job| job());
        })?;
        let path = is_entered.recv().expect("the thread says how it went before it ends")?;
        Ok(Apart { jobs, path })
    }

    /// By which path the network is reached from this process and its children.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Does something there, and waits for it.
    pub(super) fn call<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        let (done, result) = channel();
        let job = Box::new(move || {
            // Whoever asked waits for it.
            let _ = done.send(job());
        });
        self.jobs.send(job).expect("the thread takes jobs for as long as it can be asked");
        result.recv().expect("a job that is done there does not panic")
    }
}

/// What the kernel is asked for.
#[cfg(target_os = "linux")]
mod kernel {
    use std::fs::File;
    use std::io;
    use std::path::{Path, PathBuf};

    use nix::sched::{CloneFlags, setns, unshare};

    pub(super) fn leave_network() -> io::Result<()> {
        unshare(CloneFlags::CLONE_NEWNET).map_err(io::Error::from)
    }

    pub(super) fn enter_network(path: &Path) -> io::Result<()> {
        setns(File::open(path)?, CloneFlags::CLONE_NEWNET).map_err(io::Error::from)
    }

    pub(super) fn path_of_network() -> io::Result<PathBuf> {
        // As `PID/task/TID`.
        let this = std::fs::read_link("/proc/thread-self")?;
        Ok(Path::new("/proc").join(this).join("ns/net"))
    }
}

/// What other kernels cannot do.
#[cfg(not(target_os = "linux"))]
mod kernel {
    use std::io;
    use std::path::{Path, PathBuf};

    pub(super) fn leave_network() -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn enter_network(_: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn path_of_network() -> io::Result<PathBuf> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
