//! A subtask's part in checkpoints: performs what its participant machine wants.
//!
//! What takes time (reading what to go on from, writing state) happens beside the stream and comes back as a
//! message; what touches the task (preparing, committing, taking the state out) happens between two of its calls.

use std::collections::{BTreeMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use actix::Recipient;
use futures_util::FutureExt;
use watershed_core::checkpoint::{ChannelCut, ObjectRef, Payload, SplitCut, Staged, Vote, Xid};
use watershed_core::stage::{Snapshot, Taken, TaskContext, TaskError};
use watershed_core::state::{Layer, LayerKind};
use watershed_core::task::Task;
use watershed_core::{Epoch, KeyGroupRange};
use watershed_protocol::causal::{ClockReader, ReplicaLimits};
use watershed_protocol::checkpoint::{
    Authority, CoordinatorEvent, Failure, Layers, Part, Participant, ParticipantEffect, ParticipantEvent,
    kind_on,
};
use watershed_protocol::{Machine, Outcome, Tick};
use watershed_state::{CheckpointStore, Header, Object, ObjectKey, StoreError};

use crate::board::Pauses;
use crate::guard::message_of;
use crate::harm::{self, Point};
use crate::message::{Fetched, Hear, Report};
use crate::shared::{SharedDraft, SiteReplica};
use crate::storage::Depot;

/// What is staged rides in the vote up to this size, in bytes; what is larger is an object of its own.
const INLINE_BYTES_MAX: usize = 4 << 10;

/// What a subtask needs to know to take part.
#[derive(Clone)]
pub(crate) struct Membership {
    pub(crate) authority: Authority,
    /// Epochs up to this one were handed out before this run.
    pub(crate) after: Epoch,
    /// The checkpoint that the job goes on from, if it has one.
    pub(crate) base: Option<Epoch>,
    /// The hash of the plan.
    pub(crate) plan: u64,
    /// Its key groups, where its input is keyed.
    pub(crate) key_groups: Option<KeyGroupRange>,
    /// What it goes on from.
    pub(crate) part: Part,
    pub(crate) depot: Depot,
    pub(crate) pauses: Arc<Pauses>,
    /// The site's replica of the job's shared state, where it has any.
    pub(crate) shared: Option<Arc<SiteReplica>>,
}

impl Membership {
    /// Reads what senders on other nodes have seen of shared state; nothing where there is none.
    pub(crate) fn clock(&self) -> ClockReader {
        let sites = self.shared.as_ref().map_or(0, |replica| replica.sites());
        let lanes_max = usize::from(sites) * ReplicaLimits::default().epochs_max;
        ClockReader::new(self.authority.run, sites, lanes_max)
    }
}

/// How a subtask is reached by its own work beside the stream.
pub(crate) struct Own {
    pub(crate) hear: Recipient<Hear>,
    pub(crate) fetched: Recipient<Fetched>,
}

/// A subtask's part in checkpoints.
pub(crate) struct Participation {
    machine: Participant,
    effects: Vec<ParticipantEffect>,
    membership: Membership,
    own: Own,
    coordinator: Recipient<Report>,
    /// What is staged and not committed, by its name, so that older epochs come first.
    staged: BTreeMap<Xid, AtHand>,
    /// What the next snapshot stands on.
    layers: Layers,
}

/// What a sink has staged.
struct AtHand {
    bytes: Vec<u8>,
    /// Whether it lies in the checkpoint store, or will in the vote, so that the machine knows of it.
    is_kept: bool,
}

/// Where the cut of a checkpoint goes through the world of one subtask.
#[derive(Default)]
pub(crate) struct Cut {
    pub(crate) received: Vec<ChannelCut>,
    pub(crate) sent: Vec<ChannelCut>,
    pub(crate) splits: Vec<SplitCut>,
    /// Whether nothing will follow.
    pub(crate) finished: bool,
    /// The newest checkpoint that is complete.
    pub(crate) completed: Option<Epoch>,
    /// What is said of shared state, where there is any.
    pub(crate) shared: Option<SharedDraft>,
}

/// What is left to do for the subtask when its participant has been heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// As before.
    Same,
    /// It may begin to work.
    Begins,
    /// The run is over for it.
    Over,
}

impl Participation {
    pub(crate) fn new(
        membership: Membership,
        own: Own,
        coordinator: Recipient<Report>,
        cx: &TaskContext,
    ) -> Self {
        let machine = Participant::new(cx.info.subtask, membership.authority);
        let (effects, staged, layers) = Default::default();
        Participation { machine, effects, membership, own, coordinator, staged, layers }
    }

