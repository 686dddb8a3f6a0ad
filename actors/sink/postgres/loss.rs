//! What a checkpoint has decided and the database has no more: seen, and accepted, by a person.
//!
//! A job that comes upon a lost transaction stops, since going on would lose its rows silently. Whoever knows of them may
//! let it go on without: by the marker that the transaction would have left, with no rows. A recovery then finds the epoch
//! done, by the same rule as any other, and needs no switch that forgives more than was meant.

use postgres::GenericClient;
use watershed_core::checkpoint::Xid;
use watershed_core::{Epoch, SinkError};

use crate::sink::postgres::gid::is_of_operator;
use crate::sink::postgres::in_doubt::PreparedTransactions;
use crate::sink::postgres::prepared::StagedTransaction;
use crate::sink::postgres::table::MARKERS;
use crate::sink::postgres::trouble::Trouble;
use crate::sink::row::fence::FENCE;

/// A transaction that was decided, and is neither prepared nor committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// What the checkpoint says of it.
    pub staged: StagedTransaction,
    /// The table that its rows were for, with its schema; none where the database knows nothing of the job any more.
    pub table: Option<String>,
    /// The epochs before it that the database had, and has no more, since it was restored from a backup: those behind the
    /// first, up to the second.
    pub gone_too: Option<(Epoch, Epoch)>,
}

/// The fence of the subtask that has prepared something, and where it is.
struct Place {
    schema: String,
    target: String,
    operator: String,
    epoch: Epoch,
}

impl PreparedTransactions {
    /// Of the transactions that a checkpoint of a job names, those that are lost.
    ///
    /// # Errors
    ///
    /// Where the database cannot be asked.
    pub fn lost(&mut self, job: &str, decided: &[StagedTransaction]) -> Result<Vec<Lost>, SinkError> {
        let mut lost = Vec::new();
        for staged in decided {
            lost.extend(self.session.run(|client| Ok(find(client, job, staged)?.map(|(lost, _)| lost)))?);
        }
        Ok(lost)
    }

    /// Lets the job go on without a lost transaction.
    ///
    /// # Errors
    ///
    /// Where it is not lost, nothing is known of the job, or the database cannot be asked.
    pub fn accept_loss(&mut self, job: &str, staged: &StagedTransaction) -> Result<Lost, SinkError> {
        let about = self.about.clone();
        let refused = |why: &str| SinkError::new(about.clone(), format!("{} {why}", staged.gid));
        self.session.run(|client| {
            let mut transaction = client.transaction()?;
            let Some((lost, place)) = find(&mut transaction, job, staged)? else {
                return Err(refused("is not lost: the job commits it, or has").into());
            };
            let Some(Place { schema, target, operator, .. }) = place else {
                return Err(refused(&format!(
                    "cannot be marked: the database has no row of the job in {FENCE}. Bring the database back as it \
                     was, or begin the job anew"
                ))
                .into());
            };
            let Xid { epoch, run, .. } = staged.xid;
            let [lineage, subtask] = key(staged);
            let mark = format!(
                "INSERT INTO {schema}.{MARKERS} VALUES ($1, $2, $3, $4, $5, $6, $7, 0) ON CONFLICT DO NOTHING"
            );
            let (epoch, run) = (epoch.0.cast_signed(), i64::from(run.0));
            transaction.execute(&mark, &[&target, &job, &operator, &lineage, &subtask, &epoch, &run])?;
            let raise = format!(
                "UPDATE {schema}.{FENCE} SET epoch = greatest(epoch, $6)
                 WHERE target = $1 AND job = $2 AND operator = $3 AND lineage = $4 AND subtask = $5"
            );
            let after = staged.after.0.cast_signed();
            transaction.execute(&raise, &[&target, &job, &operator, &lineage, &subtask, &after])?;
            transaction.commit()?;
            Ok(lost)
        })
    }
}

/// What is lost of a transaction, and where its subtask's fence is; none where it is prepared or committed, or where another
/// job has begun in its place and this one may not go on at all.
fn find(
    client: &mut impl GenericClient,
    job: &str,
    staged: &StagedTransaction,
) -> Result<Option<(Lost, Option<Place>)>, Trouble> {
    // SUBTLE: this is asked first. One that is committed between the two questions is then found at one of them.
    let prepared = "SELECT count(*) > 0 FROM pg_prepared_xacts WHERE gid = $1";
    if client.query_one(prepared, &[&staged.gid])?.get(0) {
        return Ok(None);
    }
    let lost = Lost { staged: staged.clone(), table: None, gone_too: None };
    let [lineage, subtask] = key(staged);
    for schema in schemas(client)? {
        let fences = format!(
            "SELECT target, operator, epoch, owner FROM {schema}.{FENCE}
             WHERE job = $1 AND lineage = $2 AND subtask = $3 AND owner <> ''"
        );
        for row in client.query(&fences, &[&job, &lineage, &subtask])? {
            let (target, operator): (String, String) = (row.get(0), row.get(1));
            if !is_of_operator(&staged.gid, &operator) {
                continue;
            }
            let epoch = Epoch(row.get::<_, i64>(2).unsigned_abs());
            if row.get::<_, &str>(3) != staged.owner || epoch >= staged.xid.epoch {
                return Ok(None);
            }
            let place = Place { schema, target, operator, epoch };
            if is_marked(client, &place, job, staged)? {
                return Ok(None);
            }
            let gone_too = (place.epoch < staged.after).then_some((place.epoch, staged.after));
            let lost = Lost { table: Some(place.target.clone()), gone_too, ..lost };
            return Ok(Some((lost, Some(place))));
        }
    }
    Ok(Some((lost, None)))
}

/// The schemas that have the tables of sinks, quoted.
fn schemas(client: &mut impl GenericClient) -> Result<Vec<String>, Trouble> {
    let list = "SELECT quote_ident(n.nspname) FROM pg_namespace n
                WHERE (SELECT count(*) FROM pg_class c
                       WHERE c.relnamespace = n.oid AND c.relname IN ($1, $2) AND c.relkind IN ('r', 'p')) = 2
                ORDER BY 1";
    Ok(client.query(list, &[&FENCE, &MARKERS])?.iter().map(|row| row.get(0)).collect())
}

fn is_marked(
    client: &mut impl GenericClient,
    place: &Place,
    job: &str,
    staged: &StagedTransaction,
) -> Result<bool, Trouble> {
    let Place { schema, target, operator, .. } = place;
    let [lineage, subtask] = key(staged);
    let find = format!(
        "SELECT count(*) > 0 FROM {schema}.{MARKERS} WHERE target = $1 AND job = $2 AND operator = $3
         AND lineage = $4 AND subtask = $5 AND epoch = $6 AND run = $7"
    );
    let (epoch, run) = (staged.xid.epoch.0.cast_signed(), i64::from(staged.xid.run.0));
    Ok(client.query_one(&find, &[target, &job, operator, &lineage, &subtask, &epoch, &run])?.get(0))
}

fn key(staged: &StagedTransaction) -> [i64; 2] {
    [i64::from(staged.xid.lineage.0), i64::from(staged.xid.subtask.index)]
}
