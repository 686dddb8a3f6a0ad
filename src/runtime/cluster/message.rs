//! What the nodes of a cluster say to each other about jobs.
//!
//! ```text
//!   Leader --Enlist, Relay, Discharge, CompletedTold, AgreedTold, Roll, ReignOver--> Worker    the leader's verbs
//!   Leader <----------------------------Dispatch------------------------------------ Worker    a worker's verb
//!                                                                 Worker --SharedTold--> Worker
//!   anybody --Request--> Leader                                                                see `request`
//! ```
//!
//! The leader's verbs carry the authority of a run. A worker that has seen a higher one refuses them, and any that comes
//! from a node which may not lead: the link says whose words they are.

use std::collections::{BTreeMap, BTreeSet};

use actix::Message;
use serde::{Deserialize, Serialize};
use watershed_cluster::{JobSpec, TokenSecret};
use watershed_core::checkpoint::Agreement;
use watershed_core::plan::Fingerprint;
use watershed_core::{Epoch, Run, Site, SubtaskId};
use watershed_link::{NodeName, RemoteMessage};
use watershed_protocol::checkpoint::{Authority, Intent, ParticipantEvent};

use super::told::ReportTold;
use crate::crew::{Assignment, Hindrance};
use crate::element::{Barrier, Ending};
use crate::message::{Drain, Forget, Stop, Trigger, Word};

/// The name under which the worker of each node is reached.
pub(crate) const WORKER: &str = "watershed/worker";

/// The name under which the leader is reached on its node.
pub(super) const LEADER: &str = "watershed/leader";

/// What a node has to know of a job to take part in it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Ticket {
    /// Tells it from all other jobs of the cluster.
    pub(crate) number: u32,
    pub(crate) name: String,
    pub(crate) spec: JobSpec,
    /// The plan as the leader has drawn it.
    pub(crate) plan: Fingerprint,
    /// With what tokens are sealed, the newest last.
    pub(crate) token_keys: Vec<TokenSecret>,
}

/// To a worker: begin your part of this run. What an earlier run has left is stopped before.
#[derive(Debug, Message, Serialize, Deserialize)]
#[rtype(result = "Result<(), Hindrance>")]
pub(crate) struct Enlist {
    pub(crate) ticket: Ticket,
    pub(crate) assignment: Assignment,
    /// To whom to report.
    pub(crate) leader: NodeName,
}

/// To a worker: a word for one of your subtasks.
#[derive(Debug, Message, Serialize, Deserialize)]
#[rtype(result = "()")]
pub(crate) struct Relay {
    pub(crate) leader: NodeName,
    pub(crate) job: u32,
    pub(crate) authority: Authority,
    pub(crate) subtask: SubtaskId,
    pub(crate) word: WordTold,
}

/// To a worker: stop these subtasks of a run. Answered when they have stopped.
#[derive(Debug, Message, Serialize, Deserialize)]
#[rtype(result = "()")]
pub(crate) struct Discharge {
    pub(crate) leader: NodeName,
    pub(crate) job: u32,
    pub(crate) authority: Authority,
    pub(crate) subtasks: Vec<SubtaskId>,
    /// Whether the newest decision is known.
    pub(crate) knows: bool,
    /// The newest decision, where there is one and it is known: what is staged of later epochs is taken back.
    pub(crate) newest: Option<Epoch>,
    pub(crate) flushes: bool,
}

/// To a worker: a checkpoint of this run is complete.
#[derive(Debug, Message, Serialize, Deserialize)]
#[rtype(result = "()")]
pub(crate) struct CompletedTold {
    pub(crate) leader: NodeName,
    pub(crate) job: u32,
    pub(crate) authority: Authority,
    pub(crate) epoch: Epoch,
}

