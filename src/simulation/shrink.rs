//! Finds out which faults of a failing seed it takes: the others are left out.

use crate::faults::Fault;
use crate::mutant::Mutant;
use crate::properties::Broken;
use crate::report::Report;
use crate::world::World;

/// How many worlds are tried, at most.
const TRIES_MAX: usize = 400;

/// Leaves out one fault after the other, and shortens those that are left, as long as the same property stays broken.
pub fn shrink(report: &Report, mutant: Option<Mutant>) -> Report {
    let Some((broken, _)) = report.broken else { return report.clone() };
    let mut best = report.clone();
    let mut tries = 0;
    loop {
        let before = best.faults.len();
        for place in (0..before).rev() {
            let mut fewer = best.faults.clone();
            fewer.remove(place);
            tries += 1;
            if let Some(report) = still(best.seed, mutant, fewer, broken) {
                best = report;
            }
        }
        if best.faults.len() == before || tries > TRIES_MAX {
            break;
        }
    }
    for place in 0..best.faults.len() {
        let mut shorter = best.faults.clone();
        shorter[place].lasts = shorter[place].lasts / 2 + 1;
        if let Some(report) = still(best.seed, mutant, shorter, broken) {
            best = report;
        }
    }
    best
}

fn still(seed: u64, mutant: Option<Mutant>, faults: Vec<Fault>, broken: Broken) -> Option<Report> {
    let report = World::draw(seed, mutant, Some(faults), false).run();
    report.broken.as_ref().is_some_and(|(other, _)| *other == broken).then_some(report)
}
