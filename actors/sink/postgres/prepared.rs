//! Mode X: the database itself keeps what is staged, as a prepared transaction.
//!
//! ```text
//! prepare:  BEGIN; marker; rows; PREPARE TRANSACTION gid     durable, locked, invisible
//! commit:   COMMIT PREPARED gid; fence: epoch := n; older markers go
//! ```
//!
//! The marker is a row of `stream_commit` that becomes visible with the rows. A transaction that is no longer there
//! has been committed, if its marker is, or else is lost: rolled back by hand, or by a backup. Without the marker one
//! would have to guess, and each guess is wrong in one case (Apache SeaTunnel issue 11569).

use postgres::GenericClient;
use postgres::error::SqlState;
use serde::{Deserialize, Serialize};
use watershed_core::checkpoint::Xid;
use watershed_core::{Data, Epoch, SinkError, SinkPlace};

use crate::sink::postgres::fence::Fences;
use crate::sink::postgres::gid::{gid, literal, parse, prefix};
use crate::sink::postgres::session::Session;
use crate::sink::postgres::table::{Table, Target};
use crate::sink::postgres::trouble::Trouble;
use crate::sink::postgres::writer::StagedOutput;
use crate::sink::row::fence::{Fence, Verdict, judge};
use crate::sink::row::packed::Packed;

/// A prepared transaction, as it lies in a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StagedTransaction {
    pub(super) xid: Xid,
    pub(super) gid: String,
    pub(super) rows: u64,
    pub(super) owner: String,
    pub(super) after: Epoch,
}

impl Data for StagedTransaction {}

impl StagedTransaction {
    /// The transaction in a [payload](watershed_core::checkpoint::Payload) of a checkpoint; none where it is of another
    /// sink or mode.
    pub fn in_payload(bytes: &[u8]) -> Option<StagedTransaction> {
        match rmp_serde::from_slice(bytes) {
            Ok(StagedOutput::Transaction(staged)) => Some(staged),
            Ok(StagedOutput::Rows(_)) | Err(_) => None,
        }
    }

    /// Its name in the database.
    pub fn gid(&self) -> &str {
        &self.gid
    }

    /// Whose it is.
    pub fn xid(&self) -> Xid {
        self.xid
    }

    /// How many rows it holds.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// What the transaction of an epoch will be.
    pub(super) fn new(
        prefix: &str,
        place: &SinkPlace,
        epoch: Epoch,
        rows: u64,
        fence: &Fence,
    ) -> StagedTransaction {
        let SinkPlace { lineage, run, subtask, .. } = *place;
        let xid = Xid { lineage, epoch, run, subtask };
        let gid = gid(prefix, &xid, rows);
        StagedTransaction { xid, gid, rows, owner: fence.owner.clone(), after: fence.epoch }
    }
}

/// The prepared transactions of one sink.
#[derive(Clone, Debug)]
pub(super) struct Prepared {
    table: Table,
    place: SinkPlace,
    prefix: String,
}

impl Prepared {
    pub(super) fn new(table: &Table, place: &SinkPlace) -> Prepared {
        let prefix = prefix(&table.database, &place.job, &place.operator);
        Prepared { table: table.clone(), place: place.clone(), prefix }
    }

    /// The beginning of the names.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Prepares the transaction of an epoch. `doubtful` are those that hold some of these rows too, if they are there.
    pub(super) fn prepare(
        &self,
        session: &mut Session,
        target: &Target,
        fences: &Fences,
        staged: &StagedTransaction,
        rows: &Packed,
        doubtful: &[String],
    ) -> Result<(), SinkError> {
        doubtful.iter().try_for_each(|gid| roll_back(session, gid))?;
        session.run(|client| {
            let there = "SELECT count(*) > 0 FROM pg_prepared_xacts WHERE gid = $1";
            if client.query_one(there, &[&staged.gid])?.get(0) {
                return Ok(()); // The answer to an earlier try was lost.
            }
            client.batch_execute("BEGIN")?;
            let run = self.place.run;
            if let Some(fence) = fences.of(client, &staged.xid, false)?
                && (fence.run > run || fence.owner != staged.owner)
            {
                return Err(target
                    .refused(format!("run {} has taken over from run {run}", fence.run))
                    .into());
            }
            self.mark(client, &staged.xid, staged.rows)?;
            self.table.insert(client, rows)?;
            client.batch_execute(&format!("PREPARE TRANSACTION {}", literal(&staged.gid)))?;
            Ok(())
        })
    }