/// To a worker, when it comes within reach: these are the runs in which it has a part, and there are no others, but for
/// jobs of which nobody can say that yet.
#[derive(Debug, Message, Serialize, Deserialize)]
#[rtype(result = "()")]
pub(crate) struct Roll {
    pub(crate) leader: NodeName,
    /// The reign in which this is said.
    pub(crate) term: u64,
    /// By the numbers of the jobs.
    pub(crate) runs: BTreeMap<u32, Authority>,
    /// The jobs of which no run has begun in this reign: what lives of them goes on until it is called.
    pub(crate) undecided: BTreeSet<u32>,
    /// With what tokens are sealed, the newest last: a job may have begun before there was anything.
    pub(crate) token_keys: Vec<TokenSecret>,
}

impl Roll {
    /// Calls a node in the name of a reign, whose jobs are told by their numbers, with their newest runs and whether the
    /// node has a part in those.
    pub(crate) fn of(
        (leader, term): (NodeName, u64),
        token_keys: Vec<TokenSecret>,
        jobs: impl IntoIterator<Item = (u32, Option<Authority>, bool)>,
    ) -> Roll {
        let mut roll = Roll { leader, term, runs: BTreeMap::new(), undecided: BTreeSet::new(), token_keys };
        for (job, newest, takes_part) in jobs {
            match newest {
                Some(newest) if takes_part => drop(roll.runs.insert(job, newest)),
                Some(_) => {}
                None => drop(roll.undecided.insert(job)),
            }
        }
        roll
    }

    /// In whose name a run of a job is over that lives on the node that is called; nothing where it is not.
    pub(super) fn ends(&self, job: u32, authority: Authority) -> Option<Authority> {
        match self.runs.get(&job) {
            Some(newest) => (authority < *newest).then_some(*newest),
            None => (!self.undecided.contains(&job)).then_some(authority),
        }
    }
}

/// To a worker: whoever says so leads no more. The runs that it led go on until the next leader calls them, or elsewhere
/// already, which nobody here can tell.
#[derive(Debug, Message, Serialize, Deserialize)]
#[rtype(result = "()")]
pub(crate) struct ReignOver {
    pub(crate) leader: NodeName,
}

impl RemoteMessage for ReignOver {
    const NAME: &'static str = "watershed/reign-over";

    fn sent_by(&mut self, node: &NodeName) {
        self.leader = node.clone();
    }
}

/// To the leader: what a subtask has to report.
#[derive(Debug, Message, Serialize, Deserialize)]
#[rtype(result = "()")]
pub(crate) struct Dispatch {
    pub(crate) job: u32,
    pub(crate) report: ReportTold,
}

/// To a worker: the nodes of a job have agreed on this.
#[derive(Debug, Message, Serialize, Deserialize)]
#[rtype(result = "()")]
pub(crate) struct AgreedTold {
    pub(crate) leader: NodeName,
    pub(crate) job: u32,
    pub(crate) authority: Authority,
    pub(crate) agreements: Vec<Agreement>,
}

impl RemoteMessage for AgreedTold {
    const NAME: &'static str = "watershed/agreed";

    fn sent_by(&mut self, node: &NodeName) {
        self.leader = node.clone();
    }
}

impl RemoteMessage for Enlist {
    const NAME: &'static str = "watershed/enlist";

    fn sent_by(&mut self, node: &NodeName) {
        self.leader = node.clone();
    }
}

impl RemoteMessage for Relay {
    const NAME: &'static str = "watershed/relay";

    fn sent_by(&mut self, node: &NodeName) {
        self.leader = node.clone();
    }
}

impl RemoteMessage for Discharge {
    const NAME: &'static str = "watershed/discharge";

    fn sent_by(&mut self, node: &NodeName) {
        self.leader = node.clone();
    }
}

impl RemoteMessage for CompletedTold {
    const NAME: &'static str = "watershed/completed";

    fn sent_by(&mut self, node: &NodeName) {
        self.leader = node.clone();
    }
}

impl RemoteMessage for Roll {
    const NAME: &'static str = "watershed/roll";

    fn sent_by(&mut self, node: &NodeName) {
        self.leader = node.clone();
    }
}

impl RemoteMessage for Dispatch {
    const NAME: &'static str = "watershed/dispatch";
}

