//! The group of coordinators, which agrees on the order of decisions by Raft (`openraft`).
//!
//! ```text
//!   Cluster ──► Group ──► openraft ──► log       each decision, on the disk before it counts     journal
//!                 │                ├─► machine   what the decisions have led to                  decided
//!                 │                └─► network   words to the other seats                        Transport
//!                 ├── founding     who founds the group, and who is taken in later
//!                 └── leading      whether this node leads, and for how long it may say so
//! ```
//!
//! # Seats, and lost disks
//!
//! Raft is safe as long as a voter forgets nothing: one that has lost its disk could vote a second time in a term, or
//! deny a decision that it has acknowledged. So it is not the node that votes, but its *seat*: a random number that a
//! coordinator's disk gets when it is first used. A node that comes back with an empty disk has another seat, which has
//! no vote. It knocks, and the leader takes the new seat in, in the place of the old one of the same name, by a change
//! of membership that needs a majority without the lost one. Words of consensus name the seat they are for, so what is
//! meant for the lost seat is not answered by the new one.
//!
//! A majority of lost disks is not healed: nobody can tell then what was decided.

mod founding;
mod journal;
mod leading;
mod log;
mod machine;
mod network;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::Arc;
use std::time::Duration;

use openraft::error::{ClientWriteError, InstallSnapshotError, RaftError};
use openraft::{BasicNode, Raft, SnapshotPolicy};
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::config::ClusterConfig;
use crate::decided::{ClusterChange, ClusterState, Refusal};
use crate::error::ClusterError;
use crate::group::founding::Knock;
use crate::group::journal::Journal;
use crate::group::machine::Machine;
use crate::message::{Answer, Decided, Reply, Word};
use crate::{Leader, Transport};

/// The right to vote of one disk of one coordinator.
pub(crate) type Seat = u64;

openraft::declare_raft_types!(
    /// What the group agrees on.
    pub(crate) Types:
        D = ClusterChange,
        R = Applied,
        NodeId = u64,
        Node = BasicNode,
        Entry = openraft::Entry<Types>,
        SnapshotData = Cursor<Vec<u8>>,
);

/// What became of a change.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Applied {
    /// Why it was not applied.
    pub(crate) refusal: Option<Refusal>,
    /// What is decided from then on.
    pub(crate) state: Arc<ClusterState>,
}

/// This node's place in the group of coordinators.
pub(crate) struct Group {
    config: Arc<ClusterConfig>,
    seat: Seat,
    raft: Raft<Types>,
    state: watch::Receiver<Arc<ClusterState>>,
    proposals: Semaphore,
    knocks: mpsc::Sender<Knock>,
    tasks: Vec<JoinHandle<()>>,
    #[cfg(test)]
    breaker: Box<dyn Fn() + Send + Sync>,
}

/// How many that knock are remembered until the leader looks.
const KNOCKS_MAX: usize = 16;

impl Group {
    /// Opens what is kept on the disk, and takes part.
    pub(crate) async fn open(
        config: Arc<ClusterConfig>,
        transport: Arc<dyn Transport>,
        leader: watch::Sender<Option<Leader>>,
        broken: watch::Sender<Option<String>>,
    ) -> Result<Group, ClusterError> {
        let opening = config.clone();
        let opened = tokio::task::spawn_blocking(move || Journal::open(&opening)).await;
        let journal = opened.map_err(|failed| ClusterError::Group { reason: failed.to_string() })??;
        let seat = journal.seat();
        let (machine, state) =
            Machine::open(journal.clone()).map_err(|reason| ClusterError::Group { reason })?;
        #[cfg(test)]
        let breaker = journal.breaker();
        let network = network::Network::new(transport.clone());
        let settings = Arc::new(raft_config(&config)?);
        let raft = Raft::new(seat, settings, network, log::Log::new(journal), machine)
            .await
            .map_err(|fatal| ClusterError::Group { reason: fatal.to_string() })?;
        let (knocks, knocked) = mpsc::channel(KNOCKS_MAX);
        let tasks = vec![
            tokio::spawn(leading::watch(raft.clone(), config.clone(), leader, broken)),
            tokio::spawn(founding::found(raft.clone(), config.clone(), seat, transport)),
            tokio::spawn(founding::admit(raft.clone(), config.clone(), knocked)),
        ];
        let proposals = Semaphore::new(config.bounds.proposals_max);
        Ok(Group {
            config,
            seat,
            raft,
            state,
            proposals,
            knocks,
            tasks,
            #[cfg(test)]
            breaker,
        })
    }

    /// Lets nothing be kept any more, as a disk does that fails.
    #[cfg(test)]
    pub(crate) fn break_disk(&self) {
        (self.breaker)();
    }

    /// Answers a word of consensus.
    pub(crate) async fn hear(&self, to: Seat, word: Word) -> Answer {
        if to != self.seat {
            return Answer::Absent;
        }
        let reply = match word {
            Word::Append(append) => self.raft.append_entries(append).await.ok().map(Reply::Append),
            Word::Vote(vote) => self.raft.vote(vote).await.ok().map(Reply::Vote),
            Word::Snapshot(part) => match self.raft.install_snapshot(part).await {
                Ok(installed) => Some(Reply::Snapshot(installed)),
                Err(RaftError::APIError(InstallSnapshotError::SnapshotMismatch(mismatch))) => {
                    Some(Reply::Mismatch(mismatch))
                }
                Err(RaftError::Fatal(_)) => None,
            },
        };
        reply.map_or(Answer::Absent, |reply| Answer::Raft(Box::new(reply)))
    }

