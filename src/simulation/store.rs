//! The checkpoint store: objects, which are there for certain only once they are synced.
//!
//! An object that was written and not synced is lost when its writer dies, or half of it is there. A full disk refuses.

use watershed_core::checkpoint::{ContentHash, ObjectRef};

use crate::agenda::Happening;
use crate::agenda::Seat;
use crate::mutant::Mutant;
use crate::world::World;

/// Who waits for an object.
#[derive(Clone, Debug)]
pub(crate) enum Waiter {
    /// A subtask, whose state of this epoch it is.
    Subtask(Seat, watershed_core::Epoch),
    /// The same subtask, whose site's log of shared state it is.
    Log(Seat, watershed_core::Epoch),
    /// The coordinator on a node, whose manifest it is.
    Coordinator(usize, watershed_core::Epoch),
}

/// An object under way.
#[derive(Clone, Debug)]
pub(crate) struct Put {
    pub(crate) object: ObjectRef,
    pub(crate) bytes: Vec<u8>,
    pub(crate) waiter: Waiter,
}

/// What an object of these bytes is called.
pub(crate) fn named(prefix: &str, bytes: &[u8]) -> ObjectRef {
    let hash = ContentHash(*blake3::hash(bytes).as_bytes());
    let path = format!("{prefix}.{:.16}", hash.to_string());
    ObjectRef { path, bytes: bytes.len() as u64, hash }
}

impl World {
    /// Begins to write an object, which is synced some time later.
    pub(crate) fn put(&mut self, node: usize, prefix: &str, bytes: Vec<u8>, waiter: Waiter) -> ObjectRef {
        let object = named(prefix, &bytes);
        self.puts += 1;
        let (put, life) = (self.puts, self.nodes[node].life);
        let named = object.clone();
        self.nodes[node].writing.insert(put, Put { object, bytes, waiter });
        let delay = self.chance.between(1, 20);
        self.later(delay, Happening::Synced { node, life, put });
        if self.has(Mutant::VoteBeforeSync) {
            self.later(0, Happening::Synced { node, life, put: put | EARLY });
        }
        named
    }

    /// An object is synced, or refused.
    pub(crate) fn synced(&mut self, node: usize, life: u64, put: u64) {
        if self.nodes[node].life != life {
            return;
        }
        let is_early = put & EARLY != 0;
        let known = if is_early {
            self.nodes[node].writing.get(&(put & !EARLY)).cloned()
        } else {
            self.nodes[node].writing.remove(&put)
        };
        let Some(Put { object, bytes, waiter }) = known else { return };
        let is_full = self.nodes[node].disk_full > 0;
        if !is_early && !is_full {
            self.objects.insert(object.path.clone(), bytes);
            if self.has(Mutant::SyncForgotten) {
                self.nodes[node].written.push(object.path.clone());
            }
        }
        let result = if is_full && !is_early { Err("no space is left") } else { Ok(object) };
        match waiter {
            Waiter::Subtask(seat, epoch) => self.saved(seat, epoch, result),
            Waiter::Log(seat, epoch) => self.log_saved(seat, epoch, result),
            Waiter::Coordinator(node, epoch) => self.written(node, epoch, result),
        }
    }

    /// What a node was writing when it died.
    pub(crate) fn lose_unsynced(&mut self, node: usize) {
        for path in std::mem::take(&mut self.nodes[node].written) {
            self.objects.remove(&path);
        }
        let lost = std::mem::take(&mut self.nodes[node].writing);
        for Put { object, bytes, .. } in lost.into_values() {
            if self.chance.hit(30) {
                let half = bytes[..bytes.len() / 2].to_vec();
                self.objects.entry(object.path).or_insert(half);
            }
        }
    }

    /// The bytes of an object, if it is whole.
    pub(crate) fn get(&self, object: &ObjectRef) -> Option<&[u8]> {
        let bytes = self.objects.get(&object.path)?;
        (ContentHash(*blake3::hash(bytes).as_bytes()) == object.hash).then_some(bytes)
    }
}

/// Marks the answer that comes before the object is synced, which only a mutant gives.
const EARLY: u64 = 1 << 63;
