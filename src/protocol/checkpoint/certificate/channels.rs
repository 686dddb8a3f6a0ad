//! K1, channels: what was sent before the cut is what was received before it, or recorded as under way.

use std::collections::BTreeMap;

use watershed_core::SubtaskId;
use watershed_core::checkpoint::{ChannelCut, ChannelKey, InFlight, Vote};

use super::{Checked, End, Measure, Violation};
use crate::checkpoint::Roster;

/// Proves that the two ends of every channel agree.
pub(super) fn check(roster: &Roster, votes: &[Vote]) -> Result<Checked, Violation> {
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
    Ok(Checked::of([("channels", roster.channels.len())]))
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
