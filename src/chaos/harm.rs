//! Does what the schedule says, and undoes it.

use std::sync::Arc;
use std::time::Duration;

use watershed_wire::Kind as FrameKind;

use crate::away::{bring_back, send_away};
use crate::cluster::Cluster;
use crate::error::ChaosError;
use crate::fault::Kind;
use crate::home::Cut;
use crate::proxy::{Once, Order, Trouble, Way};
use crate::schedule::{Act, Victim, name_of};

/// A harm that lasts, and how it is healed.
#[derive(Debug)]
pub(crate) enum Wound {
    /// Nothing is left to be healed: it is done to one frame on the way between two nodes, of this kind if one comes soon.
    Frame { from: String, to: String, wanted: FrameKind },
    /// A node is dead.
    Dead(usize),
    /// A node stands still.
    Still(usize),
    /// A node is cut off.
    CutOff(usize),
    /// The way of the proxy between two nodes is in trouble.
    Ways { from: String, to: String },
    /// The directory of the checkpoints is away.
    Away,
    /// The disk of the checkpoints is full.
    Full,
}

/// What was done.
pub(crate) struct Hurt {
    pub(crate) wound: Wound,
    /// How, for people to read.
    pub(crate) detail: String,
    /// Whether it is known already that somebody feels it.
    pub(crate) has_struck: bool,
}

/// Kinds of frames that are harmed: some order is demanded of each, for reasons of their own.
const FRAMES: [FrameKind; 4] =
    [FrameKind::Records, FrameKind::Element, FrameKind::Credit, FrameKind::Message];

/// How long a frame is held for the next of its channel to overtake it.
const OVERTAKEN_WITHIN: Duration = Duration::from_millis(500);

/// Hurts the cluster.
pub(crate) fn hurt(cluster: &mut Cluster, act: &Act) -> Result<Hurt, ChaosError> {
    let Act { kind, victim, lot, .. } = act;
    let lasting = |wound, detail: String| Ok(Hurt { wound, detail, has_struck: false });
    match (kind, victim) {
        (Kind::Kill, Victim::Node(node)) => Ok(kill(cluster, *node)),
        (Kind::Leader, _) => {
            let leader = cluster.wait_for("a leader", Cluster::leader)?;
            Ok(kill(cluster, leader))
        }
        (Kind::Pause, Victim::Node(node)) => {
            cluster.nodes[*node].stand_still(true);
            let has_struck = !cluster.nodes[*node].answers();
            let detail = "it stands still, and goes on".to_owned();
            Ok(Hurt { wound: Wound::Still(*node), detail, has_struck })
        }
        (Kind::Partition, Victim::Node(node)) => {
            let how = cluster.nodes[*node].dwelling.cut(Cut::All)?;
            lasting(Wound::CutOff(*node), format!("nothing comes or goes: {how}"))
        }
        (Kind::OneWay, Victim::Way(from, to)) => {
            let there = *cluster.nodes[*to].addresses();
            let how = cluster.nodes[*from].dwelling.cut(Cut::Towards(&name_of(*to), &there))?;
            lasting(Wound::CutOff(*from), format!("nothing passes: {how}"))
        }
        (Kind::Disk, _) => {
            let directory = cluster.checkpoints();
            send_away(directory).map_err(ChaosError::at(directory))?;
            lasting(Wound::Away, "files lie where the directory and its folders were".to_owned())
        }
        (Kind::FullDisk, _) => {
            cluster.disk.as_ref().expect("there is one where it is to be full").fill()?;
            lasting(Wound::Full, "there is no room for a byte more".to_owned())
        }
        (_, Victim::Way(from, to)) => {
            let (from, to) = (name_of(*from), name_of(*to));
            let way = way(cluster, &from, &to);
            if let Some(once) = once(*kind, *lot) {
                let wanted = FRAMES[(lot % FRAMES.len() as u64) as usize];
                way.order(Order { once, kind: Some(wanted) });
                return lasting(Wound::Frame { from, to, wanted }, name_of_frame(wanted));
            }
            let (trouble, how) = trouble(*kind, *lot);
            way.trouble(trouble);
            lasting(Wound::Ways { from, to }, how)
        }
        (_, Victim::Node(_) | Victim::Leader | Victim::Checkpoints) => {
            unreachable!("a schedule gives each kind a victim of its own")
        }
    }
}

/// What a frame is called that is harmed.
pub(crate) fn name_of_frame(kind: FrameKind) -> String {
    format!("a frame of kind {}", format!("{kind:?}").to_lowercase())
}

/// The proxy's way from one node to another.
pub(crate) fn way(cluster: &Cluster, from: &str, to: &str) -> Arc<Way> {
    let proxy = cluster.proxy().expect("a fault of the proxy is taken only where there is one");
    proxy.way(from, to).expect("there is a way between any two nodes")
}

fn kill(cluster: &mut Cluster, node: usize) -> Hurt {
    let name = name_of(node);
    let (has_struck, detail) = match cluster.nodes[node].ended() {
        Some(how) => (false, format!("{name} had ended by itself: {how}")),
        None => (cluster.nodes[node].kill(), format!("SIGKILL of {name}, started again")),
    };
    Hurt { wound: Wound::Dead(node), detail, has_struck }
}

/// What is done to one frame, where it is to be done to one.
fn once(kind: Kind, lot: u64) -> Option<Once> {
    match kind {
        Kind::Reorder => Some(Once::Reorder(OVERTAKEN_WITHIN)),
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
        | Kind::FullDisk
        | Kind::Delay => None,
    }
}

/// What is wrong with a way for a while, where it is slow or late.
fn trouble(kind: Kind, lot: u64) -> (Trouble, String) {
    if kind == Kind::Slow {
        let in_a_second = [2 << 10, 8 << 10, 32 << 10][(lot % 3) as usize];
        return (Trouble::Narrow(in_a_second), format!("{} KiB/s", in_a_second >> 10));
    }
    assert_eq!(kind, Kind::Delay, "what is done to a way and not to a frame makes it slow or late");
    let late = Duration::from_millis(50 + lot % 951);
    (Trouble::Late(late), format!("{} ms later", late.as_millis()))
}

/// Undoes a harm.
pub(crate) fn heal(cluster: &mut Cluster, wound: &Wound) -> Result<(), ChaosError> {
    match wound {
        Wound::Frame { .. } => {}
        Wound::Dead(node) => {
            if !cluster.nodes[*node].lives() {
                cluster.nodes[*node].start()?;
            }
        }
        Wound::Still(node) => cluster.nodes[*node].stand_still(false),
        Wound::CutOff(node) => cluster.nodes[*node].dwelling.mend()?,
        Wound::Ways { .. } => {
            if let Some(proxy) = cluster.proxy() {
                proxy.heal();
            }
        }
        Wound::Away => {
            let directory = cluster.checkpoints();
            bring_back(directory).map_err(ChaosError::at(directory))?;
        }
        Wound::Full => cluster.disk.as_ref().expect("it was filled").make_room()?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_done_to_one_frame_or_to_all() {
        for kind in Kind::ALL.into_iter().filter(|kind| kind.needs_proxy()) {
            let is_once =
                matches!(kind, Kind::Reorder | Kind::Duplicate | Kind::Truncate | Kind::Flip | Kind::Cut);
            assert_eq!(once(kind, 1).is_some(), is_once, "{kind}");
        }
        assert!(matches!(trouble(Kind::Slow, 1).0, Trouble::Narrow(_)));
        assert!(matches!(trouble(Kind::Delay, 1).0, Trouble::Late(_)));
    }
}
