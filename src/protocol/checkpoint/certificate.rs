//! Proves that a complete set of votes is a consistent cut, before it is decided and again at any later time.
//!
//! A cut of a dataflow over first-in-first-out channels is consistent, and loses and doubles nothing, exactly
//! where each channel's two ends agree: what was sent before the sender's cut is what was received before the
//! receiver's, together with what the checkpoint itself recorded as under way. A causal path that crosses a cut
//! backwards has a first channel on which a message was received before the receiver's cut and sent after the
//! sender's, and so has more received than sent (Mattern 1989, for the general case with vector clocks). Counts
//! of records and batches and a sum of checksums make the comparison independent of the data's size.
//!
//! - **K4 identity**: one vote of each subtask that was expected and of nobody else, all of one plan, and the
//!   key-group ranges of each keyed vertex cover every group once.
//! - **K1 channels**: each expected channel is reported once by each end, its receiver's by the receiver, and
//!   `sent = received + in flight` in records, batches and sums.
//! - **K5 sources**: no split stands before where the previous checkpoint of the same lineage had it, is read
//!   by two subtasks, or is forgotten before its end.
//!
//! The same function checks votes as they come in and a manifest that lies in a store for years.

#[cfg(test)]
mod tests;
mod violation;

use std::collections::BTreeMap;

use watershed_core::checkpoint::{ChannelCut, ChannelKey, InFlight, Manifest, SplitCut, Vote};
use watershed_core::{KeyGroupRange, Position, SplitId, SubtaskId, VertexId};

use super::Roster;
pub use violation::{End, Measure, Violation};

/// How far every split of every source had come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Positions(BTreeMap<(VertexId, SplitId), Standing>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Standing {
    position: Position,
    ended: bool,
}

impl Positions {
    /// The positions that these votes tell.
    pub fn of(votes: &[Vote]) -> Positions {
        let splits = votes.iter().flat_map(|vote| vote.splits.iter().map(move |split| (vote.subtask, split)));
        Positions(splits.map(|(subtask, split)| ((subtask.vertex, split.split), standing(split))).collect())
    }

    /// How far one split of a source had come.
    pub fn of_split(&self, vertex: VertexId, split: SplitId) -> Option<Position> {
        self.0.get(&(vertex, split)).map(|standing| standing.position)
    }
}

fn standing(split: &SplitCut) -> Standing {
    Standing { position: split.position, ended: split.ended }
}

/// Proves that the votes are a consistent cut of the job that `roster` describes, whose sources had come to
/// `previous` in the checkpoint before of the same lineage.
///
/// # Errors
///
/// The first violation found; identity is checked before channels, and these before sources.
pub fn certify(roster: &Roster, previous: &Positions, votes: &[Vote]) -> Result<(), Violation> {
    identity(roster, votes)?;
    key_groups(roster, votes)?;
    channels(roster, votes)?;
    sources(previous, votes)
}

/// Proves a manifest again, without its job. `previous` is the newest one before it of the same lineage, where
/// there is one left.
///
/// # Errors
///
/// As [`certify`], with the roster that the manifest itself tells ([`Roster::of_manifest`]).
pub fn certify_manifest(manifest: &Manifest, previous: Option<&Manifest>) -> Result<(), Violation> {
    let previous = previous.filter(|previous| previous.lineage == manifest.lineage);
    let positions = previous.map(|previous| Positions::of(&previous.votes)).unwrap_or_default();
    certify(&Roster::of_manifest(manifest), &positions, &manifest.votes)
}

/// K4, the voters.
fn identity(roster: &Roster, votes: &[Vote]) -> Result<(), Violation> {
    let mut missing = roster.subtasks.clone();
    for vote in votes {
        let subtask = vote.subtask;
        if missing.remove(&subtask).is_none() {
            let known = roster.subtasks.contains_key(&subtask);
            return Err(if known { Violation::VoteTwice(subtask) } else { Violation::Stranger(subtask) });
        }
        let expected = roster.plan.digest();
        if vote.plan != expected {
            return Err(Violation::OtherPlan { subtask, found: vote.plan, expected });
        }
    }
    missing.first_key_value().map_or(Ok(()), |(&subtask, _)| Err(Violation::VoteMissing(subtask)))
}

