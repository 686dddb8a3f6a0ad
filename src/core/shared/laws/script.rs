//! What happens in an execution, step by step.

use crate::key::hash_key;

/// How many sites there are.
pub(super) const SITES: usize = 3;

/// One thing that happens at one site. Numbers stand for a choice among what there is then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A task of the site makes an update. Its epoch is 1 or 2; once the first is over, always 2.
    Write { site: usize, epoch: u64, update: usize },
    /// The site hears of an update that was made elsewhere.
    Hear { site: usize, update: usize },
}

/// An execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Script {
    /// How far the clock of each site is ahead.
    pub(super) ahead: [u64; SITES],
    /// What happens before the first epoch is over.
    pub(super) before: Vec<Step>,
    /// What happens after it.
    pub(super) after: Vec<Step>,
}

impl Script {
    /// So many steps, drawn from a seed.
    pub(super) fn drawn(seed: u64, steps: usize) -> Self {
        let draw = |place: usize, purpose: u8, below: usize| {
            let hash = hash_key(&(seed, steps, place, purpose));
            (hash >> 32) as usize % below
        };
        let step = |place| {
            let (site, update) = (draw(place, 0, SITES), draw(place, 1, usize::MAX));
            match draw(place, 2, 5) {
                0 | 1 => Step::Write { site, epoch: 1, update },
                2 => Step::Write { site, epoch: 2, update },
                _ => Step::Hear { site, update },
            }
        };
        let mut before: Vec<Step> = (0..steps).map(step).collect();
        let after = before.split_off(steps - draw(0, 3, steps / 2 + 1));
        let ahead = [0, 1, 2].map(|site| draw(site, 4, 4) as u64);
        Script { ahead, before, after }
    }

    /// The same with one step left out.
    pub(super) fn shorter(&self) -> impl Iterator<Item = Script> {
        let without = |place: usize| {
            let mut shorter = self.clone();
            if place < self.before.len() {
                shorter.before.remove(place);
            } else {
                shorter.after.remove(place - self.before.len());
            }
            shorter
        };
        (0..self.before.len() + self.after.len()).map(without)
    }
}
