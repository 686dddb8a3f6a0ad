//! What may happen next in a world, as stateright asks it.

use stateright::Property;
use watershed_core::{ProcessingTime, Site};
use watershed_protocol::causal::ReplicaEvent;

use crate::fault::Fault;
use crate::properties;
use crate::world::{Letter, Place, World};

/// How large the world may grow, and what is broken in it.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) sites: u16,
    /// Tasks on each site.
    pub(crate) tasks: usize,
    /// How often each site writes.
    pub(crate) writes: [u8; 3],
    /// How often each site speaks of itself; it also does behind each barrier.
    pub(crate) speaks: u8,
    /// How many epochs there are; the last one is not closed.
    pub(crate) epochs: u64,
    /// Whether gossip may arrive after newer gossip of its site.
    pub(crate) old_gossip: bool,
    pub(crate) fault: Option<Fault>,
}

/// What may happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A task writes.
    Write(Site, usize),
    /// A task passes its next barrier.
    Pass(Site, usize),
    /// A site hears that its next checkpoint is completed.
    Complete(Site),
    /// The time comes that a site waits for.
    Speak(Site),
    /// A letter arrives.
    Deliver(Letter),
    /// A site is lost and comes back within its run.
    BeginAnew(Site),
}

impl stateright::Model for Model {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        vec![World::first(self)]
    }

    fn actions(&self, world: &World, steps: &mut Vec<Step>) {
        let completed = world.places.iter().map(Place::all_passed).min().expect("there are sites");
        for (site, place) in (0..).map(Site).zip(&world.places) {
            for (task, epoch) in place.tasks.iter().enumerate() {
                if place.writes < self.writes[usize::from(site.0)] {
                    steps.push(Step::Write(site, task));
                }
                if epoch.0 < self.epochs {
                    steps.push(Step::Pass(site, task));
                }
            }
            if place.completed < completed {
                steps.push(Step::Complete(site));
            }
            if self.fault == Some(Fault::CountersRestored) && place.writes == 1 && !place.is_second_life {
                steps.push(Step::BeginAnew(site));
            }
            if place.spoken < self.speaks {
                steps.push(Step::Speak(site));
            }
        }
        steps.extend(world.mail.iter().cloned().map(Step::Deliver));
    }

    fn next_state(&self, last: &World, step: Step) -> Option<World> {
        let mut world = last.clone();
        match step {
            Step::Write(site, task) => world.write(self, site, task),
            Step::Pass(site, task) => world.pass(self, site, task),
            Step::Complete(site) => world.complete(self, site),
            Step::Speak(site) => {
                world.places[usize::from(site.0)].spoken += 1;
                let wall = ProcessingTime::from_millis(0);
                world.feed(self, site, ReplicaEvent::Deadline { wall });
            }
            Step::Deliver(letter) => world.deliver(self, &letter),
            Step::BeginAnew(site) => {
                let mut anew = World::first(self).places.swap_remove(usize::from(site.0));
                anew.is_second_life = true;
                world.places[usize::from(site.0)] = anew;
            }
        }
        (world != *last).then_some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all(self)
    }
}