    /// Commits a prepared transaction, unless that has been done.
    pub(super) fn commit(
        &self,
        session: &mut Session,
        target: &Target,
        fences: &Fences,
        staged: &StagedTransaction,
    ) -> Result<(), SinkError> {
        let StagedTransaction { xid, gid, rows, after, owner } = staged;
        let about = format!(
            "{}, epoch {} of subtask {} with {rows} rows",
            target.about, xid.epoch, xid.subtask.index
        );
        session.run(|client| {
            let fence = fences.of(client, xid, false)?;
            match judge(fence.as_ref(), xid.epoch, *after, owner) {
                Verdict::Done => return Ok(()),
                Verdict::Fenced(why) => return Err(SinkError::new(about.clone(), why).into()),
                Verdict::Lost(why) => return Err(SinkError::lost(about.clone(), why).into()),
                Verdict::Apply => {}
            }
            match client.batch_execute(&format!("COMMIT PREPARED {}", literal(gid))) {
                Ok(()) => {}
                Err(error) if error.code() == Some(&SqlState::UNDEFINED_OBJECT) => {
                    if !self.is_marked(client, xid)? {
                        return Err(self.missing(&about, gid, fence.as_ref()).into());
                    }
                }
                Err(error) => return Err(error.into()),
            }
            let mut transaction = client.transaction()?;
            fences.raise(&mut transaction, xid)?;
            self.forget_markers_before(&mut transaction, xid)?;
            Ok(transaction.commit()?)
        })
    }

    /// A transaction is neither there nor committed: an older run has been overtaken, or it is lost.
    fn missing(&self, about: &str, gid: &str, fence: Option<&Fence>) -> SinkError {
        let run = self.place.run;
        if let Some(newer) = fence.map(|fence| fence.run).filter(|newer| *newer > run) {
            return SinkError::new(about, format!("run {newer} has taken over from run {run}"));
        }
        let why = format!(
            "the prepared transaction {gid} is gone and was not committed: somebody has rolled it back, or the \
             database was restored from a backup. `txn list` names all that is lost, `txn accept-loss` lets the job \
             go on without it"
        );
        SinkError::lost(about, why)
    }

    /// Rolls a prepared transaction back, if it is there.
    pub(super) fn abort(&self, session: &mut Session, staged: &StagedTransaction) -> Result<(), SinkError> {
        roll_back(session, &staged.gid)
    }

    /// Rolls back the sink's prepared transactions of which it is certain that nobody will decide them.
    pub(super) fn sweep(
        &self,
        session: &mut Session,
        is_stray: impl Fn(&Xid) -> bool,
    ) -> Result<(), SinkError> {
        let list =
            "SELECT gid FROM pg_prepared_xacts WHERE database = current_database() AND starts_with(gid, $1)";
        let found = session.run(|client| Ok(client.query(list, &[&self.prefix])?))?;
        let found = found.iter().map(|row| row.get::<_, String>(0));
        let stray = found.filter(|gid| parse(gid).is_some_and(|parsed| is_stray(&parsed.xid)));
        stray.collect::<Vec<_>>().iter().try_for_each(|gid| roll_back(session, gid))
    }

