//! Stages and commits the rows of one subtask.

use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::Connection;
use watershed_core::checkpoint::Xid;
use watershed_core::{Data, Epoch, EventTime, SinkError, SinkPlace, Writer};

use crate::sink::SqliteTable;
use crate::sink::claim::Claim;
use crate::sink::row::fence::{FENCE, Fence, Verdict, admit, agree, judge, succeed};
use crate::sink::row::gathered::Gathered;
use crate::sink::row::staged::StagedRows;
use crate::sink::sqlite::database::{Target, storable, write};
use crate::sink::sqlite::fence::Fences;

/// Writes an [`SqliteTable`] for one subtask.
pub struct SqliteWriter<T> {
    path: PathBuf,
    target: Target,
    place: SinkPlace,
    fences: Fences,
    /// None where an older run of this job has it still.
    claim: Option<Arc<Claim>>,
    /// None until there is something to write in a database that was not there.
    connection: Option<Connection>,
    /// The fence that this writer raises, once it is known whether it begins a job or goes on with one.
    fence: Option<Fence>,
    gathered: Gathered<T>,
}

impl<T: Data> SqliteWriter<T> {
    pub(super) fn open(
        sink: &SqliteTable<T>,
        target: Target,
        claim: Option<Arc<Claim>>,
        place: &SinkPlace,
    ) -> Result<Self, SinkError> {
        let fences = Fences::new(&target.table, place);
        // What cannot be written is found now, and not at the first row.
        let (connection, newest) = if sink.path.exists() {
            let connection = target.connect(&sink.path)?;
            let newest = fences.newest(&connection).map_err(|error| target.error(&error))?;
            (Some(connection), newest.map_err(|why| target.refused(why))?)
        } else {
            let mut trial = Connection::open_in_memory().map_err(|error| target.error(&error))?;
            target.create(&mut trial)?;
            (None, None)
        };
        admit(newest, place.run, claim.is_some()).map_err(|why| target.refused(why))?;
        Ok(SqliteWriter {
            path: sink.path.clone(),
            gathered: Gathered::new(target.columns.clone(), sink.epoch_bytes_max),
            target,
            place: place.clone(),
            fences,
            claim,
            connection,
            fence: None,
        })
    }

    /// The database, which is made where it was not there.
    fn connection(&mut self) -> Result<&mut Connection, SinkError> {
        if self.connection.is_none() {
            self.connection = Some(self.target.connect(&self.path)?);
            if let Some(claim) = &self.claim {
                claim.sync()?;
            }
        }
        Ok(self.connection.as_mut().expect("it has just been made"))
    }

    /// Does something with the fences in one transaction.
    fn fenced<R>(
        &mut self,
        act: impl FnOnce(&Fences, &Connection) -> rusqlite::Result<Result<R, String>>,
    ) -> Result<R, SinkError> {
        self.connection()?;
        let connection = self.connection.as_mut().expect("it is open");
        let done = write(connection).and_then(|transaction| match act(&self.fences, &transaction)? {
            Ok(done) => transaction.commit().map(|()| Ok(done)),
            Err(why) => Ok(Err(why)),
        });
        done.map_err(|error| self.target.error(&error))?.map_err(|why| self.target.refused(why))
    }

    /// Begins a job, unless this writer goes on with one.
    fn begin(&mut self) -> Result<(), SinkError> {
        if self.fence.is_none() {
            let begun = self.fenced(|fences, connection| match fences.newest(connection)? {
                Ok(_) => fences.begin(connection).map(Ok),
                Err(why) => Ok(Err(why)),
            })?;
            self.fence = Some(begun);
        }
        Ok(())
    }

    /// Applies a staged epoch, unless that has been done.
    fn apply(&mut self, staged: &StagedRows) -> Result<(), SinkError> {
        let about = staged.about(&self.target.about);
        self.connection()?;
        let connection = self.connection.as_mut().expect("it is open");
        let error = |error: rusqlite::Error| self.target.error(&error);
        let transaction = write(connection).map_err(error)?;
        let fence = self.fences.of(&transaction, &staged.xid).map_err(error)?;
        match judge(fence.as_ref(), staged.xid.epoch, staged.after, &staged.owner) {
            Verdict::Done => return Ok(()),
            Verdict::Fenced(why) => return Err(SinkError::new(about, why)),
            Verdict::Lost(why) => return Err(SinkError::lost(about, why)),
            Verdict::Apply => {}
        }
        let raised = self.fences.raise(&transaction, &staged.xid).map_err(error)?;
        assert!(raised, "the fence was below the epoch, and nobody else writes during this transaction");
        self.target.insert(&transaction, staged)?;
        transaction.commit().map_err(error)
    }
}

impl<T: Data> Writer for SqliteWriter<T> {
    type In = T;
    type Staged = StagedRows;

    fn resume(&mut self) -> Result<(), SinkError> {
        let SinkPlace { run, base, .. } = self.place;
        let missing =
            || format!("has no row of this job in {FENCE}: it was emptied, or restored from a backup");
        let fence = self.fenced(|fences, connection| {
            let newest = match fences.newest(connection)? {
                Ok(newest) => newest.ok_or_else(missing),
                Err(why) => Err(why),
            };
            match newest.and_then(|newest| succeed(Some(newest), run)) {
                Ok(()) => match agree(fences.furthest(connection)?, base) {
                    Ok(()) => fences.go_on(connection).map(|fence| Ok(Ok(fence))),
                    Err(why) => Ok(Ok(Err(why))),
                },
                Err(why) => Ok(Err(why)),
            }
        })?;
        self.fence = Some(fence.map_err(|why| SinkError::lost(&self.target.about, why))?);
        Ok(())
    }

    #[inline]
    fn write(&mut self, record: T, _time: EventTime) -> Result<(), SinkError> {
        self.gathered.push(&record, storable).map_err(|why| self.target.refused(why))
    }

    fn prepare(&mut self, epoch: Epoch) -> Result<Option<StagedRows>, SinkError> {
        self.begin()?;
        let fence = self.fence.as_ref().expect("the writer has begun or gone on");
        let SinkPlace { lineage, run, subtask, .. } = self.place;
        Ok(self.gathered.take(Xid { lineage, epoch, run, subtask }, fence))
    }

    fn commit(&mut self, staged: StagedRows) -> Result<(), SinkError> {
        self.apply(&staged)?;
        let SinkPlace { lineage, subtask, .. } = self.place;
        if let Some(fence) = &mut self.fence
            && (lineage, subtask.index) == (staged.xid.lineage, staged.xid.subtask.index)
        {
            fence.epoch = fence.epoch.max(staged.xid.epoch);
        }
        Ok(())
    }

    /// Nothing of it is in the database.
    fn abort(&mut self, _staged: StagedRows) -> Result<(), SinkError> {
        Ok(())
    }
}

#[cfg(test)]
impl<T> SqliteWriter<T> {
    /// Lets the database grow to so many pages and no further; to what it has, if that is more.
    pub(super) fn limit_pages(&mut self, pages: i64) {
        let connection = self.connection.as_mut().expect("the database is there");
        connection.pragma_update(None, "max_page_count", pages).expect("the limit is set");
    }
}
