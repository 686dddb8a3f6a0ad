//! What is to happen, in the order of time: the only clock there is.

use std::collections::BTreeMap;
use std::rc::Rc;

use watershed_core::checkpoint::Pointer;
use watershed_core::{Run, SubtaskId};

use crate::agree::{Call, Heard};
use crate::client::{self, Reply};
use crate::meta::{Answer, Question};
use crate::sink::{Deed, Done};

/// Which life of a node: what was started in one is nothing to the next.
pub(crate) type Life = u64;

/// A subtask of one run on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seat {
    pub(crate) node: usize,
    pub(crate) life: Life,
    pub(crate) run: Run,
    pub(crate) subtask: SubtaskId,
}

/// Something that is to happen.
#[derive(Clone, Debug)]
pub(crate) enum Happening {
    /// A frame arrives.
    Frame {
        from: usize,
        to: usize,
        bytes: Rc<[u8]>,
    },
    /// A node finds that its link to another is gone.
    LinkBroken {
        at: usize,
        other: usize,
    },
    /// A node tells the others that it lives.
    Beat {
        node: usize,
        life: Life,
    },
    /// A node looks whether a machine of it waits for this moment.
    Look {
        node: usize,
        life: Life,
    },
    /// A subtask goes on.
    Step(Seat),
    /// A question arrives at the meta store.
    Asked {
        node: usize,
        life: Life,
        number: u64,
        question: Question,
    },
    /// Its answer comes, or nobody waits for it any longer.
    Answered {
        node: usize,
        life: Life,
        number: u64,
        answer: Answer,
    },
    /// An object is synced.
    Synced {
        node: usize,
        life: Life,
        put: u64,
    },
    /// A manifest has been read.
    Fetched {
        node: usize,
        life: Life,
        pointer: Pointer,
    },
    /// A subtask has read what it is restored with.
    Fetch(Seat),
    /// A deed arrives in the world outside.
    Deed {
        seat: Seat,
        deed: Deed,
    },
    /// What became of it.
    Done {
        seat: Seat,
        done: Done,
    },
    /// A node hears in which shape the job is to run.
    Reshape {
        node: usize,
        life: Life,
    },
    /// A caller calls for what is agreed on.
    Caller,
    /// Its call arrives.
    Call {
        node: usize,
        number: usize,
        call: Call,
    },
    /// The time is over that a proposal had.
    Agreeing {
        node: usize,
        life: Life,
        number: usize,
    },
    /// What became of a call is heard.
    Heard {
        number: usize,
        heard: Heard,
    },
    /// A client asks.
    Turn(usize),
    /// Its question arrives.
    Question {
        node: usize,
        question: client::Question,
    },
    /// A node lets a client wait no longer.
    WaitOver {
        node: usize,
        life: Life,
        client: usize,
        number: u64,
    },
    /// A client is answered, or waits no longer itself.
    Reply {
        client: usize,
        number: u64,
        reply: Reply,
    },
    GiveUp {
        client: usize,
        number: u64,
    },
    /// A fault of the schedule begins, or is over.
    Harm(usize),
    Heal(usize),
}

impl Happening {
    /// The node that it happens to, and in which of its lives; `None` where it happens to the world.
    pub(crate) fn place(&self) -> Option<(usize, Option<Life>)> {
        match self {
            Happening::Frame { to, .. } => Some((*to, None)),
            Happening::LinkBroken { at, other: _ } => Some((*at, None)),
            Happening::Question { node, .. } | Happening::Call { node, .. } => Some((*node, None)),
            Happening::Beat { node, life }
            | Happening::Look { node, life }
            | Happening::Answered { node, life, .. }
            | Happening::Synced { node, life, .. }
            | Happening::WaitOver { node, life, .. }
            | Happening::Reshape { node, life }
            | Happening::Agreeing { node, life, .. }
            | Happening::Fetched { node, life, .. } => Some((*node, Some(*life))),
            Happening::Step(seat) | Happening::Fetch(seat) | Happening::Done { seat, .. } => {
                Some((seat.node, Some(seat.life)))
            }
            Happening::Asked { .. }
            | Happening::Deed { .. }
            | Happening::Caller
            | Happening::Heard { .. }
            | Happening::Turn(_)
            | Happening::Reply { .. }
            | Happening::GiveUp { .. }
            | Happening::Harm(_)
            | Happening::Heal(_) => None,
        }
    }
}

/// All that is to happen.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    coming: BTreeMap<(u64, u64), Happening>,
    entered: u64,
}

impl Agenda {
    /// Enters something, behind what was entered before for the same moment.
    pub(crate) fn enter(&mut self, at: u64, happening: Happening) {
        self.entered += 1;
        self.coming.insert((at, self.entered), happening);
    }

    pub(crate) fn next(&mut self) -> Option<(u64, Happening)> {
        self.coming.pop_first().map(|((at, _), happening)| (at, happening))
    }
}