    /// Finds out, before the first record, whether a prepared transaction outlives its connection here.
    pub(super) fn probe(&self, session: &mut Session, target: &Target) -> Result<(), SinkError> {
        let needed = i64::from(self.place.parallelism) + 1;
        let show = "SELECT current_setting('max_prepared_transactions')::bigint";
        let available: i64 = session.run(|client| Ok(client.query_one(show, &[])?.get(0)))?;
        if available < needed {
            return Err(target.refused(format!(
                "the server keeps {available} prepared transactions: set max_prepared_transactions in \
                 postgresql.conf to {} or more (four for each subtask) and restart it, or choose Mode::Staged",
                4 * i64::from(self.place.parallelism)
            )));
        }
        if self.place.subtask.index != 0 {
            return Ok(());
        }
        let SinkPlace { lineage, run, subtask, .. } = self.place;
        // No checkpoint has the number 0.
        let xid = Xid { lineage, epoch: Epoch(0), run, subtask };
        let gid = gid(&self.prefix, &xid, 1);
        roll_back(session, &gid)?;
        session.run(|client| {
            self.unmark(client, &xid)?;
            client.batch_execute("BEGIN")?;
            self.mark(client, &xid, 1)?;
            Ok(client.batch_execute(&format!("PREPARE TRANSACTION {}", literal(&gid)))?)
        })?;
        session.disconnect();
        session.run(|client| match client.batch_execute(&format!("COMMIT PREPARED {}", literal(&gid))) {
            Err(error) if error.code() != Some(&SqlState::UNDEFINED_OBJECT) => Err(error.into()),
            Ok(()) | Err(_) => Ok(()),
        })?;
        if session.run(|client| self.is_marked(client, &xid))? {
            return session.run(|client| self.unmark(client, &xid));
        }
        Err(target.refused(
            "a prepared transaction did not outlive its connection: connect to the server itself and not to a pool, or \
             choose Mode::Staged",
        ))
    }

    fn mark(&self, client: &mut impl GenericClient, xid: &Xid, rows: u64) -> Result<(), Trouble> {
        let SinkPlace { job, operator, .. } = &self.place;
        let [lineage, subtask, epoch, run] = numbers(xid);
        client.execute(
            &format!("INSERT INTO {} VALUES ($1, $2, $3, $4, $5, $6, $7, $8)", self.table.markers),
            &[&self.table.target, job, operator, &lineage, &subtask, &epoch, &run, &rows.cast_signed()],
        )?;
        Ok(())
    }

    fn is_marked(&self, client: &mut impl GenericClient, xid: &Xid) -> Result<bool, Trouble> {
        let SinkPlace { job, operator, .. } = &self.place;
        let [lineage, subtask, epoch, run] = numbers(xid);
        let find = format!(
            "SELECT count(*) > 0 FROM {} WHERE {KEY} AND epoch = $6 AND run = $7",
            self.table.markers
        );
        let key: [&(dyn postgres::types::ToSql + Sync); 7] =
            [&self.table.target, job, operator, &lineage, &subtask, &epoch, &run];
        Ok(client.query_one(&find, &key)?.get(0))
    }

    fn unmark(&self, client: &mut impl GenericClient, xid: &Xid) -> Result<(), Trouble> {
        let SinkPlace { job, operator, .. } = &self.place;
        let [lineage, subtask, epoch, run] = numbers(xid);
        let forget = format!("DELETE FROM {} WHERE {KEY} AND epoch = $6 AND run = $7", self.table.markers);
        client.execute(&forget, &[&self.table.target, job, operator, &lineage, &subtask, &epoch, &run])?;
        Ok(())
    }

    /// The fence answers for what lies behind it.
    fn forget_markers_before(&self, client: &mut impl GenericClient, xid: &Xid) -> Result<(), Trouble> {
        let SinkPlace { job, operator, .. } = &self.place;
        let [lineage, subtask, epoch, _] = numbers(xid);
        let forget = format!("DELETE FROM {} WHERE {KEY} AND epoch < $6", self.table.markers);
        client.execute(&forget, &[&self.table.target, job, operator, &lineage, &subtask, &epoch])?;
        Ok(())
    }
}

/// The markers of one subtask.
const KEY: &str = "target = $1 AND job = $2 AND operator = $3 AND lineage = $4 AND subtask = $5";

fn numbers(xid: &Xid) -> [i64; 4] {
    let (lineage, subtask) = (i64::from(xid.lineage.0), i64::from(xid.subtask.index));
    [lineage, subtask, xid.epoch.0.cast_signed(), i64::from(xid.run.0)]
}

/// Rolls a prepared transaction back; nothing where it is not there.
pub(super) fn roll_back(session: &mut Session, gid: &str) -> Result<(), SinkError> {
    session.run(|client| match client.batch_execute(&format!("ROLLBACK PREPARED {}", literal(gid))) {
        Err(error) if error.code() != Some(&SqlState::UNDEFINED_OBJECT) => Err(error.into()),
        Ok(()) | Err(_) => Ok(()),
    })
}
