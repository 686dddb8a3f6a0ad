//! What may happen next in a world, as stateright asks it.

use stateright::Property;
use watershed_core::checkpoint::{Change, Xid};
use watershed_core::{Run, SubtaskId};
use watershed_protocol::checkpoint::{CoordinatorEvent, RequestId, Wish};
use watershed_protocol::{Machine, Tick};

use crate::fault::Fault;
use crate::job::SOURCE;
use crate::nodes::Fate;
use crate::properties;
use crate::world::{Cancel, Kind, Letter, World};

/// How large the world may grow, and what is broken in it.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) records: u8,
    pub(crate) epochs: u64,
    pub(crate) runs: u32,
    /// Coordinators; the second one campaigns at any time.
    pub(crate) nodes: usize,
    /// Whether the answer to one decision may stay away.
    pub(crate) doubts: bool,
    /// Whether the source ends, and the job with it.
    pub(crate) ends: bool,
    /// Whether the job may be cancelled.
    pub(crate) cancels: bool,
    /// Whether a job that is cancelled waits for its commits as long as they take, instead of ending in doubt.
    pub(crate) patient: bool,
    /// Whether coordinators hear of commits. Where they do not, each is outstanding for ever.
    pub(crate) hears_commits: bool,
    /// Whether sinks save their state in the background, so that a checkpoint may be given up meanwhile.
    pub(crate) slow_saves: bool,
    pub(crate) fault: Option<Fault>,
}

/// What may happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The meta store takes up a swap that a node has asked for.
    Swap(usize, usize, Fate),
    /// A swap whose asker has given up waiting reaches the meta store.
    Land(usize),
    /// The meta store is read.
    Read(usize),
    /// A node wants to lead.
    Campaign(usize),
    /// A node hears that a subtask is lost.
    Lose(usize),
    /// The time comes that a coordinator waits for.
    Deadline(usize),
    /// Somebody ends the job.
    Cancel(usize),
    /// A letter arrives.
    Deliver(Letter),
    /// A run's source reads on.
    Emit(Run),
    /// A run's sink reads on.
    Take(Run, SubtaskId),
    /// A run's sink has saved its state.
    Save(Run, SubtaskId),
    /// The external system forgets a prepared transaction.
    TimeOut(Xid),
}

impl stateright::Model for Model {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        vec![self.first()]
    }

    fn actions(&self, world: &World, steps: &mut Vec<Step>) {
        for node in 0..world.nodes.len() {
            self.node_steps(world, node, steps);
        }
        steps.extend((0..world.adrift.len()).map(Step::Land));
        for (&run, run_world) in &world.runs {
            for (&subtask, worker) in run_world.workers.iter().filter(|(_, worker)| worker.began) {
                let more = worker.at < self.records || (self.ends && !worker.ended);
                if subtask == SOURCE && more {
                    steps.push(Step::Emit(run));
                }
                if worker.saving.is_some() {
                    steps.push(Step::Save(run, subtask));
                }
                if subtask != SOURCE && usize::from(worker.at) < run_world.log.len() {
                    steps.push(Step::Take(run, subtask));
                }
            }
        }
        steps.extend(
            world
                .mail
                .keys()
                .filter(|letter| self.matters(world, letter))
                .map(|&letter| Step::Deliver(letter)),
        );
        if self.fault == Some(Fault::PreparedTimesOut) {
            steps.extend(world.xa.prepared.keys().map(|&xid| Step::TimeOut(xid)));
        }
    }

    fn next_state(&self, last: &World, step: Step) -> Option<World> {
        let mut world = last.clone();
        match step {
            Step::Swap(node, place, fate) => self.swap(&mut world, node, place, fate),
            Step::Land(place) => {
                let swap = world.adrift.remove(place);
                self.apply(&mut world, &swap);
            }
            Step::Read(node) => {
                world.nodes[node].reading = false;
                let meta = world.meta.clone();
                self.tell(&mut world, node, CoordinatorEvent::MetaRead(meta));
            }
            Step::Campaign(node) => self.campaign(&mut world, node),
            Step::Lose(node) => {
                let authority = world.nodes[node].coordinator.authority().expect("it is enabled");
                self.lose(&mut world, node, authority);
            }
            Step::Deadline(node) => self.tell(&mut world, node, CoordinatorEvent::Deadline),
            Step::Cancel(node) => {
                world.nodes[node].cancel = Cancel::Asked;
                let event = CoordinatorEvent::Request { request: RequestId(0), wish: Wish::Cancel };
                self.tell(&mut world, node, event);
            }
            Step::Deliver(letter) => self.deliver(&mut world, letter),
            Step::Emit(run) => self.emit(&mut world, run),
            Step::Take(run, sink) => self.take(&mut world, run, sink),
            Step::Save(run, sink) => self.save(&mut world, run, sink),
            Step::TimeOut(xid) => {
                world.xa.prepared.remove(&xid);
            }
        }
        (world != *last).then_some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all(self)
    }
}

impl Model {
    fn node_steps(&self, world: &World, index: usize, steps: &mut Vec<Step>) {
        let node = &world.nodes[index];
        for (place, swap) in node.asked.iter().enumerate() {
            if !self.has_room(world, swap) {
                continue;
            }
            steps.push(Step::Swap(index, place, Fate::Answered));
            if self.doubts && world.unknown.is_none() && matches!(swap.change, Change::Complete(_)) {
                steps.push(Step::Swap(index, place, Fate::AnswerLost));
                steps.push(Step::Swap(index, place, Fate::Adrift));
            }
        }
        if node.reading {
            steps.push(Step::Read(index));
        }
        if index > 0 && world.meta.run.0 < self.runs && node.read_first.is_none() && !began(world, index) {
            steps.push(Step::Campaign(index));
        }
        // The time comes.
        if node.coordinator.deadline() == Some(Tick(0)) {
            steps.push(Step::Deadline(index));
        }
        if node.coordinator.authority().is_some() {
            if world.meta.run.0 < self.runs {
                steps.push(Step::Lose(index));
            }
            if self.cancels && node.cancel == Cancel::No {
                steps.push(Step::Cancel(index));
            }
        }
    }

    /// Whether the delivery of a letter can change anything. Only spares the checker work.
    fn matters(&self, world: &World, letter: &Letter) -> bool {
        let run = &world.runs[&letter.run];
        let works = || world.nodes.iter().any(|node| node.coordinator.authority() == Some(run.authority));
        match letter.kind {
            Kind::Restore => !run.workers.contains_key(&letter.subtask),
            Kind::Vote | Kind::Committed | Kind::Ended => works(),
            Kind::Trigger | Kind::Commit | Kind::AbortNote | Kind::EndRun => {
                run.workers.get(&letter.subtask).is_some_and(|worker| worker.began)
            }
        }
    }
}

/// Whether a node has begun to campaign.
fn began(world: &World, index: usize) -> bool {
    let node = &world.nodes[index];
    !node.asked.is_empty() || node.coordinator.authority().is_some() || world.meta.term.0 > index as u64
}
