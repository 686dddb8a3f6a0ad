//! The control messages between coordinator, node and subtasks.

use actix::{Message, Recipient};
use tokio::sync::oneshot;
use watershed_core::stage::Snapshot;
use watershed_core::{Epoch, SubtaskId};
use watershed_protocol::Panicked;
use watershed_protocol::checkpoint::{Answer, Authority, CoordinatorEvent, Intent, ParticipantEvent, Wish};

use crate::board::Standing;
use crate::deploy::Inlet;
use crate::element::{Barrier, Deliver, Ending, GiveBack};
use crate::error::{Failure, JobError};
use crate::inbound::Back;
use crate::outbound::Target;
use crate::query::Sight;
use crate::vigil::Post;

/// To a subtask: your channels. Sent to all before anybody starts.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Connect {
    pub(crate) outbound: Vec<Vec<Option<Target>>>,
    pub(crate) inbound: Vec<(Inlet, Back)>,
}

/// To a subtask: a word for its participant, from the coordinator or from work of its own that was going on beside
/// the stream.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Hear(pub(crate) ParticipantEvent);

/// To a subtask, from itself: what it goes on from has been read.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Fetched {
    /// What sinks staged, to be committed in this order.
    pub(crate) staged: Vec<Vec<u8>>,
    /// State, by the uids of its stages.
    pub(crate) state: Snapshot,
}

/// To a subtask that no barrier reaches: begin a checkpoint.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Trigger {
    pub(crate) authority: Authority,
    pub(crate) barrier: Barrier,
    pub(crate) intent: Intent,
}

/// To a source: stop reading, and let what was read pass.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Drain(pub(crate) Ending);

/// To a source: no checkpoint before this one is kept any more, but for savepoints.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Forget(pub(crate) Epoch);

/// What the coordinator has to say to a subtask.
pub(crate) enum Word {
    Hear(ParticipantEvent),
    Trigger(Trigger),
    Drain(Drain),
    Forget(Forget),
}

/// To a subtask: the run is over. What will never be decided is taken back, and what is left of its dead letters
/// sent to whoever takes them.
#[derive(Clone, Message)]
#[rtype(result = "()")]
pub(crate) struct Stop {
    pub(crate) authority: Authority,
    /// The newest decision, where it is known.
    pub(crate) take_back_after: Option<Option<Epoch>>,
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

/// To the coordinator, from the subtasks of its job.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) enum Report {
    /// What its machine is to hear.
    Tell(CoordinatorEvent),
    /// The subtask cannot begin.
    Refused(Refused),
    /// The subtask has come to its end.
    Ended(Ended),
    /// Something failed.
    Failed(Failed),
    /// Records were left out.
    LeftOut(LeftOut),
    /// How far subtasks on another node have come.
    Progress(Progress),
}

/// How far subtasks on another node have come.
pub(crate) struct Progress {
    pub(crate) authority: Authority,
    pub(crate) standings: Vec<(SubtaskId, Standing)>,
}

/// The subtask cannot begin.
pub(crate) struct Refused {
    pub(crate) authority: Authority,
    pub(crate) subtask: SubtaskId,
    pub(crate) error: JobError,
}

/// A subtask has come to its end, in this way.
pub(crate) struct Ended {
    pub(crate) authority: Authority,
    pub(crate) subtask: SubtaskId,
    pub(crate) ending: Ending,
}

/// Something failed.
pub(crate) struct Failed {
    pub(crate) authority: Authority,
    pub(crate) failure: Failure,
    /// What is known of its panic, where it was one.
    pub(crate) panicked: Option<Panicked>,
}

/// Told before the vote of a checkpoint: these records were left out before its barrier, by their numbers.
pub(crate) struct LeftOut {
    pub(crate) authority: Authority,
    pub(crate) epoch: Epoch,
    pub(crate) records: Vec<u32>,
}

/// To the coordinator: somebody asks for the end of the job.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Cancel;

/// To the coordinator: somebody wants something, and waits for the answer.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Ask {
    pub(crate) wish: Wish,
    pub(crate) answer: oneshot::Sender<Answer>,
}

/// How the coordinator and others reach a subtask.
#[derive(Clone)]
pub(crate) struct Handle {
    pub(crate) connect: Recipient<Connect>,
    pub(crate) give_back: Post<GiveBack>,
    pub(crate) hear: Recipient<Hear>,
    pub(crate) trigger: Recipient<Trigger>,
    pub(crate) stop: Recipient<Stop>,
    /// Who shows what it has of a key; a source keeps nothing by key.
    pub(crate) look: Option<Recipient<Sight>>,
    /// Where elements go; none to a source.
    pub(crate) deliver: Option<Post<Deliver>>,
    /// A source only.
    pub(crate) drain: Option<Recipient<Drain>>,
    /// A source only.
    pub(crate) forget: Option<Recipient<Forget>>,
}