    /// Answers whoever knocks, and remembers a seat that may have to be taken in.
    pub(crate) async fn knocked(&self, from: &str, cluster: &str, seat: Seat) -> Answer {
        if cluster != self.config.cluster {
            return Answer::Wrong;
        }
        let Ok(initialized) = self.raft.is_initialized().await else { return Answer::Absent };
        if initialized && self.config.coordinators.iter().any(|name| name == from) {
            // Where the leader has not come to them yet, it knocks again.
            let _ = self.knocks.try_send(Knock { node: from.to_owned(), seat });
        }
        Answer::Seat { seat: self.seat, pristine: !initialized }
    }

    /// Tells what is decided, as of an instant after the question came.
    pub(crate) async fn read(&self) -> Answer {
        #[cfg(test)]
        if self.config.is_credulous && self.raft.metrics().borrow().current_leader == Some(self.seat) {
            return self.decided(None, self.state.borrow().clone());
        }
        match timeout(self.config.timings.read, self.raft.ensure_linearizable()).await {
            Ok(Ok(_)) => self.decided(None, self.state.borrow().clone()),
            Ok(Err(_)) | Err(_) => Answer::NotLeader(self.other_leader()),
        }
    }

    /// Lets a change be decided.
    pub(crate) async fn propose(&self, change: ClusterChange) -> Answer {
        let Ok(_permit) = self.proposals.try_acquire() else {
            return Answer::Failed("too many decisions are under way".to_owned());
        };
        let answer = match self.raft.client_write_ff(change).await {
            Ok(answer) => answer,
            Err(fatal) => return Answer::Failed(fatal.to_string()),
        };
        let within = self.config.timings.propose;
        match timeout(within, answer).await {
            Ok(Ok(Ok(written))) => self.decided(written.data.refusal, written.data.state),
            // Said before the change is in the log, or after it was taken out of it because another one was decided in
            // its place; never of a change that may still be decided.
            Ok(Ok(Err(ClientWriteError::ForwardToLeader(_)))) => Answer::NotLeader(self.other_leader()),
            Ok(Ok(Err(other))) => Answer::Unknown(other.to_string()),
            Ok(Err(_)) => Answer::Unknown("consensus has stopped".to_owned()),
            Err(_) => Answer::Unknown(format!("no majority has agreed within {within:?}")),
        }
    }

    /// Stops taking part.
    pub(crate) async fn close(&self) {
        for task in &self.tasks {
            task.abort();
        }
        if let Err(failed) = self.raft.shutdown().await {
            tracing::warn!(%failed, "consensus did not stop in order");
        }
    }

    fn decided(&self, refusal: Option<Refusal>, state: Arc<ClusterState>) -> Answer {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow();
        let (term, leader) = (metrics.current_term, self.config.node.clone());
        let voters = voters(&metrics.membership_config);
        Answer::Decided(Decided { leader, term, voters, refusal, state })
    }

    /// Who leads as far as this node knows, if it is not this one.
    fn other_leader(&self) -> Option<String> {
        let metrics = self.raft.metrics().borrow().clone();
        let leader = metrics.current_leader.filter(|seat| *seat != self.seat)?;
        name_of(leader, &metrics.membership_config)
    }
}

/// The node that a seat belongs to.
fn name_of(seat: Seat, membership: &openraft::StoredMembership<Seat, BasicNode>) -> Option<String> {
    membership.membership().get_node(&seat).map(|node| node.addr.clone())
}

/// The nodes whose seats count, before and after a change that is under way.
fn voters(membership: &openraft::StoredMembership<Seat, BasicNode>) -> BTreeMap<String, Seat> {
    let configs = membership.membership().get_joint_config();
    let lasting = membership.voter_ids().filter(|seat| configs.iter().all(|config| config.contains(seat)));
    lasting.filter_map(|seat| Some((name_of(seat, membership)?, seat))).collect()
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn raft_config(config: &ClusterConfig) -> Result<openraft::Config, ClusterError> {
    let (timings, bounds) = (&config.timings, &config.bounds);
    let settings = openraft::Config {
        cluster_name: config.cluster.clone(),
        heartbeat_interval: millis(timings.heartbeat),
        election_timeout_min: millis(timings.election_min),
        election_timeout_max: millis(timings.election_max),
        install_snapshot_timeout: millis(timings.snapshot),
        snapshot_policy: SnapshotPolicy::LogsSinceLast(bounds.snapshot_after),
        max_in_snapshot_log_to_keep: bounds.decisions_kept,
        replication_lag_threshold: bounds.snapshot_after.saturating_mul(2),
        snapshot_max_chunk_size: 1 << 20,
        ..openraft::Config::default()
    };
    settings.validate().map_err(|wrong| ClusterError::Config { reason: wrong.to_string() })
}

/// The seats and the names of those that found the group.
type Founders = BTreeMap<Seat, BasicNode>;
