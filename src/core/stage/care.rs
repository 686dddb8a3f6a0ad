//! Care: records are let into a chain one by one, so that a panic is known to be of one of them.
//!
//! A batch passes a chain in one loop, and a panic there says nothing about which record it was. So a subtask that has
//! panicked is careful for a while: before a record enters its chain, it is written down, and after it has passed,
//! struck out. That costs the encoding of each record. A subtask that has not panicked is spared even a look: it is
//! asked once a batch, or a poll, whether it has to be careful.
//!
//! The records that are to be left out are known by what they are when they enter the chain, and become dead letters
//! there, in the name of the operator that could not bear them.

use std::sync::Arc;

use crate::stage::TaskContext;
use crate::{Data, DeadLetter, EventTime};
use serde::{Deserialize, Serialize};

/// What a careful subtask knows.
#[derive(Debug, Default)]
pub struct Care {
    /// For how many barriers it is to be careful yet.
    barriers: u32,
    shunned: Vec<Shunned>,
    at_hand: Option<AtHand>,
    /// The numbers of those that were left out since anybody asked.
    left_out: Vec<u32>,
    /// Where the record comes from that is read now.
    place: Option<String>,
}

/// A record that is to be left out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Shunned {
    /// The number by which it is known to whoever wants it left out.
    pub number: u32,
    /// How often it is to be left out.
    pub times: u32,
    /// Its event time; `None` where it may come at any.
    pub time: Option<EventTime>,
    /// The record as MessagePack.
    pub bytes: Arc<[u8]>,
    /// The number of the stage that cannot bear it.
    pub stage: u16,
    /// Why, for its dead letter.
    pub reason: String,
}

/// A record that has entered a chain, and has not passed it yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AtHand {
    /// Its event time.
    pub time: EventTime,
    /// Whether that is its own, and will be the same when it comes again: not the wall clock's.
    pub keeps_time: bool,
    /// The record as MessagePack; empty where it cannot be written.
    pub bytes: Vec<u8>,
}

impl Care {
    /// Care for so many barriers.
    pub fn new(barriers: u32, shunned: Vec<Shunned>) -> Self {
        Care { barriers, shunned, ..Care::default() }
    }

    /// The record that is on its way through the chain.
    pub fn take_at_hand(&mut self) -> Option<AtHand> {
        self.at_hand.take()
    }

    /// The numbers of the records that were left out since this was asked.
    pub fn take_left_out(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.left_out)
    }

    /// Notes a barrier. Whether more care is to be taken.
    pub fn pass_barrier(&mut self) -> bool {
        self.barriers = self.barriers.saturating_sub(1);
        self.barriers > 0
    }

    /// Says where the records come from that are read from now on.
    pub(crate) fn set_place(&mut self, place: String) {
        self.place = Some(place);
    }

    /// Writes a record down, or says in whose name and why it is left out.
    fn admit(&mut self, at_hand: AtHand) -> Result<(), (u16, String, AtHand)> {
        let is_shunned = |shunned: &&mut Shunned| {
            shunned.times > 0
                && *shunned.bytes == *at_hand.bytes
                && shunned.time.is_none_or(|time| at_hand.keeps_time && time == at_hand.time)
        };
        let Some(shunned) = self.shunned.iter_mut().find(is_shunned) else {
            self.at_hand = Some(at_hand);
            return Ok(());
        };
        shunned.times -= 1;
        self.left_out.push(shunned.number);
        Err((shunned.stage, shunned.reason.clone(), at_hand))
    }
}

impl TaskContext {
    /// Lets a record into the chain, where the subtask is careful; one that is to be left out becomes a dead letter.
    /// Whether it may enter. `keeps_time` as in [`AtHand`].
    pub(crate) fn admit<T: Data>(&mut self, value: &T, time: EventTime, keeps_time: bool) -> bool {
        let Some(care) = &mut self.care else { return true };
        let bytes = rmp_serde::to_vec_named(value).unwrap_or_default();
        let Err((stage, reason, at_hand)) = care.admit(AtHand { time, keeps_time, bytes }) else {
            return true;
        };
        let place = care.place.clone().or_else(|| self.origin.map(|origin| origin.to_string()));
        let place = place.unwrap_or_else(|| "a place that is not known".to_owned());
        self.dead_letter(stage, DeadLetter::new(place, reason, &at_hand.bytes), time);
        false
    }

    /// The record that was let in last has passed the chain.
    pub(crate) fn passed(&mut self) {
        if let Some(care) = &mut self.care {
            care.at_hand = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_hand(millis: i64, bytes: &[u8]) -> AtHand {
        AtHand { time: EventTime::from_millis(millis), keeps_time: true, bytes: bytes.to_vec() }
    }

    fn shunned(time: Option<i64>, times: u32) -> Shunned {
        let (time, bytes) = (time.map(EventTime::from_millis), Arc::from(*b"x"));
        Shunned { number: 3, times, time, bytes, stage: 1, reason: "cannot bear it".to_owned() }
    }

    #[test]
    fn a_record_is_left_out_as_often_as_it_is_shunned_at_its_time() {
        let mut care = Care::new(2, vec![shunned(Some(5), 2)]);
        assert_eq!(care.admit(at_hand(6, b"x")), Ok(()));
        assert_eq!(care.take_at_hand(), Some(at_hand(6, b"x")));
        assert_eq!(care.admit(AtHand { keeps_time: false, ..at_hand(5, b"x") }), Ok(()));
        assert_eq!(care.admit(at_hand(5, b"y")), Ok(()));
        for _ in 0..2 {
            let (stage, reason, record) = care.admit(at_hand(5, b"x")).unwrap_err();
            assert_eq!((stage, reason.as_str(), record), (1, "cannot bear it", at_hand(5, b"x")));
        }
        assert_eq!(care.admit(at_hand(5, b"x")), Ok(()));
        assert_eq!((care.take_left_out(), care.take_left_out()), (vec![3, 3], vec![]));
    }

    #[test]
    fn one_without_a_time_is_left_out_at_any() {
        let mut care = Care::new(2, vec![shunned(None, 1)]);
        assert!(care.admit(AtHand { keeps_time: false, ..at_hand(5, b"x") }).is_err());
        assert_eq!(care.admit(at_hand(5, b"x")), Ok(()));
    }

    #[test]
    fn care_ends_behind_its_last_barrier() {
        let mut care = Care::new(2, Vec::new());
        assert_eq!((care.pass_barrier(), care.pass_barrier()), (true, false));
    }
}
