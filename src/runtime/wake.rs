//! Wakes an actor from any thread.

use std::sync::atomic::{AtomicBool, Ordering::AcqRel, Ordering::Release};
use std::sync::{Arc, OnceLock};

use actix::Recipient;

use crate::message::Woken;

/// The waker of a subtask. Wakes that come while one is on its way are the same wake.
#[derive(Default)]
pub(crate) struct Bell {
    actor: OnceLock<Recipient<Woken>>,
    on_its_way: AtomicBool,
}

impl Bell {
    /// Connects the bell to its actor. A wake before that is not lost.
    pub(crate) fn hang(&self, actor: Recipient<Woken>) {
        if self.on_its_way.load(std::sync::atomic::Ordering::Acquire) {
            actor.do_send(Woken);
        }
        // A bell hangs once; it would do no harm to hang it again at the same actor.
        let _ = self.actor.set(actor);
    }

    /// Called by the actor when it begins to look around: a wake from now on is a new one.
    pub(crate) fn heard(&self) {
        self.on_its_way.store(false, Release);
    }
}

impl std::task::Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.on_its_way.swap(true, AcqRel)
            && let Some(actor) = self.actor.get()
        {
            actor.do_send(Woken);
        }
    }
}
