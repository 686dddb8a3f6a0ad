//! Single behaviours against literal effects, for the small job of a source and a sink.
//!
//! The epochs of a first run are 1, 2, ...; those of a run that follows it begin behind the block of 64.

mod cancel;
mod checkpoint;
mod commit;
mod end;
mod live;
mod recovery;
mod reign;
mod request;
mod uncertain;

use std::time::Duration;

use watershed_core::checkpoint::{Change, Guard, Manifest, Meta, RollBack, Vote};
use watershed_core::{Epoch, Lineage, Run, SubtaskId, Term};

use super::CoordinatorEffect as Effect;
use super::CoordinatorEvent as Event;
use super::*;
use crate::checkpoint::small_job::{
    SINK, SOURCE, authority, manifest, object, pointer, roster, sink_vote, source_vote, staged, xid,
};
use crate::checkpoint::{CheckpointConfig, Part, Permit, Swap, Swapped};
use crate::{Machine, Outcome, Tick};

/// A coordinator, the time, and a meta store that does at once what it is asked.
struct Bench {
    coordinator: Coordinator,
    now: u64,
    meta: Meta,
}

fn config() -> CheckpointConfig {
    CheckpointConfig { restarts_max: 3, retain: 2, ..CheckpointConfig::default() }
}

impl Bench {
    fn new(config: CheckpointConfig) -> Bench {
        Bench { coordinator: Coordinator::new("small", roster(), config), now: 0, meta: Meta::default() }
    }

    /// A bench whose first run works.
    fn running(config: CheckpointConfig) -> Bench {
        let mut bench = Bench::new(config);
        bench.campaign(None);
        bench.swap();
        bench.swap();
        bench.feed(restored(1, 1, SOURCE));
        bench.feed(restored(1, 1, SINK));
        bench
    }

    /// Feeds one event, which must be applied.
    fn feed(&mut self, event: Event) -> Vec<Effect> {
        let mut effects = Vec::new();
        let outcome = self.coordinator.on(Tick(self.now), event.clone(), &mut effects);
        assert_eq!(outcome, Outcome::Applied, "{event:?}");
        effects
    }

    /// Feeds one event that must change nothing.
    fn refused(&mut self, event: Event) -> Outcome {
        let (before, mut effects) = (self.coordinator.clone(), Vec::new());
        let outcome = self.coordinator.on(Tick(self.now), event, &mut effects);
        assert_eq!((&self.coordinator, &effects), (&before, &vec![]));
        outcome
    }

    /// Lets the time come that the machine waits for.
    fn wait(&mut self) -> Vec<Effect> {
        self.now = self.coordinator.deadline().expect("the machine waits for time").0;
        self.feed(Event::Deadline)
    }

    fn campaign(&mut self, fork: Option<Fork>) -> Vec<Effect> {
        let meta = self.meta.clone();
        self.feed(Event::Campaign { meta, fork })
    }

    /// The change that was asked for and not answered.
    fn asked(&mut self) -> Change {
        let asked = match &mut self.coordinator.phase {
            Phase::Campaigning(asked) | Phase::Fencing { term: _, asked } => Some(&mut *asked),
            Phase::Running(running) => running.asked(),
            _ => None,
        };
        asked.expect("a swap is under way").change().clone()
    }

    /// Performs the change that was asked for, and returns the answer to it.
    fn perform(&mut self) -> Event {
        let change = self.asked();
        self.meta = change.apply(Guard::of(&self.meta), &self.meta).expect("the change is allowed");
        Event::Swapped { change, result: Swapped::Done(self.meta.clone()) }
    }

    /// Performs the change that was asked for, and answers.
    fn swap(&mut self) -> Vec<Effect> {
        let answer = self.perform();
        self.feed(answer)
    }

    fn answer(&mut self, result: Swapped) -> Vec<Effect> {
        let change = self.asked();
        self.feed(Event::Swapped { change, result })
    }

    /// Triggers the next checkpoint at its time and returns its epoch.
    fn trigger(&mut self) -> u64 {
        let mut effects = self.wait();
        if matches!(effects.last(), Some(Effect::Swap(_))) {
            effects = self.swap();
        }
        match effects.as_slice() {
            [.., Effect::Trigger { epoch, .. }] => epoch.0,
            other => panic!("no trigger: {other:?}"),
        }
    }

