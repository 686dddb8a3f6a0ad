//! What must always hold, and what must be able to happen.
//!
//! | name | is | from |
//! | --- | --- | --- |
//! | I1 | no record is visible twice | exactly once |
//! | I2 | each record below the decision is visible, or staged under a name that the manifest lists | nothing lost |
//! | I3 | nothing is visible that the decision does not cover | atomicity |
//! | D1, D2 | decisions have strictly rising epochs, so none is made twice | Meta.completed |
//! | D3 | a decision is made in the name of the newest reign and run | R2' |
//! | D4 | what was committed was not taken back, and nothing is lost in doubt | R5', R12' |
//! | D5 | only what a decided manifest lists is committed | R3' |
//! | D6 | a subtask writes nothing before it has begun | R1' |
//! | D7 | a subtask is restored from the decision that its run was begun from | roll-back record |
//! | D8 | neither the newest decision nor one with outstanding commits is forgotten | RisingWave 21358 |
//! | D9 | positions of decided checkpoints never go back | K5 |
//! | D10 | no epoch is handed out twice | R4' |
//! | D11 | a finished job has committed all that it decided | R11', FLINK-38614 |
//! | D13 | a cancelled job has committed all that it decided, or says what it has not | R12' |
//! | K | the votes of every checkpoint are a consistent cut | K1-K5 |

use std::collections::BTreeMap;

use stateright::Property;
use watershed_core::checkpoint::Staged;

use crate::job::{STAGED, XA};
use crate::model::Model;
use crate::outside::{Visible, records};
use crate::world::{Cancel, Kind, Node, Slip, Worker, World};

pub(crate) const ONCE: &str = "I1 no record is visible twice";
pub(crate) const NOTHING_LOST: &str = "I2 each decided record is visible or staged";
pub(crate) const NOTHING_EARLY: &str = "I3 nothing undecided is visible";
pub(crate) const DECIDED_ONCE: &str = "D1 D2 epochs of decisions rise";
pub(crate) const NEWEST_NAME: &str = "D3 decisions are made in the newest name";
pub(crate) const ONE_END: &str = "D4 each staged output has one end";
pub(crate) const ONLY_DECIDED: &str = "D5 only what is decided is committed";
pub(crate) const BEGUN: &str = "D6 nothing is written before the begin";
pub(crate) const FROM_BASE: &str = "D7 a run is restored from its base";
pub(crate) const KEPT: &str = "D8 nothing needed is forgotten";
pub(crate) const ONWARD: &str = "D9 decided positions never go back";
pub(crate) const NEW_EPOCHS: &str = "D10 no epoch is handed out twice";
pub(crate) const WHOLE_END: &str = "D11 a finished job has committed everything";
pub(crate) const CANCELLED_WHOLE: &str = "D13 a cancelled job has committed everything, or says what not";
pub(crate) const CUT: &str = "K every checkpoint is a consistent cut";

/// The properties of a model. Those that must be able to happen are asked for only where the world has room for
/// them, and of the faithful protocol.
pub(crate) fn all(model: &Model) -> Vec<Property<Model>> {
    let mut properties = vec![
        Property::always(ONCE, |_, world: &World| once(&world.staged.visible) && once(&world.xa.visible)),
        Property::always(NOTHING_LOST, |_, world: &World| nothing_lost(world)),
        Property::always(NOTHING_EARLY, |_, world: &World| {
            let decided = world.decided();
            let early = |visible: &Visible| visible.keys().any(|&record| record >= decided);
            !early(&world.staged.visible) && !early(&world.xa.visible)
        }),
        Property::always(DECIDED_ONCE, |_, world: &World| {
            world.decisions.windows(2).all(|pair| pair[0].epoch < pair[1].epoch)
        }),
        Property::always(NEWEST_NAME, |_, world: &World| !world.slips.contains(&Slip::FormerDecision)),
        Property::always(ONE_END, |_, world: &World| {
            world.xa.markers.is_disjoint(&world.xa.taken_back) && world.xa.lost.is_empty()
        }),
        Property::always(ONLY_DECIDED, |_, world: &World| {
            let decided = |xid| world.decisions.iter().any(|decision| decision.xids.contains(xid));
            world.xa.markers.iter().all(decided)
        }),
        Property::always(BEGUN, |_, world: &World| !world.slips.contains(&Slip::EarlyEffect)),
        Property::always(FROM_BASE, |_, world: &World| restored_from_base(world)),
        Property::always(KEPT, |_, world: &World| needed_is_kept(world)),
        Property::always(ONWARD, |_, world: &World| {
            world.decisions.windows(2).all(|pair| pair[0].position <= pair[1].position)
        }),
        Property::always(NEW_EPOCHS, |_, world: &World| !world.slips.contains(&Slip::EpochTwice)),
        Property::always(WHOLE_END, |model: &Model, world: &World| {
            !world.meta.finished || all_visible(model, world)
        }),
        Property::always(CANCELLED_WHOLE, |_, world: &World| {
            let ended = |node: &Node| node.cancel == Cancel::Done { in_doubt: false };
            !world.nodes.iter().any(ended) || decided_is_visible(world)
        }),
        Property::always(CUT, |_, world: &World| !world.slips.contains(&Slip::NoCut)),
    ];
    if model.fault.is_none() {
        properties.extend(reachable(model));
    }
    properties
}

