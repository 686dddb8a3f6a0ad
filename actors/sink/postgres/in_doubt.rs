//! Prepared transactions as a person sees them, who decides by hand what no job will decide.
//!
//! A job resolves its own at each start. What is left is of jobs that will never start again, or of a database that was
//! cut off for good. Which of them a checkpoint has decided is in its manifest: those are to be committed, and all others
//! rolled back. What a manifest names and the database has no more is [lost](super::loss).
//!
//! SUBTLE: a commit by hand leaves the fence where it is. The marker in the transaction tells a recovery that it is done;
//! a raised fence would tell it that all epochs before are done too, also one that is still prepared.

use std::time::Duration;

use postgres::error::SqlState;
use watershed_core::SinkError;
use watershed_core::checkpoint::Xid;

use crate::sink::postgres::gid::{PREFIX, Parsed, is_of, literal, parse};
use crate::sink::postgres::session::{Limits, Session};
use crate::sink::postgres::{configuration, whereabouts};

/// A prepared transaction that a job has left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InDoubt {
    /// Its name in the database.
    pub gid: String,
    /// The job that has prepared it.
    pub job: String,
    /// The sink's uid.
    pub operator: String,
    /// Whose it is; the vertex is not known here, and is 0.
    pub xid: Xid,
    /// How many rows it holds.
    pub rows: u64,
    /// How long it has been there.
    pub age: Duration,
}

impl InDoubt {
    /// Whether a job of this name has prepared it. A name that is too long for the database is known by its hash.
    pub fn is_of(&self, job: &str) -> bool {
        is_of(&self.gid, job)
    }
}

/// The prepared transactions of a database.
pub struct PreparedTransactions {
    pub(super) session: Session,
    pub(super) about: String,
}

impl PreparedTransactions {
    /// Those of the database at an address, as [`PostgresTable::new`](crate::sink::PostgresTable::new) takes it.
    ///
    /// # Errors
    ///
    /// Where the address is none. Whether the database can be reached is found when it is asked.
    pub fn of(url: &str) -> Result<Self, SinkError> {
        let config = configuration(url)?;
        let about = format!("the database {}", whereabouts(&config));
        let limits = Limits {
            connect_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(30),
            retry_for: Duration::from_secs(5),
        };
        // Nobody else has the number of this lock, and it is let go at once with the connection.
        let session = Session::new(config, limits, i64::from(std::process::id()), about.clone());
        Ok(PreparedTransactions { session, about })
    }

    /// Lists those of all jobs, the oldest first.
    ///
    /// # Errors
    ///
    /// Where the database cannot be asked.
    pub fn list(&mut self) -> Result<Vec<InDoubt>, SinkError> {
        let list = "SELECT gid, greatest(0, extract(epoch FROM now() - prepared))::double precision
                    FROM pg_prepared_xacts
                    WHERE database = current_database() AND starts_with(gid, $1) ORDER BY prepared, gid";
        let rows = self.session.run(|client| Ok(client.query(list, &[&PREFIX])?))?;
        let found = rows.iter().filter_map(|row| {
            let gid: String = row.get(0);
            let Parsed { job, operator, xid, rows } = parse(&gid)?;
            let age = Duration::try_from_secs_f64(row.get(1)).unwrap_or_default();
            Some(InDoubt { gid, job, operator, xid, rows, age })
        });
        Ok(found.collect())
    }

    /// Commits one by its name.
    ///
    /// # Errors
    ///
    /// Where it is not there, or the database cannot be asked.
    pub fn commit(&mut self, gid: &str) -> Result<(), SinkError> {
        self.decide("COMMIT PREPARED", gid)
    }

    /// Rolls one back by its name.
    ///
    /// # Errors
    ///
    /// Where it is not there, or the database cannot be asked.
    pub fn abort(&mut self, gid: &str) -> Result<(), SinkError> {
        self.decide("ROLLBACK PREPARED", gid)
    }

    fn decide(&mut self, verb: &str, gid: &str) -> Result<(), SinkError> {
        let refused = |why: String| SinkError::new(self.about.clone(), why);
        if parse(gid).is_none() {
            return Err(refused(format!("{gid:?} is no transaction of a job: list them to see their names")));
        }
        self.session.run(|client| match client.batch_execute(&format!("{verb} {}", literal(gid))) {
            // Also where this was done, and the answer lost.
            Err(error) if error.code() == Some(&SqlState::UNDEFINED_OBJECT) => {
                Err(refused(format!("{gid} is not there any more: it has been decided meanwhile")).into())
            }
            done => Ok(done?),
        })
    }
}
