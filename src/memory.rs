//! A bound on the memory that a process takes.
//!
//! An operator that takes memory without end, or state of more keys than fit, would otherwise be ended by the operating
//! system, which says nothing, and may well choose a neighbour. A [`Bound`] ends the process itself, at once and as if it
//! had been killed: what is saved is whole whenever that happens, nothing that is not decided is visible, and the other
//! nodes of a cluster take the work over. Giving up the job alone would not do: code that does not return keeps what it has.
//!
//! What counts is memory of the process's own (`RssAnon` of `/proc/self/status`), for pages of files are the system's to
//! take back. It is looked at from a thread of its own, so a process may exceed its limit by what it can touch between two
//! looks.

use std::fs;
use std::io;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

/// How long it is between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// Where the system tells what a process has.
const STATUS: &str = "/proc/self/status";

/// More memory than there may be.
#[derive(Debug, thiserror::Error)]
#[error(
    "the process takes {} MiB of memory, of {} MiB that it may take, and ends here; what is saved stays as it is: start it \
     again with more, keep its state on disk, or look for what grows",
    taken >> 20,
    limit >> 20
)]
pub(crate) struct Exceeded {
    /// In bytes.
    taken: u64,
    /// In bytes.
    limit: u64,
}

/// Ends the process where it takes too much memory, as long as this is kept.
#[derive(Debug)]
pub(crate) struct Bound {
    /// Dropped when nobody bounds the process any more.
    _kept: Sender<()>,
}

impl Bound {
    /// From now on the process may take `limit` bytes. Where it takes more, `tell` tells it, and the process ends with
    /// exit code 1.
    ///
    /// # Errors
    ///
    /// Where the system does not tell how much a process takes.
    pub(crate) fn set(limit: u64, tell: impl FnOnce(&Exceeded) + Send + 'static) -> io::Result<Self> {
        taken()?;
        let (kept, dropped) = mpsc::channel();
        thread::Builder::new().name("memory bound".to_owned()).spawn(move || {
            while let Err(RecvTimeoutError::Timeout) = dropped.recv_timeout(LOOK) {
                match taken() {
                    Ok(taken) if taken > limit => {
                        tell(&Exceeded { taken, limit });
                        std::process::exit(1);
                    }
                    // It has been told before: whoever does not now is short of something for a moment.
                    Ok(_) | Err(_) => {}
                }
            }
        })?;
        Ok(Bound { _kept: kept })
    }
}

/// How many bytes this process takes.
fn taken() -> io::Result<u64> {
    let status = fs::read_to_string(STATUS)?;
    bytes_in(&status).ok_or_else(|| io::Error::other(format!("{STATUS} does not tell it")))
}

/// The memory that is the process's own, or all of it where the system does not divide it.
fn bytes_in(status: &str) -> Option<u64> {
    let line = |name| status.lines().find_map(|line| line.strip_prefix(name));
    let kibibytes = line("RssAnon:").or_else(|| line("VmRSS:"))?.trim().strip_suffix(" kB")?;
    Some(kibibytes.parse::<u64>().ok()? << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_tells_is_read() {
        let status = "Name:\tx\nVmRSS:\t    2048 kB\nRssAnon:\t    1024 kB\n";
        assert_eq!(bytes_in(status), Some(1 << 20));
        assert_eq!(bytes_in("VmRSS:\t 3 kB\n"), Some(3 << 10));
        assert_eq!(bytes_in("VmRSS:\t many kB\n"), None);
        assert!(taken().is_ok_and(|taken| taken > 0));
    }

    #[test]
    fn who_exceeds_a_bound_is_told_both_figures() {
        let said = Exceeded { taken: 300 << 20, limit: 256 << 20 }.to_string();
        assert!(
            said.starts_with("the process takes 300 MiB of memory, of 256 MiB that it may take"),
            "{said}"
        );
    }
}
