//! Books a log in a ledger, once in a database and once in files, and loses and doubles nothing when it is killed.
//!
//! ```text
//!                                        ┌─▶ table `ledger` of ledger.sqlite ─┐
//!  log, 8 partitions ── by key ── count ─┤                                    ├─▶ two-phase-commit-audit
//!                                        └─▶ parts in ledger/ ────────────────┘
//! ```
//!
//! A database and a file system share no transaction. What holds the two together is the checkpoint: at each barrier
//! both sinks *prepare* (the rows go into the checkpoint, the file lies aside and is durable), the coordinator
//! writes one manifest that names what both have staged, and its one decision lets both *commit*. A process that dies
//! before the decision has booked nothing of that epoch in either; one that dies behind it finds in the manifest
//! what it still has to commit. Try it:
//!
//! ```sh
//! watershed run two-phase-commit --state-dir out/state --checkpoint-interval 200ms --set rate=20000 &
//! sleep 3; kill -9 $!                                    # as often as you like
//! watershed run two-phase-commit --state-dir out/state   # goes on where the last decision was
//! watershed run two-phase-commit-audit
//! ```
//!
//! Three choices make the ledger a proof. The table has no primary key, so a row that came twice would be there
//! twice. Each entry has the running count of its key, which is state: a state that was lost or applied twice
//! would show. And an event says where in the log it stands and carries a hash, so that the audit knows which
//! entries there have to be without asking the job.

mod audit;
mod entry;
mod log;
mod table;

use std::path::PathBuf;

use watershed::prelude::*;

use log::Log;

/// The name of the table.
const TABLE: &str = "ledger";

/// What can be set. The audit is given the same.
#[derive(Clone, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Parameters {
    /// Events to book.
    events: u64,
    /// How many of them a second; as many as possible where there is none.
    rate: Option<f64>,
    /// Partitions of the log.
    partitions: u32,
    /// Keys among which the events are dealt out.
    keys: u64,
    /// What decides about keys and payloads.
    seed: u64,
    /// The folder of the files, and of the database where nothing else is said.
    output: PathBuf,
    /// The database: a file of SQLite, or the address of a PostgreSQL server (`postgresql://user:password@host/database`).
    database: Option<PathBuf>,
}

impl Default for Parameters {
    fn default() -> Self {
        Parameters {
            events: 200_000,
            rate: None,
            partitions: 8,
            keys: 1000,
            seed: 1,
            output: "out/two-phase-commit".into(),
            database: None,
        }
    }
}

/// Partitions are listed before anything runs.
const PARTITIONS_MAX: u32 = 10_000;

impl Parameters {
    fn check(&self) -> Result<(), watershed::Error> {
        if !(1..=PARTITIONS_MAX).contains(&self.partitions) {
            return Err(format!("partitions is {}: it must be 1 to {PARTITIONS_MAX}", self.partitions).into());
        }
        if self.keys == 0 {
            return Err("there must be a key".into());
        }
        if self.rate.is_some_and(|rate| !rate.is_finite() || rate <= 0.0) {
            return Err("the rate must be a number above 0".into());
        }
        Ok(())
    }

    fn database(&self) -> PathBuf {
        self.database.clone().unwrap_or_else(|| self.output.join("ledger.sqlite"))
    }

    /// The address of the database, where it is a server's.
    fn server(&self) -> Option<&str> {
        let address = self.database.as_ref()?.to_str()?;
        (address.starts_with("postgresql://") || address.starts_with("postgres://")).then_some(address)
    }

    /// The folder with the parts.
    fn parts(&self) -> PathBuf {
        self.output.join("ledger")
    }
}

/// Registers both pipelines.
pub(crate) fn register(app: App) -> App {
    app.pipeline(
        "two-phase-commit",
        "Books a log in a database and in files, each event once in both, whatever fails",
        two_phase_commit,
    )
    .pipeline(
        "two-phase-commit-audit",
        "Compares what two-phase-commit has booked with the log, and the database with the files",
        audit::audit,
    )
}

fn two_phase_commit(pipeline: &Pipeline, p: Parameters) -> Result<(), watershed::Error> {
    p.check()?;
    let entries = pipeline
        .source(Log::new(&p))
        .uid("log")
        .key_by(|event| event.key)
        .map_with_state(|count: &mut u64, event| {
            *count += 1;
            event.entry(*count)
        })
        .uid("count")
        .shared();
    match p.server() {
        None => {
            let table = sink::SqliteTable::new(p.database(), TABLE);
            entries.branch().sink(table).named("table").uid("table");
        }
        #[cfg(feature = "postgres")]
        Some(server) => {
            // Each epoch's rows are a prepared transaction: the other half of the two phases is the database's own.
            let table = sink::PostgresTable::new(server, TABLE).mode(sink::Mode::Prepared);
            entries.branch().sink(table).named("table").uid("table");
        }
        #[cfg(not(feature = "postgres"))]
        Some(_) => return Err("this binary was built without the feature `postgres`".into()),
    }
    let files = sink::Files::json_lines(p.parts().with_extension("jsonl")).in_parts();
    entries.branch().sink(files).named("files").uid("files");
    Ok(())
}
