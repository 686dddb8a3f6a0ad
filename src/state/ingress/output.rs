//! The end of a log where entries come out.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;
use std::thread::JoinHandle;

use nix::fcntl::OFlag;
use watershed_core::spi::{LogEntry, LogInput, LogOutput};
use watershed_core::{Position, SourceError};

use super::IngressError;
use super::input::Input;
use super::segment::{self, BODY_BYTES_MAX, START_BYTES, end_of};
use super::shared::{Phase, Shared};
use crate::StoreError;
use crate::durable::Folder;
use crate::durable::frame::{self, Found, HEAD_BYTES};
use crate::error::Damage;

/// See [`LogOutput`].
pub(super) struct Output {
    pub(super) shared: Arc<Shared>,
    pub(super) folder: Folder,
    /// The next position to be handed out.
    pub(super) at: u64,
    pub(super) open: Option<Segment>,
    /// What the last frame held, and was not handed out yet.
    pub(super) entries: VecDeque<LogEntry>,
    /// `None` only while it is being dropped.
    pub(super) thread: Option<JoinHandle<()>>,
}

/// A segment that is being read.
pub(super) struct Segment {
    first: u64,
    file: File,
    /// Where in the file the next frame begins.
    offset: u64,
    /// The position at which it does.
    next: u64,
}

impl LogOutput for Output {
    fn next(&mut self) -> Result<Option<LogEntry>, SourceError> {
        while self.entries.is_empty() {
            let segment = {
                let state = self.shared.look();
                if self.at >= state.durable {
                    return match &state.phase {
                        Phase::Failed(error) => Err(error.clone().into()),
                        Phase::Open | Phase::Closed => Ok(None),
                    };
                }
                let segment = state.segments.range(..=self.at).next_back();
                *segment.ok_or_else(|| self.gone(&state.segments))?.0
            };
            self.read(segment)?;
        }
        let entry = self.entries.pop_front().expect("there is one");
        self.at = end_of(&entry);
        Ok(Some(entry))
    }

    fn forget(&mut self, before: Position) {
        self.shared.change(|state| state.unneeded = state.unneeded.max(before.0));
    }
}

impl Output {
    /// Reads the next frame of the segment that the next position lies in.
    fn read(&mut self, first: u64) -> Result<(), IngressError> {
        let segment = match self.open.take().filter(|open| open.first == first) {
            Some(open) => open,
            None => self.enter(first)?,
        };
        let segment = self.open.insert(segment);
        let path = || self.folder.path().join(segment::name(first)).display().to_string();
        let damaged = |damage| IngressError::Damaged { path: path(), damage };
        let failed = |source| IngressError::from(StoreError::io("read", path(), source));
        let torn = Damage::Checksum { part: "record", offset: segment.offset };
        let mut bytes = vec![0; HEAD_BYTES];
        read_all(&mut segment.file, &mut bytes).map_err(failed)?;
        let head = bytes.first_chunk::<HEAD_BYTES>().and_then(|head| frame::body_bytes(head, BODY_BYTES_MAX));
        let Some(body_bytes) = head else {
            let part = "record's head";
            return Err(damaged(Damage::Checksum { part, offset: segment.offset }));
        };
        bytes.resize(HEAD_BYTES + body_bytes + 1, 0);
        read_all(&mut segment.file, &mut bytes[HEAD_BYTES..]).map_err(failed)?;
        let Found::Whole { body, end } = frame::read(&bytes, 0, BODY_BYTES_MAX) else {
            return Err(damaged(torn));
        };
        let entries = segment::entries(&bytes[body], segment.next).map_err(damaged)?;
        segment.offset += end as u64;
        segment.next = entries.last().map_or(segment.next, end_of);
        self.entries.extend(entries.into_iter().filter(|entry| end_of(entry) > self.at));
        Ok(())
    }

    fn enter(&self, first: u64) -> Result<Segment, IngressError> {
        let name = segment::name(first);
        let path = || self.folder.path().join(&name).display().to_string();
        let failed = |source| IngressError::from(StoreError::io("read", path(), source));
        let file = self.folder.open_file(&name, OFlag::O_RDONLY)?;
        let mut file = file.ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?;
        let mut start = [0; START_BYTES];
        read_all(&mut file, &mut start).map_err(failed)?;
        segment::check_start(&start, first)
            .map_err(|damage| IngressError::Damaged { path: path(), damage })?;
        Ok(Segment { first, file, offset: START_BYTES as u64, next: first })
    }

    fn gone(&self, segments: &std::collections::BTreeMap<u64, u64>) -> IngressError {
        let oldest = segments.first_key_value().map_or(0, |(first, _)| *first);
        IngressError::Gone { folder: self.shared.folder.clone(), asked: self.at, oldest }
    }
}

/// Fills the bytes; where the file ends before, the rest stays zeros, which fit no check.
fn read_all(file: &mut File, mut into: &mut [u8]) -> io::Result<()> {
    while !into.is_empty() {
        match file.read(into) {
            Ok(0) => return Ok(()),
            Ok(read) => into = &mut into[read..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

impl Drop for Output {
    /// Returns when the log is closed and its lock is free, after the sync under way.
    fn drop(&mut self) {
        Input(Arc::clone(&self.shared)).close();
        if let Some(thread) = self.thread.take() {
            // A panic over there has been reported, and this is the end of it.
            let _ = thread.join();
        }
    }
}
