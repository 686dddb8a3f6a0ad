//! What must always hold, and what must be able to happen.
//!
//! | name | is | from |
//! | --- | --- | --- |
//! | C1 | no two updates have one name | dots |
//! | C3 | what a site has applied is causally closed and has no gap in any lane | causal order |
//! | C5 | a site's clock says exactly which updates are in its table, so equal clocks are equal tables | convergence |
//! | C9 | no clock has more lanes than sites times open epochs | pruning |
//! | once | no update is joined twice at one site | duplicates |
//! | settled | an epoch is settled when all sites have all of it | forgetting |
//! | trust | no correct site is taken for a confused one | belief |
//! | heal | whatever is lost, a few rounds of gossip bring all sites together and settle all that is completed | liveness |

use stateright::Property;
use watershed_core::causal::Dot;
use watershed_core::{Counter, Epoch};

use crate::model::Model;
use crate::world::{Body, Place, Slip, World};

pub(crate) const ONE_NAME: &str = "C1 no two updates have one name";
pub(crate) const CLOSED: &str = "C3 what is applied is causally closed";

/// How many rounds of gossip bring all together: one to hear what is missing, one to see that it does not come, one for
/// each lane that another waits for, and two to learn what all have.
const ROUNDS: usize = 6;

/// The properties of a model. Those that must be able to happen are asked of the faithful protocol only.
pub(crate) fn all(model: &Model) -> Vec<Property<Model>> {
    let mut properties = vec![
        Property::always(ONE_NAME, |_, world: &World| !world.slips.contains(&Slip::NameTwice)),
        Property::always(CLOSED, |_, world: &World| world.places.iter().all(|place| is_closed(world, place))),
        Property::always("C5 a clock names what is in the table", |_, world: &World| {
            world.places.iter().all(|place| clock_is_true(world, place))
        }),
        Property::always("C9 clocks stay small", |model: &Model, world: &World| {
            world.places.iter().all(|place| is_small(model, place))
        }),
        Property::always("no update is joined twice", |_, world: &World| {
            !world.slips.contains(&Slip::JoinedTwice)
        }),
        Property::always("what is settled is everywhere", |_, world: &World| {
            !world.slips.contains(&Slip::SettledEarly)
        }),
        Property::always("nobody correct is mistrusted", |_, world: &World| {
            !world.slips.contains(&Slip::Mistrusted)
        }),
    ];
    if model.fault.is_none() {
        properties.push(Property::always("what is lost is brought back", |model: &Model, world: &World| {
            heals(model, world.clone())
        }));
        properties.extend(reachable(model));
    }
    properties
}

/// What must be able to happen, where the world has room for it.
fn reachable(model: &Model) -> Vec<Property<Model>> {
    let mut properties =
        vec![Property::sometimes("all is written, joined and settled", |model: &Model, world: &World| {
            let is_settled = |place: &Place| place.settled == Epoch(model.epochs - 1);
            let writes: u8 = model.writes.iter().sum();
            let is_written = world.made.len() == usize::from(writes);
            is_written && world.is_whole() && world.places.iter().all(is_settled)
        })];
    if model.writes[0] > 1 {
        properties.push(Property::sometimes("an update waits for another", |_, world: &World| {
            world.places.iter().any(|place| place.replica.lag().held.updates > 0)
        }));
    }
    if model.speaks > 0 {
        properties.push(Property::sometimes("a pull is answered", |_, world: &World| {
            world.mail.iter().any(|letter| matches!(letter.body, Body::Answer(..)))
        }));
    }
    properties
}

fn is_closed(world: &World, place: &Place) -> bool {
    place.table.iter().all(|dot| {
        let before = Dot { counter: Counter(dot.counter.0 - 1), ..*dot };
        let mut causes = world.made[dot].deps.dots().chain((before.counter.0 > 0).then_some(before));
        causes.all(|cause| place.table.contains(&cause))
    })
}

fn clock_is_true(world: &World, place: &Place) -> bool {
    let applied = place.replica.applied();
    let named = applied.clock().dots().all(|dot| place.table.contains(&dot));
    named && world.made.keys().all(|dot| applied.has(*dot) == place.table.contains(dot))
}

fn is_small(model: &Model, place: &Place) -> bool {
    let open = model.epochs - place.settled.0;
    place.replica.applied().clock().len() as u64 <= u64::from(model.sites) * open
}

/// Loses all that is under way, and lets the sites speak.
fn heals(model: &Model, mut world: World) -> bool {
    world.mail.clear();
    for _ in 0..ROUNDS {
        world.gossip_round(model);
    }
    let is_settled = |place: &Place| place.settled == place.completed;
    world.slips.is_empty() && world.is_whole() && world.places.iter().all(is_settled)
}