    /// Lets both subtasks vote, after so many records, the sink with these epochs staged.
    fn vote(&mut self, epoch: u64, records: u64, pending: &[u64]) -> Vec<Effect> {
        let authority = self.coordinator.authority().expect("a run works");
        let pending = pending.iter().map(|&epoch| staged(authority.run.0, epoch)).collect();
        let mut effects = self.feed(voted(authority, epoch, source_vote(records)));
        effects.extend(self.feed(voted(authority, epoch, sink_vote(records, pending))));
        effects
    }

    fn written(&mut self, epoch: u64) -> Vec<Effect> {
        let object = object(&format!("manifest-{epoch}"));
        self.feed(Event::ManifestWritten { epoch: Epoch(epoch), object })
    }

    /// Takes a checkpoint in which the sink stages something, up to its decision.
    fn decide(&mut self, records: u64, pending: &[u64]) -> (u64, Vec<Effect>) {
        let epoch = self.trigger();
        let pending: Vec<u64> = pending.iter().copied().chain([epoch]).collect();
        self.vote(epoch, records, &pending);
        self.written(epoch);
        (epoch, self.swap())
    }
}

fn restored(term: u64, run: u32, subtask: SubtaskId) -> Event {
    Event::Restored { authority: authority(term, run), subtask }
}

fn voted(authority: Authority, epoch: u64, vote: Vote) -> Event {
    Event::Voted { authority, epoch: Epoch(epoch), vote }
}

fn committed(run: u32, epoch: u64) -> Event {
    Event::Committed { authority: authority(1, run), epoch: Epoch(epoch), subtask: SINK }
}

fn lost(run: u32, permanent: bool) -> Event {
    let failure = Failure { reason: "it fell silent".to_owned(), permanent };
    Event::Lost { authority: authority(1, run), subtask: SINK, failure }
}

fn lost_reason() -> EndReason {
    EndReason::Lost { subtask: Some(SINK), reason: "it fell silent".to_owned() }
}

fn ended(run: u32, subtask: SubtaskId) -> Event {
    Event::Ended { authority: authority(1, run), subtask }
}

fn request(wish: Wish) -> Event {
    Event::Request { request: RequestId(7), wish }
}

fn swap(term: u64, run: u32, change: Change) -> Effect {
    Effect::Swap(Swap { guard: Guard { term: Term(term), run: Run(run) }, change })
}

fn trigger(run: u32, epoch: u64, completed: Option<u64>, intent: Intent, at: &[SubtaskId]) -> Effect {
    let authority = authority(1, run);
    Effect::Trigger {
        authority,
        epoch: Epoch(epoch),
        completed: completed.map(Epoch),
        intent,
        at: at.to_vec(),
    }
}

fn restore(run: u32, subtask: SubtaskId, after: u64, permit: Option<u64>, part: Part) -> Effect {
    let permit = permit.map(permit_for);
    Effect::Restore { authority: authority(1, run), subtask, after: Epoch(after), permit, part }
}

fn permit_for(epoch: u64) -> Permit {
    let meta = Meta { completed: Some(pointer(epoch)), ..Meta::default() };
    Permit::seen_in(&meta).expect("the store shows a decision")
}

fn commit(run: u32, epoch: u64, pending: &[u64]) -> Effect {
    let xids = pending.iter().map(|&epoch| xid(run, epoch)).collect();
    Effect::Commit { authority: authority(1, run), permit: permit_for(epoch), subtask: SINK, xids }
}

fn abort_note(run: u32, epoch: u64) -> Effect {
    Effect::AbortNote { authority: authority(1, run), epoch: Epoch(epoch) }
}

fn end_run(run: u32, reason: EndReason, take_back_after: Option<Option<Epoch>>) -> Effect {
    Effect::EndRun { authority: authority(1, run), reason, take_back_after }
}

fn given_up(epoch: u64, reason: &str) -> Effect {
    Effect::Report(Report::GivenUp { epoch: Epoch(epoch), reason: reason.to_owned() })
}

fn start(run: u32, subtask: SubtaskId) -> Effect {
    Effect::Start { authority: authority(1, run), subtask }
}
