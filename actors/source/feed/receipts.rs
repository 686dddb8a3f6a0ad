//! Tells a peer how many of its rows are durable.
//!
//! After each commit of the log, a peer that wants it is written a line with the number of its rows that are durable,
//! counted from the beginning of the connection, those included that could not be understood. A sender that keeps what
//! was not acknowledged and sends it again over a new connection loses nothing, whatever dies; where the line itself
//! is lost with the connection, what it spoke of comes twice, unless the sender and the pipeline number their records.

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use watershed_core::Position;
use watershed_core::spi::LogInput;

use super::{Bell, lock};

/// How often a waiting thread looks whether it is still wanted.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How long a peer may leave its receipts unread before it loses the connection.
pub(super) const UNREAD_MAX: Duration = Duration::from_secs(10);

/// What a peer is told of its rows that are durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// How many they are.
    Rows,
    /// How many they are, and the position behind them.
    Positions,
}

/// What one connection has brought, and how far that has come.
#[derive(Debug, Default)]
pub(super) struct Receipts {
    standing: Mutex<Standing>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Standing {
    /// How many rows were handed over.
    given: u64,
    /// How many of them were appended to the log, and the position behind them.
    appended: (u64, Position),
    /// Whether no more will come.
    closed: bool,
}

impl Receipts {
    /// Notes that rows were handed over.
    pub(super) fn give(&self, rows: u32) {
        lock(&self.standing).given += u64::from(rows);
    }

    /// Notes that rows were appended, up to a position.
    pub(super) fn append(&self, rows: u32, behind: Position) {
        let mut standing = lock(&self.standing);
        standing.appended = (standing.appended.0 + u64::from(rows), behind);
        self.changed.notify_all();
    }

    /// Notes that no more rows will be handed over.
    pub(super) fn close(&self) {
        lock(&self.standing).closed = true;
        self.changed.notify_all();
    }

    /// Writes what is durable until all of it is, or nobody wants to know any more.
    pub(super) fn write_to(&self, peer: &mut TcpStream, (of, log): (Told, &dyn LogInput), bell: &Bell) {
        let mut told = 0;
        while let Some((rows, behind)) = self.beyond(told, bell) {
            let durable = log.durable_beyond(Position(behind.0 - 1)).is_some();
            let line = match of {
                Told::Rows => format!("{rows}\n"),
                Told::Positions => format!("{rows} {behind}\n"),
            };
            if !durable || peer.write_all(line.as_bytes()).is_err() {
                // A peer that has gone already needs no shutdown.
                let _ = peer.shutdown(Shutdown::Both);
                return;
            }
            told = rows;
        }
    }

    /// Waits until more rows than so many are appended; `None` where there will be none.
    fn beyond(&self, told: u64, bell: &Bell) -> Option<(u64, Position)> {
        let mut standing = lock(&self.standing);
        while standing.appended.0 == told {
            if bell.is_stopped() || (standing.closed && standing.given == told) {
                return None;
            }
            let waited = self.changed.wait_timeout(standing, LOOK_EVERY);
            standing = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        Some(standing.appended)
    }
}
