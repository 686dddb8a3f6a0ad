//! The journal, as consensus wants to see it.

use std::fmt::Debug;
use std::io;
use std::ops::RangeBounds;

use openraft::storage::{LogFlushed, LogState, RaftLogStorage};
use openraft::{Entry, LogId, OptionalSend, RaftLogReader, StorageError, StorageIOError, Vote};

use crate::group::journal::{Journal, Record};
use crate::group::{Seat, Types};

/// The log of decisions, and the vote.
#[derive(Clone, Debug)]
pub(super) struct Log {
    journal: Journal,
}

impl Log {
    pub(super) fn new(journal: Journal) -> Log {
        Log { journal }
    }
}

impl RaftLogReader<Types> for Log {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry<Types>>, StorageError<Seat>> {
        Ok(self.journal.look(|memory| memory.entries.range(range).map(|(_, entry)| entry.clone()).collect()))
    }
}

impl RaftLogStorage<Types> for Log {
    type LogReader = Log;

    async fn get_log_state(&mut self) -> Result<LogState<Types>, StorageError<Seat>> {
        Ok(self.journal.look(|memory| {
            let last_purged_log_id = memory.purged;
            let last = memory.entries.last_key_value().map(|(_, entry)| entry.log_id);
            LogState { last_purged_log_id, last_log_id: last.or(last_purged_log_id) }
        }))
    }

    async fn get_log_reader(&mut self) -> Self::LogReader {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote<Seat>) -> Result<(), StorageError<Seat>> {
        let kept = self.journal.keep(Record::Vote(*vote)).await;
        kept.map_err(|failed| StorageIOError::write_vote(&failed).into())
    }

    async fn read_vote(&mut self) -> Result<Option<Vote<Seat>>, StorageError<Seat>> {
        Ok(self.journal.look(|memory| memory.vote))
    }

    async fn append<I>(&mut self, entries: I, callback: LogFlushed<Types>) -> Result<(), StorageError<Seat>>
    where
        I: IntoIterator<Item = Entry<Types>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let kept = self.journal.keep(Record::Append(entries.into_iter().collect())).await;
        let answer =
            kept.as_ref().copied().map_err(|failed| io::Error::new(failed.kind(), failed.to_string()));
        callback.log_io_completed(answer);
        kept.map_err(|failed| StorageIOError::write_logs(&failed).into())
    }

    async fn truncate(&mut self, log_id: LogId<Seat>) -> Result<(), StorageError<Seat>> {
        let kept = self.journal.keep(Record::Truncate(log_id.index)).await;
        kept.map_err(|failed| StorageIOError::write_logs(&failed).into())
    }

    async fn purge(&mut self, log_id: LogId<Seat>) -> Result<(), StorageError<Seat>> {
        let kept = self.journal.keep(Record::Purge(log_id)).await;
        kept.map_err(|failed| StorageIOError::write_logs(&failed).into())
    }
}
