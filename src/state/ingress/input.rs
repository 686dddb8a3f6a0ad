//! The end of a log where what arrives goes in.

use std::sync::Arc;
use std::time::Instant;

use watershed_core::Position;
use watershed_core::spi::LogInput;

use super::IngressError;
use super::segment::{ENTRY_BYTES_MAX, ENTRY_HEAD_BYTES};
use super::shared::{Phase, Shared};

/// See [`LogInput`].
pub(super) struct Input(pub(super) Arc<Shared>);

impl LogInput for Input {
    fn append(&self, positions: u32, bytes: Vec<u8>) -> Option<Position> {
        let Input(shared) = self;
        assert!(positions > 0, "an entry stands for a position");
        if bytes.len() > ENTRY_BYTES_MAX {
            let (folder, found, max) = (shared.folder.clone(), bytes.len(), ENTRY_BYTES_MAX);
            shared.change(|state| {
                state.phase = Phase::Failed(IngressError::TooLarge { folder, found, max });
            });
            return None;
        }
        let mut state = shared.look();
        while matches!(state.phase, Phase::Open) && state.pending_bytes >= shared.limits.commit_bytes {
            state = shared.wait(state, None);
        }
        if !matches!(state.phase, Phase::Open) {
            return None;
        }
        if state.pending.is_empty() {
            state.since = Instant::now();
        }
        state.pending_bytes += ENTRY_HEAD_BYTES + bytes.len();
        state.next += u64::from(positions);
        state.pending.push((positions, bytes));
        let behind = Position(state.next);
        drop(state);
        shared.tell();
        Some(behind)
    }

    fn durable_beyond(&self, position: Position) -> Option<Position> {
        let Input(shared) = self;
        let mut state = shared.look();
        loop {
            if state.durable > position.0 {
                return Some(Position(state.durable));
            }
            if !matches!(state.phase, Phase::Open) {
                return None;
            }
            state = shared.wait(state, None);
        }
    }

    fn close(&self) {
        self.0.change(|state| {
            if matches!(state.phase, Phase::Open) {
                state.phase = Phase::Closed;
            }
        });
    }
}
