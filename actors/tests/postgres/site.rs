//! A database for one test, a sink for it, and what a reader sees.

use std::sync::Arc;
use std::time::{Duration, Instant};

use postgres::Client;
use watershed_actors::sink::{Mode, PostgresTable, PostgresWriter, StagedOutput};
use watershed_core::{Epoch, EventTime, Sink, SinkError, SinkPlace, Writer};

use crate::server::{Server, skip, url};

pub(crate) type Row = (String,);

/// A database of its own on a server.
pub(crate) struct Site {
    pub(crate) server: Arc<Server>,
    database: String,
    /// Where the sinks connect to: the server, or somebody in between.
    pub(crate) port: u16,
}

impl Site {
    /// A database on the shared server; none, and a word about it, where there is no PostgreSQL.
    pub(crate) fn new(test: &str) -> Option<Site> {
        let Some(server) = Server::shared() else {
            skip(test);
            return None;
        };
        Some(Site::on(server))
    }

    /// A database on a server of its own.
    pub(crate) fn apart(test: &str, settings: &[&str]) -> Option<Site> {
        let Some(server) = Server::start(settings) else {
            skip(test);
            return None;
        };
        Some(Site::on(Arc::new(server)))
    }

    fn on(server: Arc<Server>) -> Site {
        Site { database: server.create_database(), port: server.port(), server }
    }

    pub(crate) fn url(&self) -> String {
        url(self.port, &self.database)
    }

    /// A sink of words that is patient.
    pub(crate) fn words(&self, mode: Mode) -> PostgresTable<Row> {
        let table = PostgresTable::new(&self.url(), "words").columns(["word"]).mode(mode);
        table.patience(Duration::from_secs(60))
    }

    /// Opens the sink of words.
    pub(crate) fn open(&self, mode: Mode, place: &SinkPlace) -> PostgresWriter<Row> {
        self.try_open(mode, place).unwrap_or_else(|error| panic!("{error}"))
    }

    pub(crate) fn try_open(&self, mode: Mode, place: &SinkPlace) -> Result<PostgresWriter<Row>, SinkError> {
        self.words(mode).open(place)
    }

    pub(crate) fn client(&self) -> Client {
        self.server.connect(&self.database)
    }

    pub(crate) fn execute(&self, sql: &str) {
        self.client().batch_execute(sql).unwrap();
    }

    /// The first column of a query, as text.
    pub(crate) fn query(&self, sql: &str) -> Vec<String> {
        self.client().query(sql, &[]).unwrap().iter().map(|row| row.get(0)).collect()
    }

    /// What a reader sees.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.query("SELECT word FROM words ORDER BY word")
    }

    /// The name of a prepared transaction of the sink of words.
    pub(crate) fn gid(&self, numbers: &str) -> String {
        format!("watershed/{}/test/sink/{numbers}", self.database)
    }

    /// Gives all connections that are made from now on a setting.
    pub(crate) fn set(&self, setting: &str) {
        self.execute(&format!("ALTER DATABASE {} SET {setting}", self.database));
    }

    /// Lets the only writer go, and waits until the database has noticed: whoever is no newer run finds its place taken
    /// until then.
    pub(crate) fn part_with<W>(&self, writer: W) {
        drop(writer);
        let held = "SELECT count(*)::text FROM pg_locks JOIN pg_database d ON d.oid = database
                    WHERE locktype = 'advisory' AND datname = current_database()";
        until("the database notices that the writer has gone", || self.query(held) == ["0"]);
    }

    /// The names of the prepared transactions.
    pub(crate) fn prepared(&self) -> Vec<String> {
        self.query("SELECT gid FROM pg_prepared_xacts WHERE database = current_database() ORDER BY gid")
    }
}

/// Waits until something is so.
#[track_caller]
pub(crate) fn until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(120), "{what}: that has not come about");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The only subtask in a run.
pub(crate) fn run(number: u32) -> SinkPlace {
    SinkPlace::alone("sink").in_run(number)
}

/// Writes a word and prepares an epoch.
pub(crate) fn stage(writer: &mut PostgresWriter<Row>, word: &str, epoch: u64) -> StagedOutput {
    writer.write((word.to_owned(),), EventTime::MIN).unwrap();
    let staged = writer.prepare(Epoch(epoch)).unwrap_or_else(|error| panic!("{error}"));
    through_a_checkpoint(&staged.expect("a word has been written"))
}

/// What lies in a checkpoint is bytes.
fn through_a_checkpoint(staged: &StagedOutput) -> StagedOutput {
    rmp_serde::from_slice(&rmp_serde::to_vec_named(staged).unwrap()).unwrap()
}

pub(crate) fn refused<R>(result: Result<R, SinkError>) -> String {
    result.err().unwrap().to_string()
}
