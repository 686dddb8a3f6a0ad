//! What is looked at when a decision is made.

use std::collections::{BTreeMap, BTreeSet};

use watershed_core::causal::Dot;
use watershed_core::checkpoint::{Manifest, Pointer, SiteShare};
use watershed_core::{Epoch, SplitId};
use watershed_protocol::checkpoint::{Authority, certify_manifest};

use super::Broken;
use crate::mutant::Mutant;
use crate::node::shared::{Counted, Log};
use crate::record::decode;
use crate::world::World;

/// Takes note of a decision that the meta store has just made.
pub(crate) fn decided(world: &mut World, pointer: &Pointer, is_newest_name: bool) {
    let epoch = pointer.epoch;
    if world.decided.as_ref().is_some_and(|last| last.epoch >= epoch) {
        world.broken(Broken::D2, format!("checkpoint {epoch} is decided after a newer one"));
    }
    let Some(manifest) = world.manifest(pointer) else {
        world.broken(Broken::D8, format!("checkpoint {epoch} is decided, and its manifest is not there"));
        return;
    };
    // Before the certificate, which would call it no consistent cut, and before what lets it come about.
    let positions = positions(&manifest);
    if world.positions.iter().zip(&positions).any(|(before, now)| before > now) {
        world.broken(Broken::D9, format!("checkpoint {epoch} goes back in a source"));
    }
    if !is_newest_name {
        world.broken(Broken::D3, format!("checkpoint {epoch} is decided in an older name"));
    }
    if let Some(missing) = missing_object(world, &manifest) {
        world.broken(Broken::D8, format!("checkpoint {epoch} is decided, and {missing} is not there"));
    }
    if let Err(violation) = certify_manifest(&manifest, world.decided.as_ref()) {
        world.broken(Broken::K, format!("checkpoint {epoch} is no consistent cut: {violation}"));
    }
    if let Some(reason) = other_updates(world, &manifest) {
        world.broken(Broken::C6, reason);
    }
    if let Some((broken, reason)) = super::sessions::orphan(world, &manifest) {
        world.broken(broken, reason);
    }
    let listed = manifest.votes.iter().flat_map(|vote| &vote.staged).map(|staged| staged.xid);
    world.listed.extend(listed);
    (world.positions, world.decided) = (positions, Some(manifest));
    world.outside_changed = true;
    if world.decided.as_ref().is_some_and(|decided| decided.savepoint) {
        world.saved_for_good(pointer);
    }
    let now = world.now;
    world.say(format!("DECIDED {epoch}"));
    let began = world.triggered.get(&epoch).map_or(now, |(_, began)| *began);
    world.tally.decided(began, now);
}

/// Takes note that the job has gone back to a checkpoint that a person chose, and the systems behind its sinks with it.
pub(crate) fn gone_back(world: &mut World, base: Option<&Pointer>) {
    let manifest = base.and_then(|pointer| world.manifest(pointer));
    let splits = world.graph.lengths.len();
    world.positions = manifest.as_ref().map_or_else(|| vec![0; splits], positions);
    for outside in world.outside.values_mut() {
        outside.visible.retain(|&(split, position, _), _| position < world.positions[split as usize]);
    }
    world.decided = manifest;
    world.outside_changed = true;
    world.tally.forks += 1;
    world.say("WENT BACK".to_owned());
}

/// C6: what a checkpoint has saved of this run's updates, if it is not just those that were made before its barriers.
fn other_updates(world: &World, manifest: &Manifest) -> Option<String> {
    if !world.graph.shares || world.has(Mutant::CountersRestored) {
        return None;
    }
    let (run, epoch) = (manifest.run, manifest.epoch);
    let saved: BTreeSet<Dot> =
        logged(world, manifest).into_keys().filter(|dot| dot.lane.run == run).collect();
    let made = world.made.iter().filter(|(dot, made)| dot.lane.run == run && made.epoch <= epoch);
    let made: BTreeSet<Dot> = made.map(|(dot, _)| *dot).collect();
    let (more, less) = (saved.difference(&made).count(), made.difference(&saved).count());
    (more + less > 0).then(|| {
        format!("checkpoint {epoch} has {more} updates of shared state that come later, and lacks {less}")
    })
}

/// All updates in the logs of a manifest.
pub(crate) fn logged(world: &World, manifest: &Manifest) -> BTreeMap<Dot, Counted> {
    let shares = manifest.votes.iter().filter_map(|vote| vote.shared.as_ref()?.share.as_ref());
    let logs = shares.flat_map(|share| &share.logs).filter_map(|log| world.get(&log.object));
    logs.flat_map(decode::<Log>).map(|(stamp, counted)| (stamp.dot, counted)).collect()
}

/// How far each split had come.
fn positions(manifest: &Manifest) -> Vec<u64> {
    let splits = manifest.votes.iter().flat_map(|vote| &vote.splits);
    let splits: BTreeMap<SplitId, u64> = splits.map(|split| (split.split, split.position.0)).collect();
    splits.into_values().collect()
}

/// An object that a manifest names and that is not there.
fn missing_object(world: &World, manifest: &Manifest) -> Option<String> {
    let snapshots = manifest.votes.iter().flat_map(|vote| &vote.snapshot);
    let shared = manifest.votes.iter().filter_map(|vote| vote.shared.as_ref()?.share.as_ref());
    let mut objects = snapshots.chain(shared.flat_map(SiteShare::objects));
    objects.find(|object| world.get(object).is_none()).map(|object| object.path.clone())
}

impl World {
    /// The manifest that a pointer names, if it is there.
    pub(crate) fn manifest(&self, pointer: &Pointer) -> Option<Manifest> {
        self.get(&pointer.manifest).map(decode)
    }

    /// Takes note of the name in which an epoch is triggered.
    pub(crate) fn epoch_is_triggered(&mut self, epoch: Epoch, authority: Authority) {
        if self.triggered.entry(epoch).or_insert((authority, self.now)).0 != authority {
            self.broken(Broken::D10, format!("epoch {epoch} is handed out twice"));
        }
    }

    /// Deletes what only older checkpoints refer to.
    pub(crate) fn forget(&mut self, before: Epoch) {
        let mut needed: BTreeSet<String> = self.decided.iter().flat_map(shared_objects).collect();
        for pointer in &self.wanted.savepoints {
            let manifest = self.manifest(pointer);
            let snapshots =
                manifest.iter().flat_map(|manifest| &manifest.votes).flat_map(|vote| &vote.snapshot);
            needed.extend(snapshots.map(|object| object.path.clone()));
            needed.extend(manifest.iter().flat_map(shared_objects));
            needed.insert(pointer.manifest.path.clone());
        }
        self.objects
            .retain(|path, _| epoch_of(path).is_none_or(|epoch| epoch >= before) || needed.contains(path));
        let missing = self.decided.as_ref().and_then(|decided| missing_object(self, decided));
        if let Some(missing) = missing {
            self.broken(Broken::D8, format!("{missing} is deleted, and the newest decision needs it"));
        }
    }
}

fn shared_objects(manifest: &Manifest) -> Vec<String> {
    let shared = manifest.votes.iter().filter_map(|vote| vote.shared.as_ref()?.share.as_ref());
    shared.flat_map(SiteShare::objects).map(|object| object.path.clone()).collect()
}

/// The epoch that an object was written for: the second number of its path.
fn epoch_of(path: &str) -> Option<Epoch> {
    path.split('/').nth(2)?.parse().ok().map(Epoch)
}
