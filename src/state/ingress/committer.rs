//! The thread that makes a log durable: it alone writes, and lets segments go.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::sync::Arc;
use std::time::Instant;

use nix::fcntl::{Flock, OFlag};
use watershed_core::spi::Ring;

use super::IngressError;
use super::segment::{self, Pending, START_BYTES};
use super::shared::{Phase, Shared};
use crate::durable::Folder;
use crate::{StoreError, SyncFailure};

/// What writes a log.
pub(super) struct Committer {
    pub(super) shared: Arc<Shared>,
    pub(super) folder: Folder,
    /// The newest segment, and how long it is.
    pub(super) newest: (File, u64),
    pub(super) sync: fn(&File) -> io::Result<()>,
    pub(super) ring: Ring,
    /// Whether it has been told that the log is full.
    pub(super) warned: bool,
    pub(super) _lock: Flock<File>,
}

/// What there is to do.
enum Work {
    /// To make entries durable, which begin at a position.
    Commit(u64, Vec<Pending>),
    /// To let segments go.
    Forget(Vec<u64>),
}

impl Committer {
    /// Works until the log is closed or fails.
    pub(super) fn run(mut self) {
        while let Some(work) = self.work() {
            let done = match work {
                Work::Commit(first, entries) => self.commit(first, &entries),
                Work::Forget(segments) => self.forget(&segments),
            };
            if let Err(error) = done {
                self.shared.change(|state| state.phase = Phase::Failed(error));
            }
            (self.ring)();
        }
        // Whoever waits for what has failed is told.
        (self.ring)();
    }

    /// Waits for something to do; `None` where there is nothing more.
    fn work(&mut self) -> Option<Work> {
        let shared = Arc::clone(&self.shared);
        let limits = &shared.limits;
        let mut state = shared.look();
        loop {
            let unneeded = state.unneeded_segments();
            let closed = match &state.phase {
                Phase::Failed(_) => return None,
                Phase::Closed => true,
                Phase::Open => false,
            };
            let due = state.since + limits.commit_within;
            let full = state.bytes() >= limits.log_bytes_max;
            if !unneeded.is_empty() {
                return Some(Work::Forget(unneeded));
            } else if state.pending.is_empty() || (closed && full) {
                if closed {
                    return None;
                }
                state = shared.wait(state, None);
            } else if full {
                if !std::mem::replace(&mut self.warned, true) {
                    let (log, bytes) = (&shared.folder, limits.log_bytes_max);
                    tracing::warn!(
                        log,
                        bytes,
                        "the ingress log is full: senders wait until a checkpoint is complete"
                    );
                }
                state = shared.wait(state, None);
            } else if closed || state.pending_bytes >= limits.commit_bytes || due <= Instant::now() {
                self.warned = false;
                let entries = std::mem::take(&mut state.pending);
                state.pending_bytes = 0;
                let first = state.durable;
                drop(state);
                // There is room again for whoever waits to append.
                shared.tell();
                return Some(Work::Commit(first, entries));
            } else {
                state = shared.wait(state, Some(due));
            }
        }
    }

    fn commit(&mut self, first: u64, entries: &[Pending]) -> Result<(), IngressError> {
        let frame = segment::frame(first, entries);
        let (_, bytes) = &self.newest;
        let length = frame.len() as u64;
        if *bytes > START_BYTES as u64 && bytes + length > self.shared.limits.segment_bytes() {
            self.newest = begin(&self.folder, first)?;
            self.shared.change(|state| state.segments.insert(first, START_BYTES as u64));
        }
        self.append(&frame)?;
        let bytes = self.newest.1;
        let positions: u64 = entries.iter().map(|(positions, _)| u64::from(*positions)).sum();
        self.shared.change(|state| {
            state.durable += positions;
            *state.segments.last_entry().expect("a log has a segment").get_mut() = bytes;
        });
        Ok(())
    }

    fn append(&mut self, frame: &[u8]) -> Result<(), StoreError> {
        let (file, bytes) = &mut self.newest;
        let path = || self.shared.folder.clone();
        if let Err(source) = file.seek(SeekFrom::Start(*bytes)).and_then(|_| file.write_all(frame)) {
            // The frame is not all there. Where its beginning stays, the next opening cuts it off.
            let _ = file.set_len(*bytes);
            return Err(StoreError::io("write to", path(), source));
        }
        (self.sync)(file).map_err(|source| SyncFailure { path: path(), source })?;
        *bytes += frame.len() as u64;
        Ok(())
    }

    fn forget(&mut self, segments: &[u64]) -> Result<(), IngressError> {
        for first in segments {
            self.folder.remove(&segment::name(*first))?;
            self.shared.change(|state| state.segments.remove(first));
        }
        Ok(())
    }
}

/// Begins a segment, durably, and opens it to be appended to.
pub(super) fn begin(folder: &Folder, first: u64) -> Result<(File, u64), StoreError> {
    replace(folder, first, &segment::start(first))
}

/// Writes a segment anew, durably, and opens it to be appended to.
pub(super) fn replace(folder: &Folder, first: u64, bytes: &[u8]) -> Result<(File, u64), StoreError> {
    let name = segment::name(first);
    folder.replace(&name, bytes)?;
    let gone = || {
        let path = folder.path().join(&name).display().to_string();
        StoreError::io("open", path, io::ErrorKind::NotFound.into())
    };
    let file = folder.open_file(&name, OFlag::O_RDWR)?.ok_or_else(gone)?;
    Ok((file, bytes.len() as u64))
}
