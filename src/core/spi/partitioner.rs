//! Rules that say which receiver a record goes to.

use std::hash::Hash;

use crate::key::hash_key;
use crate::stage::Outbox;
use crate::{Data, KeyGroup, KeyGroups};

/// A rule that routes each record of an exchange to one of its receivers.
///
/// Each sending subtask has an instance of its own, opened once before the first record.
pub trait Partitioner<T>: Clone + Send + 'static {
    /// Called once, before the first record, with the number of receivers and the job's key groups, and
    /// with the index of the sending subtask.
    fn open(&mut self, receivers: u32, groups: KeyGroups, sender: u32);

    /// The receiver of a record, below the number of receivers.
    fn route(&mut self, value: &T, loads: Loads<'_>) -> u32;
}

/// How much the receivers of an exchange have to do. Costs nothing to a rule that does not look.
#[derive(Clone, Copy)]
pub struct Loads<'a> {
    outbox: &'a Outbox,
    edge: usize,
}

impl<'a> Loads<'a> {
    pub(crate) fn new(outbox: &'a Outbox, edge: usize) -> Self {
        Loads { outbox, edge }
    }

    /// For each receiver, how many batches are on their way to it or waiting there.
    pub fn batches(self) -> &'a [u32] {
        self.outbox.queued(self.edge)
    }
}

/// Routes by the key group of a key: all records of a key meet in one subtask.
#[derive(Clone, Debug)]
pub struct ByKey<F> {
    key: F,
    groups: KeyGroups,
    /// By key group. As long as there can be key groups, so that no look-up needs a bounds check.
    owners: Box<[u16; OWNERS]>,
}

const OWNERS: usize = KeyGroups::MAX as usize;

impl<F> ByKey<F> {
    /// Routes by the key that `key` takes from a value.
    pub fn new(key: F) -> Self {
        ByKey { key, groups: KeyGroups::default(), owners: Box::new([0; OWNERS]) }
    }
}

impl<T, K: Hash, F: Fn(&T) -> K + Clone + Send + 'static> Partitioner<T> for ByKey<F> {
    fn open(&mut self, receivers: u32, groups: KeyGroups, _sender: u32) {
        self.groups = groups;
        for (group, owner) in (0..groups.count()).zip(self.owners.iter_mut()) {
            *owner = groups.owner(KeyGroup(group), receivers) as u16;
        }
    }

    #[inline]
    fn route(&mut self, value: &T, _: Loads<'_>) -> u32 {
        let group = self.groups.of_hash(hash_key(&(self.key)(value)));
        u32::from(self.owners[group.0 as usize % OWNERS])
    }
}

/// Deals records out in turn.
#[derive(Clone, Debug, Default)]
pub struct RoundRobin {
    next: u32,
    receivers: u32,
}

impl<T> Partitioner<T> for RoundRobin {
    fn open(&mut self, receivers: u32, _groups: KeyGroups, sender: u32) {
        self.receivers = receivers;
        self.next = sender % receivers;
    }

    #[inline]
    fn route(&mut self, _value: &T, _: Loads<'_>) -> u32 {
        let receiver = self.next;
        self.next = if receiver + 1 == self.receivers { 0 } else { receiver + 1 };
        receiver
    }
}

/// Deals records out at random, repeatably: the seed and the sender's index decide.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
    receivers: u32,
}

impl Random {
    /// Draws from this seed.
    pub fn new(seed: u64) -> Self {
        Random { state: seed, receivers: 1 }
    }
}

impl<T> Partitioner<T> for Random {
    fn open(&mut self, receivers: u32, _groups: KeyGroups, sender: u32) {
        self.receivers = receivers;
        self.state = hash_key(&(self.state, sender));
    }

    #[inline]
    fn route(&mut self, _value: &T, _: Loads<'_>) -> u32 {
        // The hash of a counter is a well-mixed sequence that needs no generator of its own.
        self.state = self.state.wrapping_add(1);
        let draw = hash_key(&self.state) >> 32;
        ((draw * u64::from(self.receivers)) >> 32) as u32
    }
}

/// Deals records out to the receiver that has the least to do, in turn among equals.
///
/// The load of a receiver is the number of batches that it has been sent and not yet given back.
#[derive(Clone, Debug, Default)]
pub struct Weighted {
    turn: u32,
}

impl<T> Partitioner<T> for Weighted {
    fn open(&mut self, _receivers: u32, _groups: KeyGroups, sender: u32) {
        self.turn = sender;
    }

