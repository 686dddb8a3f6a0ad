//! On which layers a subtask's next snapshot stands.
//!
//! A snapshot of changes is worth as much as the layers below it. These are there for certain where the newest of
//! them belongs to a checkpoint that is complete: its manifest holds them. A checkpoint that was given up may have
//! had its objects collected, so the snapshot after it is full, as is the first of a run. Which checkpoint
//! is complete is not heard from the coordinator, whose word may be late, but comes with the barrier.
//!
//! More layers cost a restore more to read, and keep what has been overwritten: so their number and their size are
//! bounded.

use watershed_core::Epoch;
use watershed_core::checkpoint::ObjectRef;
use watershed_core::state::LayerKind;

/// How many layers a snapshot may have.
pub const LAYERS_MAX: usize = 16;

/// The layers of a subtask's snapshots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layers {
    /// The epoch for which state was taken out last: changes are noted from there.
    taken: Option<Epoch>,
    /// What was written for that epoch.
    written: Vec<ObjectRef>,
}

impl Layers {
    /// State is about to be taken out for an epoch; `completed` is the newest complete checkpoint. Returns the
    /// layers that the snapshot may stand on: none where it has to be full.
    pub fn take(&mut self, epoch: Epoch, completed: Option<Epoch>) -> Vec<ObjectRef> {
        let below = std::mem::take(&mut self.written);
        let stands = self.taken.is_some() && self.taken == completed && !is_heavy(&below);
        self.taken = Some(epoch);
        if stands { below } else { Vec::new() }
    }

    /// What was taken out for an epoch has been written: these are its layers.
    pub fn written(&mut self, epoch: Epoch, layers: &[ObjectRef]) {
        if self.taken == Some(epoch) {
            self.written = layers.to_vec();
        }
    }
}

/// The kind of a snapshot that stands on these layers.
pub fn kind_on(below: &[ObjectRef]) -> LayerKind {
    if below.is_empty() { LayerKind::Full } else { LayerKind::Changes }
}

/// Whether to write everything anew is cheaper in the long run: as much has been written in changes as in
/// the full layer, or a restore would have to read too many.
fn is_heavy(layers: &[ObjectRef]) -> bool {
    let Some((full, changes)) = layers.split_first() else { return true };
    layers.len() >= LAYERS_MAX || changes.iter().map(|layer| layer.bytes).sum::<u64>() > full.bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use watershed_core::checkpoint::ContentHash;

    fn object(epoch: u64, bytes: u64) -> ObjectRef {
        ObjectRef { path: format!("layer of {epoch}"), bytes, hash: ContentHash([0; 32]) }
    }

    /// Takes a snapshot of so many bytes, and returns how many layers lie below it.
    fn pass(layers: &mut Layers, epoch: u64, completed: Option<u64>, bytes: u64) -> usize {
        let mut below = layers.take(Epoch(epoch), completed.map(Epoch));
        let count = below.len();
        below.push(object(epoch, bytes));
        layers.written(Epoch(epoch), &below);
        count
    }

    #[test]
    fn changes_stand_on_a_complete_checkpoint_only() {
        let mut layers = Layers::default();
        // The first of a run is full, also where the job goes on from a checkpoint.
        assert_eq!(pass(&mut layers, 5, Some(4), 100), 0);
        assert_eq!(pass(&mut layers, 6, Some(5), 1), 1);
        assert_eq!(pass(&mut layers, 7, Some(6), 1), 2);
        // 7 was given up.
        assert_eq!(pass(&mut layers, 8, Some(6), 100), 0);
        assert_eq!(pass(&mut layers, 9, Some(8), 1), 1);
    }

    #[test]
    fn what_was_not_written_carries_nothing() {
        let mut layers = Layers::default();
        assert_eq!(pass(&mut layers, 1, None, 100), 0);
        layers.take(Epoch(2), Some(Epoch(1)));
        // Nor does an answer that comes late.
        layers.written(Epoch(1), &[object(1, 100)]);
        assert_eq!(layers.take(Epoch(3), Some(Epoch(2))), []);
    }

    #[test]
    fn layers_are_bounded_in_number_and_size() {
        let mut layers = Layers::default();
        let small: Vec<_> =
            (1..40).map(|epoch| pass(&mut layers, epoch, Some(epoch - 1), 1000 - epoch)).collect();
        assert_eq!(small[..4], [0, 1, 2, 0]);
        let mut layers = Layers::default();
        let bytes = |epoch| if epoch % 17 == 1 { 1000 } else { 1 };
        let most = (1..40).map(|epoch| pass(&mut layers, epoch, Some(epoch - 1), bytes(epoch))).max();
        assert_eq!(most, Some(LAYERS_MAX - 1));
    }
}
