//! The sending ends of a subtask's channels.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use watershed_core::checkpoint::{ChannelCut, ChannelKey};
use watershed_core::stage::{Outbox, Outgoing};
use watershed_core::{AnyBatch, ChannelId, Epoch, Sequence, SubtaskId, Watermark};
use watershed_protocol::causal::{ClockWriter, FrameClock};
use watershed_protocol::{Credit, Outcome};

use crate::config::Config;
use crate::element::{Deliver, Element, GiveBack, Returned};
use crate::far::{Framed, Route};
use crate::local;
use crate::pace::{Departures, RoundTrips};
use crate::shared::Seen;
use crate::subtask::Fed;
use crate::vigil::Post;

/// All channels that leave a subtask.
pub(crate) struct Outbounds {
    /// By output and receiver.
    channels: Vec<Vec<Option<Outbound>>>,
    /// By output.
    trips: Vec<RoundTrips>,
    /// How many channels have elements that wait for credit.
    waiting: usize,
    /// What the subtask has seen of shared state.
    seen: Seen,
}

/// The sending end of one channel.
struct Outbound {
    road: Road,
    subtask: SubtaskId,
    channel: ChannelId,
    credit: Credit,
    next: Sequence,
    /// What the channel counts its frames to: the epoch of the last barrier sent, and one.
    epoch: Epoch,
    away: Departures,
    /// Elements that wait for credit. Bounded by what one step of the task emits: a task is not called
    /// while something waits.
    queue: VecDeque<Waiting>,
    /// The last watermark that was sent.
    told: Watermark,
    /// What has been sent, or waits for credit to be.
    records: u64,
    batches: u64,
    /// The sum of the checksums under which its batches travelled; they have one on a link only.
    sum: u64,
    /// Batches that came back at once, being copied.
    emptied: Vec<AnyBatch>,
    /// Which version of what its sender has seen it was told last.
    told_seen: u64,
    /// Writes that for another node.
    clock: ClockWriter,
}

/// What waits for credit.
enum Waiting {
    /// An element for a subtask of this process.
    Near(Element),
    /// One that is written already, for a subtask elsewhere.
    Far(Framed),
}

impl Waiting {
    fn is_batch(&self) -> bool {
        match self {
            Waiting::Near(element) => matches!(element, Element::Batch { .. }),
            Waiting::Far(framed) => framed.is_batch(),
        }
    }

    /// Whether it needs no credit.
    fn is_free(&self) -> bool {
        match self {
            Waiting::Near(element) => matches!(element, Element::Seen(_)),
            Waiting::Far(framed) => framed.is_free(),
        }
    }

    fn watermark(&self) -> Watermark {
        match self {
            Waiting::Near(element) => watermark_of(element),
            Waiting::Far(framed) => framed.watermark,
        }
    }
}

/// How the receiving end of a channel is reached.
pub(crate) enum Road {
    /// It lives in this process.
    Near(Post<Deliver>),
    /// It lives on another node.
    Far(Route),
}

/// Where a channel leads.
pub(crate) struct Target {
    pub(crate) road: Road,
    pub(crate) subtask: SubtaskId,
    pub(crate) channel: ChannelId,
}

impl Outbounds {
    pub(crate) fn new(targets: Vec<Vec<Option<Target>>>, config: &Config) -> Self {
        let open = |target: Target| Outbound {
            road: target.road,
            subtask: target.subtask,
            channel: target.channel,
            credit: Credit::new(config.credit_batches, config.credit_control),
            next: Sequence(0),
            epoch: Epoch(0),
            away: Departures::default(),
            queue: VecDeque::new(),
            told: Watermark::MIN,
            records: 0,
            batches: 0,
            sum: 0,
            emptied: Vec::new(),
            told_seen: 0,
            clock: ClockWriter::new(),
        };
        let trips = targets.iter().map(|_| RoundTrips::new(config.batch_records, config.in_flight)).collect();
        let channels =
            targets.into_iter().map(|edge| edge.into_iter().map(|target| target.map(open)).collect());
        Outbounds { channels: channels.collect(), trips, waiting: 0, seen: Seen::default() }
    }

