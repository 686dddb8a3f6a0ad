//! The right to commit.

use watershed_core::Epoch;
use watershed_core::checkpoint::Meta;

/// Proof that a checkpoint was decided: nobody may be told to commit without one, and only what the meta
/// store was seen to hold makes one.
///
/// There is no way to make one by hand:
///
/// ```compile_fail
/// use watershed_core::Epoch;
/// let forged = watershed_protocol::checkpoint::Permit { epoch: Epoch(1) };
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Permit {
    epoch: Epoch,
}

impl Permit {
    /// The permit for the newest decision that the meta store was seen to hold, if there is one.
    pub(in crate::checkpoint) fn seen_in(meta: &Meta) -> Option<Permit> {
        meta.completed.as_ref().map(|pointer| Permit { epoch: pointer.epoch })
    }

    /// The checkpoint that was decided.
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }
}
