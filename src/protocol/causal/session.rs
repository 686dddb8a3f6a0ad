//! What one task has seen of shared state, and when it may go on.
//!
//! A task passes on with every frame what it has seen. Whoever works on the frame must not find shared state older than
//! what its writer found: before a batch is worked on, the local replica has to have caught up with the session. So a
//! record never runs ahead of the rule or the count that it was made by. Only tasks that use shared state wait; others
//! just hand their clock on.

use watershed_core::Epoch;
use watershed_core::causal::{Dot, VectorClock};

use super::Applied;

/// The clock of one task. It only grows, but for lanes that are settled everywhere.
///
/// SUBTLE: a task may hear a frame of an epoch that it has not begun itself. Where a checkpoint is given up while its
/// barriers are aligned, what comes behind the barriers that had come is worked on, and the others may never come. From
/// then on the task is in that later epoch, [`Session::epoch`]: were it not, it would not find in shared state what the
/// frame's writer knew, its own updates would not name what they depend on, and its frames would name lanes later than
/// their epoch, which whoever hears them leaves out. No cut lies between the two epochs, since the task has passed no
/// barrier of a checkpoint that can still be complete.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Session {
    clock: VectorClock,
    /// The newest epoch of a frame that was heard.
    heard: Epoch,
}

impl Session {
    /// Has seen nothing but the base of its run.
    pub const fn new() -> Self {
        Session { clock: VectorClock::new(), heard: Epoch(0) }
    }

    /// Takes note of the clock that came with a frame, when the frame's records are about to be worked on.
    ///
    /// A frame of an epoch tells of no later lane. Were it otherwise, a task before its barrier would wait for what was
    /// done behind that barrier, and its snapshot would not be part of a consistent cut.
    pub fn hear(&mut self, clock: &VectorClock, frame_epoch: Epoch) {
        self.heard = self.heard.max(frame_epoch);
        for dot in clock.dots().filter(|dot| dot.lane.epoch <= frame_epoch) {
            self.clock.see(dot);
        }
    }

    /// The epoch of a task that is in `own` by the barriers that it has passed: in which it reads, makes updates and sends
    /// frames. No lane that the session names is later.
    pub fn epoch(&self, own: Epoch) -> Epoch {
        own.max(self.heard)
    }

    /// Whether a batch may be worked on, all of whose clocks have been heard.
    pub fn may_work(&self, applied: &Applied) -> bool {
        applied.covers(&self.clock)
    }

    /// What the replica has to apply before the batch may be worked on.
    pub fn missing(&self, applied: &Applied) -> Option<Dot> {
        applied.first_missing(&self.clock)
    }

    /// Takes note of a batch in which shared state was read or written. `epoch` is the task's own.
    pub fn touched(&mut self, applied: &Applied, epoch: Epoch) {
        self.clock.merge(&applied.up_to(epoch));
    }

    /// What goes out with frames, and into the task's vote.
    pub const fn clock(&self) -> &VectorClock {
        &self.clock
    }

    /// Forgets the lanes up to an epoch that is settled.
    ///
    /// SUBTLE: not earlier. A lane that this site has applied to its end may still be missing elsewhere, and a frame that
    /// does not name it would be worked on there too soon.
    pub fn forget(&mut self, settled: Epoch) {
        self.clock.forget(settled);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::causal::names::{clock, dot};

    fn applied(settled: u64, dots: &[(u64, u16, u64)]) -> Applied {
        let mut applied = Applied::new(Epoch(settled));
        dots.iter().for_each(|&(epoch, site, counter)| applied.see(dot(epoch, site, counter)));
        applied
    }

    #[test]
    fn a_batch_waits_until_all_its_writer_had_seen_is_here() {
        let mut session = Session::new();
        session.hear(&clock(&[(1, 0, 2), (1, 1, 1)]), Epoch(1));
        assert_eq!(session.missing(&applied(0, &[(1, 0, 3)])), Some(dot(1, 1, 1)));
        assert!(!session.may_work(&applied(0, &[(1, 0, 1), (1, 1, 1)])));
        assert!(session.may_work(&applied(0, &[(1, 0, 2), (1, 1, 1)])));
    }

    #[test]
    fn what_is_settled_is_waited_for_by_nobody() {
        let mut session = Session::new();
        session.hear(&clock(&[(1, 0, 2), (2, 1, 1)]), Epoch(2));
        assert!(session.may_work(&applied(1, &[(2, 1, 1)])));
        session.forget(Epoch(1));
        assert_eq!(session.clock(), &clock(&[(2, 1, 1)]));
    }

    #[test]
    fn a_frame_tells_nothing_of_later_epochs() {
        let mut session = Session::new();
        session.hear(&clock(&[(1, 0, 2), (2, 0, 5)]), Epoch(1));
        assert_eq!(session.clock(), &clock(&[(1, 0, 2)]));
    }

    #[test]
    fn a_task_that_hears_a_later_epoch_than_its_own_is_in_it_and_stays_there() {
        let mut session = Session::new();
        session.hear(&clock(&[(1, 0, 2), (2, 0, 5)]), Epoch(2));
        assert_eq!(session.epoch(Epoch(1)), Epoch(2));
        session.hear(&clock(&[(1, 1, 1)]), Epoch(1));
        assert_eq!(session.epoch(Epoch(1)), Epoch(2));
        assert_eq!(session.clock(), &clock(&[(1, 0, 2), (1, 1, 1), (2, 0, 5)]));
        // Whoever hears it next loses nothing of that.
        let mut next = Session::new();
        next.hear(session.clock(), session.epoch(Epoch(1)));
        assert_eq!(next.clock(), session.clock());
        assert_eq!(session.epoch(Epoch(3)), Epoch(3));
    }

    #[test]
    fn a_task_has_seen_what_its_site_had_applied_up_to_its_own_epoch() {
        let mut session = Session::new();
        session.touched(&applied(0, &[(1, 0, 2), (1, 1, 1), (2, 0, 4)]), Epoch(1));
        assert_eq!(session.clock(), &clock(&[(1, 0, 2), (1, 1, 1)]));
    }
}