    /// Whether something waits for credit.
    pub(crate) fn is_blocked(&self) -> bool {
        self.waiting > 0
    }

    /// Has all that follows say what the subtask has seen of shared state.
    pub(crate) fn tell_seen(&mut self, seen: &Seen) {
        self.seen = seen.clone();
    }

    /// Hands over what is ready.
    pub(crate) fn hand_over(&mut self, outbox: &mut Outbox) {
        while let Some(Outgoing { edge, receiver, batch, watermark, origin }) = outbox.ready.pop_front() {
            let (element, sent) = (Element::Batch { batch, watermark, origin }, Instant::now());
            if let Some(batch) = self.send(edge, receiver, element) {
                let now = Instant::now();
                self.measure(edge, batch.records(), now.duration_since(sent), now, outbox);
                outbox.came_back(edge, receiver);
                outbox.keep(edge, batch);
            }
            self.channel(edge, receiver).emptied.drain(..).for_each(|batch| outbox.keep(edge, batch));
        }
    }

    /// Tells the channels that do not know it yet how far the watermark has come.
    ///
    /// A channel without credit is left out: it learns of it with its next batch or the next call.
    pub(crate) fn tell(&mut self, watermark: Watermark) {
        for edge in 0..self.channels.len() {
            for receiver in 0..self.channels[edge].len() {
                let Some(channel) = &self.channels[edge][receiver] else { continue };
                if channel.told < watermark && channel.queue.is_empty() && channel.credit.control_left() > 0 {
                    self.send(edge, receiver as u32, Element::Watermark(watermark));
                }
            }
        }
    }

    /// Sends an element on every channel.
    pub(crate) fn broadcast(&mut self, element: impl Fn() -> Element) {
        for edge in 0..self.channels.len() {
            for receiver in 0..self.channels[edge].len() {
                if self.channels[edge][receiver].is_some() {
                    self.send(edge, receiver as u32, element());
                }
            }
        }
    }

    /// Sends an element on every channel behind which nothing comes, for now or at all, and before it how far the watermark
    /// has come: also where that was left out for want of credit.
    pub(crate) fn tell_last(&mut self, watermark: Watermark, last: impl Fn() -> Element) {
        for edge in 0..self.channels.len() {
            for receiver in 0..self.channels[edge].len() {
                let Some(channel) = &self.channels[edge][receiver] else { continue };
                if channel.told < watermark {
                    self.send(edge, receiver as u32, Element::Watermark(watermark));
                }
                self.send(edge, receiver as u32, last());
            }
        }
    }

    /// Takes credit back, and sends what waited for it. Whether the channel is behind the watermark, having
    /// been left out for want of credit.
    pub(crate) fn give_back(&mut self, returned: GiveBack, outbox: &mut Outbox) -> bool {
        let GiveBack { edge, receiver, returned } = returned;
        let channel = self.channel(edge, receiver);
        let outcome = match returned {
            Returned::Batch(_) | Returned::Credit { .. } => channel.credit.returned(1, 0),
            Returned::Control => channel.credit.returned(0, 1),
        };
        assert_eq!(outcome, Outcome::Applied, "a receiver gives back what it was sent and no more");
        let records = match &returned {
            Returned::Batch(batch) => Some(batch.records()),
            Returned::Credit { records } => Some(*records),
            Returned::Control => None,
        };
        if let Some(records) = records {
            let now = Instant::now();
            let away = channel.away.come_back(now);
            self.measure(edge, records, away, now, outbox);
            outbox.came_back(edge, receiver);
        }
        if let Returned::Batch(batch) = returned {
            outbox.keep(edge, batch);
        }
        let channel = self.channel(edge, receiver);
        if !channel.queue.is_empty() {
            channel.pump();
            channel.emptied.drain(..).for_each(|batch| outbox.keep(edge, batch));
            if channel.queue.is_empty() {
                self.waiting -= 1;
            }
        }
        self.channel(edge, receiver).told < outbox.watermark
    }