    #[inline]
    fn route(&mut self, _value: &T, loads: Loads<'_>) -> u32 {
        let queued = loads.batches();
        let receivers = queued.len() as u32;
        self.turn = self.turn.wrapping_add(1);
        (0..receivers)
            .map(|step| self.turn.wrapping_add(step) % receivers)
            .min_by_key(|receiver| queued[*receiver as usize])
            .expect("an exchange has at least one receiver")
    }
}

/// Routes by where a value falls among sorted bounds: below the first bound to the first receiver, and so on.
///
/// There is one range more than there are bounds; with fewer receivers than ranges, neighbours share one.
#[derive(Clone, Debug)]
pub struct Range<F, B> {
    of: F,
    bounds: Vec<B>,
    receivers: u32,
}

impl<F, B: Ord> Range<F, B> {
    /// Routes by the measure that `of` takes from a value. `bounds` are sorted here.
    pub fn new(of: F, mut bounds: Vec<B>) -> Self {
        bounds.sort();
        Range { of, bounds, receivers: 1 }
    }
}

impl<T, B, F> Partitioner<T> for Range<F, B>
where
    B: Data + Ord,
    F: Fn(&T) -> B + Clone + Send + 'static,
{
    fn open(&mut self, receivers: u32, _groups: KeyGroups, _sender: u32) {
        self.receivers = receivers;
    }

    fn route(&mut self, value: &T, _: Loads<'_>) -> u32 {
        let measure = (self.of)(value);
        let range = self.bounds.partition_point(|bound| *bound <= measure) as u64;
        let ranges = self.bounds.len() as u64 + 1;
        (range * u64::from(self.receivers.min(ranges as u32)) / ranges) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Batch;
    use crate::stage::OutputInfo;

    /// An outbox with so many batches under way to each receiver of its only output.
    fn outbox(queued: &[u32]) -> Outbox {
        let (name, receivers) = (String::new(), queued.len() as u32);
        let mut outbox = Outbox::new(&[OutputInfo { name, receivers, forward: false, side: None }], 1);
        for (receiver, batches) in queued.iter().enumerate() {
            for _ in 0..*batches {
                outbox.hand_over(0, receiver as u32, &mut Batch::<u64>::default(), None);
            }
        }
        outbox
    }

    fn routes<P: Partitioner<u64>>(mut rule: P, receivers: u32, values: std::ops::Range<u64>) -> Vec<u32> {
        rule.open(receivers, KeyGroups::default(), 1);
        let idle = outbox(&vec![0; receivers as usize]);
        values.map(|value| rule.route(&value, Loads::new(&idle, 0))).collect()
    }

    #[test]
    fn keys_go_to_the_owner_of_their_group() {
        let groups = KeyGroups::default();
        let expected: Vec<u32> = (0..100_u64).map(|key| groups.owner(groups.of(&key), 3)).collect();
        assert_eq!(routes(ByKey::new(|value: &u64| *value), 3, 0..100), expected);
    }

    #[test]
    fn turns_begin_at_the_senders_own_index() {
        assert_eq!(routes(RoundRobin::default(), 3, 0..5), [1, 2, 0, 1, 2]);
    }

    #[test]
    fn random_draws_repeat_and_reach_everybody() {
        let first = routes(Random::new(7), 4, 0..1000);
        assert_eq!(first, routes(Random::new(7), 4, 0..1000));
        (0..4).for_each(|receiver| {
            let count = first.iter().filter(|r| **r == receiver).count();
            assert!((200..300).contains(&count), "receiver {receiver} got {count}");
        });
    }

    #[test]
    fn the_least_loaded_receiver_is_chosen() {
        let mut rule = Weighted::default();
        Partitioner::<u64>::open(&mut rule, 3, KeyGroups::default(), 0);
        assert_eq!(rule.route(&0_u64, Loads::new(&outbox(&[2, 0, 1]), 0)), 1);
        assert_eq!(rule.route(&0_u64, Loads::new(&outbox(&[2, 3, 1]), 0)), 2);
    }

    #[test]
    fn ranges_keep_their_order_and_share_receivers() {
        let rule = |bounds: &[u64]| Range::new(|value: &u64| *value, bounds.to_vec());
        assert_eq!(routes(rule(&[20, 10]), 3, 9..22), [0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2]);
        assert_eq!(routes(rule(&[1, 2, 3]), 2, 0..5), [0, 0, 1, 1, 1]);
        assert_eq!(routes(rule(&[1]), 5, 0..3), [0, 1, 1]);
    }
}
