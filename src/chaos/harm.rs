//! Does what the schedule says, and undoes it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use watershed_wire::Kind as FrameKind;

use crate::cluster::Cluster;
use crate::error::ChaosError;
use crate::fault::Kind;
use crate::proxy::{Once, Order, Trouble};
use crate::schedule::{Act, Victim, name_of};

/// A harm that lasts, and how it is healed.
#[derive(Debug)]
pub(crate) enum Wound {
    /// Nothing is left to be healed: it was done to one frame on the way between two nodes.
    Frame { from: String, to: String },
    /// A node is dead.
    Dead(usize),
    /// A node stands still.
    Still(usize),
    /// Ways are in trouble.
    Ways,
    /// The directory of the checkpoints is away.
    Away,
}

/// Kinds of frames that are harmed: some order is demanded of each, for reasons of their own.
const FRAMES: [FrameKind; 4] =
    [FrameKind::Records, FrameKind::Element, FrameKind::Credit, FrameKind::Message];

/// Hurts the cluster. What there is to be healed, and how it was done, for people to read.
pub(crate) fn hurt(cluster: &mut Cluster, act: &Act) -> Result<(Wound, String), ChaosError> {
    let Act { kind, victim, lot, .. } = act;
    match (kind, victim) {
        (Kind::Kill, Victim::Node(node)) => kill(cluster, *node),
        (Kind::Leader, _) => {
            let leader = cluster.wait_for("a leader", Cluster::leader)?;
            kill(cluster, leader)
        }
        (Kind::Pause, Victim::Node(node)) => {
            cluster.nodes[*node].stand_still(true);
            Ok((Wound::Still(*node), "SIGSTOP, SIGCONT".to_owned()))
        }
        (Kind::Partition, Victim::Node(node)) => {
            let name = name_of(*node);
            cluster.proxy.ways_of(&name).for_each(|way| way.trouble(Trouble::Blocked));
            Ok((Wound::Ways, "nothing comes or goes".to_owned()))
        }
        (Kind::Disk, _) => {
            send_away(&cluster.checkpoints())?;
            Ok((Wound::Away, "a file lies where the directory was: nothing is written or read".to_owned()))
        }
        (_, Victim::Way(from, to)) => {
            let (from, to) = (name_of(*from), name_of(*to));
            let way = cluster.proxy.way(&from, &to).expect("there is a way between any two nodes");
            Ok(match once(*kind, *lot) {
                Some(once) => {
                    let wanted = FRAMES[(lot % FRAMES.len() as u64) as usize];
                    way.order(Order { once, kind: Some(wanted) });
                    let how = format!("a frame of kind {}", format!("{wanted:?}").to_lowercase());
                    (Wound::Frame { from, to }, how)
                }
                None => {
                    let (trouble, how) = trouble(*kind, *lot);
                    way.trouble(trouble);
                    (Wound::Ways, how)
                }
            })
        }
        (_, Victim::Node(_) | Victim::Leader | Victim::Checkpoints) => {
            unreachable!("a schedule gives each kind a victim of its own")
        }
    }
}

fn kill(cluster: &mut Cluster, node: usize) -> Result<(Wound, String), ChaosError> {
    cluster.nodes[node].kill();
    Ok((Wound::Dead(node), format!("SIGKILL of {}, started again", name_of(node))))
}

/// What is done to one frame, where it is to be done to one.
fn once(kind: Kind, lot: u64) -> Option<Once> {
    match kind {
        Kind::Reorder => Some(Once::Reorder),
        Kind::Duplicate => Some(Once::Duplicate),
        Kind::Truncate => Some(Once::Truncate),
        Kind::Flip => Some(Once::Flip(lot >> 8)),
        Kind::Cut => Some(Once::Cut),
        Kind::Kill
        | Kind::Leader
        | Kind::Pause
        | Kind::Partition
        | Kind::OneWay
        | Kind::Slow
        | Kind::Disk
        | Kind::Delay => None,
    }
}

/// What is wrong with a way for a while.
fn trouble(kind: Kind, lot: u64) -> (Trouble, String) {
    match kind {
        Kind::Slow => {
            let in_a_second = [2 << 10, 8 << 10, 32 << 10][(lot % 3) as usize];
            (Trouble::Narrow(in_a_second), format!("{} KiB/s", in_a_second >> 10))
        }
        Kind::Delay => {
            let late = Duration::from_millis(50 + lot % 951);
            (Trouble::Late(late), format!("{} ms later", late.as_millis()))
        }
        Kind::OneWay
        | Kind::Kill
        | Kind::Leader
        | Kind::Pause
        | Kind::Partition
        | Kind::Disk
        | Kind::Reorder
        | Kind::Duplicate
        | Kind::Truncate
        | Kind::Flip
        | Kind::Cut => (Trouble::Blocked, "nothing passes".to_owned()),
    }
}

/// Undoes a harm.
pub(crate) fn heal(cluster: &mut Cluster, wound: &Wound) -> Result<(), ChaosError> {
    match wound {
        Wound::Frame { .. } => {}
        Wound::Dead(node) => {
            if cluster.nodes[*node].id().is_none() {
                cluster.nodes[*node].start()?;
            }
        }
        Wound::Still(node) => cluster.nodes[*node].stand_still(false),
        Wound::Ways => cluster.proxy.heal(),
        Wound::Away => bring_back(&cluster.checkpoints())?,
    }
    Ok(())
}

/// Where a directory is while it is away.
fn elsewhere(directory: &Path) -> std::path::PathBuf {
    directory.with_extension("away")
}

/// Puts a file in the place of a directory. Unlike a mode that forbids to write, it holds for whoever may do anything.
fn send_away(directory: &Path) -> Result<(), ChaosError> {
    fs::rename(directory, elsewhere(directory)).map_err(ChaosError::at(directory))?;
    fs::write(directory, "").map_err(ChaosError::at(directory))
}

fn bring_back(directory: &Path) -> Result<(), ChaosError> {
    fs::remove_file(directory).map_err(ChaosError::at(directory))?;
    fs::rename(elsewhere(directory), directory).map_err(ChaosError::at(directory))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_is_away_takes_nothing_and_comes_back_whole() {
        let place = tempfile::tempdir().expect("a directory can be made");
        let directory = place.path().join("checkpoints");
        fs::create_dir(&directory).expect("it can be made");
        fs::write(directory.join("a"), "1").expect("it can be written");
        send_away(&directory).expect("it goes");
        assert!(fs::write(directory.join("b"), "2").is_err() && fs::read(directory.join("a")).is_err());
        assert!(fs::create_dir_all(directory.join("c")).is_err(), "nobody can begin anew");
        bring_back(&directory).expect("it comes back");
        assert_eq!(fs::read(directory.join("a")).ok().as_deref(), Some(&b"1"[..]));
    }

    #[test]
    fn each_kind_is_done_to_one_frame_or_to_all() {
        for kind in Kind::ALL.into_iter().filter(|kind| kind.needs_links()) {
            let is_once =
                matches!(kind, Kind::Reorder | Kind::Duplicate | Kind::Truncate | Kind::Flip | Kind::Cut);
            assert_eq!(once(kind, 1).is_some(), is_once, "{kind}");
        }
        assert_eq!(trouble(Kind::OneWay, 1).0, Trouble::Blocked);
        assert!(matches!(trouble(Kind::Slow, 1).0, Trouble::Narrow(_)));
        assert!(matches!(trouble(Kind::Delay, 1).0, Trouble::Late(_)));
    }
}
