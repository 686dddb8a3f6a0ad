//! What is booked: events of a log, and entries of the ledger.

use source::Dice;
use watershed::prelude::*;

/// An event of a log, as its seed and its place make it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Data)]
pub(super) struct Event {
    /// The partition of the log in which it is.
    pub(super) partition: u32,
    /// Its place there.
    pub(super) offset: u64,
    pub(super) key: u64,
    pub(super) payload: String,
}

impl Event {
    /// The event at a place.
    pub(super) fn at(partition: u32, offset: u64, keys: u64, seed: u64) -> Self {
        let mut dice = Dice::new(seed, u64::from(partition) << 40 | offset);
        let key = dice.below(keys);
        let letters = 8 + dice.below(40);
        let payload = (0..letters).map(|_| char::from(b'a' + dice.below(26) as u8)).collect();
        Event { partition, offset, key, payload }
    }

    /// FNV-1a (64 bits) of the other fields: whoever finds an entry can tell whether it was damaged on its way.
    fn hash(&self) -> String {
        let Event { partition, offset, key, payload } = self;
        let text = format!("{partition}/{offset}/{key}/{payload}");
        let fnv = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        format!("{:016x}", text.bytes().fold(0xcbf2_9ce4_8422_2325, fnv))
    }

    /// The entry for this event, which is the so-manieth of its key.
    pub(super) fn entry(self, count: u64) -> Entry {
        let hash = self.hash();
        let Event { partition, offset, key, payload } = self;
        Entry { partition, offset, key, count, payload, hash }
    }
}

/// A line of the ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Data)]
pub(super) struct Entry {
    pub(super) partition: u32,
    pub(super) offset: u64,
    pub(super) key: u64,
    /// The so-manieth of its key: what is kept as state, and would tell a state that was lost or applied twice.
    pub(super) count: u64,
    pub(super) payload: String,
    pub(super) hash: String,
}

impl Entry {
    /// Whether it says what its event said.
    pub(super) fn is_whole(&self) -> bool {
        let Entry { partition, offset, key, count: _, payload, hash } = self.clone();
        Event { partition, offset, key, payload }.hash() == hash
    }
}
