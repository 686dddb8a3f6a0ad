//! What is looked at when a node answers or refuses a client, and what has become of its updates in the end.

use std::collections::BTreeSet;

use watershed_core::Run;
use watershed_core::causal::Dot;
use watershed_core::checkpoint::Manifest;
use watershed_protocol::causal::{Place, RollBacks, Translation, Undone, translate};

use super::Broken;
use super::decision::logged;
use crate::client::window::open;
use crate::client::{Question, Wish, Written};
use crate::node::shared::Counted;
use crate::world::World;

/// Looks whether a node that serves a client has all that it has seen, or has told it what never happened.
pub(crate) fn answered(world: &mut World, node: usize, question: &Question, rebased: bool) {
    let home = world.nodes[node].home.as_ref().expect("a run lives here");
    let run = home.authority.run;
    let has_happened = |dot: &&Dot| dot.lane.run == run || home.base.contains(*dot);
    let is_there = |dot: &&Dot| home.table.contains(*dot) || home.base.contains(*dot);
    let undone = question.seen.iter().find(|dot| !has_happened(dot)).copied();
    let missing = question.seen.iter().filter(has_happened).find(|dot| !is_there(dot)).copied();
    let client = question.client;
    if let Some(dot) = undone.filter(|_| !rebased) {
        let reason =
            format!("client {client} has seen {dot}, which never happened, and is answered in run {run}");
        world.broken(Broken::C8, reason);
    }
    if let Some(dot) = missing.filter(|_| question.wish != Wish::Eventual) {
        let own = world.clients[client].written.iter().any(|written| written.dot == dot);
        let seen = if own { "made" } else { "seen" };
        let reason = format!("client {client} has {seen} {dot}, and is answered on node {node} without it");
        world.broken(Broken::C4, reason);
    }
}

/// Looks whether a refusal names what was undone, all of it and nothing else.
pub(crate) fn refused(
    world: &mut World,
    question: &Question,
    undone: &[Undone],
    base: &BTreeSet<Dot>,
    run: Run,
) {
    let client = question.client;
    let wrong = undone.iter().find(|one| base.contains(&one.up_to));
    let is_named =
        |dot: &&Dot| undone.iter().any(|one| one.up_to.lane == dot.lane && dot.counter <= one.up_to.counter);
    let is_gone = |dot: &&Dot| dot.lane.run != run && !base.contains(*dot);
    let silent = question.seen.iter().filter(is_gone).find(|dot| !is_named(dot)).copied();
    if let Some(one) = wrong {
        let reason = format!("client {client} is told that {} never happened, which is not so", one.up_to);
        world.broken(Broken::C8, reason);
    }
    if let Some(dot) = silent {
        world.broken(Broken::C8, format!("client {client} is not told that {dot} never happened"));
    }
}

/// Looks whether the updates of clients that a checkpoint has come with all that their writers had seen.
pub(crate) fn orphan(world: &World, manifest: &Manifest) -> Option<(Broken, String)> {
    if world.clients.is_empty() {
        return None;
    }
    let saved = logged(world, manifest);
    let of_clients = saved.iter().filter(|(_, counted)| matches!(counted, Counted::OfClient(..)));
    for (dot, _) in of_clients {
        let causes = world.made.get(dot).map(|made| made.causes.iter());
        if let Some(cause) = causes.into_iter().flatten().find(|cause| !saved.contains_key(*cause)) {
            let epoch = manifest.epoch;
            let reason =
                format!("checkpoint {epoch} has {dot} of a client, and not {cause}, which it had seen");
            return Some((Broken::C6, reason));
        }
    }
    None
}

/// Looks whether any update of a client is lost in silence, or there twice.
pub(crate) fn ended(world: &World, decided: &Manifest) -> Vec<(Broken, String)> {
    let saved = logged(world, decided);
    let mut broken = Vec::new();
    let mut names = BTreeSet::new();
    for (dot, counted) in &saved {
        if let Counted::OfClient(..) = counted
            && !names.insert(counted)
        {
            broken.push((Broken::Shared, format!("{dot} is an update that is there already")));
        }
    }
    let last = Place {
        lineage: world.meta.lineage,
        run: world.meta.run,
        base: Some(decided.epoch),
        completed: Some(decided.epoch),
        roll_backs: RollBacks::of(&world.meta.roll_backs),
    };
    for (number, client) in world.clients.iter().enumerate() {
        let would_tell = client.token.as_deref().map(open).map(|token| translate(&token, &last));
        for Written { dot, lineage, durable, is_told } in &client.written {
            // What is in a history that the job has left, is refused as such.
            if saved.contains_key(dot) || *lineage != last.lineage {
                continue;
            }
            // What is not durable when the job ends is nowhere: who asks is told that nothing runs any more.
            let came_too_late = dot.lane.run == last.run && dot.lane.epoch > decided.epoch;
            let is_refused = match &would_tell {
                Some(Translation::RolledBack { undone, .. }) => {
                    undone.iter().any(|one| one.up_to.lane == dot.lane && dot.counter <= one.up_to.counter)
                }
                Some(Translation::Forked { .. }) => true,
                Some(Translation::Wait(_) | Translation::Ahead { .. } | Translation::Expired) | None => false,
            };
            if *durable {
                broken.push((Broken::C7, format!("client {number} was promised {dot}, which is lost")));
            } else if !(*is_told || is_refused || came_too_late) {
                broken.push((Broken::C8, format!("client {number} has lost {dot}, and nobody says so")));
            }
        }
    }
    broken
}
