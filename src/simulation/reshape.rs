//! The job goes on in another shape: with other parallelism, from its newest checkpoint or from a savepoint.
//!
//! ```text
//!   rescale    the run ends, the next one has other subtasks
//!   suspend    a savepoint, and the end of the run; later a new reign with other subtasks, that goes on from the newest
//!              decision, or goes back to a savepoint and begins another history
//! ```
//!
//! Whoever goes back to a savepoint sets the systems behind the sinks back to it too; what is output twice otherwise is
//! what was asked for.

use watershed_core::Lineage;
use watershed_core::checkpoint::{Meta, Pointer};
use watershed_protocol::checkpoint::{CoordinatorEvent as Event, Fork, RequestId, Wish};

use crate::agenda::Happening;
use crate::dice::Dice;
use crate::faults::{Fault, Harm};
use crate::world::World;

/// What people want of the job. They ask again until they have it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// The number of the shape in which it is to run.
    pub(crate) shape: usize,
    savepoint: bool,
    suspended: bool,
    /// Whether it is suspended, so that nobody is to take it up.
    pub(crate) rests: bool,
    /// To which savepoint it is to go back, with the history that begins there.
    back: Option<(Lineage, Pointer)>,
    /// The savepoints that there are.
    pub(crate) savepoints: Vec<Pointer>,
    requests: u64,
}

/// Draws when the job is to go on in another shape.
pub(crate) fn draw(dice: &mut Dice, until: u64) -> Vec<Fault> {
    let count = if dice.hit(35) { dice.between(1, 3) } else { 0 };
    let draw = |_| {
        let harm = match dice.below(8) {
            0..3 => Harm::Rescale,
            3 => Harm::Savepoint,
            4 | 5 => Harm::Suspend { back: false },
            _ => Harm::Suspend { back: true },
        };
        Fault { at: dice.between(100, until), lasts: dice.between(20, 1000), harm }
    };
    (0..count).map(draw).collect()
}

impl World {
    /// A person wants a savepoint, and the end of the run with it where the job is to be suspended.
    pub(crate) fn wish(&mut self, suspended: bool) {
        self.wanted.savepoint |= !suspended;
        self.wanted.suspended |= suspended;
    }

    /// The job is to go on, in another shape. `at` makes the shape that of the fault that asks for it.
    pub(crate) fn go_on(&mut self, at: u64, back: bool) {
        let shape = self.graph.reshaped(&mut Dice::new(self.seed ^ (at << 32)));
        self.wanted.shape = self.shapes.len();
        self.shapes.push(shape.into());
        let (rests, savepoints) = (self.wanted.rests, &self.wanted.savepoints);
        if back && rests && !savepoints.is_empty() {
            let pointer = savepoints[at as usize % savepoints.len()].clone();
            self.wanted.back = Some((Lineage(self.meta.lineage.0 + 1), pointer));
        }
        (self.wanted.suspended, self.wanted.rests) = (false, false);
        for node in 0..self.nodes.len() {
            let (life, delay) = (self.nodes[node].life, self.chance.between(1, 30));
            self.later(delay, Happening::Reshape { node, life });
        }
    }

    /// A node hears in which shape the job is to run: of importance where it leads.
    pub(crate) fn reshape(&mut self, node: usize) {
        let wanted = self.wanted.shape;
        let Some(lead) = self.nodes[node].lead.as_mut().filter(|lead| lead.shape != wanted) else { return };
        lead.shape = wanted;
        let roster = self.shapes[wanted].roster();
        self.lead(node, Event::Rescale(roster));
    }

    /// A person asks whoever leads for what is wanted, once in each reign.
    pub(crate) fn ask_of_lead(&mut self, node: usize) {
        let Wanted { savepoint, suspended, .. } = self.wanted;
        let Some(lead) = &mut self.nodes[node].lead else { return };
        let mut wishes = Vec::new();
        if savepoint && !std::mem::replace(&mut lead.asked_savepoint, true) {
            wishes.push(Wish::Savepoint);
        }
        if suspended && !std::mem::replace(&mut lead.asked_suspend, true) {
            wishes.push(Wish::Suspend);
        }
        for wish in wishes {
            self.wanted.requests += 1;
            let request = RequestId(self.wanted.requests);
            self.lead(node, Event::Request { request, wish });
        }
    }

    /// A savepoint is decided.
    pub(crate) fn saved_for_good(&mut self, pointer: &Pointer) {
        self.tally.savepoints += 1;
        self.wanted.savepoint = false;
        self.wanted.savepoints.push(pointer.clone());
    }

    /// The job is suspended: nobody takes it up until it is to go on.
    pub(crate) fn suspended(&mut self) {
        self.tally.suspended += 1;
        self.wanted.rests = self.wanted.suspended;
    }

    /// Where the job is to go back to, as whoever campaigns is told.
    pub(crate) fn fork(&self, meta: &Meta) -> Option<Fork> {
        let (lineage, pointer) = self.wanted.back.as_ref()?;
        (meta.lineage < *lineage).then(|| Fork::Checkpoint(pointer.clone()))
    }
}
