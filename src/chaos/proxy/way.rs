//! What one node sends to another, and what is to be done to it.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use watershed_wire::Kind;

use super::frames::Raw;

/// The way from one node to another. It is the same over all connections that there ever are between them.
#[derive(Debug, Default)]
pub(crate) struct Way {
    state: Mutex<State>,
    opened: Condvar,
}

#[derive(Debug, Default)]
struct State {
    trouble: Option<Trouble>,
    order: Option<(Order, Instant)>,
    harmed: Option<Harmed>,
}

/// What is wrong with a way while it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Nothing passes.
    Blocked,
    /// All that passes comes so much later.
    Late(Duration),
    /// So many bytes pass in a second.
    Narrow(u64),
}

/// What is done to one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Once {
    /// The next of its channel goes first.
    Reorder,
    /// It goes twice.
    Duplicate,
    /// Half of it goes, and the connection ends.
    Truncate,
    /// The bit of this number, modulo how many there are, is turned over.
    Flip(u64),
    /// The receiver's end of the connection is closed, and the sender's stays open.
    Cut,
}

/// A harm to the next frame of a kind; to the next of any where none of that kind comes in [`Order::PATIENCE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    /// What.
    pub(crate) once: Once,
    /// To which; any that is there.
    pub(crate) kind: Option<Kind>,
}

/// A harm that was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Harmed {
    /// What the frame was.
    pub(crate) kind: Kind,
    /// When it was.
    pub(crate) at: Instant,
}

impl Order {
    /// How long a frame of the right kind is waited for.
    pub(crate) const PATIENCE: Duration = Duration::from_secs(2);
}

impl Way {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes trouble until [`Way::heal`].
    pub(crate) fn trouble(&self, trouble: Trouble) {
        self.state().trouble = Some(trouble);
    }

    /// Orders a harm to one frame, in the place of one that has not been done.
    pub(crate) fn order(&self, order: Order) {
        let mut state = self.state();
        (state.order, state.harmed) = (Some((order, Instant::now())), None);
    }

    /// What has come of the last order.
    pub(crate) fn harmed(&self) -> Option<Harmed> {
        self.state().harmed
    }

    /// Opens the way, and forgets what was ordered and not done.
    pub(crate) fn heal(&self) {
        let mut state = self.state();
        (state.trouble, state.order) = (None, None);
        drop(state);
        self.opened.notify_all();
    }

    /// What is wrong with the way.
    pub(super) fn trouble_now(&self) -> Option<Trouble> {
        self.state().trouble
    }

    /// Waits until the way is open, or for a while. Whether it is.
    pub(super) fn wait_open(&self, at_most: Duration) -> bool {
        let blocked = |state: &mut State| state.trouble == Some(Trouble::Blocked);
        let waited = self.opened.wait_timeout_while(self.state(), at_most, blocked);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        !blocked(&mut state)
    }

    /// What is to be done to this frame. It counts as done.
    pub(super) fn take_order(&self, raw: &Raw) -> Option<Once> {
        let mut state = self.state();
        let (Order { once, kind }, since) = state.order?;
        // A connection that never comes about is another harm.
        let is_meant = raw.header.kind != Kind::Hello
            && kind.is_none_or(|kind| kind == raw.header.kind || since.elapsed() > Order::PATIENCE);
        if !is_meant {
            return None;
        }
        (state.order, state.harmed) = (None, Some(Harmed { kind: raw.header.kind, at: Instant::now() }));
        Some(once)
    }
}
