//! Finds out which call was woken.
//!
//! Polling every call at each wake-up would cost a look at all of them for each answer.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

/// The calls that were woken and have not been looked at.
#[derive(Default)]
pub(super) struct Woken {
    calls: Mutex<BTreeSet<u64>>,
}

impl Woken {
    /// A waker that notes a call and then wakes the subtask.
    pub(super) fn waker(self: &Arc<Self>, call: u64, subtask: &Waker) -> Waker {
        Waker::from(Arc::new(CallWaker { call, woken: self.clone(), subtask: subtask.clone() }))
    }

    /// Takes the noted calls out.
    pub(super) fn take(&self) -> BTreeSet<u64> {
        std::mem::take(&mut *self.calls.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct CallWaker {
    call: u64,
    woken: Arc<Woken>,
    subtask: Waker,
}

impl Wake for CallWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.calls.lock().unwrap_or_else(PoisonError::into_inner).insert(self.call);
        self.subtask.wake_by_ref();
    }
}