    /// Notes how long a barrier has held the subtask up.
    pub(crate) fn paused(&self, pause: Duration) {
        self.membership.pauses.paused(pause);
    }

    pub(crate) fn authority(&self) -> Authority {
        self.membership.authority
    }

    /// Begins to restore.
    pub(crate) fn restore(
        &mut self,
        task: &mut (impl Task + ?Sized),
        cx: &TaskContext,
    ) -> Result<(), TaskError> {
        let (authority, after) = (self.membership.authority, self.membership.after);
        let part = std::mem::take(&mut self.membership.part);
        self.hear(ParticipantEvent::Restore { authority, after, part }, None, task, cx).map(|_| ())
    }

    /// Takes in what was read: commits what is decided, takes back what is not, and loads the state.
    pub(crate) fn fetched(
        &mut self,
        fetched: Fetched,
        task: &mut (impl Task + ?Sized),
        cx: &TaskContext,
    ) -> Result<Standing, TaskError> {
        harm::reach_in(Point::BeforeResolve, &cx.info.uids);
        for staged in &fetched.staged {
            harm::reach_in(Point::BeforeCommit, &cx.info.uids);
            task.commit(staged)?;
            harm::reach_in(Point::AfterCommit, &cx.info.uids);
        }
        if self.membership.base.is_some() {
            task.resume()?;
        }
        task.load(&fetched.state, cx)?;
        harm::reach_in(Point::AfterLoad, &cx.info.uids);
        self.hear(ParticipantEvent::Loaded, None, task, cx)
    }

