//! What ties one subtask to its site's replica: what it has seen, and whether it has to wait.

use std::sync::Arc;
use std::task::Waker;

use watershed_core::causal::VectorClock;
use watershed_core::{Epoch, SubtaskId};
use watershed_protocol::causal::Session;

use super::{SharedDraft, SiteReplica};

/// A subtask's side of shared state.
pub(crate) struct Sharing {
    replica: Arc<SiteReplica>,
    subtask: SubtaskId,
    session: Session,
    /// Whether it reads or updates shared state itself; one that does not waits for nothing.
    uses: bool,
    waits: bool,
    waker: Waker,
    seen: Seen,
}

/// What a subtask has seen, as it tells those that it sends to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// Higher each time it has grown.
    pub(crate) version: u64,
    pub(crate) clock: Arc<VectorClock>,
    /// The epoch of the subtask: it names no later lane.
    pub(crate) epoch: Epoch,
    /// Lanes up to this epoch are everywhere, and named no more.
    pub(crate) settled: Epoch,
}

impl Sharing {
    pub(crate) fn new(replica: Arc<SiteReplica>, subtask: SubtaskId, uses: bool, waker: Waker) -> Self {
        let (session, seen) = (Session::new(), Seen::default());
        let mut sharing = Sharing { replica, subtask, session, uses, waits: uses, waker, seen };
        sharing.look();
        sharing
    }

    /// Whether the next batch has to wait for what its sender had seen.
    pub(crate) fn waits(&self) -> bool {
        self.waits
    }

    /// Looks again whether there is still something to wait for. Where there is, the subtask is woken when it has come.
    pub(crate) fn look(&mut self) {
        if self.waits {
            self.waits = !self.replica.has_or_wakes(self.subtask, &self.session, &self.waker);
        }
    }

    /// Takes note of what the sender of the next batches had seen, in an epoch of its own. The epoch of the subtask from
    /// now on, which was in `own`.
    pub(crate) fn hear(&mut self, clock: &VectorClock, epoch: Epoch, own: Epoch) -> Epoch {
        let before = self.session.clock().clone();
        self.session.hear(clock, epoch);
        let own = self.session.epoch(own);
        if *self.session.clock() != before {
            self.waits = self.uses;
            self.look();
            self.tell(own);
        }
        own
    }

    /// Takes note that the subtask, which is at this epoch, has read or updated something.
    pub(crate) fn touched(&mut self, epoch: Epoch) {
        if self.replica.touch(&mut self.session, epoch) {
            self.tell(epoch);
        }
    }

    /// What those are to know that it sends to.
    pub(crate) fn seen(&self) -> &Seen {
        &self.seen
    }

    fn tell(&mut self, epoch: Epoch) {
        let clock = Arc::new(self.session.clock().clone());
        self.seen = Seen { version: self.seen.version + 1, clock, epoch, settled: self.replica.settled() };
    }

    /// Passes a barrier: what the subtask has seen before it, and, where it is the last of its site, what the site adds
    /// to the checkpoint.
    pub(crate) fn pass(&mut self, epoch: Epoch, completed: Option<Epoch>) -> SharedDraft {
        self.session.forget(self.replica.settled());
        let session = self.session.clock().clone();
        let share = self.replica.pass(self.subtask, epoch, completed);
        SharedDraft { site: self.replica.site(), session, share }
    }

    /// Whether a clock that came from elsewhere can be one: what it names may well exist.
    pub(crate) fn believes(&self, clock: &VectorClock) -> bool {
        self.replica.believes(clock)
    }
}
