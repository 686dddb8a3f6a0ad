//! Whether a plan can go on from a checkpoint that another plan has taken, found out before anything is stopped.
//!
//! Two rules, which also [`deal`](watershed_protocol::checkpoint::deal) and the tasks go by when the job really runs:
//!
//! 1. **Everything that the checkpoint holds must have its place.** Job and number of key groups are the same; an
//!    operator that has state, splits or staged output is in the new plan under the same uid, of the same kind and in
//!    the vertex of the same number. A sink that has staged something takes records of the same shape as before.
//! 2. **Everything that it holds must be read, and be where it will be looked for.** The state is loaded into tasks of
//!    the new plan, as a run would, and taken out again: no part and no key group of it may be gone or elsewhere. That
//!    finds a type that cannot be read, a field without a default, and a key that is hashed otherwise.
//!
//! All else may change: operators may be added, inside a vertex or in further ones behind the others, those that hold
//! nothing may be removed or renamed, and shapes may change where what is saved can still be read (fields with serde
//! defaults, aliases). What the rules cannot see is a change of meaning: another key of the same type, another unit.

mod rehearsal;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;
use watershed_core::checkpoint::Manifest;
use watershed_core::plan::{Fingerprint, PlannedOperator, Vertex};
use watershed_core::state::Sections;
use watershed_core::{Epoch, Plan, VertexId};
use watershed_state::{CheckpointStore, StoreError};

use crate::config::Config;

/// What a plan makes of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Migration {
    /// The job.
    pub job: String,
    /// The checkpoint.
    pub checkpoint: Epoch,
    /// Whether it was taken of this very plan.
    pub same_plan: bool,
    /// The uids of the operators that the plan has and the checkpoint does not know.
    pub added: Vec<String>,
    /// The uids of the operators that the checkpoint knows and the plan does not have.
    pub removed: Vec<String>,
    /// The operators that emit something else.
    pub reshaped: Vec<Reshaped>,
    /// What stands against it; none where the plan can go on from the checkpoint.
    pub obstacles: Vec<Obstacle>,
}

/// An operator whose records have another shape.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reshaped {
    /// Its uid.
    pub operator: String,
    /// What it emitted.
    pub before: String,
    /// What it emits.
    pub now: String,
}

/// Why a plan cannot go on from a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Obstacle {
    /// The uid of the operator, where it is one.
    pub operator: Option<String>,
    /// What stands against it.
    pub what: String,
}

/// Finds out whether a plan can go on from a checkpoint. Nothing is opened or changed; the state of one subtask at a
/// time is held.
///
/// # Errors
///
/// Where the checkpoint cannot be read.
pub async fn migration(
    plan: &Plan,
    config: &Config,
    store: &CheckpointStore,
    manifest: &Manifest,
) -> Result<Migration, StoreError> {
    let (before, now) = (&manifest.plan, Fingerprint::of(plan));
    let shapes = |plan: &Fingerprint| -> BTreeMap<String, String> {
        plan.operators().map(|one| (one.uid.to_owned(), one.emits.to_owned())).collect()
    };
    let (old, new) = (shapes(before), shapes(&now));
    let missing = |from: &BTreeMap<String, String>, to: &BTreeMap<String, String>| {
        from.keys().filter(|uid| !to.contains_key(*uid)).cloned().collect()
    };
    let reshaped = new.iter().filter_map(|(operator, now)| {
        let before = old.get(operator).filter(|before| *before != now)?;
        Some(Reshaped { operator: operator.clone(), before: before.clone(), now: now.clone() })
    });
    let mut migration = Migration {
        job: manifest.job.clone(),
        checkpoint: manifest.epoch,
        same_plan: *before == now,
        added: missing(&new, &old),
        removed: missing(&old, &new),
        reshaped: reshaped.collect(),
        obstacles: Vec::new(),
    };
    let mut obstacles = BTreeSet::new();
    whole_job(plan, manifest, &mut obstacles);
    places(plan, &Places::of(before), store, manifest, &mut obstacles).await?;
    if obstacles.is_empty() {
        rehearsal::load(plan, config, store, manifest, &mut obstacles).await?;
    }
    migration.obstacles = obstacles.into_iter().collect();
    Ok(migration)
}

impl Migration {
    /// Whether the plan can go on from the checkpoint.
    pub fn is_possible(&self) -> bool {
        self.obstacles.is_empty()
    }
}

impl Obstacle {
    fn of(operator: &str, what: String) -> Self {
        Obstacle { operator: Some(operator.to_owned()), what }
    }
}

fn whole_job(plan: &Plan, manifest: &Manifest, obstacles: &mut BTreeSet<Obstacle>) {
    if manifest.job != plan.name {
        let what = format!("the checkpoint is of job {:?}, and the plan is {:?}", manifest.job, plan.name);
        obstacles.insert(Obstacle { operator: None, what });
    }
    if manifest.key_groups != plan.key_groups {
        let (before, now) = (manifest.key_groups.count(), plan.key_groups.count());
        let what =
            format!("the checkpoint has {before} key groups and the plan {now}: set key_groups to {before}");
        obstacles.insert(Obstacle { operator: None, what });
    }
}

/// Where the operators of the checkpoint's plan were.
struct Places<'a>(BTreeMap<VertexId, Vec<PlannedOperator<'a>>>);

