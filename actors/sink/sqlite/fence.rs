//! The fence, in SQLite.

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use watershed_core::checkpoint::Xid;
use watershed_core::{Epoch, Run, SinkPlace};

use crate::sink::row::fence::{FENCE, Fence, mark, taken};

/// One subtask's view of the fences of its table.
#[derive(Clone, Debug)]
pub(super) struct Fences {
    /// The table, as SQLite compares names.
    target: String,
    place: SinkPlace,
}

impl Fences {
    pub(super) fn new(table: &str, place: &SinkPlace) -> Fences {
        Fences { target: table.to_ascii_lowercase(), place: place.clone() }
    }

    /// Creates the table of the fences where it is not there.
    pub(super) fn create(connection: &Connection) -> rusqlite::Result<()> {
        connection.execute_batch(&format!(
            "CREATE TABLE IF NOT EXISTS {FENCE} (
                 target TEXT NOT NULL, job TEXT NOT NULL, operator TEXT NOT NULL, lineage INTEGER NOT NULL,
                 subtask INTEGER NOT NULL, epoch INTEGER NOT NULL, run INTEGER NOT NULL, owner TEXT NOT NULL,
                 PRIMARY KEY (target, job, operator, lineage, subtask))"
        ))
    }

    /// The newest run of this job that has been here; an error that says whose the table is where it is another's.
    pub(super) fn newest(&self, connection: &Connection) -> rusqlite::Result<Result<Option<Run>, String>> {
        let other = format!("SELECT job, operator FROM {FENCE} WHERE target = ?1 AND job <> ?2 LIMIT 1");
        let other = connection.query_row(&other, params![self.target, self.place.job], |row| {
            Ok(taken(&row.get::<_, String>(0)?, &row.get::<_, String>(1)?, &self.target))
        });
        if let Some(why) = other.optional()? {
            return Ok(Err(why));
        }
        let newest = format!("SELECT max(run) FROM {FENCE} WHERE target = ?1");
        connection.query_row(&newest, [&self.target], |row| Ok(Ok(row.get::<_, Option<u32>>(0)?.map(Run))))
    }

    /// The furthest that any subtask has come in this history.
    pub(super) fn furthest(&self, connection: &Connection) -> rusqlite::Result<Option<Epoch>> {
        let furthest = format!(
            "SELECT max(epoch) FROM {FENCE} WHERE target = ?1 AND job = ?2 AND operator = ?3 AND lineage = ?4"
        );
        let SinkPlace { job, operator, lineage, .. } = &self.place;
        let epoch = |row: &Row<'_>| row.get::<_, Option<i64>>(0);
        let found = connection.query_row(&furthest, params![self.target, job, operator, lineage.0], epoch)?;
        Ok(found.map(|epoch| Epoch(epoch.unsigned_abs())))
    }

    /// Begins a job: what earlier ones have left, as far as this subtask cleans it away, is forgotten. Gives the new mark.
    pub(super) fn begin(&self, connection: &Connection) -> rusqlite::Result<Fence> {
        let (subtask, parallelism) = (self.place.subtask.index, self.place.parallelism);
        let forget = format!("DELETE FROM {FENCE} WHERE target = ?1 AND subtask % ?2 = ?3");
        connection.execute(&forget, params![self.target, parallelism, subtask])?;
        self.enter(connection)
    }

    /// Goes on: takes the subtask's fence over for this run, or makes it where there was none.
    pub(super) fn go_on(&self, connection: &Connection) -> rusqlite::Result<Fence> {
        let SinkPlace { lineage, subtask, .. } = self.place;
        let raise = format!(
            "UPDATE {FENCE} SET run = ?6 WHERE target = ?1 AND job = ?2 AND operator = ?3 AND lineage = ?4 \
             AND subtask = ?5"
        );
        let SinkPlace { job, operator, run, .. } = &self.place;
        let key = params![self.target, job, operator, lineage.0, subtask.index, run.0];
        if connection.execute(&raise, key)? == 0 {
            return self.enter(connection);
        }
        let found = self.find(connection, lineage.0, subtask.index)?;
        Ok(found.expect("its row has just been updated"))
    }

    fn enter(&self, connection: &Connection) -> rusqlite::Result<Fence> {
        let SinkPlace { job, operator, lineage, run, subtask, .. } = &self.place;
        let owner = mark();
        connection.execute(
            &format!("INSERT INTO {FENCE} VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6, ?7)"),
            params![self.target, job, operator, lineage.0, subtask.index, run.0, owner],
        )?;
        Ok(Fence { epoch: Epoch(0), run: *run, owner })
    }

    /// The fence of the subtask that has staged something.
    pub(super) fn of(&self, connection: &Connection, xid: &Xid) -> rusqlite::Result<Option<Fence>> {
        self.find(connection, xid.lineage.0, xid.subtask.index)
    }

    fn find(&self, connection: &Connection, lineage: u32, subtask: u32) -> rusqlite::Result<Option<Fence>> {
        let find = format!(
            "SELECT epoch, run, owner FROM {FENCE} WHERE target = ?1 AND job = ?2 AND operator = ?3 \
             AND lineage = ?4 AND subtask = ?5"
        );
        let key = params![self.target, self.place.job, self.place.operator, lineage, subtask];
        let fence = |row: &Row<'_>| {
            let epoch: i64 = row.get(0)?;
            Ok(Fence { epoch: Epoch(epoch.unsigned_abs()), run: Run(row.get(1)?), owner: row.get(2)? })
        };
        connection.query_row(&find, key, fence).optional()
    }

    /// Raises the fence of the subtask that has staged something. A run never lowers it.
    pub(super) fn raise(&self, connection: &Connection, xid: &Xid) -> rusqlite::Result<bool> {
        let raise = format!(
            "UPDATE {FENCE} SET epoch = ?6, run = max(run, ?7) WHERE target = ?1 AND job = ?2 AND operator = ?3 \
             AND lineage = ?4 AND subtask = ?5 AND epoch < ?6"
        );
        let SinkPlace { job, operator, run, .. } = &self.place;
        let (lineage, subtask, epoch) = (xid.lineage.0, xid.subtask.index, xid.epoch.0.cast_signed());
        let raised = connection
            .execute(&raise, params![self.target, job, operator, lineage, subtask, epoch, run.0])?;
        Ok(raised == 1)
    }
}
