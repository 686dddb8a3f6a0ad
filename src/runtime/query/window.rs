//! What of a job this process has to show: the run that lives here, and its replica of what the job shares.
//!
//! ```text
//!   Crew --begin, complete, doubt, end--> Window <--query, update-- whoever asks, on any thread
//!                                           |
//!                                           +--> SiteReplica: read at once, or when it has caught up
//! ```
//!
//! A question passes no mailbox, so that a busy crew does not keep it waiting. Questions outlive runs: one that waits when
//! a run ends is looked at anew when the next one has begun here.

use std::sync::Arc;

use tokio::sync::watch;
use watershed_core::Epoch;
use watershed_core::checkpoint::RollBack;
use watershed_protocol::causal::{Place, RollBacks};
use watershed_protocol::checkpoint::Authority;

use super::clerk::Clerk;
use super::operators::Operators;
use crate::shared::SiteReplica;

/// What of a job this process has to show.
pub(crate) struct Window {
    pub(super) clerk: Clerk,
    /// What the node is called; nothing where there is one process only.
    pub(super) node: String,
    pub(super) views: watch::Sender<Option<View>>,
}

/// A run, as it is seen from here.
#[derive(Clone)]
pub(crate) struct View {
    pub(crate) authority: Authority,
    /// Where the job shares anything.
    pub(crate) replica: Option<Arc<SiteReplica>>,
    /// How the job has come to this run.
    pub(crate) roll_backs: Arc<RollBacks>,
    /// The checkpoint that the run began from.
    pub(crate) base: Option<Epoch>,
    /// The newest one that is known to be complete.
    pub(crate) completed: Option<Epoch>,
    /// Whether its checkpoints outlive the process.
    pub(crate) lasts: bool,
    /// Why it may be that another run goes on elsewhere.
    pub(crate) doubt: Option<String>,
    /// Whose state is looked at, where there is a crew that looks.
    pub(crate) operators: Option<Operators>,
}

impl Window {
    pub(crate) fn new(clerk: Clerk, node: &str) -> Self {
        Window { clerk, node: node.to_owned(), views: watch::Sender::new(None) }
    }

    /// Whether a run lives here.
    pub(crate) fn is_open(&self) -> bool {
        self.views.borrow().is_some()
    }

    /// Whether there is only this process, so that a run that ends here goes on here.
    pub(super) fn is_alone(&self) -> bool {
        self.node.is_empty()
    }

    /// A run has begun here.
    pub(crate) fn begin(&self, view: View) {
        self.views.send_replace(Some(view));
    }

    /// A checkpoint of a run is complete.
    pub(crate) fn complete(&self, authority: Authority, epoch: Epoch) {
        self.change(authority, |view| view.completed = view.completed.max(Some(epoch)));
    }

    /// A run may go on elsewhere: what is promised of answers can no longer be kept from here.
    pub(crate) fn doubt(&self, authority: Authority, reason: &str) {
        self.change(authority, |view| view.doubt = Some(reason.to_owned()));
    }

    /// A run is over here.
    pub(crate) fn end(&self, authority: Authority) {
        let mut ended = None;
        self.views.send_if_modified(|view| {
            ended = view.take_if(|view| view.authority == authority);
            ended.is_some()
        });
        // Behind the view, so that whoever is turned away here finds another one there, or none.
        if let Some(replica) = ended.and_then(|view| view.replica) {
            replica.close();
        }
    }

    fn change(&self, authority: Authority, change: impl FnOnce(&mut View)) {
        self.views.send_if_modified(|view| match view {
            Some(view) if view.authority == authority => {
                change(view);
                true
            }
            Some(_) | None => false,
        });
    }
}

impl View {
    /// A run that has just begun.
    pub(crate) fn of(
        authority: Authority,
        replica: Option<Arc<SiteReplica>>,
        roll_backs: &[RollBack],
        lasts: bool,
    ) -> Self {
        let base = roll_backs.last().and_then(|record| record.base);
        let roll_backs = Arc::new(RollBacks::of(roll_backs));
        View { authority, replica, roll_backs, base, completed: base, lasts, doubt: None, operators: None }
    }

    /// Where a token is judged that is shown here.
    pub(super) fn place(&self) -> Place {
        Place {
            lineage: self.authority.lineage,
            run: self.authority.run,
            base: self.replica.as_ref().map(|replica| replica.settled()).or(self.base),
            completed: self.completed,
            roll_backs: (*self.roll_backs).clone(),
        }
    }

    /// The newest complete checkpoint all of which is to be seen here.
    pub(super) fn whole(&self) -> Option<Epoch> {
        self.replica.as_ref().and_then(|replica| replica.settled_checkpoint()).or(self.base)
    }
}
