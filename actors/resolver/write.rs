//! A write and its place in the order of all writes.

use serde::{Deserialize, Serialize};
use watershed_core::Data;
use watershed_core::causal::{Dot, HybridTime};
use watershed_core::shared::{Refusal, Settled, Stamp};

/// What a writer does to a value. A value alone is one to put: `value.into()`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Data)]
pub enum Write<V> {
    /// Puts it in the place of what was there.
    Put(V),
    /// Leaves nothing there.
    Remove,
}

impl<V> From<V> for Write<V> {
    fn from(value: V) -> Self {
        Write::Put(value)
    }
}

/// A write with its time and its name, which say which one is the later.
///
/// A removal is kept like a value (a tombstone), for an older write may still come and must lose against it.
#[derive(Clone, Debug, Serialize, Deserialize, Data)]
pub struct Written<V> {
    time: HybridTime,
    dot: Dot,
    write: Write<V>,
}

impl<V> Written<V> {
    pub(super) fn new(write: Write<V>, stamp: &Stamp) -> Self {
        Written { time: stamp.time, dot: stamp.dot, write }
    }

    /// What is there to be read; `None` of what was removed.
    pub fn value(&self) -> Option<&V> {
        match &self.write {
            Write::Put(value) => Some(value),
            Write::Remove => None,
        }
    }

    /// When it was made.
    pub fn time(&self) -> HybridTime {
        self.time
    }

    /// Which update made it.
    pub fn dot(&self) -> Dot {
        self.dot
    }

    /// Whether it stays of the two: of equal times the greater dot does.
    pub(super) fn is_later_than(&self, other: &Written<V>) -> bool {
        (self.time, self.dot) > (other.time, other.dot)
    }

    /// Whether it is kept only because an older write could come.
    pub(super) fn is_removal(&self) -> bool {
        matches!(self.write, Write::Remove)
    }

    /// Whether it is a removal that nothing can lose against any more, so that it may be forgotten.
    pub(super) fn is_spent(&self, settled: Settled) -> bool {
        self.is_removal() && settled.is_past(self.dot, self.time)
    }

    /// Refuses one that claims another time or name than it came under: it could win for ever.
    pub(super) fn check(&self, stamp: &Stamp) -> Result<(), Refusal> {
        if (self.time, self.dot) == (stamp.time, stamp.dot) {
            return Ok(());
        }
        Err(Refusal::Update(format!(
            "a write that came as {} at {} claims to be {} at {}",
            stamp.dot, stamp.time, self.dot, self.time
        )))
    }
}

/// A dot names one write, so that equal names are equal writes.
impl<V> PartialEq for Written<V> {
    fn eq(&self, other: &Self) -> bool {
        (self.time, self.dot) == (other.time, other.dot)
    }
}
