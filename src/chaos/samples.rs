//! What the nodes take up while they are hurt: memory, open files, threads, room on the disk.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::cluster::Cluster;

/// The shortest time from one look to the next.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How many looks there are in a rehearsal, about: a long one is looked at less often.
const LOOKS: u32 = 1000;

/// What was seen at one moment.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Sample {
    /// When, in seconds from the begin.
    pub at_seconds: f64,
    /// What each node takes up; `None` while it is dead.
    pub nodes: Vec<Option<Usage>>,
    /// How many bytes the checkpoints take up.
    pub checkpoint_bytes: u64,
    /// How many bytes all that the nodes and the job write takes up.
    pub disk_bytes: u64,
}

/// What a process takes up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Of memory that is there.
    pub memory_bytes: u64,
    /// Open files and sockets.
    pub descriptors: u64,
    /// Threads.
    pub threads: u64,
}

/// Looks at the nodes from time to time.
pub(crate) struct Samples {
    begun: Instant,
    every: Duration,
    due: Duration,
    pub(crate) taken: Vec<Sample>,
}

impl Samples {
    pub(crate) fn new(begun: Instant, span: Duration) -> Self {
        Samples { begun, every: LOOK_EVERY.max(span / LOOKS), due: Duration::ZERO, taken: Vec::new() }
    }

    /// Looks, if it is time to.
    pub(crate) fn look(&mut self, cluster: &Cluster, directory: &Path) {
        let at = self.begun.elapsed();
        if at < self.due {
            return;
        }
        self.due = at + self.every;
        self.taken.push(Sample {
            at_seconds: at.as_secs_f64(),
            nodes: cluster.nodes.iter().map(|node| usage(node.id()?)).collect(),
            checkpoint_bytes: bytes_below(cluster.checkpoints()),
            disk_bytes: bytes_below(directory),
        });
    }
}

/// What a process takes up, where the system says so.
fn usage(process: u32) -> Option<Usage> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let number = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    Some(Usage {
        memory_bytes: number("VmRSS")? * 1024,
        descriptors: fs::read_dir(format!("/proc/{process}/fd")).ok()?.count() as u64,
        threads: number("Threads")?,
    })
}

/// How many bytes the files below a directory have. What goes away meanwhile has none.
fn bytes_below(directory: &Path) -> u64 {
    let mut folders = vec![directory.to_owned()];
    let mut bytes = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(meta) if meta.is_dir() => folders.push(entry.path()),
                Ok(meta) => bytes += meta.len(),
                Err(_) => {}
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_takes_something_up() {
        let usage = usage(std::process::id()).expect("it lives");
        assert!(usage.memory_bytes > 1 << 20 && usage.descriptors > 2 && usage.threads > 0, "{usage:?}");
    }

    #[test]
    fn files_count_wherever_they_are() {
        let directory = tempfile::tempdir().expect("a directory can be made");
        fs::create_dir(directory.path().join("a")).expect("it can be made");
        fs::write(directory.path().join("a/b"), "12345").expect("it can be written");
        fs::write(directory.path().join("c"), "1").expect("it can be written");
        assert_eq!(bytes_below(directory.path()), 6);
    }
}
