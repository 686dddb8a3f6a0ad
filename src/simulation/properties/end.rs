//! What is looked at when the job has finished and everything is quiet.

use std::collections::BTreeMap;

use watershed_core::VertexId;
use watershed_core::checkpoint::Manifest;

use super::decision::logged;
use super::{Broken, sessions};
use crate::graph::Work;
use crate::node::shared::Counted;
use crate::record::{Name, Record, decode};
use crate::world::World;

/// Looks whether all of it is there, once, and nothing else.
pub(crate) fn look(world: &mut World) {
    let rows = world.outside.values().flat_map(|outside| outside.visible.values());
    world.tally.letters = rows.filter(|row| row.dead).count() as u64;
    let mut reasons = Vec::new();
    for (&sink, outside) in &world.outside {
        let visible: Vec<Record> =
            outside.visible.values().map(|record| Record { count: 0, ..*record }).collect();
        if visible != world.expected[&sink] {
            let (found, expected) = (visible.len(), world.expected[&sink].len());
            reasons
                .push((Broken::D11, format!("sink {sink} shows {found} records of {expected}, or others")));
        }
        if let Some(xid) = outside.prepared.keys().next() {
            reasons.push((Broken::D4, format!("{xid} is still prepared, and nobody will resolve it")));
        }
        let living = outside.visible.values().filter(|record| !record.dead);
        if world.graph.is_counted(sink) && !counts_rise(living) {
            reasons.push((Broken::State, format!("sink {sink} shows a count twice, or leaves one out")));
        }
    }
    if let Some(decided) = &world.decided {
        reasons.extend(counts(world, decided));
        reasons.extend(shared(world, decided));
        reasons.extend(sessions::ended(world, decided));
    }
    for (broken, reason) in reasons {
        world.broken(broken, reason);
    }
}

/// Whether the counts of each key are 1, 2, 3 and so on.
fn counts_rise<'a>(records: impl Iterator<Item = &'a Record>) -> bool {
    let mut counts: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
    records.for_each(|record| counts.entry(record.key).or_default().push(record.count));
    counts.into_values().all(|mut counts| {
        counts.sort_unstable();
        (1..).zip(counts).all(|(place, count)| place == count)
    })
}

/// Looks whether shared state has counted everything once.
fn shared(world: &World, decided: &Manifest) -> Option<(Broken, String)> {
    if !world.graph.shares {
        return None;
    }
    let counters = (0..).zip(&world.graph.vertices).filter(|(_, vertex)| vertex.work == Work::Count);
    let counted = |vertex: u32| {
        let living = world.graph.expected(VertexId(vertex)).into_iter().filter(|record| !record.dead);
        living.map(move |record| (vertex, record.name()))
    };
    let mut expected: Vec<(u32, Name)> = counters.flat_map(|(vertex, _)| counted(vertex)).collect();
    let found = logged(world, decided).into_values().filter_map(|counted| match counted {
        Counted::Record(vertex, name) => Some((vertex, name)),
        Counted::OfClient(..) => None,
    });
    let mut found: Vec<(u32, Name)> = found.collect();
    expected.sort_unstable();
    found.sort_unstable();
    (found != expected).then(|| {
        let reason =
            format!("shared state has counted {} records of {}, or others", found.len(), expected.len());
        (Broken::Shared, reason)
    })
}

/// Looks whether the counters have counted everything once.
fn counts(world: &World, decided: &Manifest) -> Option<(Broken, String)> {
    let counters = (0..).map(VertexId).zip(&world.graph.vertices);
    let counters = counters.filter(|(_, vertex)| vertex.work == Work::Count).map(|(id, _)| id);
    for counter in counters {
        let mut expected: BTreeMap<u64, u32> = BTreeMap::new();
        for record in world.graph.expected(counter).iter().filter(|record| !record.dead) {
            *expected.entry(record.key).or_default() += 1;
        }
        let mut found: BTreeMap<u64, u32> = BTreeMap::new();
        for vote in decided.votes.iter().filter(|vote| vote.subtask.vertex == counter) {
            for object in &vote.snapshot {
                let saved: BTreeMap<u64, u32> = world.get(object).map(decode).unwrap_or_default();
                found.extend(saved);
            }
        }
        if found != expected {
            return Some((Broken::State, format!("counter {counter} has {found:?} instead of {expected:?}")));
        }
    }
    None
}
