//! Gathers the rows of one subtask and has them written.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use watershed_core::checkpoint::Xid;
use watershed_core::{Data, Epoch, EventTime, SinkError, SinkPlace, Writer};

use crate::sink::postgres::Mode;
use crate::sink::postgres::desk::{Answer, Desk};
use crate::sink::postgres::prepared::StagedTransaction;
use crate::sink::postgres::table::Target;
use crate::sink::postgres::work::Work;
use crate::sink::row::fence::Fence;
use crate::sink::row::gathered::Gathered;
use crate::sink::row::staged::StagedRows;

/// How long an only try is waited for: the one commit of a job without checkpoints, which nobody repeats, and those of a
/// job that recovers, which has nothing else to do. The server has to answer all the while; where it does not, the limits
/// of the session end it sooner.
const ONLY_TRY: Duration = Duration::from_secs(300);
/// How many rows go on their way at once in [`Mode::Upsert`].
const BATCH_ROWS: u64 = 1000;
/// How many batches may be on their way.
const BATCHES_MAX: usize = 4;

/// What a [`PostgresTable`](crate::sink::PostgresTable) has staged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StagedOutput {
    /// The rows themselves.
    Rows(StagedRows),
    /// The name of a transaction that the database keeps.
    Transaction(StagedTransaction),
}

impl Data for StagedOutput {}

impl StagedOutput {
    fn xid(&self) -> Xid {
        match self {
            StagedOutput::Rows(staged) => staged.xid,
            StagedOutput::Transaction(staged) => staged.xid,
        }
    }
}

/// How a writer works.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    pub(super) mode: Mode,
    pub(super) patience: Duration,
    pub(super) open_timeout: Duration,
    pub(super) epoch_bytes_max: u64,
}

/// Writes a [`PostgresTable`](crate::sink::PostgresTable) for one subtask.
pub struct PostgresWriter<T> {
    desk: Desk<Work>,
    target: Target,
    place: SinkPlace,
    manner: Manner,
    gathered: Gathered<T>,
    /// The fence that this writer raises, once it is known whether it begins a job or goes on with one.
    fence: Option<Fence>,
    /// Commits that have taken longer than the patience.
    commits: BTreeMap<Xid, Answer<Result<(), SinkError>>>,
    /// The beginning of the names of prepared transactions.
    prefix: String,
    /// Whether a commit has been seen through since the writer began or went on: then there are more to come.
    goes_on: bool,
    /// Transactions that may have been prepared, or may not: their rows are gathered still.
    doubtful: Vec<String>,
    /// Batches on their way.
    batches: VecDeque<Answer<Result<(), SinkError>>>,
    /// Why a batch did not arrive: its rows are to be had from the source only.
    broken: Option<String>,
}

impl<T: Data> PostgresWriter<T> {
    pub(super) fn open(
        work: Work,
        target: Target,
        place: &SinkPlace,
        manner: Manner,
    ) -> Result<Self, SinkError> {
        let desk = Desk::new(work)?;
        let timeout = manner.open_timeout;
        let opened = desk.ask(Work::open).within(timeout);
        let prefix =
            opened.unwrap_or_else(|| Err(target.refused(format!("does not answer for {timeout:?}"))))?;
        Ok(PostgresWriter {
            desk,
            gathered: Gathered::new(target.columns.clone(), manner.epoch_bytes_max),
            target,
            place: place.clone(),
            manner,
            fence: None,
            commits: BTreeMap::new(),
            prefix,
            goes_on: false,
            doubtful: Vec::new(),
            batches: VecDeque::new(),
            broken: None,
        })
    }