/// K4, the keys.
fn key_groups(roster: &Roster, votes: &[Vote]) -> Result<(), Violation> {
    let mut keyed: BTreeMap<VertexId, Vec<(&KeyGroupRange, SubtaskId)>> = BTreeMap::new();
    for vote in votes {
        if let Some(range) = &vote.key_groups {
            keyed.entry(vote.subtask.vertex).or_default().push((range, vote.subtask));
        }
    }
    for vote in votes {
        if vote.key_groups.is_none() && keyed.contains_key(&vote.subtask.vertex) {
            return Err(Violation::NotKeyed { subtask: vote.subtask });
        }
    }
    for (vertex, mut ranges) in keyed {
        ranges.sort_by_key(|(range, subtask)| (range.0.start, range.0.end, *subtask));
        let mut expected = 0;
        for (range, subtask) in ranges {
            let found = range.0.start;
            if found != expected {
                return Err(Violation::KeyGroups { vertex, subtask, found, expected });
            }
            expected = range.0.end;
        }
        let all = roster.key_groups.count();
        if expected != all {
            return Err(Violation::KeyGroupsEnd { vertex, found: expected, expected: all });
        }
    }
    Ok(())
}

/// K1.
fn channels(roster: &Roster, votes: &[Vote]) -> Result<(), Violation> {
    let mut sent = BTreeMap::new();
    let mut received = BTreeMap::new();
    let mut in_flight = BTreeMap::new();
    for vote in votes {
        for cut in &vote.sent {
            enter(roster, &mut sent, End::Sent, *cut)?;
        }
        for cut in &vote.received {
            at_receiver(vote.subtask, End::Received, cut.channel)?;
            enter(roster, &mut received, End::Received, *cut)?;
        }
        for InFlight { cut, object: _ } in &vote.in_flight {
            at_receiver(vote.subtask, End::InFlight, cut.channel)?;
            enter(roster, &mut in_flight, End::InFlight, *cut)?;
        }
    }
    for &channel in &roster.channels {
        let not_reported = |end| Violation::NotReported { end, channel };
        let sent = sent.get(&channel).ok_or_else(|| not_reported(End::Sent))?;
        let received = received.get(&channel).ok_or_else(|| not_reported(End::Received))?;
        let nothing = ChannelCut { channel, records: 0, batches: 0, sum: 0 };
        balance(channel, sent, received, in_flight.get(&channel).unwrap_or(&nothing))?;
    }
    Ok(())
}

fn at_receiver(subtask: SubtaskId, end: End, channel: ChannelKey) -> Result<(), Violation> {
    if channel.to == subtask { Ok(()) } else { Err(Violation::WrongEnd { subtask, end, channel }) }
}

fn enter(
    roster: &Roster,
    reports: &mut BTreeMap<ChannelKey, ChannelCut>,
    end: End,
    cut: ChannelCut,
) -> Result<(), Violation> {
    let channel = cut.channel;
    if !roster.channels.contains(&channel) {
        return Err(Violation::UnknownChannel { end, channel });
    }
    match reports.insert(channel, cut) {
        Some(_) => Err(Violation::ReportedTwice { end, channel }),
        None => Ok(()),
    }
}

fn balance(
    channel: ChannelKey,
    sent: &ChannelCut,
    received: &ChannelCut,
    in_flight: &ChannelCut,
) -> Result<(), Violation> {
    let measures = [
        (Measure::Records, sent.records, received.records, in_flight.records),
        (Measure::Batches, sent.batches, received.batches, in_flight.batches),
    ];
    for (measure, sent, received, in_flight) in measures {
        if received.checked_add(in_flight) != Some(sent) {
            return Err(Violation::Channel { channel, measure, sent, received, in_flight });
        }
    }
    // Sums wrap around, counts do not.
    if received.sum.wrapping_add(in_flight.sum) != sent.sum {
        let (sent, received, in_flight) = (sent.sum, received.sum, in_flight.sum);
        return Err(Violation::Channel { channel, measure: Measure::Sum, sent, received, in_flight });
    }
    Ok(())
}

/// K5.
fn sources(previous: &Positions, votes: &[Vote]) -> Result<(), Violation> {
    let mut readers: BTreeMap<(VertexId, SplitId), SubtaskId> = BTreeMap::new();
    for vote in votes {
        let vertex = vote.subtask.vertex;
        for SplitCut { split, position, .. } in &vote.splits {
            let (split, found) = (*split, *position);
            if let Some(first) = readers.insert((vertex, split), vote.subtask) {
                return Err(Violation::SplitTwice { vertex, split, subtasks: (first, vote.subtask) });
            }
            match previous.of_split(vertex, split) {
                Some(previous) if found < previous => {
                    return Err(Violation::WentBack { vertex, split, found, previous });
                }
                Some(_) | None => {}
            }
        }
    }
    // A split that was read to its end need not be carried along for ever.
    let forgotten =
        |(key, standing): &(&(VertexId, SplitId), &Standing)| !standing.ended && !readers.contains_key(*key);
    match previous.0.iter().find(forgotten) {
        Some((&(vertex, split), standing)) => {
            Err(Violation::SplitForgotten { vertex, split, previous: standing.position })
        }
        None => Ok(()),
    }
}
