//! Everything there is in one state of the model: the production machines, and a world for them to live in.

use std::collections::BTreeMap;
use std::sync::Arc;

use watershed_core::checkpoint::{Manifest, Meta, Pointer, Vote, Xid};
use watershed_core::{Epoch, Run, SubtaskId};
use watershed_protocol::checkpoint::{Authority, Coordinator, Participant, Swap};

use crate::outside::{StagedSystem, XaSystem};

/// One state.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) meta: Meta,
    /// The durable manifests, decided or not.
    pub(crate) manifests: BTreeMap<(Epoch, Run), Arc<Manifest>>,
    pub(crate) nodes: Vec<Node>,
    /// Swaps whose asker has been told that their outcome is unknown, and that may still be done.
    pub(crate) adrift: Vec<Swap>,
    /// The decision that was answered with `Unknown`; there is at most one.
    pub(crate) unknown: Option<Epoch>,
    /// Runs by their number, zombies included: nobody ever dies.
    pub(crate) runs: BTreeMap<Run, RunWorld>,
    /// All that was ever sent, to be delivered in any order, again and again, or never.
    pub(crate) mail: BTreeMap<Letter, Body>,
    pub(crate) staged: StagedSystem,
    pub(crate) xa: XaSystem,
    /// What was decided, in order.
    pub(crate) decisions: Vec<Decision>,
    /// In whose name each epoch was triggered.
    pub(crate) triggered: BTreeMap<Epoch, Authority>,
    /// Checkpoints below this one may have been deleted.
    pub(crate) forgotten: Epoch,
    /// What went wrong in passing and leaves no other trace.
    pub(crate) slips: Vec<Slip>,
}

/// A node with its coordinator.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Node {
    pub(crate) coordinator: Coordinator,
    /// Swaps that were asked for and are not answered.
    pub(crate) asked: Vec<Swap>,
    /// Whether a read was asked for and is not answered.
    pub(crate) reading: bool,
    /// The decision that it read when it campaigned.
    pub(crate) read_first: Option<Pointer>,
    pub(crate) cancel: Cancel,
}

/// Whether somebody has cancelled the job at a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Cancel {
    No,
    /// It is not over yet.
    Asked,
    /// The coordinator says that it is.
    Done {
        in_doubt: bool,
    },
}

/// One run's subtasks and the channel between them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RunWorld {
    pub(crate) authority: Authority,
    /// What the source has sent to both sinks; each reads it at its own pace.
    pub(crate) log: Vec<Item>,
    pub(crate) workers: BTreeMap<SubtaskId, Worker>,
}

/// What a channel carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Item {
    Record(u8),
    Barrier(Epoch),
    End,
}

/// A subtask.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Worker {
    pub(crate) participant: Participant,
    /// At a source, its position; at a sink, how far it has read the log.
    pub(crate) at: u8,
    /// How many records it has sent or received in this run.
    pub(crate) passed: u8,
    /// What a sink has written since the last barrier.
    pub(crate) open: Vec<u8>,
    /// The checkpoint whose state is being saved, with the vote that is to follow.
    pub(crate) saving: Option<(Epoch, Vote)>,
    pub(crate) ended: bool,
    pub(crate) began: bool,
    /// The checkpoint that it was restored from, if it was.
    pub(crate) base: Option<Epoch>,
}

/// A message's address; its content is in the [`Body`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Letter {
    pub(crate) run: Run,
    pub(crate) kind: Kind,
    pub(crate) epoch: Epoch,
    /// The subtask that it goes to or comes from.
    pub(crate) subtask: SubtaskId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    Restore,
    Trigger,
    Vote,
    Commit,
    Committed,
    AbortNote,
    Ended,
    EndRun,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Body {
    Nothing,
    Vote(Vote),
    Xids(Vec<Xid>),
    Restore { after: Epoch, part: watershed_protocol::checkpoint::Part },
    EndRun(Option<Option<Epoch>>),
}

/// A checkpoint that became true.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Decision {
    pub(crate) epoch: Epoch,
    pub(crate) run: Run,
    /// Where the source stood.
    pub(crate) position: u8,
    pub(crate) xids: Vec<Xid>,
}

/// What must never happen, seen by the driver when it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Slip {
    /// D3: a decision was made in the name of an older reign or run.
    FormerDecision,
    /// D6: a subtask wrote to the world before it had begun.
    EarlyEffect,
    /// D10: an epoch was handed out twice.
    EpochTwice,
    /// The votes of an undisturbed run were no consistent cut.
    NoCut,
}

impl World {
    pub(crate) fn slip(&mut self, slip: Slip) {
        if !self.slips.contains(&slip) {
            self.slips.push(slip);
        }
    }

    pub(crate) fn send(&mut self, run: Run, kind: Kind, epoch: Epoch, subtask: SubtaskId, body: Body) {
        self.mail.insert(Letter { run, kind, epoch, subtask }, body);
    }

    /// The manifest of the newest decision.
    pub(crate) fn completed(&self) -> Option<&Manifest> {
        let pointer = self.meta.completed.as_ref()?;
        self.manifests.values().find(|manifest| crate::nodes::points_to(pointer, manifest)).map(AsRef::as_ref)
    }

    /// How many records the newest decision covers.
    pub(crate) fn decided(&self) -> u8 {
        self.completed().map_or(0, |manifest| crate::job::position(&manifest.votes))
    }
}
