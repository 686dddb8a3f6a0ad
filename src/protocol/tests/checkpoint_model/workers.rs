//! Drives the participants: the source and the two sinks of each run, and what they do outside.

use watershed_core::checkpoint::{Payload, Staged, Xid};
use watershed_core::{Epoch, Run, SubtaskId};
use watershed_protocol::checkpoint::{
    Authority, CoordinatorEvent, Participant, ParticipantEffect as Effect, ParticipantEvent as Event,
};
use watershed_protocol::{Machine, Tick};

use crate::fault::Fault;
use crate::job::{SOURCE, STAGED, XA, sink_vote, source_vote, taken_at};
use crate::model::Model;
use crate::world::{Body, Item, Kind, Letter, Slip, Worker, World};

impl Model {
    /// Delivers a letter, for the first time or once more.
    pub(crate) fn deliver(&self, world: &mut World, letter: Letter) {
        let Letter { run, kind, epoch, subtask } = letter;
        let authority = world.runs[&run].authority;
        match (kind, world.mail[&letter].clone()) {
            (Kind::Restore, Body::Restore { after, part }) => {
                let base = part.snapshots.first().map(|share| taken_at(&share.layers[0]));
                let splits = part.splits.iter().flatten();
                let position = splits.map(|split| split.position.0 as u8).max().unwrap_or(0);
                let worker = Worker {
                    participant: Participant::new(subtask, authority),
                    at: if subtask == SOURCE { position } else { 0 },
                    passed: 0,
                    open: Vec::new(),
                    saving: None,
                    ended: false,
                    began: false,
                    base,
                };
                world.runs.get_mut(&run).expect("the run exists").workers.insert(subtask, worker);
                self.act(world, run, subtask, Event::Restore { authority, after, part });
            }
            (Kind::Trigger, _) => self.act(world, run, subtask, Event::Cut { epoch }),
            (Kind::Commit, Body::Xids(xids)) => {
                self.act(world, run, subtask, Event::Commit { authority, epoch, xids });
            }
            (Kind::AbortNote, _) => {
                if self.fault == Some(Fault::AbortTakesBack) {
                    world.xa.take_back(self.xid(authority, epoch, subtask));
                }
                self.act(world, run, subtask, Event::AbortNote { authority, epoch });
            }
            (Kind::EndRun, Body::EndRun(take_back_after)) => {
                self.act(world, run, subtask, Event::EndRun { authority, take_back_after });
            }
            (Kind::Vote, Body::Vote(vote)) => {
                self.tell_all(world, &CoordinatorEvent::Voted { authority, epoch, vote });
            }
            (Kind::Committed, _) => {
                self.tell_all(world, &CoordinatorEvent::Committed { authority, epoch, subtask });
            }
            (Kind::Ended, _) => self.tell_all(world, &CoordinatorEvent::Ended { authority, subtask }),
            (kind, body) => unreachable!("{kind:?} does not carry {body:?}"),
        }
    }

    fn tell_all(&self, world: &mut World, event: &CoordinatorEvent) {
        for node in 0..world.nodes.len() {
            self.tell(world, node, event.clone());
        }
    }

    pub(crate) fn start(&self, world: &mut World, authority: Authority, subtask: SubtaskId) {
        self.act(world, authority.run, subtask, Event::Start { authority });
    }

    /// Feeds an event to a participant and performs what it wants.
    fn act(&self, world: &mut World, run: Run, subtask: SubtaskId, event: Event) {
        let mut effects = Vec::new();
        let Some(worker) = worker(world, run, subtask) else { return };
        let _ = worker.participant.on(Tick(0), event, &mut effects);
        for effect in effects {
            self.perform_at(world, run, subtask, effect);
        }
    }

    fn perform_at(&self, world: &mut World, run: Run, subtask: SubtaskId, effect: Effect) {
        match effect {
            Effect::Resolve { authority, staged } => self.resolve(world, authority, subtask, &staged),
            Effect::Load { .. } => self.act(world, run, subtask, Event::Loaded),
            Effect::Restored { authority, subtask } => {
                self.tell_all(world, &CoordinatorEvent::Restored { authority, subtask });
            }
            Effect::Begin => worker(world, run, subtask).expect("it acts").began = true,
            Effect::Snapshot(epoch) => self.snapshot(world, run, subtask, epoch),
            Effect::Vote { authority: _, epoch, mut vote } => {
                if self.fault == Some(Fault::VoteListsOwnOnly) {
                    vote.staged.retain(|staged| staged.xid.epoch == epoch);
                }
                world.send(run, Kind::Vote, epoch, subtask, Body::Vote(vote));
            }
            Effect::Commit(staged) => {
                self.commit(world, subtask, &staged);
                self.act(world, run, subtask, Event::CommitDone { xid: staged.xid });
            }
            Effect::Committed { authority: _, epoch, subtask } => {
                if self.hears_commits {
                    world.send(run, Kind::Committed, epoch, subtask, Body::Nothing);
                }
            }
            Effect::TakeBack(staged) => {
                if subtask == XA {
                    world.xa.take_back(staged.xid);
                }
            }
            Effect::Abandon(_) => worker(world, run, subtask).expect("it acts").saving = None,
            // A decline does what the time-out does, which may come at any time.
            Effect::Decline { .. } | Effect::Refuse { .. } | Effect::Exit => {}
        }
    }