    /// Lets the participant hear an event, and does what it wants. `cut` comes with the event of a cut.
    pub(crate) fn hear(
        &mut self,
        event: ParticipantEvent,
        mut cut: Option<Cut>,
        task: &mut (impl Task + ?Sized),
        cx: &TaskContext,
    ) -> Result<Standing, TaskError> {
        let mut standing = Standing::Same;
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            if let ParticipantEvent::Prepared { staged: Some(Staged { xid, .. }), .. } = &event
                && let Some(at_hand) = self.staged.get_mut(xid)
            {
                at_hand.is_kept = true;
            }
            if let ParticipantEvent::Saved { epoch, vote } = &event {
                self.layers.written(*epoch, &vote.snapshot);
            }
            let outcome = self.machine.on(Tick(0), event, &mut self.effects);
            if outcome == Outcome::Unexpected {
                tracing::warn!(subtask = %cx.info.subtask, "heard of a checkpoint what no correct peer says");
            }
            for effect in std::mem::take(&mut self.effects) {
                match effect {
                    ParticipantEffect::Begin => standing = Standing::Begins,
                    ParticipantEffect::Exit => standing = Standing::Over,
                    ParticipantEffect::Snapshot(epoch) => {
                        let cut = cut.take().expect("a snapshot follows a cut");
                        self.snapshot(epoch, cut, &mut events, task, cx)?;
                    }
                    effect => self.perform(effect, &mut events, task, cx)?,
                }
            }
        }
        Ok(standing)
    }

    fn perform(
        &mut self,
        effect: ParticipantEffect,
        events: &mut VecDeque<ParticipantEvent>,
        task: &mut (impl Task + ?Sized),
        cx: &TaskContext,
    ) -> Result<(), TaskError> {
        use CoordinatorEvent as Word;
        match effect {
            ParticipantEffect::Begin | ParticipantEffect::Exit | ParticipantEffect::Snapshot(_) => {
                unreachable!("these change the subtask and are handled by it")
            }
            // What is staged is read and committed together with the loading.
            ParticipantEffect::Resolve { .. } => {}
            ParticipantEffect::Load { after: _, part } => self.fetch(part, cx),
            ParticipantEffect::Restored { authority, subtask } => {
                self.coordinator.do_send(Report::Tell(Word::Restored { authority, subtask }));
            }
            ParticipantEffect::Vote { authority, epoch, vote } => {
                harm::reach_in(Point::BeforeVote, &cx.info.uids);
                self.coordinator.do_send(Report::Tell(Word::Voted { authority, epoch, vote }));
            }
            ParticipantEffect::Decline { authority, epoch, subtask, reason } => {
                self.coordinator.do_send(Report::Tell(Word::Declined { authority, epoch, subtask, reason }));
            }
            ParticipantEffect::Committed { authority, epoch, subtask } => {
                self.coordinator.do_send(Report::Tell(Word::Committed { authority, epoch, subtask }));
            }
            ParticipantEffect::Commit(Staged { xid, .. }) => {
                let AtHand { bytes, .. } =
                    self.staged.get(&xid).expect("what this run staged is at hand until it is committed");
                harm::reach_in(Point::BeforeCommit, &cx.info.uids);
                match task.commit(bytes) {
                    Ok(()) => {
                        harm::reach_in(Point::AfterCommit, &cx.info.uids);
                        self.staged.remove(&xid);
                        events.push_back(ParticipantEvent::CommitDone { xid });
                    }
                    Err(error) if error.is_lost() || !self.membership.depot.lasts => return Err(error),
                    Err(error) => {
                        tracing::warn!(%xid, %error, "a commit has to be repeated");
                        events.push_back(ParticipantEvent::CommitFailed { xid });
                    }
                }
            }
            ParticipantEffect::TakeBack(Staged { xid, .. }) => {
                let Some(AtHand { bytes, .. }) = self.staged.remove(&xid) else { return Ok(()) };
                if let Err(error) = task.abort(&bytes) {
                    tracing::warn!(%xid, %error, "what was staged could not be taken back");
                }
            }
            // An upload that nobody waits for any more leaves an object that is collected later.
            ParticipantEffect::Abandon(_) => {}
            ParticipantEffect::Refuse { newest } => {
                tracing::warn!(subtask = %cx.info.subtask, %newest, "a message of an older run is refused");
            }
        }
        Ok(())
    }

    /// Stages the output, takes the state out, and lets both be written beside the stream.
    fn snapshot(
        &mut self,
        epoch: Epoch,
        cut: Cut,
        events: &mut VecDeque<ParticipantEvent>,
        task: &mut (impl Task + ?Sized),
        cx: &TaskContext,
    ) -> Result<(), TaskError> {
        let Membership { authority, plan, key_groups, depot, .. } = &self.membership;
        harm::reach_in(Point::BeforePrepare, &cx.info.uids);
        let prepared = match task.prepare(epoch) {
            Ok(prepared) => prepared,
            Err(error) if depot.lasts => {
                events.push_back(ParticipantEvent::Failed { epoch, reason: error.to_string() });
                return Ok(());
            }
            // There is no other try: the checkpoint is the job's only one.
            Err(error) => return Err(error),
        };
        let subtask = cx.info.subtask;
        let xid = Xid { lineage: authority.lineage, epoch, run: authority.run, subtask };
        let vote = Vote {
            subtask,
            plan: *plan,
            snapshot: Vec::new(),
            key_groups: key_groups.clone(),
            received: cut.received,
            sent: cut.sent,
            in_flight: Vec::new(),
            splits: cut.splits,
            staged: Vec::new(),
            finished: cut.finished,
            shared: None,
        };
        if let Some(bytes) = prepared {
            harm::reach_in(Point::AfterPrepare, &cx.info.uids);
            self.staged.insert(xid, AtHand { bytes, is_kept: false });
        }
        if !depot.lasts {
            let payload = |at_hand: &AtHand| Payload::Inline(at_hand.bytes.clone());
            let staged = self.staged.get(&xid).map(|at_hand| Staged { xid, payload: payload(at_hand) });
            events.extend([
                ParticipantEvent::Prepared { epoch, staged },
                ParticipantEvent::Saved { epoch, vote },
            ]);
            return Ok(());
        }
        let below = self.layers.take(epoch, cut.completed);
        let kind = kind_on(&below);
        let stages = task.save(kind, cx);
        let taken = (!stages.is_empty()).then_some((stages, below));
        let header = Header {
            job: cx.info.job.clone(),
            lineage: authority.lineage,
            epoch,
            run: authority.run,
            subtask,
            key_groups: cx.info.key_groups,
            kind,
        };
        // SUBTLE: with what an earlier epoch has staged and could not be written then, or is not written yet. These
        // records are nowhere else, and a vote without them would lose them.
        let unkept = self.staged.iter().filter(|(_, at_hand)| !at_hand.is_kept);
        let unkept = unkept.map(|(xid, at_hand)| (*xid, at_hand.bytes.clone())).collect();
        let (store, hear) = (depot.store.clone(), self.own.hear.clone());
        let (coordinator, authority) = (self.coordinator.clone(), *authority);
        actix::spawn(async move {
            let write = write(&store, unkept, header, taken, vote, cut.shared, &hear);
            let written = match beside(write).await {
                Ok(written) => written,
                Err(failure) => {
                    return coordinator.do_send(Report::Tell(CoordinatorEvent::Lost {
                        authority,
                        subtask,
                        failure,
                    }));
                }
            };
            let word = match written {
                Ok(vote) => ParticipantEvent::Saved { epoch, vote },
                // What the disk has lost without a word cannot be saved by another try: the process has to end.
                Err(error) if error.is_fatal() => {
                    let failure = Failure { reason: error.to_string(), permanent: true };
                    return coordinator.do_send(Report::Tell(CoordinatorEvent::Lost {
                        authority,
                        subtask,
                        failure,
                    }));
                }
                Err(error) => ParticipantEvent::Failed { epoch, reason: error.to_string() },
            };
            hear.do_send(Hear(word));
        });
        Ok(())
    }

    /// Reads what to go on from, beside the stream.
    fn fetch(&self, part: Part, cx: &TaskContext) {
        let store = self.membership.depot.store.clone();
        let keyed = self.membership.key_groups.is_some();
        let (fetched, coordinator) = (self.own.fetched.clone(), self.coordinator.clone());
        let (authority, subtask) = (self.membership.authority, cx.info.subtask);
        actix::spawn(async move {
            let failure = match beside(read(&store, part, keyed)).await {
                Ok(Ok(read)) => return fetched.do_send(read),
                Ok(Err(error)) => {
                    let permanent = matches!(error, StoreError::Missing { .. } | StoreError::Damaged { .. });
                    Failure { reason: error.to_string(), permanent }
                }
                Err(failure) => failure,
            };
            coordinator.do_send(Report::Tell(CoordinatorEvent::Lost { authority, subtask, failure }));
        });
    }
}

