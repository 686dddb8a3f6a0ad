//! The control messages between coordinator, node and subtasks.

use actix::{Message, Recipient};
use watershed_core::SubtaskId;

use crate::deploy::Inlet;
use crate::element::{Deliver, Ending, GiveBack};
use crate::error::{Failure, JobError};
use crate::outbound::Target;
use crate::vigil::Post;

/// To a subtask: your channels. Sent to all before anybody starts.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Connect {
    pub(crate) outbound: Vec<Vec<Option<Target>>>,
    pub(crate) inbound: Vec<(Inlet, Post<GiveBack>)>,
}

/// To a source: read.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Start;

/// To a source: stop reading, and let what was read pass.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Cancel;

/// To a subtask: make what you staged visible.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Commit {
    pub(crate) staged: Option<Vec<u8>>,
}

/// To a subtask: it is over. What was staged and not committed is taken back, and what is left of its dead letters
/// sent to whoever takes them.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Stop {
    pub(crate) staged: Option<Vec<u8>>,
    /// Whether the subtask is one of those that take dead letters, and hands on what it has of them.
    pub(crate) flushes: bool,
}

/// To a subtask: somebody has woken you.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Woken;

/// To a subtask, from itself: the time has come.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Alarm;

/// To a source: the hindmost of its convoy has caught up.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct CaughtUp;

/// To a source, from itself: go on.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Turn;

/// To the coordinator: the subtask is ready to be started, or cannot be.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Opened {
    pub(crate) result: Result<(), JobError>,
}

/// To the coordinator: all input has been worked on, and what was written is staged.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Finished {
    pub(crate) subtask: SubtaskId,
    pub(crate) ending: Ending,
    pub(crate) staged: Option<Vec<u8>>,
}

/// To the coordinator: what was staged is visible.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Committed;

/// To the coordinator: something failed.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Failed(pub(crate) Failure);

/// How the coordinator and others reach a subtask.
#[derive(Clone)]
pub(crate) struct Handle {
    pub(crate) connect: Recipient<Connect>,
    pub(crate) give_back: Post<GiveBack>,
    pub(crate) commit: Recipient<Commit>,
    pub(crate) stop: Recipient<Stop>,
    /// Where elements go; none to a source.
    pub(crate) deliver: Option<Post<Deliver>>,
    /// A source only.
    pub(crate) source: Option<SourceHandle>,
}

/// How the coordinator reaches a source.
#[derive(Clone)]
pub(crate) struct SourceHandle {
    pub(crate) start: Recipient<Start>,
    pub(crate) cancel: Recipient<Cancel>,
}
