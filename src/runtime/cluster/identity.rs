//! Which life of a node this is.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use super::NodeError;

/// The file in a node's directory that says whose it is.
const FILE: &str = "node.json";

/// The file by which a process has the directory for itself.
const LOCK: &str = "node.lock";

/// What is written down of a node.
#[derive(Debug, Serialize, Deserialize)]
struct Written {
    format: u32,
    cluster: String,
    node: String,
    /// The newest life.
    incarnation: u64,
}

/// A life of a node. Its directory is this process's as long as it is there.
#[derive(Debug)]
pub(super) struct Life {
    pub(super) incarnation: u64,
    _lock: Flock<File>,
}

impl Life {
    /// Begins a life: its number is greater than those of all lives that this directory has seen, and than those of a
    /// node of the same name whose directory was lost, as long as clocks are not set back by more than it was away.
    pub(super) fn begin(directory: &Path, cluster: &str, node: &str) -> Result<Life, NodeError> {
        let io = |action: &'static str| {
            let path = directory.display().to_string();
            move |source: std::io::Error| NodeError::Directory { action, path, source }
        };
        fs::create_dir_all(directory).map_err(io("make"))?;
        let lock = File::create(directory.join(LOCK)).map_err(io("lock"))?;
        let lock = Flock::lock(lock, FlockArg::LockExclusiveNonblock)
            .map_err(|_| NodeError::InUse { path: directory.display().to_string() })?;
        let path = directory.join(FILE);
        let before =
            match fs::read(&path) {
                Ok(bytes) => Some(serde_json::from_slice::<Written>(&bytes).map_err(|error| {
                    io("read")(std::io::Error::other(format!("{FILE} is damaged: {error}")))
                })?),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
                Err(error) => return Err(io("read")(error)),
            };
        if let Some(before) =
            before.as_ref().filter(|before| before.cluster != cluster || before.node != node)
        {
            return Err(NodeError::Foreign {
                path: directory.display().to_string(),
                node: before.node.clone(),
                cluster: before.cluster.clone(),
            });
        }
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
        let incarnation = before.map_or(0, |before| before.incarnation + 1).max(since);
        let (cluster, node) = (cluster.to_owned(), node.to_owned());
        let written = Written { format: 1, cluster, node, incarnation };
        let text = serde_json::to_vec_pretty(&written).expect("plain data");
        replace(directory, &path, &text).map_err(io("write"))?;
        Ok(Life { incarnation, _lock: lock })
    }
}

/// Replaces a file, durably.
fn replace(directory: &Path, path: &Path, text: &[u8]) -> std::io::Result<()> {
    let draft = path.with_extension("draft");
    let mut file = File::create(&draft)?;
    file.write_all(text)?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_life_of_a_node_has_a_greater_number_and_the_directory_for_itself() {
        let directory = tempfile::tempdir().unwrap();
        let first = Life::begin(directory.path(), "test", "a").unwrap();
        let second = Life::begin(directory.path(), "test", "a");
        assert!(matches!(second, Err(NodeError::InUse { .. })), "{second:?}");
        let number = first.incarnation;
        drop(first);
        assert!(Life::begin(directory.path(), "test", "a").unwrap().incarnation > number);
        let other = Life::begin(directory.path(), "test", "b");
        assert!(matches!(other, Err(NodeError::Foreign { .. })), "{other:?}");
    }
}