    /// Has something done, and waits for it as long as the patience lasts.
    fn ask<R: Send + 'static>(
        &self,
        task: impl FnOnce(&mut Work) -> Result<R, SinkError> + Send + 'static,
    ) -> Result<R, SinkError> {
        self.desk.ask(task).within(self.patience()).unwrap_or_else(|| Err(self.late()))
    }

    fn patience(&self) -> Duration {
        if self.goes_on { self.manner.patience } else { self.manner.patience.max(ONLY_TRY) }
    }

    fn late(&self) -> SinkError {
        let patience = self.patience();
        self.target.refused(format!("the database has not answered for {patience:?}; it goes on trying"))
    }

    fn xid(&self, epoch: Epoch) -> Xid {
        let SinkPlace { lineage, run, subtask, .. } = self.place;
        Xid { lineage, epoch, run, subtask }
    }

    /// Begins a job, unless this writer goes on with one.
    fn begun(&mut self) -> Result<Fence, SinkError> {
        if self.fence.is_none() {
            self.fence = Some(self.ask(Work::begin)?);
        }
        Ok(self.fence.clone().expect("it has just begun"))
    }

    /// Has the transaction of an epoch prepared. Where it is not certain that it is, its rows go with the next.
    fn prepare_transaction(
        &mut self,
        epoch: Epoch,
        fence: &Fence,
    ) -> Result<Option<StagedOutput>, SinkError> {
        let Some(staged) = self.gathered.take(self.xid(epoch), fence) else { return Ok(None) };
        let rows = Arc::new(staged.rows);
        let transaction = StagedTransaction::new(&self.prefix, &self.place, epoch, rows.count(), fence);
        let (staged, sent, doubtful) = (transaction.clone(), Arc::clone(&rows), self.doubtful.clone());
        let prepared = self.ask(move |work| {
            work.with_prepared(|opened, session, target| {
                opened.prepared.prepare(session, target, &opened.fences, &staged, &sent, &doubtful)
            })
        });
        match prepared {
            Ok(()) => {
                self.doubtful.clear();
                Ok(Some(StagedOutput::Transaction(transaction)))
            }
            Err(error) => {
                self.doubtful.push(transaction.gid);
                self.gathered.put_back(Arc::unwrap_or_clone(rows));
                Err(error)
            }
        }
    }

    /// Sends the gathered rows on their way, where there are any.
    fn send_batch(&mut self) -> Result<(), SinkError> {
        if let Some(why) = &self.broken {
            return Err(self.target.refused(format!("rows did not arrive: {why}")));
        }
        if let Some(rows) = self.gathered.take_rows() {
            self.batches.push_back(self.desk.ask(move |work| work.upsert(&rows)));
        }
        self.settle(BATCHES_MAX)
    }

    /// Waits until no more than so many batches are on their way.
    fn settle(&mut self, left: usize) -> Result<(), SinkError> {
        while self.batches.len() > left {
            match self.batches.front().expect("there is one").within(self.patience()) {
                None => return Err(self.late()),
                Some(arrived) => {
                    self.batches.pop_front();
                    arrived.inspect_err(|error| self.broken = Some(error.to_string()))?;
                }
            }
        }
        Ok(())
    }
}

impl<T: Data> Writer for PostgresWriter<T> {
    type In = T;
    type Staged = StagedOutput;

    fn resume(&mut self) -> Result<(), SinkError> {
        let timeout = self.manner.open_timeout;
        let resumed = self.desk.ask(Work::resume).within(timeout);
        self.fence = Some(resumed.unwrap_or_else(|| Err(self.late()))?);
        Ok(())
    }

    #[inline]
    fn write(&mut self, record: T, _time: EventTime) -> Result<(), SinkError> {
        let target = &self.target;
        let pushed = self.gathered.push(&record, |_, row| target.storable(row));
        pushed.map_err(|why| self.target.refused(why))?;
        match self.manner.mode {
            Mode::Upsert if self.gathered.count() >= BATCH_ROWS => self.send_batch(),
            Mode::Staged | Mode::Prepared | Mode::Upsert => Ok(()),
        }
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        match self.manner.mode {
            Mode::Upsert => self.send_batch(),
            Mode::Staged | Mode::Prepared => Ok(()),
        }
    }

    fn prepare(&mut self, epoch: Epoch) -> Result<Option<StagedOutput>, SinkError> {
        let fence = self.begun()?;
        match self.manner.mode {
            Mode::Staged => {
                let staged = self.gathered.take(self.xid(epoch), &fence);
                Ok(staged.map(StagedOutput::Rows))
            }
            Mode::Prepared => self.prepare_transaction(epoch, &fence),
            Mode::Upsert => {
                self.send_batch()?;
                self.settle(0)?;
                Ok(None)
            }
        }
    }

    fn commit(&mut self, staged: StagedOutput) -> Result<(), SinkError> {
        let xid = staged.xid();
        let answer = self.commits.remove(&xid).unwrap_or_else(|| match staged {
            StagedOutput::Rows(staged) => self.desk.ask(move |work| work.apply(&staged)),
            StagedOutput::Transaction(staged) => self.desk.ask(move |work| {
                work.with_prepared(|opened, session, target| {
                    opened.prepared.commit(session, target, &opened.fences, &staged)
                })
            }),
        });
        let Some(committed) = answer.within(self.patience()) else {
            self.commits.insert(xid, answer);
            return Err(self.late());
        };
        committed?;
        if let Some(fence) = &mut self.fence
            && (self.place.lineage, self.place.subtask.index) == (xid.lineage, xid.subtask.index)
        {
            fence.epoch = fence.epoch.max(xid.epoch);
            self.goes_on = true;
        }
        Ok(())
    }

    fn abort(&mut self, staged: StagedOutput) -> Result<(), SinkError> {
        match staged {
            // Nothing of it is in the database.
            StagedOutput::Rows(_) => Ok(()),
            StagedOutput::Transaction(staged) => self.ask(move |work| {
                work.with_prepared(|opened, session, _| opened.prepared.abort(session, &staged))
            }),
        }
    }
}