/// To a worker, from another one: what a site of a run says to another about shared state.
#[derive(Debug, Message, Serialize, Deserialize)]
#[rtype(result = "()")]
pub(crate) struct SharedTold {
    pub(crate) node: NodeName,
    pub(crate) job: u32,
    pub(crate) run: Run,
    pub(crate) from: Site,
    /// A [`Word`](crate::shared::Word), written once for all who hear it.
    #[serde(with = "serde_bytes")]
    pub(crate) word: Vec<u8>,
}

impl RemoteMessage for SharedTold {
    const NAME: &'static str = "watershed/shared";

    fn sent_by(&mut self, node: &NodeName) {
        self.node = node.clone();
    }
}

/// A [`Word`], as it travels.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum WordTold {
    Hear(ParticipantEvent),
    Trigger { authority: Authority, barrier: Barrier, intent: Intent },
    Drain(Ending),
    Forget(Epoch),
}

impl From<Word> for WordTold {
    fn from(word: Word) -> Self {
        match word {
            Word::Hear(event) => WordTold::Hear(event),
            Word::Trigger(Trigger { authority, barrier, intent }) => {
                WordTold::Trigger { authority, barrier, intent }
            }
            Word::Drain(Drain(ending)) => WordTold::Drain(ending),
            Word::Forget(Forget(before)) => WordTold::Forget(before),
        }
    }
}

impl WordTold {
    /// The word, where a coordinator may say it: what a participant hears from its own subtask comes from no link.
    pub(crate) fn word(self) -> Option<Word> {
        match self {
            WordTold::Hear(event) => match event {
                ParticipantEvent::Start { .. }
                | ParticipantEvent::Commit { .. }
                | ParticipantEvent::AbortNote { .. }
                | ParticipantEvent::Heard { .. } => Some(Word::Hear(event)),
                ParticipantEvent::Restore { .. }
                | ParticipantEvent::Loaded
                | ParticipantEvent::Cut { .. }
                | ParticipantEvent::Prepared { .. }
                | ParticipantEvent::Saved { .. }
                | ParticipantEvent::Failed { .. }
                | ParticipantEvent::CommitDone { .. }
                | ParticipantEvent::CommitFailed { .. }
                | ParticipantEvent::EndRun { .. } => None,
            },
            WordTold::Trigger { authority, barrier, intent } => {
                Some(Word::Trigger(Trigger { authority, barrier, intent }))
            }
            WordTold::Drain(ending) => Some(Word::Drain(Drain(ending))),
            WordTold::Forget(before) => Some(Word::Forget(Forget(before))),
        }
    }
}

impl Discharge {
    pub(crate) fn stop(&self) -> Stop {
        let Discharge { authority, knows, newest, flushes, .. } = *self;
        Stop { authority, take_back_after: knows.then_some(newest), flushes }
    }
}

#[cfg(test)]
mod tests {
    use watershed_core::{Lineage, Term};

    use super::*;

    fn authority(run: u32) -> Authority {
        Authority { term: Term(1), run: Run(run), lineage: Lineage(0) }
    }

    #[test]
    fn a_job_that_waits_for_room_keeps_nobody_from_being_told_of_the_others() {
        let leader = NodeName::new("a").unwrap();
        // Job 1 has begun run 5 here, job 2 run 7 elsewhere, and job 3 waits for room.
        let jobs = [(1, Some(authority(5)), true), (2, Some(authority(7)), false), (3, None, false)];
        let roll = Roll::of((leader, 9), Vec::new(), jobs);
        assert_eq!(roll.ends(1, authority(5)), None);
        assert_eq!(roll.ends(1, authority(4)), Some(authority(5)));
        assert_eq!(roll.ends(2, authority(6)), Some(authority(6)));
        assert_eq!(roll.ends(3, authority(2)), None, "what lives of it goes on until it is called");
        assert_eq!(roll.ends(4, authority(1)), Some(authority(1)), "there is no such job");
    }
}
