//! Which node each slot of a job is on.
//!
//! A slot holds one subtask of each vertex, so that a job needs as many slots as its widest vertex has subtasks; this is
//! Flink's slot sharing. Slots are dealt out one by one, each to the node that suits it best: where they are *spread*,
//! the one whose measured room is used least; where they are *packed*, the first that has one left, so that as few nodes
//! as possible take part.
//!
//! A job that has run before keeps its parallelism when a node is lost: the nodes that are left take more than their
//! slots then, each in proportion, since a job that is slower for a while is better than one that stands still. A new
//! job waits until there is room for it.
//!
//! A pure function: the same offers give the same places.

use serde::{Deserialize, Serialize};

/// What a node offers to a job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// How many slots it has that nobody else uses.
    pub slots: u32,
    /// How much of its processors is in use already, in percent: of all of them, 100.
    pub busy_percent: u32,
    /// Whether it is about to leave, and takes nothing new.
    pub leaves: bool,
}

/// How slots are dealt out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Strategy {
    /// Over all nodes, in proportion to their free slots and to what their processors have left.
    #[default]
    Spread,
    /// Over as few nodes as possible.
    Pack,
}

/// Whether more slots may be used than there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pressure {
    /// No: a job that has not run yet waits.
    Wait,
    /// Yes: the job has run before.
    Squeeze,
}

/// There are too few slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the job asks for {asked} slots, and {there} are free on {nodes} nodes: it waits for more nodes")]
pub struct Shortage {
    /// How many are asked for.
    pub asked: u32,
    /// How many there are.
    pub there: u32,
    /// On how many nodes.
    pub nodes: usize,
}

/// The measured room of a node in hundredths of a slot; a busy node counts for at least a tenth of its slots.
fn room(offer: &Offer) -> u64 {
    u64::from(offer.slots.max(1)) * u64::from(100 - offer.busy_percent.min(90))
}

/// Deals `asked` slots out: the number of the node for each.
///
/// # Errors
///
/// Where there are too few, unless a job that has run before is to be squeezed in; and where no node takes any.
pub fn place(
    asked: u32,
    offers: &[Offer],
    strategy: Strategy,
    pressure: Pressure,
) -> Result<Vec<u16>, Shortage> {
    let stays = |offer: &&Offer| !offer.leaves;
    let there = offers.iter().filter(stays).map(|offer| offer.slots).sum();
    let nodes = offers.iter().filter(stays).count();
    if nodes == 0 || (there < asked && pressure == Pressure::Wait) {
        return Err(Shortage { asked, there, nodes });
    }
    let mut used = vec![0_u32; offers.len()];
    let mut places = Vec::with_capacity(asked as usize);
    for _ in 0..asked {
        let takers = offers.iter().zip(&used).enumerate().filter(|(_, (offer, _))| !offer.leaves);
        // Whoever has a slot left comes before whoever has none.
        let rank = |used: u32, offer: &Offer| match strategy {
            _ if used >= offer.slots => (true, u64::from(used + 1) * 1_000_000 / room(offer)),
            Strategy::Spread => (false, u64::from(used + 1) * 1_000_000 / room(offer)),
            Strategy::Pack => (false, 0),
        };
        let (node, _) = takers
            .min_by_key(|(node, (offer, used))| (rank(**used, offer), *node))
            .expect("a node takes slots");
        used[node] += 1;
        places.push(node as u16);
    }
    // Neighbours in a job's numbering share a node, so that what is forwarded stays there.
    places.sort_unstable();
    Ok(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(slots: u32, busy_percent: u32) -> Offer {
        Offer { slots, busy_percent, leaves: false }
    }

    fn spread(asked: u32, offers: &[Offer]) -> Vec<u16> {
        place(asked, offers, Strategy::Spread, Pressure::Wait).unwrap()
    }

    #[test]
    fn slots_are_spread_in_proportion_to_the_room_that_is_left() {
        assert_eq!(spread(6, &[offer(2, 0), offer(2, 0), offer(2, 0)]), [0, 0, 1, 1, 2, 2]);
        assert_eq!(spread(3, &[offer(2, 0), offer(2, 0), offer(2, 0)]), [0, 1, 2]);
        assert_eq!(spread(3, &[offer(4, 0), offer(2, 0)]), [0, 0, 1]);
        assert_eq!(spread(3, &[offer(4, 80), offer(4, 0)]), [1, 1, 1]);
    }

    #[test]
    fn packing_fills_a_node_before_the_next() {
        let places = place(3, &[offer(2, 0), offer(4, 0)], Strategy::Pack, Pressure::Wait);
        assert_eq!(places, Ok(vec![0, 0, 1]));
    }

    #[test]
    fn a_new_job_waits_for_slots_and_one_that_has_run_is_squeezed_in() {
        let offers = [offer(1, 0), offer(2, 0)];
        let shortage = Shortage { asked: 6, there: 3, nodes: 2 };
        assert_eq!(place(6, &offers, Strategy::Spread, Pressure::Wait), Err(shortage));
        assert_eq!(place(6, &offers, Strategy::Spread, Pressure::Squeeze), Ok(vec![0, 0, 1, 1, 1, 1]));
        assert!(place(1, &[], Strategy::Spread, Pressure::Squeeze).is_err());
    }

    #[test]
    fn a_node_that_leaves_takes_nothing() {
        let leaving = Offer { leaves: true, ..offer(8, 0) };
        assert_eq!(spread(2, &[leaving, offer(2, 0)]), [1, 1]);
    }
}
