//! Prepared transactions as a person sees them, who decides by hand what no job will decide.
//!
//! A job resolves its own at each start. What is left is of jobs that will never start again, or of a database that was
//! cut off for good. Which of them a checkpoint has decided is in its manifest: those are to be committed, and all others
//! rolled back.

use std::time::Duration;

use watershed_core::SinkError;
use watershed_core::checkpoint::Xid;

use crate::sink::postgres::gid::{PREFIX, Parsed, job_prefix, literal, parse};
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
    /// Whether the manifests that the caller knows name it: then it is decided.
    pub decided: bool,
}

/// The prepared transactions of a database.
pub struct PreparedTransactions {
    session: Session,
    about: String,
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

    /// Lists those of a job, or of all jobs, the oldest first. `decided` says of an operator's transaction whether a manifest
    /// names it.
    ///
    /// # Errors
    ///
    /// Where the database cannot be asked.
    pub fn list(
        &mut self,
        job: Option<&str>,
        decided: impl Fn(&str, &Xid) -> bool,
    ) -> Result<Vec<InDoubt>, SinkError> {
        let database = "SELECT current_database()::text";
        let database: String = self.session.run(|client| Ok(client.query_one(database, &[])?.get(0)))?;
        let prefix = job.map_or(PREFIX.to_owned(), |job| job_prefix(&database, job));
        let list = "SELECT gid, greatest(0, extract(epoch FROM now() - prepared))::double precision
                    FROM pg_prepared_xacts
                    WHERE database = current_database() AND starts_with(gid, $1) ORDER BY prepared, gid";
        let rows = self.session.run(|client| Ok(client.query(list, &[&prefix])?))?;
        let found = rows.iter().filter_map(|row| {
            let gid: String = row.get(0);
            let Parsed { job, operator, xid, rows } = parse(&gid)?;
            let age = Duration::try_from_secs_f64(row.get(1)).unwrap_or_default();
            let decided = decided(&operator, &xid);
            Some(InDoubt { gid, job, operator, xid, rows, age, decided })
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
        if parse(gid).is_none() {
            let why = format!("{gid:?} is no transaction of a job: list them to see their names");
            return Err(SinkError::new(self.about.clone(), why));
        }
        self.session.run(|client| Ok(client.batch_execute(&format!("{verb} {}", literal(gid)))?))
    }
}