impl<'a> Places<'a> {
    fn of(plan: &'a Fingerprint) -> Self {
        let mut places: BTreeMap<VertexId, Vec<PlannedOperator<'a>>> = BTreeMap::new();
        plan.operators().for_each(|one| places.entry(one.vertex).or_default().push(one));
        Places(places)
    }

    fn vertex(&self, vertex: VertexId) -> &[PlannedOperator<'a>] {
        self.0.get(&vertex).map_or(&[], Vec::as_slice)
    }
}

/// Checks that each operator that holds something has its place in the plan.
async fn places(
    plan: &Plan,
    before: &Places<'_>,
    store: &CheckpointStore,
    manifest: &Manifest,
    obstacles: &mut BTreeSet<Obstacle>,
) -> Result<(), StoreError> {
    for vote in &manifest.votes {
        let vertex = vote.subtask.vertex;
        let operators = before.vertex(vertex);
        let mut held: BTreeSet<(&str, &str)> = BTreeSet::new();
        if let Some(source) = operators.first().filter(|_| !vote.splits.is_empty()) {
            held.insert((source.uid, "positions in its input"));
        }
        if let Some(sink) = operators.last().filter(|_| !vote.staged.is_empty()) {
            held.insert((sink.uid, "staged output"));
            sink_shape(plan, before, vertex, sink.uid, obstacles);
        }
        let layers = store.layers(&vote.snapshot, None, true).await?;
        let stages = layers.iter().flat_map(|layer| &layer.stages);
        let stateful: BTreeSet<&String> =
            stages.filter(|(_, saved)| is_state(saved)).map(|(uid, _)| uid).collect();
        held.extend(stateful.into_iter().map(|uid| (uid.as_str(), "state")));
        for (uid, what) in held {
            let kind = operators.iter().find(|one| one.uid == uid).map(|one| one.kind);
            obstacles.extend(place(plan, vertex, uid, kind, what));
        }
    }
    Ok(())
}

/// Whether something was saved besides how far an operator had come in time.
fn is_state(saved: &Sections) -> bool {
    let parts = saved.parts().filter(|(name, _)| *name != "watermark");
    let own = saved.own_groups().len() > 0
        || saved.change_bytes().next().is_some()
        || saved.whole_bytes().len() > 0;
    own || parts.map(|(_, part)| part).any(is_state)
}

/// What stands against an operator's finding what it holds.
fn place(plan: &Plan, vertex: VertexId, uid: &str, kind: Option<&str>, what: &str) -> Option<Obstacle> {
    let has = |vertex: &Vertex| vertex.stages.iter().any(|stage| stage.uid == uid);
    let Some(now) = plan.vertices.iter().find(|vertex| has(vertex)) else {
        let what = format!(
            "it has {what}, and no operator of the plan has its uid: give it to the one that takes over"
        );
        return Some(Obstacle::of(uid, what));
    };
    if now.id != vertex {
        let now = now.id;
        let what = format!(
            "it has {what} as part of vertex {vertex}, and is part of vertex {now} now: describe new operators behind it"
        );
        return Some(Obstacle::of(uid, what));
    }
    let stage = now.stages.iter().find(|stage| stage.uid == uid)?;
    let kind = kind.filter(|kind| *kind != stage.kind)?;
    Some(Obstacle::of(uid, format!("it has {what} of a {kind}, and is a {} now", stage.kind)))
}

/// What a sink has staged is rows of the shape that it was given.
fn sink_shape(
    plan: &Plan,
    before: &Places<'_>,
    vertex: VertexId,
    uid: &str,
    obstacles: &mut BTreeSet<Obstacle>,
) {
    let old = before.vertex(vertex).iter().find(|one| one.uid == uid).map(|one| one.emits);
    let stages =
        plan.vertices.get(vertex.0 as usize).map(|vertex| vertex.stages.as_slice()).unwrap_or_default();
    let new = stages.iter().find(|stage| stage.uid == uid).map(|stage| stage.emits.to_string());
    if let (Some(old), Some(new)) = (old, new)
        && old != new
    {
        let what = format!(
            "it has staged records of {old} and is given {new}: give a new sink another uid, and keep this"
        );
        obstacles.insert(Obstacle::of(uid, what));
    }
}

impl fmt::Display for Migration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Migration { job, checkpoint, .. } = self;
        let verdict = match (self.is_possible(), self.same_plan) {
            (true, true) => "the plan is the one it was taken of",
            (true, false) => "the plan is another and can go on from it",
            (false, _) => "the plan cannot go on from it",
        };
        writeln!(f, "checkpoint {checkpoint} of job {job}: {verdict}")?;
        for Obstacle { operator, what } in &self.obstacles {
            match operator {
                Some(operator) => writeln!(f, "  ! {operator}: {what}")?,
                None => writeln!(f, "  ! {what}")?,
            }
        }
        self.added.iter().try_for_each(|uid| writeln!(f, "  + {uid}"))?;
        self.removed.iter().try_for_each(|uid| writeln!(f, "  - {uid}"))?;
        self.reshaped.iter().try_for_each(|Reshaped { operator, before, now }| {
            writeln!(f, "  ~ {operator}: emitted {before}, emits {now}")
        })
    }
}
