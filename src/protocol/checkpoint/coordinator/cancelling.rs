//! How a job is cancelled: now, but not before what is decided is committed.
//!
//! A decision is not taken back (R12'). A job that is suspended leaves its commits to the run that goes on from there; one
//! that is cancelled may never live again, and nobody else would carry them out. So:
//!
//! | phase | what the wish does |
//! | --- | --- |
//! | Campaigning, Fencing | it waits: the fence tells what is decided |
//! | Loading, Restoring | what is staged is restored, and so committed, and nothing else is; at once where nothing is |
//! | Resting | the next run begins at once |
//! | Running | nothing more is triggered; what is not decided is given up, and a decision under way waited for |
//!
//! A decision that may still come about is fenced off by another run, which commits it where it has.
//!
//! Who cancels a job whose sinks have failed does not wait for ever: after `cancel_timeout` the job ends, and says which
//! transactions are [in doubt](InDoubt).

use std::collections::BTreeSet;
use std::fmt;

use watershed_core::Epoch;
use watershed_core::checkpoint::Xid;

use super::effect::{CoordinatorEffect, EndReason};
use super::event::Wish;
use super::running::{Activity, Cx, Leave, Running};
use super::{Coordinator, Phase};
use crate::Tick;

/// What is decided, or may be, and is not known to be committed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct InDoubt {
    /// The newest checkpoint that is, or may be, decided.
    pub epoch: Epoch,
    /// The transactions; empty where it was not found out which there are.
    pub xids: BTreeSet<Xid>,
}

/// How many transactions a message names.
const XIDS_NAMED_MAX: usize = 8;

impl fmt::Display for InDoubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let InDoubt { epoch, xids } = self;
        write!(f, "whether all output up to checkpoint {epoch} is committed is not known")?;
        let named: Vec<String> = xids.iter().take(XIDS_NAMED_MAX).map(ToString::to_string).collect();
        if !named.is_empty() {
            write!(f, "; transactions in doubt: {}", named.join(", "))?;
        }
        match xids.len() - named.len() {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

impl Coordinator {
    /// Somebody wants the end.
    pub(super) fn cancel(&mut self, now: Tick, effects: &mut Vec<CoordinatorEffect>) {
        self.cancel_by.get_or_insert(now.after(self.config.cancel_timeout));
        match &self.phase {
            Phase::Following
            | Phase::Campaigning(_)
            | Phase::Fencing { .. }
            | Phase::Loading { .. }
            | Phase::Over => {}
            Phase::Restoring(restoring) => {
                if restoring.in_doubt().is_none() {
                    self.leave(now, Leave::Cancelled { in_doubt: None }, effects);
                }
            }
            &Phase::Resting { term, run, until: _ } => self.fence(term, run, effects),
            Phase::Running(_) => {
                self.with_run(now, effects, Running::cancel);
            }
        }
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.desk.wishes(Wish::Cancel)
    }

    /// When a job that is cancelled ends, whatever is not committed by then. Before it is fenced, nobody could say what
    /// that is.
    pub(super) fn cancelled_at(&self) -> Option<Tick> {
        match &self.phase {
            Phase::Loading { .. } | Phase::Restoring(_) | Phase::Running(_) => self.cancel_by,
            Phase::Following
            | Phase::Campaigning(_)
            | Phase::Fencing { .. }
            | Phase::Resting { .. }
            | Phase::Over => None,
        }
    }

    /// What would be left in doubt if the job ended now.
    pub(super) fn in_doubt(&self) -> Option<InDoubt> {
        match &self.phase {
            Phase::Loading { authority: _, meta } => {
                let completed = meta.completed.as_ref();
                completed.map(|pointer| InDoubt { epoch: pointer.epoch, xids: BTreeSet::new() })
            }
            Phase::Restoring(restoring) => restoring.in_doubt(),
            Phase::Running(running) => running.in_doubt(),
            Phase::Following
            | Phase::Campaigning(_)
            | Phase::Fencing { .. }
            | Phase::Resting { .. }
            | Phase::Over => None,
        }
    }
}

impl Running {
    /// Somebody wants the end.
    fn cancel(&mut self, cx: &mut Cx<'_>) {
        let (epoch, serves) = match &mut self.activity {
            Activity::Idle | Activity::Deciding(..) | Activity::Finishing(_) => return self.advance(cx),
            // They are burnt for nothing.
            Activity::Burning(_) => {
                self.activity = Activity::Idle;
                return self.advance(cx);
            }
            Activity::Collecting(collection) => (collection.epoch, &mut collection.serves),
            Activity::Writing(draft) => (draft.epoch, &mut draft.serves),
        };
        if self.doubt || self.commits.len() == 0 {
            return self.end_cancelled(cx);
        }
        let serves = std::mem::take(serves);
        self.give_up(epoch, &serves, "the job is cancelled".to_owned(), cx);
    }

    /// Ends the run that is cancelled, once nothing of it is in doubt.
    pub(super) fn end_cancelled(&self, cx: &mut Cx<'_>) {
        if self.doubt {
            cx.leave = Some(Leave::Restart(EndReason::Cancelled));
        } else if self.commits.len() == 0 {
            cx.leave = Some(Leave::Cancelled { in_doubt: None });
        }
    }

    fn in_doubt(&self) -> Option<InDoubt> {
        let mut xids: BTreeSet<Xid> = self.commits.xids().collect();
        let mut epoch = self.completed.as_ref().map(|pointer| pointer.epoch);
        match &self.activity {
            Activity::Deciding(draft, _) => {
                epoch = Some(draft.epoch);
                xids.extend(draft.orders.values().flatten());
            }
            Activity::Idle
            | Activity::Burning(_)
            | Activity::Collecting(_)
            | Activity::Writing(_)
            | Activity::Finishing(_) => {}
        }
        epoch.filter(|_| !xids.is_empty()).map(|epoch| InDoubt { epoch, xids })
    }
}
