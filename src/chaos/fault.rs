//! What can be done to a cluster.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// A kind of harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A node is killed (SIGKILL) and comes back.
    Kill,
    /// The node that leads is killed and comes back.
    Leader,
    /// A node stands still for a while (SIGSTOP, SIGCONT).
    Pause,
    /// A node and all others do not reach each other for a while.
    Partition,
    /// One node does not reach another for a while, and is reached by it.
    OneWay,
    /// What one node sends to another passes at a few KiB a second.
    Slow,
    /// Nothing can be written into the directory of the checkpoints, or read from it, for a while.
    Disk,
    /// The disk of the checkpoints is full for a while.
    FullDisk,
    /// What one node sends to another comes later, in its order.
    Delay,
    /// A frame is overtaken by the one behind it.
    Reorder,
    /// A frame comes twice.
    Duplicate,
    /// A frame ends in its middle, and the connection with it.
    Truncate,
    /// One bit of a frame is turned over.
    Flip,
    /// A connection is gone for the one that receives, and the one that sends does not hear of it.
    Cut,
}

/// How a node ends that gives up and says why.
const GIVEN_UP: &str = "exit code 1";

/// A word that names no harm.
#[derive(Debug, thiserror::Error)]
#[error("there is no fault {found:?}: write `all`, or some of {}, with commas between", names())]
pub struct UnknownKind {
    /// What was written.
    found: String,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 14] = [
        Kind::Kill,
        Kind::Leader,
        Kind::Pause,
        Kind::Partition,
        Kind::OneWay,
        Kind::Slow,
        Kind::Disk,
        Kind::FullDisk,
        Kind::Delay,
        Kind::Reorder,
        Kind::Duplicate,
        Kind::Truncate,
        Kind::Flip,
        Kind::Cut,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Kill => "kill",
            Kind::Leader => "leader",
            Kind::Pause => "pause",
            Kind::Partition => "partition",
            Kind::OneWay => "one-way",
            Kind::Slow => "slow",
            Kind::Disk => "disk",
            Kind::FullDisk => "full-disk",
            Kind::Delay => "delay",
            Kind::Reorder => "reorder",
            Kind::Duplicate => "duplicate",
            Kind::Truncate => "truncate",
            Kind::Flip => "flip",
            Kind::Cut => "cut",
        }
    }

    /// Whether it is done to what passes between two nodes.
    pub fn needs_links(self) -> bool {
        self.needs_proxy() || matches!(self, Kind::Partition | Kind::OneWay)
    }

    /// Whether it is done by the proxy to what passes through it: to single frames, or to the speed of all.
    pub fn needs_proxy(self) -> bool {
        match self {
            Kind::Kill
            | Kind::Leader
            | Kind::Pause
            | Kind::Partition
            | Kind::OneWay
            | Kind::Disk
            | Kind::FullDisk => false,
            Kind::Slow
            | Kind::Delay
            | Kind::Reorder
            | Kind::Duplicate
            | Kind::Truncate
            | Kind::Flip
            | Kind::Cut => true,
        }
    }

    /// Whether it kills a node.
    pub(crate) fn kills(self) -> bool {
        matches!(self, Kind::Kill | Kind::Leader)
    }

    /// Whether a node may end by itself in this way while that is done to it, or behind it: to give up and say so is a right
    /// answer to a disk that fails (after a failed sync nobody knows what it has), and to nothing else. To be ended by a
    /// signal, or by a panic, is none to anything.
    pub(crate) fn may_end_a_node(self, how: &str) -> bool {
        matches!(self, Kind::Disk | Kind::FullDisk) && how == GIVEN_UP
    }

    /// Reads a list as it is written on the command line: names with commas between, or `all`. Each kind is there once, in
    /// the order of [`Kind::ALL`].
    ///
    /// # Errors
    ///
    /// Where a word names nothing, or there is none.
    pub fn list(text: &str) -> Result<Vec<Kind>, UnknownKind> {
        if text.trim() == "all" {
            return Ok(Kind::ALL.to_vec());
        }
        let mut kinds = text.split(',').map(|name| name.trim().parse()).collect::<Result<Vec<Kind>, _>>()?;
        kinds.sort_unstable();
        kinds.dedup();
        Ok(kinds)
    }
}

fn names() -> String {
    Kind::ALL.map(Kind::name).join(", ")
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, UnknownKind> {
        let found = || UnknownKind { found: name.to_owned() };
        Kind::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(found)
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_names_each_kind_once_in_one_order() {
        assert_eq!(Kind::list("slow, kill,slow").unwrap_or_default(), [Kind::Kill, Kind::Slow]);
        assert_eq!(Kind::list("all").unwrap_or_default(), Kind::ALL);
    }

    #[test]
    fn a_word_that_names_nothing_is_told_what_there_is() {
        let error = Kind::list("kill,hill").expect_err("there are no hills").to_string();
        assert!(
            error.starts_with("there is no fault \"hill\": write `all`, or some of kill, leader, "),
            "{error}"
        );
        assert!(Kind::list("").is_err());
    }

    #[test]
    fn a_node_may_give_up_where_a_disk_fails_and_nowhere_else() {
        for kind in Kind::ALL {
            let is_of_disk = kind == Kind::Disk || kind == Kind::FullDisk;
            assert_eq!(kind.may_end_a_node("exit code 1"), is_of_disk, "{kind}");
            for how in ["exit code 101", "exit code 2", "exit code 0", "signal 6"] {
                assert!(!kind.may_end_a_node(how), "{kind}: {how}");
            }
        }
    }

    #[test]
    fn what_the_proxy_does_is_done_to_links_and_so_is_cutting_them() {
        let of_links: Vec<Kind> = Kind::ALL.into_iter().filter(|kind| kind.needs_links()).collect();
        let others = [Kind::Kill, Kind::Leader, Kind::Pause, Kind::Disk, Kind::FullDisk];
        assert!(Kind::ALL.iter().all(|kind| of_links.contains(kind) != others.contains(kind)));
    }
}
