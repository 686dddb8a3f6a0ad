//! Who founds the group of coordinators, and who is taken in later.
//!
//! ```text
//!   pristine ──knock──► all others pristine, and first by name ──► found the group
//!      │                all others pristine, and not the first ──► wait for the first one's word
//!      └───────knock──► one of them is not pristine ─────────────► wait until the leader takes this seat in
//! ```
//!
//! Only the first coordinator by name founds, and only while no coordinator that it can miss has ever voted or kept
//! anything. So two groups cannot be founded at once; and a first coordinator with an empty disk founds no second one,
//! because the others are not pristine. The others need not know of the founding: consensus reaches them as followers.
//!
//! What is not healed: the first coordinator founds, another one votes for it, and before anything else is decided its
//! disk is lost. Nothing was decided then, and the message says to empty the directories.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use openraft::{BasicNode, Raft};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use crate::Transport;
use crate::config::{ClusterConfig, Founding};
use crate::group::{Founders, Seat, Types};
use crate::message::{self, Answer, Ask};

/// Someone who wants to be taken in.
#[derive(Debug)]
pub(super) struct Knock {
    pub(super) node: String,
    pub(super) seat: Seat,
}

/// After how many knocks it is said what is waited for, and how often from then on.
const KNOCKS_BEFORE_WORD: u32 = 10;

/// Knocks at the other coordinators until this seat is a voter, and founds the group where that falls to this node.
pub(super) async fn found(
    raft: Raft<Types>,
    config: Arc<ClusterConfig>,
    seat: Seat,
    transport: Arc<dyn Transport>,
) {
    let first = config.coordinators.iter().min().is_some_and(|first| *first == config.node);
    let mut knocks = 0_u32;
    loop {
        let votes = raft.metrics().borrow().membership_config.voter_ids().any(|voter| voter == seat);
        if !votes {
            let met = knock(&config, seat, &*transport).await;
            let Ok(initialized) = raft.is_initialized().await else { return };
            if first && !initialized && met.enough(&config) {
                tracing::info!(cluster = config.cluster, founders = ?met.pristine, "the group is founded");
                let mut founders = met.pristine;
                founders.insert(seat, BasicNode::new(config.node.clone()));
                if let Err(failed) = raft.initialize(founders).await {
                    tracing::error!(%failed, "the group could not be founded");
                }
            } else {
                knocks += 1;
                if knocks.is_multiple_of(KNOCKS_BEFORE_WORD) {
                    let (silent, others) = (&met.silent, met.others);
                    tracing::info!(?silent, others, "waits to be taken in by the group of coordinators");
                }
            }
        }
        sleep(config.timings.knock).await;
    }
}

/// Who was met on one round.
#[derive(Debug, Default)]
struct Met {
    /// Those that have never taken part in anything.
    pristine: Founders,
    /// How many have.
    others: usize,
    /// Those that did not answer.
    silent: Vec<String>,
}

impl Met {
    /// Whether these may found a group, with this node.
    fn enough(&self, config: &ClusterConfig) -> bool {
        let needed = match config.founding {
            Founding::Everyone => config.coordinators.len(),
            Founding::Majority => config.coordinators.len() / 2 + 1,
        };
        self.others == 0 && self.pristine.len() + 1 >= needed
    }
}

async fn knock(config: &ClusterConfig, seat: Seat, transport: &dyn Transport) -> Met {
    let mut met = Met::default();
    let body = message::encode(&Ask::Knock { cluster: config.cluster.clone(), seat });
    for node in config.coordinators.iter().filter(|node| **node != config.node) {
        let answer = transport.ask(node, body.clone(), config.timings.knock).await;
        match answer.ok().and_then(|answer| message::decode(&answer).ok()) {
            Some(Answer::Seat { seat, pristine: true }) => {
                met.pristine.insert(seat, BasicNode::new(node.clone()));
            }
            Some(Answer::Seat { pristine: false, .. }) => met.others += 1,
            Some(other) => {
                tracing::warn!(node, ?other, "is no coordinator of this cluster");
                met.silent.push(node.clone());
            }
            None => met.silent.push(node.clone()),
        }
    }
    met
}

/// Takes in those that knock, while this node leads, and ends what a leader before it has begun.
pub(super) async fn admit(raft: Raft<Types>, config: Arc<ClusterConfig>, mut knocks: mpsc::Receiver<Knock>) {
    let mut last_look = Instant::now();
    loop {
        let knock = timeout(config.timings.knock, knocks.recv()).await;
        let metrics = raft.metrics().borrow().clone();
        if metrics.current_leader != Some(metrics.id) {
            continue;
        }
        match knock {
            Ok(None) => return,
            Ok(Some(knock)) => {
                let voters: BTreeSet<Seat> = metrics.membership_config.voter_ids().collect();
                if !voters.contains(&knock.seat) {
                    within(&config, "take a coordinator in", take_in(&raft, knock)).await;
                }
            }
            Err(_) if last_look.elapsed() >= config.timings.confirm => {
                last_look = Instant::now();
                let membership = metrics.membership_config.membership();
                if membership.get_joint_config().len() > 1
                    && let Some(voters) = membership.get_joint_config().last()
                {
                    within(&config, "end a change of coordinators", change(&raft, voters.clone())).await;
                }
            }
            Err(_) => {}
        }
    }
}

async fn within(config: &ClusterConfig, what: &str, work: impl Future<Output = Result<(), String>>) {
    let limit: Duration = config.timings.admit;
    match timeout(limit, work).await {
        Ok(Ok(())) => {}
        Ok(Err(failed)) => tracing::warn!(failed, "could not {what}"),
        Err(_) => tracing::warn!("could not {what} within {limit:?}"),
    }
}

/// Gives a seat a vote, in the place of the one that its node had before.
async fn take_in(raft: &Raft<Types>, knock: Knock) -> Result<(), String> {
    let Knock { node, seat } = knock;
    tracing::info!(node, seat, "takes a coordinator in");
    // Returns once the new seat has almost all that is decided.
    let learned = raft.add_learner(seat, BasicNode::new(node.clone()), true).await;
    learned.map_err(|failed| failed.to_string())?;
    let membership = raft.metrics().borrow().membership_config.clone();
    let voters: BTreeSet<Seat> = membership.voter_ids().collect();
    let before = |other: &Seat| super::name_of(*other, &membership).is_some_and(|name| name == node);
    let voters = voters.into_iter().filter(|other| !before(other)).chain([seat]).collect();
    change(raft, voters).await
}

async fn change(raft: &Raft<Types>, voters: BTreeSet<Seat>) -> Result<(), String> {
    raft.change_membership(voters, false).await.map(drop).map_err(|failed| failed.to_string())
}
