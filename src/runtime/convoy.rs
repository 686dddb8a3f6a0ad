//! Keeps the subtasks of a source close together in event time.
//!
//! A window stays open until the hindmost subtask has passed it, so a subtask that runs ahead fills memory with
//! windows that cannot close; credit alone never calls it back. A subtask that is far ahead of another waits until that
//! one has caught up. How far is far is measured in the subtask's own strides, the event time that it covers with
//! one poll, so that it needs no setting: a source of a thousand records a millisecond and one of a record a
//! minute are held together alike. Only subtasks that have something to read count: a silent one holds nobody.
//!
//! The hindmost calls those that wait when it has made up half of the lead: a wait by the clock alone lets a
//! core sleep for whole milliseconds.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};

use watershed_core::Watermark;

use crate::message::CaughtUp;
use crate::vigil::Post;

/// How many strides a subtask may be ahead of the hindmost.
const STRIDES_MAX: i64 = 32;

/// Where the subtasks of a source are.
pub(crate) struct Convoy {
    members: Vec<Member>,
    /// How many members wait.
    waiting: AtomicUsize,
}

struct Member {
    /// How far it has come; the end of time for one that does not count.
    reached: AtomicI64,
    waits: AtomicBool,
    /// How far the hindmost must have come for it to go on.
    until: AtomicI64,
    actor: OnceLock<Post<CaughtUp>>,
}

/// One subtask's view of its convoy.
pub(crate) struct Place {
    convoy: std::sync::Arc<Convoy>,
    index: usize,
    reached: Watermark,
    /// The event time of a stride, in ms: the longest of late, slowly forgotten.
    stride: i64,
}

impl Convoy {
    pub(crate) fn new(subtasks: u32) -> Self {
        let apart = |_| Member {
            reached: AtomicI64::new(Watermark::MAX.0.as_millis()),
            waits: AtomicBool::new(false),
            until: AtomicI64::new(0),
            actor: OnceLock::new(),
        };
        Convoy { members: (0..subtasks).map(apart).collect(), waiting: AtomicUsize::new(0) }
    }

    fn hindmost(&self) -> i64 {
        let reached = self.members.iter().map(|member| member.reached.load(SeqCst)).min();
        reached.unwrap_or(Watermark::MAX.0.as_millis())
    }

    /// Calls those that wait for no more than the hindmost has reached.
    fn call(&self) {
        let hindmost = self.hindmost();
        for member in self.members.iter().filter(|member| member.waits.load(SeqCst)) {
            if member.until.load(Relaxed) <= hindmost && member.waits.swap(false, SeqCst) {
                self.waiting.fetch_sub(1, SeqCst);
                if let Some(actor) = member.actor.get() {
                    actor.send(CaughtUp);
                }
            }
        }
    }
}

impl Place {
    pub(crate) fn new(convoy: std::sync::Arc<Convoy>, index: u32) -> Self {
        Place { convoy, index: index as usize, reached: Watermark::MIN, stride: 0 }
    }

    /// Says whom to call after a wait.
    pub(crate) fn join(&self, actor: Post<CaughtUp>) {
        // A subtask joins once; it would do no harm to join again.
        let _ = self.own().actor.set(actor);
    }

    /// Says how far the subtask has come with a poll.
    pub(crate) fn report(&mut self, reached: Watermark) {
        if self.reached > Watermark::MIN {
            let stride = reached.0.as_millis().saturating_sub(self.reached.0.as_millis());
            self.stride = stride.max(self.stride - self.stride / 16);
        }
        self.reached = reached;
        self.tell(reached);
    }

    /// Says that the subtask has nothing to read, and holds nobody.
    pub(crate) fn leave(&self) {
        self.tell(Watermark::MAX);
    }

    /// Whether the subtask should wait for the hindmost. One that should is called with [`CaughtUp`], unless
    /// the hindmost stands still for ever; a look at the clock now and then is for that.
    pub(crate) fn is_ahead(&self) -> bool {
        let own = self.own();
        if self.lead() <= self.stride.saturating_mul(STRIDES_MAX) {
            if own.waits.swap(false, SeqCst) {
                self.convoy.waiting.fetch_sub(1, SeqCst);
            }
            return false;
        }
        let until = self.reached.0.as_millis().saturating_sub(self.stride.saturating_mul(STRIDES_MAX / 2));
        own.until.store(until, Relaxed);
        if !own.waits.swap(true, SeqCst) {
            self.convoy.waiting.fetch_add(1, SeqCst);
        }
        // SUBTLE: the hindmost may have come up before it could see that somebody waits; the second look is
        // ordered behind the word that one does, so one of the two sees the other.
        self.convoy.call();
        own.waits.load(SeqCst)
    }

    fn lead(&self) -> i64 {
        if self.stride == 0 {
            return 0;
        }
        self.reached.0.as_millis().saturating_sub(self.convoy.hindmost())
    }

    fn tell(&self, reached: Watermark) {
        self.own().reached.store(reached.0.as_millis(), SeqCst);
        if self.convoy.waiting.load(SeqCst) > 0 {
            self.convoy.call();
        }
    }

    fn own(&self) -> &Member {
        &self.convoy.members[self.index]
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use watershed_core::EventTime;

    use super::*;

    #[test]
    fn a_subtask_waits_for_one_that_is_behind_and_not_for_one_that_has_left() {
        let convoy = Arc::new(Convoy::new(2));
        let mut places = [0, 1].map(|index| Place::new(convoy.clone(), index));
        let at = |millis| Watermark(EventTime::from_millis(millis));
        let [first, second] = &mut places;
        (0..=32).for_each(|poll| first.report(at(poll * 10)));
        assert!(!first.is_ahead(), "nobody else has begun");
        second.report(at(0));
        assert!(!first.is_ahead(), "thirty-two strides are allowed");
        first.report(at(330));
        assert!(first.is_ahead());
        assert!(!second.is_ahead());
        second.leave();
        assert!(!first.is_ahead());
    }

    #[test]
    fn times_at_the_ends_of_the_scale_hold_nobody_for_ever() {
        let convoy = Arc::new(Convoy::new(2));
        let mut place = Place::new(convoy, 0);
        place.report(Watermark::MIN);
        place.report(Watermark(EventTime::MAX.previous()));
        assert!(!place.is_ahead());
    }
}