fn reachable(model: &Model) -> Vec<Property<Model>> {
    let mut properties = Vec::new();
    if model.runs > 1 {
        properties.push(Property::sometimes(
            "all committed in both sinks after a fail-over",
            |model: &Model, world: &World| {
                world.meta.run.0 > 1 && all_visible(model, world) && later_decision(world)
            },
        ));
    }
    if model.nodes > 1 && !model.doubts {
        properties.push(Property::sometimes("the decision of a zombie is refused", |_, world: &World| {
            let undecided = world.manifests.keys().any(|(epoch, run)| {
                run.0 == 1 && !world.decisions.iter().any(|decision| decision.epoch == *epoch)
            });
            let first = &world.nodes[0];
            undecided && first.asked.is_empty() && first.coordinator.authority().is_none()
        }));
    }
    if model.doubts {
        properties.push(Property::sometimes("a decision in doubt is found made", |_, world: &World| {
            world.unknown.is_some_and(|epoch| {
                world.mail.keys().any(|letter| letter.kind == Kind::Commit && letter.epoch == epoch)
            })
        }));
        properties.push(Property::sometimes("a decision in doubt is found not made", |_, world: &World| {
            given_up_in_doubt(world) && !doubted_is_decided(world)
        }));
        properties
            .push(Property::sometimes("a decision given up in doubt comes about", |_, world: &World| {
                given_up_in_doubt(world) && doubted_is_decided(world)
            }));
    }
    if model.patient {
        properties.push(Property::sometimes(
            "a decision in doubt is committed by a cancelled job",
            |_, world: &World| {
                let ended = world.nodes[0].cancel == Cancel::Done { in_doubt: false };
                ended && world.decided() > 0 && doubted_is_decided(world)
            },
        ));
    } else if model.cancels {
        properties.push(Property::sometimes("a job is cancelled in doubt", |_, world: &World| {
            world.nodes[0].cancel == Cancel::Done { in_doubt: true }
        }));
    }
    if model.ends {
        properties.push(Property::sometimes("the job finishes", |_, world: &World| world.meta.finished));
    }
    properties
}

fn once(visible: &Visible) -> bool {
    visible.values().all(|&times| times <= 1)
}

fn nothing_lost(world: &World) -> bool {
    let Some(completed) = world.completed() else { return true };
    let listed = |sink| {
        let votes = completed.votes.iter().filter(move |vote| vote.subtask == sink);
        votes.flat_map(|vote| &vote.staged)
    };
    let staged = |record: &u8| {
        let holds = |staged: &Staged| world.staged.would_show(staged) && records(staged).contains(record);
        listed(STAGED).any(holds)
    };
    let prepared = |record: &u8| {
        let holds =
            |staged: &Staged| world.xa.prepared.get(&staged.xid).is_some_and(|rows| rows.contains(record));
        listed(XA).any(holds)
    };
    (0..world.decided()).all(|record| {
        (world.staged.visible.contains_key(&record) || staged(&record))
            && (world.xa.visible.contains_key(&record) || prepared(&record))
    })
}

fn restored_from_base(world: &World) -> bool {
    let bases: BTreeMap<_, _> = world.meta.roll_backs.iter().map(|back| (back.run, back.base)).collect();
    // A run that only commits what a cancelled job has staged is given no state, and does not start.
    let is_cancelled = world.nodes.iter().any(|node| node.cancel != Cancel::No);
    let is_idle = |worker: &Worker| is_cancelled && worker.base.is_none() && !worker.began;
    world.runs.iter().all(|(run, run_world)| {
        let mut workers = run_world.workers.values();
        workers.all(|worker| bases.get(run) == Some(&worker.base) || is_idle(worker))
    })
}

fn needed_is_kept(world: &World) -> bool {
    let outstanding =
        |xids: &[watershed_core::checkpoint::Xid]| xids.iter().any(|xid| world.xa.prepared.contains_key(xid));
    let newest = world.decisions.len().saturating_sub(1);
    world.decisions.iter().enumerate().all(|(place, decision)| {
        decision.epoch >= world.forgotten || (place < newest && !outstanding(&decision.xids))
    })
}

fn all_visible(model: &Model, world: &World) -> bool {
    let whole: Visible = (0..model.records).map(|record| (record, 1)).collect();
    world.staged.visible == whole && world.xa.visible == whole
}

fn decided_is_visible(world: &World) -> bool {
    let visible = |system: &Visible| (0..world.decided()).all(|record| system.contains_key(&record));
    visible(&world.staged.visible) && visible(&world.xa.visible)
}

/// Whether something was decided after the fail-over.
fn later_decision(world: &World) -> bool {
    world.decisions.iter().any(|decision| decision.run.0 > 1)
}

fn given_up_in_doubt(world: &World) -> bool {
    world.unknown.is_some_and(|epoch| {
        world.mail.keys().any(|letter| letter.kind == Kind::AbortNote && letter.epoch == epoch)
    })
}

fn doubted_is_decided(world: &World) -> bool {
    world.unknown.is_some_and(|epoch| world.decisions.iter().any(|decision| decision.epoch == epoch))
}
