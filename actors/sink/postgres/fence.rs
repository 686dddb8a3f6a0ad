//! The fence, in PostgreSQL.

use postgres::{GenericClient, Row};
use watershed_core::checkpoint::Xid;
use watershed_core::{Epoch, Run, SinkPlace};

use crate::sink::postgres::table::Table;
use crate::sink::row::fence::{Fence, mark, taken};

/// The mark of a fence whose writer has neither begun a job nor gone on with one.
const NOBODY: &str = "";

/// One subtask's view of the fences of its table.
#[derive(Clone, Debug)]
pub(super) struct Fences {
    table: Table,
    place: SinkPlace,
}

type Done<R> = Result<R, postgres::Error>;

impl Fences {
    pub(super) fn new(table: &Table, place: &SinkPlace) -> Fences {
        Fences { table: table.clone(), place: place.clone() }
    }

    /// The newest run of this job that has been here; an error that says whose the table is where it is another's.
    pub(super) fn newest(&self, client: &mut impl GenericClient) -> Done<Result<Option<Run>, String>> {
        let Table { fence, target, .. } = &self.table;
        let other = format!("SELECT job, operator FROM {fence} WHERE target = $1 AND job <> $2 LIMIT 1");
        if let Some(row) = client.query_opt(&other, &[target, &self.place.job])? {
            return Ok(Err(taken(row.get(0), row.get(1), target)));
        }
        let newest =
            client.query_one(&format!("SELECT max(run) FROM {fence} WHERE target = $1"), &[target])?;
        Ok(Ok(newest.get::<_, Option<i64>>(0).map(run)))
    }

    /// The furthest that any subtask has come in this history.
    pub(super) fn furthest(&self, client: &mut impl GenericClient) -> Done<Option<Epoch>> {
        let furthest = format!(
            "SELECT max(epoch) FROM {fence} WHERE target = $1 AND job = $2 AND operator = $3 AND lineage = $4
             AND owner <> $5",
            fence = self.table.fence
        );
        let SinkPlace { job, operator, .. } = &self.place;
        let [lineage, ..] = self.numbers();
        let row = client.query_one(&furthest, &[&self.table.target, job, operator, &lineage, &NOBODY])?;
        Ok(row.get::<_, Option<i64>>(0).map(|epoch| Epoch(epoch.unsigned_abs())))
    }

    /// Whether a job has begun here.
    pub(super) fn has_begun(&self, client: &mut impl GenericClient) -> Done<bool> {
        let Table { fence, target, .. } = &self.table;
        let begun = format!("SELECT count(*) > 0 FROM {fence} WHERE target = $1 AND owner <> $2");
        Ok(client.query_one(&begun, &[target, &NOBODY])?.get(0))
    }

    /// Lets everybody know that this run is here: an older one finds it.
    pub(super) fn announce(&self, client: &mut impl GenericClient) -> Done<()> {
        let enter = format!(
            "INSERT INTO {fence} AS f VALUES ($1, $2, $3, $4, $5, 0, $6, $7)
             ON CONFLICT (target, job, operator, lineage, subtask) DO UPDATE SET run = greatest(f.run, $6)",
            fence = self.table.fence
        );
        let SinkPlace { job, operator, .. } = &self.place;
        let [lineage, subtask, run] = self.numbers();
        client
            .execute(&enter, &[&self.table.target, job, operator, &lineage, &subtask, &run, &NOBODY])
            .map(drop)
    }

    /// Begins a job: what earlier ones have left, as far as this subtask cleans it away, is forgotten.
    pub(super) fn begin(&self, client: &mut impl GenericClient) -> Done<Fence> {
        let parallelism = i64::from(self.place.parallelism);
        let [_, subtask, _] = self.numbers();
        for table in [&self.table.fence, &self.table.markers] {
            let forget = format!("DELETE FROM {table} WHERE target = $1 AND subtask % $2 = $3");
            client.execute(&forget, &[&self.table.target, &parallelism, &subtask])?;
        }
        self.announce(client)?;
        self.go_on(client)
    }

    /// Goes on: takes the subtask's fence over, which has been announced.
    pub(super) fn go_on(&self, client: &mut impl GenericClient) -> Done<Fence> {
        let take = format!(
            "UPDATE {fence} SET owner = CASE WHEN owner = $7 THEN $8 ELSE owner END, run = greatest(run, $6)
             WHERE target = $1 AND job = $2 AND operator = $3 AND lineage = $4 AND subtask = $5
             RETURNING epoch, run, owner",
            fence = self.table.fence
        );
        let SinkPlace { job, operator, .. } = &self.place;
        let [lineage, subtask, run] = self.numbers();
        let key: [&(dyn postgres::types::ToSql + Sync); 8] =
            [&self.table.target, job, operator, &lineage, &subtask, &run, &NOBODY, &mark()];
        Ok(fence(&client.query_one(&take, &key)?))
    }

    /// The fence of the subtask that has staged something; locked until the end of the transaction, if asked.
    pub(super) fn of(&self, client: &mut impl GenericClient, xid: &Xid, locked: bool) -> Done<Option<Fence>> {
        let find = format!(
            "SELECT epoch, run, owner FROM {fence} WHERE target = $1 AND job = $2 AND operator = $3
             AND lineage = $4 AND subtask = $5 AND owner <> $6 {lock}",
            fence = self.table.fence,
            lock = if locked { "FOR UPDATE" } else { "" }
        );
        let SinkPlace { job, operator, .. } = &self.place;
        let (lineage, subtask) = (i64::from(xid.lineage.0), i64::from(xid.subtask.index));
        let key: [&(dyn postgres::types::ToSql + Sync); 6] =
            [&self.table.target, job, operator, &lineage, &subtask, &NOBODY];
        Ok(client.query_opt(&find, &key)?.as_ref().map(fence))
    }

    /// Raises the fence of the subtask that has staged something.
    pub(super) fn raise(&self, client: &mut impl GenericClient, xid: &Xid) -> Done<bool> {
        let raise = format!(
            "UPDATE {fence} SET epoch = $6, run = greatest(run, $7)
             WHERE target = $1 AND job = $2 AND operator = $3 AND lineage = $4 AND subtask = $5 AND epoch < $6",
            fence = self.table.fence
        );
        let SinkPlace { job, operator, .. } = &self.place;
        let (lineage, subtask) = (i64::from(xid.lineage.0), i64::from(xid.subtask.index));
        let (epoch, [_, _, run]) = (xid.epoch.0.cast_signed(), self.numbers());
        let key: [&(dyn postgres::types::ToSql + Sync); 7] =
            [&self.table.target, job, operator, &lineage, &subtask, &epoch, &run];
        Ok(client.execute(&raise, &key)? == 1)
    }

    fn numbers(&self) -> [i64; 3] {
        let SinkPlace { lineage, subtask, run, .. } = &self.place;
        [lineage.0, subtask.index, run.0].map(i64::from)
    }
}

fn fence(row: &Row) -> Fence {
    let epoch: i64 = row.get(0);
    Fence { epoch: Epoch(epoch.unsigned_abs()), run: run(row.get(1)), owner: row.get(2) }
}

/// A run's number as it is stored: never more than it can be.
fn run(stored: i64) -> Run {
    Run(u32::try_from(stored).unwrap_or(u32::MAX))
}