    /// Learns how long a batch was away, and fits the next ones to that.
    fn measure(&mut self, edge: usize, records: usize, away: Duration, now: Instant, outbox: &mut Outbox) {
        outbox.set_batch_records(edge, self.trips[edge].returned(records, away, now));
    }

    /// Sends what is left of some outputs, credit or not, to subtasks that outlive this one.
    pub(crate) fn send_rest(&mut self, outbox: &mut Outbox, wanted: impl Fn(usize) -> bool) {
        for (edge, channels) in self.channels.iter_mut().enumerate().filter(|(edge, _)| wanted(*edge)) {
            for (receiver, channel) in channels.iter_mut().enumerate() {
                let Some(channel) = channel else { continue };
                // What waited is sent no more in the order in which it was written: numbers begin where it began.
                let waited: Vec<Waiting> = channel.queue.drain(..).collect();
                if let Road::Far(_) = channel.road {
                    channel.next.0 -= waited.len() as u64;
                }
                for waiting in waited {
                    match waiting {
                        Waiting::Near(Element::Batch { batch, .. }) => channel.deliver_rest(batch),
                        Waiting::Near(_) => {}
                        Waiting::Far(framed) => channel.deliver_framed_rest(&framed),
                    }
                }
                for batch in outbox.take(edge, receiver as u32) {
                    channel.deliver_rest(batch);
                }
            }
        }
    }

    /// What has been sent on each channel.
    pub(crate) fn cuts(&self) -> Vec<ChannelCut> {
        let cut = |channel: &Outbound| ChannelCut {
            channel: ChannelKey { to: channel.subtask, channel: channel.channel },
            records: channel.records,
            batches: channel.batches,
            sum: channel.sum,
        };
        self.channels.iter().flatten().flatten().map(cut).collect()
    }

    /// Sends an element, or lets it wait for credit. The emptied batch, where it was consumed in place.
    fn send(&mut self, edge: usize, receiver: u32, element: Element) -> Option<AnyBatch> {
        if self.seen.version != self.channel(edge, receiver).told_seen {
            let seen = self.seen.clone();
            self.channel(edge, receiver).told_seen = seen.version;
            self.send_one(edge, receiver, Element::Seen(seen));
        }
        self.send_one(edge, receiver, element)
    }

    fn send_one(&mut self, edge: usize, receiver: u32, element: Element) -> Option<AnyBatch> {
        let channel = self.channel(edge, receiver);
        if let Element::Batch { batch, .. } = &element {
            channel.records += batch.records() as u64;
            // A batch for another node may become several.
            channel.batches += u64::from(matches!(channel.road, Road::Near(_)));
        }
        let element = match channel.try_in_place(element) {
            Ok(batch) => return batch,
            Err(element) => element,
        };
        let waited = !channel.queue.is_empty();
        channel.enqueue(element);
        channel.pump();
        if !waited && !channel.queue.is_empty() {
            self.waiting += 1;
        }
        None
    }

    fn channel(&mut self, edge: usize, receiver: u32) -> &mut Outbound {
        self.channels[edge][receiver as usize].as_mut().expect("a subtask sends on its own channels only")
    }
}

impl Outbound {
    /// Feeds a receiver on the same arbiter directly, if nothing can be overtaken by that and it is free.
    fn try_in_place(&mut self, element: Element) -> Result<Option<AnyBatch>, Element> {
        if matches!(self.road, Road::Far(_)) || !self.queue.is_empty() || !self.credit.all_home() {
            return Err(element);
        }
        let told = watermark_of(&element);
        let fed = local::feed(self.subtask, self.channel, self.next, element)?;
        self.next.0 += 1;
        self.told = self.told.max(told);
        Ok(match fed {
            Fed::Emptied(batch) => Some(batch),
            Fed::Taken => None,
            Fed::Kept => {
                // The receiver could not feed all of it: it counts as sent, and comes back later.
                let granted = self.credit.take_data();
                assert!(granted, "all credit was home");
                self.away.leave(Instant::now());
                None
            }
        })
    }