/// Does work beside the stream. A panic there is the subtask's failure at once: nobody would hear of it before the
/// checkpoint's time-out otherwise.
async fn beside<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    AssertUnwindSafe(work).catch_unwind().await.map_err(|panic| {
        let reason = format!("what it does beside the stream panicked: {}", message_of(panic.as_ref()));
        Failure { reason, permanent: false }
    })
}

/// Writes what is staged, says so, and writes the state. The vote, but for what is staged.
async fn write(
    store: &CheckpointStore,
    unkept: Vec<(Xid, Vec<u8>)>,
    header: Header,
    taken: Option<(Taken, Vec<ObjectRef>)>,
    mut vote: Vote,
    shared: Option<SharedDraft>,
    hear: &Recipient<Hear>,
) -> Result<Vote, StoreError> {
    let epoch = header.epoch;
    let stages_now = unkept.iter().any(|(xid, _)| xid.epoch == epoch);
    for (xid, bytes) in unkept {
        let payload = if bytes.len() <= INLINE_BYTES_MAX {
            Payload::Inline(bytes)
        } else {
            let Xid { lineage, epoch, run, subtask } = xid;
            let key = ObjectKey { lineage, epoch, run, object: Object::Staged(subtask) };
            Payload::Object(store.put(key, bytes).await?)
        };
        let staged = Some(Staged { xid, payload });
        hear.do_send(Hear(ParticipantEvent::Prepared { epoch: xid.epoch, staged }));
    }
    if !stages_now {
        hear.do_send(Hear(ParticipantEvent::Prepared { epoch, staged: None }));
    }
    if let Some((taken, below)) = taken {
        let layer = encode(taken).await?;
        // State that was saved whole after all stands on nothing.
        vote.snapshot = if layer.kind == LayerKind::Changes { below } else { Vec::new() };
        vote.snapshot.push(store.put_layer(header.clone(), layer).await?);
        harm::reach(Point::AfterSave);
    }
    if let Some(shared) = shared {
        vote.shared = Some(shared.write(store, (header.lineage, header.run)).await?);
    }
    Ok(vote)
}

/// Writes the state as MessagePack, on a thread where nothing streams.
async fn encode(taken: Taken) -> Result<Layer, StoreError> {
    let encode = move || taken.into_iter().map(|(uid, saving)| (uid, saving.encode())).collect();
    let encoded = tokio::task::spawn_blocking(encode).await;
    let stages = encoded.map_err(|error| StoreError::Io {
        action: "encode",
        path: "state".to_owned(),
        source: std::io::Error::other(error),
    })?;
    Ok(Layer::of(stages))
}

/// Reads what a subtask goes on from.
async fn read(store: &CheckpointStore, part: Part, keyed: bool) -> Result<Fetched, StoreError> {
    let mut staged = Vec::with_capacity(part.staged.len());
    for Staged { payload, .. } in part.staged {
        staged.push(match payload {
            Payload::Inline(bytes) => bytes,
            Payload::Object(object) => store.get(&object).await?.to_vec(),
        });
    }
    let nothing = KeyGroupRange(0..0);
    let mut state = Snapshot::new();
    for share in part.snapshots {
        // A subtask without keys has its pieces, by key group or not, for itself.
        let range = if keyed { Some(share.key_groups.as_ref().unwrap_or(&nothing)) } else { None };
        for (uid, sections) in store.state(&share.layers, range, share.whole).await? {
            state.entry(uid).or_default().merge(sections);
        }
    }
    Ok(Fetched { staged, state })
}
