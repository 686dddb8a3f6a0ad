//! One connection to the database, made again when it breaks.

use std::thread;
use std::time::{Duration, Instant};

use postgres::{Client, Config, NoTls};
use watershed_core::SinkError;

use crate::sink::postgres::trouble::{Trouble, is_passing, why};

/// The first pause before something is tried again; each one is twice as long.
const PAUSE_MIN: Duration = Duration::from_millis(20);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// How often a place that somebody else has is looked at again.
const LOOKS: u32 = 10;
/// How long it is waited before each of these looks.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How long a session waits for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    /// For a connection.
    pub(super) connect_timeout: Duration,
    /// For one statement.
    pub(super) statement_timeout: Duration,
    /// For a server that does not answer, or others that are in the way: then the error is told.
    pub(super) retry_for: Duration,
}

/// A connection that is made when it is needed, and what holds for each.
pub(super) struct Session {
    config: Config,
    client: Option<Client>,
    limits: Limits,
    /// The advisory lock that says to others that somebody writes here.
    lock: i64,
    locked: bool,
    /// What errors are about.
    about: String,
}

impl Session {
    /// A session with a server. Nothing is connected yet.
    pub(super) fn new(mut config: Config, limits: Limits, lock: i64, about: String) -> Session {
        config.connect_timeout(limits.connect_timeout);
        // A server that has vanished without a word is noticed in the time of a statement.
        config.tcp_user_timeout(limits.statement_timeout);
        config.keepalives_idle(limits.statement_timeout / 2);
        config.keepalives_interval(limits.statement_timeout / 8);
        config.keepalives_retries(4);
        if config.get_application_name().is_none() {
            config.application_name("watershed");
        }
        Session { config, client: None, limits, lock, locked: false, about }
    }

    /// Whether nobody else writes here, as far as the database knows. Whoever is just leaving is waited for.
    pub(super) fn is_alone(&mut self) -> Result<bool, SinkError> {
        for look in 0..LOOKS {
            if look > 0 {
                thread::sleep(LOOK_EVERY);
            }
            let lock = self.lock;
            // A connection that has just been made has tried; so has this one, where it has the lock.
            self.run(|client| Ok(client.batch_execute("")?))?;
            if !self.locked {
                let locked = "SELECT pg_try_advisory_lock($1)";
                self.locked = self.run(|client| Ok(client.query_one(locked, &[&lock])?.get(0)))?;
            }
            if self.locked {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Lets the connection go, as a crash would.
    pub(super) fn disconnect(&mut self) {
        self.client = None;
    }

    /// Does something, and does it again where the way to the database breaks or others are in the way. It must be such
    /// that doing it twice is the same as doing it once: an answer that is lost says nothing about what was done.
    pub(super) fn run<R>(
        &mut self,
        mut act: impl FnMut(&mut Client) -> Result<R, Trouble>,
    ) -> Result<R, SinkError> {
        let (start, mut pause) = (Instant::now(), PAUSE_MIN);
        loop {
            let done = self.client().map_err(Trouble::from).and_then(&mut act);
            let error = match done {
                Ok(done) => return Ok(done),
                Err(Trouble::Final(error)) => {
                    self.clear();
                    return Err(error);
                }
                Err(Trouble::Database(error)) => error,
            };
            self.clear();
            if !is_passing(&error) || start.elapsed() + pause > self.limits.retry_for {
                return Err(SinkError::new(self.about.clone(), why(&error)));
            }
            thread::sleep(pause);
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Leaves no transaction open behind an error.
    fn clear(&mut self) {
        if self.client.as_mut().is_some_and(|client| client.batch_execute("ROLLBACK").is_err()) {
            self.client = None;
        }
    }

    fn client(&mut self) -> Result<&mut Client, postgres::Error> {
        if self.client.as_ref().is_none_or(Client::is_closed) {
            let mut client = self.config.connect(NoTls)?;
            let timeout = self.limits.statement_timeout.as_millis();
            // A commit that is told must survive a crash of the server. Read committed is what the fence is made for.
            client.batch_execute(&format!(
                "SET statement_timeout = {timeout};
                 SET lock_timeout = {timeout};
                 SET default_transaction_isolation = 'read committed';
                 SELECT set_config('synchronous_commit', 'on', false)
                     WHERE current_setting('synchronous_commit') = 'off'"
            ))?;
            self.locked = client.query_one("SELECT pg_try_advisory_lock($1)", &[&self.lock])?.get(0);
            self.client = Some(client);
        }
        Ok(self.client.as_mut().expect("it has just been made"))
    }
}
