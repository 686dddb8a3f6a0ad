//! What one node sends to another, and what is to be done to it.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use watershed_wire::Kind;

use super::frames::Raw;

/// The way from one node to another. It is the same over all connections that there ever are between them.
#[derive(Debug, Default)]
pub struct Way {
    state: Mutex<State>,
    opened: Condvar,
}

#[derive(Debug, Default)]
struct State {
    trouble: Option<Trouble>,
    /// Whether the last trouble has held anything up.
    is_felt: bool,
    order: Option<Placed>,
    /// How many orders there have been.
    orders: u64,
    harmed: Option<Harmed>,
}

/// An order that is to be carried out.
#[derive(Debug)]
struct Placed {
    order: Order,
    number: u64,
    since: Instant,
    /// Whether a frame has been taken for it, and it is not known yet whether that can be harmed.
    is_taken: bool,
}

/// An order that was taken for a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) once: Once,
    /// It may be called off meanwhile, and another come in its place.
    number: u64,
}

/// What is wrong with a way while it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
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
    /// The next of its channel goes first, if it comes within this time.
    Reorder(Duration),
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
    pub fn trouble(&self, trouble: Trouble) {
        let mut state = self.state();
        (state.trouble, state.is_felt) = (Some(trouble), false);
    }

    /// Whether the last trouble has held anything up: where nobody sends or calls, it does no harm.
    pub(crate) fn is_felt(&self) -> bool {
        self.state().is_felt
    }

    /// Orders a harm to one frame, in the place of one that has not been done.
    pub(crate) fn order(&self, order: Order) {
        self.order_since(order, Instant::now());
    }

    /// The same, as if it had been ordered at some time: it is waited from there for a frame of the right kind.
    pub(super) fn order_since(&self, order: Order, since: Instant) {
        let mut state = self.state();
        state.orders += 1;
        let number = state.orders;
        (state.order, state.harmed) = (Some(Placed { order, number, since, is_taken: false }), None);
    }

    /// Whether a frame was taken for the last order, and is not harmed yet.
    #[cfg(test)]
    pub(super) fn is_taken(&self) -> bool {
        self.state().order.as_ref().is_some_and(|placed| placed.is_taken)
    }

    /// What has come of the last order: nothing before a frame is harmed.
    pub(crate) fn harmed(&self) -> Option<Harmed> {
        self.state().harmed
    }

    /// Opens the way, and forgets what was ordered and not done.
    pub fn heal(&self) {
        let mut state = self.state();
        (state.trouble, state.order) = (None, None);
        drop(state);
        self.opened.notify_all();
    }

    /// What is wrong with the way.
    pub(super) fn trouble_now(&self) -> Option<Trouble> {
        self.state().trouble
    }

    /// Waits until the way is open, or for a while. Whether it is. Called by whoever wants to pass.
    pub(super) fn wait_open(&self, at_most: Duration) -> bool {
        let blocked = |state: &mut State| {
            let is_blocked = state.trouble == Some(Trouble::Blocked);
            state.is_felt |= is_blocked;
            is_blocked
        };
        let waited = self.opened.wait_timeout_while(self.state(), at_most, blocked);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        !blocked(&mut state)
    }

    /// Something is held up by a trouble, which may be over already.
    pub(super) fn feel(&self, trouble: Trouble) {
        let mut state = self.state();
        state.is_felt |= state.trouble == Some(trouble);
    }

    /// What is to be done to this frame. Whoever takes it [does it](Way::has_harmed) or [gives it back](Way::give_back).
    pub(super) fn take_order(&self, raw: &Raw) -> Option<Taken> {
        let mut state = self.state();
        let Placed { order: Order { once, kind }, number, since, is_taken } = state.order.as_mut()?;
        // A connection that never comes about is another harm.
        let is_meant = !*is_taken
            && raw.header.kind != Kind::Hello
            && kind.is_none_or(|kind| kind == raw.header.kind || since.elapsed() > Order::PATIENCE);
        *is_taken |= is_meant;
        is_meant.then_some(Taken { once: *once, number: *number })
    }

    /// What was ordered has been done to a frame of this kind.
    pub(super) fn has_harmed(&self, taken: Taken, kind: Kind) {
        let mut state = self.state();
        if state.order.take_if(|placed| placed.number == taken.number).is_some() {
            state.harmed = Some(Harmed { kind, at: Instant::now() });
        }
    }

    /// What was ordered could not be done to the frame that was taken for it: it is done to another.
    pub(super) fn give_back(&self, taken: Taken) {
        let mut state = self.state();
        if let Some(placed) = state.order.as_mut().filter(|placed| placed.number == taken.number) {
            placed.is_taken = false;
        }
    }
}
