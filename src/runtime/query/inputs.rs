//! What clients have put into a job's sources, and whether a checkpoint has worked on it.
//!
//! Whoever puts a record into a source that can be read again (a log, a file, a topic) may know its position there. What comes
//! of the record has another name after each failure, since the job reads it again; its position stays. So a client that
//! names positions can wait for what comes of its records, whatever fails meanwhile: the first complete checkpoint whose
//! sources have read beyond them has all of it, in all state of the job.
//!
//! That is so because a checkpoint is one cut: what a source has read before its barrier, everybody has worked on who has
//! passed the barrier. SUBTLE: but for records that a barrier has overtaken. They are saved beside the state, and no one has
//! worked on them yet; a checkpoint that has any may have those of the client among them, and the next one is waited for.

use watershed_core::checkpoint::{Manifest, SplitCut};
use watershed_protocol::causal::{JobToken, Submitted};

use super::limits::INPUTS_MAX;
use super::reading::unfit;
use super::{Query, QueryError};

/// What kind of operator reads from outside.
const SOURCE: &str = "source";

/// All that an asker has put in, by the token that it shows and by what it says beside.
pub(super) fn put_in(shown: Option<&JobToken>, query: &Query) -> Result<Vec<Submitted>, QueryError> {
    let mut inputs = shown.map(|token| token.inputs.clone()).unwrap_or_default();
    query.inputs.iter().cloned().for_each(|input| input.join(&mut inputs));
    if inputs.len() > INPUTS_MAX {
        let why = format!(
            "a token names what was put into {INPUTS_MAX} splits at most, and there are {}",
            inputs.len()
        );
        return Err(unfit(query.level, &why));
    }
    Ok(inputs)
}

/// What a checkpoint lacks of what was put in, in words; nothing where it has worked on all of it.
pub(super) fn lacking(manifest: &Manifest, inputs: &[Submitted]) -> Result<Option<String>, QueryError> {
    let epoch = manifest.epoch;
    for Submitted { source, split, position } in inputs {
        let cuts = || splits(manifest).filter(|(uid, _)| uid == source).map(|(_, cut)| cut);
        let Some(cut) = cuts().find(|cut| cut.split == *split) else {
            let told = |(uid, cut): (&str, &SplitCut)| format!("{uid}:{}", cut.split);
            let known = splits(manifest).map(told).take(INPUTS_MAX).collect();
            return Err(QueryError::NoInput { name: source.clone(), split: *split, known });
        };
        if cut.position < *position {
            let found = cut.position;
            return Ok(Some(format!(
                "a checkpoint that has read split {split} of {source} up to {position} ({epoch} has read up to {found})"
            )));
        }
    }
    let is_under_way = manifest.votes.iter().any(|vote| !vote.in_flight.is_empty());
    let is_late = is_under_way && !inputs.is_empty();
    Ok(is_late.then(|| format!("a checkpoint that no record was under way in (some were in {epoch})")))
}

/// Where the splits of the sources stood, each with the uid of its source.
fn splits(manifest: &Manifest) -> impl Iterator<Item = (&str, &SplitCut)> {
    manifest.votes.iter().flat_map(|vote| {
        let sources = manifest.plan.operators().filter(|one| one.kind == SOURCE);
        let uid = sources.filter(|one| one.vertex == vote.subtask.vertex).map(|one| one.uid).next();
        vote.splits.iter().filter_map(move |cut| Some((uid?, cut)))
    })
}

#[cfg(test)]
mod tests {
    use watershed_core::checkpoint::{ChannelCut, ChannelKey, ContentHash, InFlight, ObjectRef, Vote};
    use watershed_core::{ChannelId, Epoch, Position, Run, SplitId, SubtaskId, VertexId};

    use super::*;
    use crate::query::fixture;

    fn vote(index: u32, splits: &[(u32, u64)]) -> Vote {
        let cut = |(split, position): &(u32, u64)| SplitCut {
            split: SplitId(*split),
            description: Vec::new(),
            position: Position(*position),
            ended: false,
        };
        Vote {
            subtask: SubtaskId { vertex: VertexId(0), index },
            plan: 1,
            snapshot: Vec::new(),
            key_groups: None,
            received: Vec::new(),
            sent: Vec::new(),
            in_flight: Vec::new(),
            splits: splits.iter().map(cut).collect(),
            staged: Vec::new(),
            finished: false,
            shared: None,
        }
    }

    fn manifest(votes: Vec<Vote>) -> Manifest {
        Manifest { votes, ..fixture::manifest(Epoch(7), Run(1)) }
    }

    fn input(split: u32, position: u64) -> Submitted {
        Submitted { source: "orders".to_owned(), split: SplitId(split), position: Position(position) }
    }

    #[test]
    fn a_checkpoint_has_what_its_sources_have_read_beyond() {
        let manifest = manifest(vec![vote(0, &[(0, 5)]), vote(1, &[(1, 9)])]);
        assert_eq!(lacking(&manifest, &[input(0, 5), input(1, 9)]), Ok(None));
        let told = lacking(&manifest, &[input(1, 9), input(0, 6)]).unwrap().unwrap();
        assert_eq!(told, "a checkpoint that has read split 0 of orders up to 6 (7 has read up to 5)");
    }

    #[test]
    fn a_split_that_nobody_reads_is_told_with_those_that_are_read() {
        let manifest = manifest(vec![vote(0, &[(0, 5)]), vote(1, &[(1, 9)])]);
        let known = vec!["orders:0".to_owned(), "orders:1".to_owned()];
        let none = QueryError::NoInput { name: "orders".to_owned(), split: SplitId(2), known };
        assert_eq!(lacking(&manifest, &[input(2, 1)]), Err(none));
    }

    #[test]
    fn records_that_a_barrier_has_overtaken_are_not_worked_on_yet() {
        let channel = ChannelKey { to: SubtaskId { vertex: VertexId(1), index: 0 }, channel: ChannelId(0) };
        let cut = ChannelCut { channel, records: 1, batches: 1, sum: 0 };
        let object = ObjectRef { path: "x".to_owned(), bytes: 1, hash: ContentHash([0; 32]) };
        let overtaken = Vote { in_flight: vec![InFlight { cut, object }], ..vote(0, &[(0, 5)]) };
        let manifest = manifest(vec![overtaken]);
        assert!(lacking(&manifest, &[input(0, 5)]).unwrap().is_some());
        assert_eq!(lacking(&manifest, &[]), Ok(None), "nobody waits for any of them");
    }

    #[test]
    fn of_each_split_the_position_furthest_behind_stands_for_the_rest() {
        let query =
            Query { inputs: vec![input(0, 3), input(1, 4), input(0, 2)], ..Query::new("stock", vec![7]) };
        assert_eq!(put_in(None, &query), Ok(vec![input(0, 3), input(1, 4)]));
        let many = (0..=INPUTS_MAX as u32).map(|split| input(split, 1)).collect();
        let refused = put_in(None, &Query { inputs: many, ..query });
        assert!(matches!(refused, Err(QueryError::Unfit { .. })), "{refused:?}");
    }
}
