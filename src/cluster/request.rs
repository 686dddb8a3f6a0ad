//! What is asked of whoever leads, from whichever node.
//!
//! A question may be asked any number of times. A change is sent on only while it is certain that nobody has done
//! anything about it; once it may have arrived, no answer means that nobody knows.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::config::ClusterConfig;
use crate::decided::ClusterChange;
use crate::error::{ProposeError, ViewError};
use crate::group::Group;
use crate::message::{self, Answer, Ask, Decided};
use crate::transport::TransportError;
use crate::{ClusterView, Leader, Transport};

/// The way to whoever leads.
pub(crate) struct Requests {
    config: Arc<ClusterConfig>,
    group: Option<Arc<Group>>,
    transport: Arc<dyn Transport>,
    leader: watch::Receiver<Option<Leader>>,
}

/// What came of one try.
enum Tried {
    Decided(Decided),
    /// Nothing was done. Who should be asked instead, if that is known.
    Elsewhere(Option<String>, String),
    Failed(String),
    Unknown(String),
}

impl Requests {
    pub(crate) fn new(
        config: Arc<ClusterConfig>,
        group: Option<Arc<Group>>,
        transport: Arc<dyn Transport>,
        leader: watch::Receiver<Option<Leader>>,
    ) -> Requests {
        Requests { config, group, transport, leader }
    }

    pub(crate) fn group(&self) -> Option<&Group> {
        self.group.as_deref()
    }

    pub(crate) async fn read(&self) -> Result<ClusterView, ViewError> {
        let mut tries = Tries::new(self.config.timings.read);
        loop {
            let reason = match self.try_once(&mut tries, None).await {
                Tried::Decided(decided) => return Ok(view(decided)),
                Tried::Elsewhere(hint, reason) => {
                    tries.hint = hint;
                    reason
                }
                Tried::Failed(reason) | Tried::Unknown(reason) => reason,
            };
            if !tries.pause(self.config.timings.retry).await {
                return Err(ViewError::Unavailable { reason });
            }
        }
    }

    pub(crate) async fn propose(&self, change: ClusterChange) -> Result<ClusterView, ProposeError> {
        let mut tries = Tries::new(self.config.timings.propose);
        loop {
            let reason = match self.try_once(&mut tries, Some(&change)).await {
                Tried::Decided(mut decided) => {
                    return match decided.refusal.take() {
                        None => Ok(view(decided)),
                        Some(refusal) => {
                            Err(ProposeError::Refused { refusal, view: Box::new(view(decided)) })
                        }
                    };
                }
                Tried::Unknown(reason) => return Err(ProposeError::Unknown { reason }),
                Tried::Failed(reason) => return Err(ProposeError::Failed { reason }),
                Tried::Elsewhere(hint, reason) => {
                    tries.hint = hint;
                    reason
                }
            };
            if !tries.pause(self.config.timings.retry).await {
                return Err(ProposeError::Failed { reason });
            }
        }
    }

    /// Asks one node: whom a coordinator has pointed at, whom this node takes for the leader, or the next coordinator.
    async fn try_once(&self, tries: &mut Tries, change: Option<&ClusterChange>) -> Tried {
        let known = self.leader.borrow().as_ref().map(|leader| leader.node.clone());
        let node = match tries.hint.take().or(if tries.count == 0 { known } else { None }) {
            Some(node) => node,
            None => self.config.coordinators[tries.count % self.config.coordinators.len()].clone(),
        };
        tries.count += 1;
        let answer = match &self.group {
            Some(group) if node == self.config.node => match change {
                None => group.read().await,
                Some(change) => group.propose(change.clone()).await,
            },
            Some(_) | None => {
                let ask = change.map_or(Ask::Read, |change| Ask::Propose(change.clone()));
                // One coordinator that is silent must not use up all of the time.
                let within = if change.is_some() { tries.left() } else { tries.left().min(tries.limit / 3) };
                match self.transport.ask(&node, message::encode(&ask), within).await {
                    Ok(answer) => match message::decode(&answer) {
                        Ok(answer) => answer,
                        Err(reason) => return Tried::Unknown(format!("node {node} answered {reason}")),
                    },
                    Err(TransportError::Unsent { node, reason }) => {
                        return Tried::Elsewhere(None, format!("node {node} is not reached: {reason}"));
                    }
                    Err(unanswered @ TransportError::Unanswered { .. }) => {
                        return Tried::Unknown(unanswered.to_string());
                    }
                }
            }
        };
        match answer {
            Answer::Decided(decided) => Tried::Decided(decided),
            Answer::NotLeader(hint) => {
                Tried::Elsewhere(hint, format!("node {node} does not lead, and nobody is known to"))
            }
            Answer::Failed(reason) => Tried::Failed(format!("node {node} has not done it: {reason}")),
            Answer::Unknown(reason) => Tried::Unknown(format!("node {node} does not know: {reason}")),
            Answer::Wrong | Answer::Absent | Answer::Raft(_) | Answer::Seat { .. } => {
                Tried::Elsewhere(None, format!("node {node} is no coordinator of this cluster"))
            }
        }
    }
}

/// What has been tried, and until when.
struct Tries {
    count: usize,
    hint: Option<String>,
    limit: Duration,
    began: Instant,
}

impl Tries {
    fn new(limit: Duration) -> Tries {
        Tries { count: 0, hint: None, limit, began: Instant::now() }
    }

    fn left(&self) -> Duration {
        self.limit.saturating_sub(self.began.elapsed())
    }

    /// Waits before the next try; `false` where there is no time for one.
    async fn pause(&self, pause: Duration) -> bool {
        if self.left() <= pause {
            return false;
        }
        sleep(pause).await;
        true
    }
}

fn view(decided: Decided) -> ClusterView {
    let Decided { leader, term, voters, refusal: _, state } = decided;
    ClusterView { leader, term, voters, state }
}