    /// What a sink does outside before it works: older runs' output is committed or taken back.
    fn resolve(&self, world: &mut World, authority: Authority, subtask: SubtaskId, staged: &[Staged]) {
        let everything_back = self.fault == Some(Fault::RecoveryTakesEverythingBack);
        if !everything_back {
            for staged in staged {
                self.commit(world, subtask, staged);
            }
        }
        if subtask == XA {
            let listed = |xid: &Xid| !everything_back && staged.iter().any(|staged| staged.xid == *xid);
            let earlier = |xid: &Xid| xid.run < authority.run || self.fault == Some(Fault::EpochsReused);
            let orphans: Vec<Xid> =
                world.xa.prepared.keys().filter(|xid| earlier(xid) && !listed(xid)).copied().collect();
            orphans.into_iter().for_each(|xid| world.xa.take_back(xid));
        }
    }

    fn commit(&self, world: &mut World, subtask: SubtaskId, staged: &Staged) {
        match subtask {
            STAGED => world.staged.commit(staged, self.fault),
            _ => world.xa.commit(staged, self.fault),
        }
    }

    fn xid(&self, authority: Authority, epoch: Epoch, subtask: SubtaskId) -> Xid {
        let run = if self.fault == Some(Fault::EpochsReused) { Run(0) } else { authority.run };
        Xid { lineage: authority.lineage, epoch, run, subtask }
    }

    /// Stages the output, saves the state, and sends the barrier on.
    fn snapshot(&self, world: &mut World, run: Run, subtask: SubtaskId, epoch: Epoch) {
        let authority = world.runs[&run].authority;
        let xid = self.xid(authority, epoch, subtask);
        let own = worker(world, run, subtask).expect("it acts");
        if !own.began {
            world.slip(Slip::EarlyEffect);
            return;
        }
        let (at, passed, ended) = (own.at, own.passed, own.ended);
        let open = std::mem::take(&mut own.open);
        let vote = if subtask == SOURCE {
            // Behind the end nothing is sent: the sinks are triggered by hand.
            if !ended {
                world.runs.get_mut(&run).expect("the run exists").log.push(Item::Barrier(epoch));
            }
            source_vote(epoch, at, passed, ended)
        } else {
            sink_vote(subtask, epoch, passed, ended)
        };
        if subtask == XA && !open.is_empty() {
            world.xa.prepare(xid, &open);
        }
        let staged = (!open.is_empty()).then_some(Staged { xid, payload: Payload::Inline(open) });
        self.act(world, run, subtask, Event::Prepared { epoch, staged });
        if self.slow_saves && subtask != SOURCE {
            worker(world, run, subtask).expect("it acts").saving = Some((epoch, vote));
        } else {
            self.act(world, run, subtask, Event::Saved { epoch, vote });
        }
    }

    /// The state that a sink saves is durable.
    pub(crate) fn save(&self, world: &mut World, run: Run, sink: SubtaskId) {
        let saving = worker(world, run, sink).and_then(|worker| worker.saving.take());
        let (epoch, vote) = saving.expect("it is enabled");
        self.act(world, run, sink, Event::Saved { epoch, vote });
    }

    /// The source reads its next record, or its end.
    pub(crate) fn emit(&self, world: &mut World, run: Run) {
        let source = worker(world, run, SOURCE).expect("it is enabled");
        let item = if source.at < self.records {
            let record = source.at;
            source.at += 1;
            source.passed += 1;
            Item::Record(record)
        } else {
            source.ended = true;
            Item::End
        };
        world.runs.get_mut(&run).expect("the run exists").log.push(item);
        if item == Item::End {
            world.send(run, Kind::Ended, Epoch(0), SOURCE, Body::Nothing);
        }
    }

    /// A sink takes the next item from its channel.
    pub(crate) fn take(&self, world: &mut World, run: Run, sink: SubtaskId) {
        let log = &world.runs[&run].log;
        let item = log[world.runs[&run].workers[&sink].at as usize];
        let own = worker(world, run, sink).expect("it is enabled");
        own.at += 1;
        match item {
            Item::Record(record) => {
                own.passed += 1;
                own.open.push(record);
            }
            Item::Barrier(epoch) => self.act(world, run, sink, Event::Cut { epoch }),
            Item::End => {
                own.ended = true;
                world.send(run, Kind::Ended, Epoch(0), sink, Body::Nothing);
            }
        }
    }
}

fn worker(world: &mut World, run: Run, subtask: SubtaskId) -> Option<&mut Worker> {
    world.runs.get_mut(&run).and_then(|run| run.workers.get_mut(&subtask))
}