    /// Puts an element behind those that wait. For another node it is written now: the sum of what was sent before a
    /// barrier is part of the vote, whether there was credit for it or not.
    fn enqueue(&mut self, element: Element) {
        let Road::Far(route) = &self.road else { return self.queue.push_back(Waiting::Near(element)) };
        if let Element::Barrier(barrier) = &element {
            self.epoch = Epoch(barrier.epoch.0 + 1);
        }
        if let Element::Seen(Seen { clock, settled, epoch, .. }) = &element {
            let clock = self.clock.stamp(clock, *settled);
            if clock != FrameClock::None {
                self.queue.push_back(Waiting::Far(route.frame_clock(self.next, *epoch, &clock)));
                self.next.0 += 1;
            }
            return;
        }
        match route.frame(self.next, self.epoch, element) {
            Ok((framed, batch)) => {
                self.next.0 += 1;
                if let Some((batch, checksum)) = batch {
                    self.batches += 1;
                    self.sum = self.sum.wrapping_add(u64::from(checksum));
                    self.emptied.push(batch);
                }
                self.queue.push_back(Waiting::Far(framed));
            }
            Err(Element::Batch { batch, watermark, origin }) => {
                // What comes behind the first half is not behind its watermark yet.
                let ((first, rest), told) = (route.codec.halve(batch), self.told);
                self.enqueue(Element::Batch { batch: first, watermark: told, origin });
                self.enqueue(Element::Batch { batch: rest, watermark, origin });
            }
            Err(_) => unreachable!("only a batch is too large"),
        }
    }

    /// Sends what there is credit for.
    fn pump(&mut self) {
        while let Some(waiting) = self.queue.front() {
            let is_batch = waiting.is_batch();
            let granted = waiting.is_free()
                || if is_batch { self.credit.take_data() } else { self.credit.take_control() };
            if !granted {
                return;
            }
            let waiting = self.queue.pop_front().expect("the queue has a front");
            self.told = self.told.max(waiting.watermark());
            if is_batch {
                self.away.leave(Instant::now());
            }
            match (&self.road, waiting) {
                (Road::Near(_), Waiting::Near(element)) => self.deliver(element),
                (Road::Far(route), Waiting::Far(framed)) => route.send(framed),
                (Road::Near(_), Waiting::Far(_)) | (Road::Far(_), Waiting::Near(_)) => {
                    unreachable!("a channel has one road")
                }
            }
        }
    }

    /// Sends a batch without credit.
    fn deliver_rest(&mut self, batch: AnyBatch) {
        match &self.road {
            Road::Near(_) => self.deliver(Element::Rest(batch)),
            Road::Far(route) => {
                let framed = route.frame(self.next, self.epoch, Element::Rest(batch));
                self.next.0 += 1;
                let Ok((framed, _)) = framed else { unreachable!("only a batch is too large") };
                route.send(framed);
            }
        }
    }

    /// Sends a batch without credit that was written to be sent with it.
    fn deliver_framed_rest(&mut self, framed: &Framed) {
        let Road::Far(route) = &self.road else { return };
        if framed.is_batch() {
            route.send_rest(self.next, self.epoch, framed);
            self.next.0 += 1;
        }
    }

    fn deliver(&mut self, element: Element) {
        let Road::Near(to) = &self.road else { unreachable!("a channel to another node sends frames") };
        to.send(Deliver { channel: self.channel, sequence: self.next, element });
        self.next.0 += 1;
    }
}

fn watermark_of(element: &Element) -> Watermark {
    match element {
        Element::Batch { watermark, .. } | Element::Watermark(watermark) => *watermark,
        Element::Idle
        | Element::Active
        | Element::Barrier(_)
        | Element::End(_)
        | Element::Packed(_)
        | Element::Seen(_)
        | Element::SeenFar { .. }
        | Element::Rest(_) => Watermark::MIN,
    }
}

#[cfg(test)]
mod tests;
