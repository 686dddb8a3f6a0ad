//! The sending ends of a subtask's channels.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use watershed_core::checkpoint::{ChannelCut, ChannelKey};
use watershed_core::stage::{Outbox, Outgoing};
use watershed_core::{AnyBatch, ChannelId, Sequence, SubtaskId, Watermark};
use watershed_protocol::{Credit, Outcome};

use crate::config::Config;
use crate::element::{Deliver, Element, GiveBack};
use crate::local;
use crate::pace::{Departures, RoundTrips};
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
}

/// The sending end of one channel.
struct Outbound {
    to: Post<Deliver>,
    subtask: SubtaskId,
    channel: ChannelId,
    credit: Credit,
    next: Sequence,
    away: Departures,
    /// Elements that wait for credit. Bounded by what one step of the task emits: a task is not called
    /// while something waits.
    queue: VecDeque<Element>,
    /// The last watermark that was sent.
    told: Watermark,
    /// What has been sent, or waits for credit to be.
    records: u64,
    batches: u64,
}

/// Where a channel leads.
pub(crate) struct Target {
    pub(crate) to: Post<Deliver>,
    pub(crate) subtask: SubtaskId,
    pub(crate) channel: ChannelId,
}

impl Outbounds {
    pub(crate) fn new(targets: Vec<Vec<Option<Target>>>, config: &Config) -> Self {
        let open = |target: Target| Outbound {
            to: target.to,
            subtask: target.subtask,
            channel: target.channel,
            credit: Credit::new(config.credit_batches, config.credit_control),
            next: Sequence(0),
            away: Departures::default(),
            queue: VecDeque::new(),
            told: Watermark::MIN,
            records: 0,
            batches: 0,
        };
        let trips = targets.iter().map(|_| RoundTrips::new(config.batch_records, config.in_flight)).collect();
        let channels =
            targets.into_iter().map(|edge| edge.into_iter().map(|target| target.map(open)).collect());
        Outbounds { channels: channels.collect(), trips, waiting: 0 }
    }

    /// Whether something waits for credit.
    pub(crate) fn is_blocked(&self) -> bool {
        self.waiting > 0
    }

    /// Hands over what is ready.
    pub(crate) fn hand_over(&mut self, outbox: &mut Outbox) {
        while let Some(Outgoing { edge, receiver, batch, watermark, origin }) = outbox.ready.pop_front() {
            let (element, sent) = (Element::Batch { batch, watermark, origin }, Instant::now());
            if let Some(batch) = self.send(edge, receiver, element) {
                let now = Instant::now();
                self.measure(edge, batch.records(), now.duration_since(sent), now, outbox);
                outbox.give_back(edge, receiver, batch);
            }
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

    /// Says on every channel that nothing comes for now, and before that how far the watermark has come.
    pub(crate) fn tell_idle(&mut self, watermark: Watermark) {
        for edge in 0..self.channels.len() {
            for receiver in 0..self.channels[edge].len() {
                let Some(channel) = &self.channels[edge][receiver] else { continue };
                if channel.told < watermark {
                    self.send(edge, receiver as u32, Element::Watermark(watermark));
                }
                self.send(edge, receiver as u32, Element::Idle);
            }
        }
    }

    /// Takes credit back, and sends what waited for it. Whether the channel is behind the watermark, having
    /// been left out for want of credit.
    pub(crate) fn give_back(&mut self, returned: GiveBack, outbox: &mut Outbox) -> bool {
        let GiveBack { edge, receiver, batch } = returned;
        let channel = self.channel(edge, receiver);
        let outcome = match batch {
            Some(_) => channel.credit.returned(1, 0),
            None => channel.credit.returned(0, 1),
        };
        assert_eq!(outcome, Outcome::Applied, "a receiver gives back what it was sent and no more");
        if let Some(batch) = batch {
            let now = Instant::now();
            let away = channel.away.come_back(now);
            self.measure(edge, batch.records(), away, now, outbox);
            outbox.give_back(edge, receiver, batch);
        }
        let channel = self.channel(edge, receiver);
        if !channel.queue.is_empty() {
            channel.pump();
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
                let waited = channel.queue.drain(..).filter_map(|element| match element {
                    Element::Batch { batch, .. } => Some(batch),
                    Element::Watermark(_)
                    | Element::Idle
                    | Element::Active
                    | Element::Barrier(_)
                    | Element::End(_)
                    | Element::Rest(_) => None,
                });
                let ready = outbox.take(edge, receiver as u32);
                for batch in waited.chain(ready).collect::<Vec<_>>() {
                    channel.deliver(Element::Rest(batch));
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
            sum: 0,
        };
        self.channels.iter().flatten().flatten().map(cut).collect()
    }

    /// Sends an element, or lets it wait for credit. The emptied batch, where it was consumed in place.
    fn send(&mut self, edge: usize, receiver: u32, element: Element) -> Option<AnyBatch> {
        let channel = self.channel(edge, receiver);
        if let Element::Batch { batch, .. } = &element {
            channel.records += batch.records() as u64;
            channel.batches += 1;
        }
        let element = match channel.try_in_place(element) {
            Ok(batch) => return batch,
            Err(element) => element,
        };
        let waited = !channel.queue.is_empty();
        channel.queue.push_back(element);
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
        if !self.queue.is_empty() || !self.credit.all_home() {
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

    /// Sends what there is credit for.
    fn pump(&mut self) {
        while let Some(element) = self.queue.front() {
            let granted = match element {
                Element::Batch { .. } => self.credit.take_data(),
                Element::Watermark(_)
                | Element::Idle
                | Element::Active
                | Element::Barrier(_)
                | Element::End(_) => self.credit.take_control(),
                Element::Rest(_) => unreachable!("it does not wait for credit"),
            };
            if !granted {
                return;
            }
            let element = self.queue.pop_front().expect("the queue has a front");
            self.told = self.told.max(watermark_of(&element));
            if let Element::Batch { .. } = element {
                self.away.leave(Instant::now());
            }
            self.deliver(element);
        }
    }

    fn deliver(&mut self, element: Element) {
        self.to.send(Deliver { channel: self.channel, sequence: self.next, element });
        self.next.0 += 1;
    }
}

fn watermark_of(element: &Element) -> Watermark {
    match element {
        Element::Batch { watermark, .. } | Element::Watermark(watermark) => *watermark,
        Element::Idle | Element::Active | Element::Barrier(_) | Element::End(_) | Element::Rest(_) => {
            Watermark::MIN
        }
    }
}
