//! The two connections of a link: one that this node dialled and writes on, one that it accepted and reads from.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use watershed_wire::{Draft, Kind};

use crate::config::LinkConfig;
use crate::envelope::header;
use crate::error::LinkDown;
use crate::name::{Incarnation, NodeName};
use crate::queue::{Put, Queue};
use crate::report::DownReason;
use crate::traffic::Traffic;

/// The channel of a sign of life that wants to be answered.
pub(crate) const PING: u32 = 0;
/// The channel of the answer.
pub(crate) const PONG: u32 = 1;

/// How much may have been written since a sign of life for its answer to be overdue. It may wait behind that.
const OVERDUE_BYTES: u64 = 1 << 20;

/// Ends a connection from elsewhere.
#[derive(Debug, Default)]
pub(crate) struct Cut {
    reason: OnceLock<DownReason>,
    /// One task waits.
    made: Notify,
}

impl Cut {
    /// Ends it. The first reason stays.
    pub(crate) fn cut(&self, reason: DownReason) {
        let _ = self.reason.set(reason);
        self.made.notify_one();
    }

    /// Why it was ended, if it was.
    pub(crate) fn reason(&self) -> Option<DownReason> {
        self.reason.get().cloned()
    }

    /// Waits until it is ended.
    pub(crate) async fn wait(&self) -> DownReason {
        loop {
            if let Some(reason) = self.reason() {
                return reason;
            }
            self.made.notified().await;
        }
    }
}

/// The connection that this node dialled.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) peer: NodeName,
    pub(crate) incarnation: Incarnation,
    pub(crate) connection: u64,
    pub(crate) made: Instant,
    pub(crate) queue: Queue,
    pub(crate) cut: Cut,
    pub(crate) traffic: Arc<Traffic>,
    pings: Mutex<Pings>,
}

#[derive(Debug, Default)]
struct Pings {
    next: u64,
    /// The oldest that is not answered: its number, when it was sent, and what had been written by then.
    open: Option<(u64, Instant, u64)>,
    /// The number behind the last that was answered.
    answered: u64,
    /// Since when nothing of what waits was written, and how much had been written by then.
    stuck: Option<(Instant, u64)>,
}

impl Outgoing {
    pub(crate) fn new(
        peer: NodeName,
        incarnation: Incarnation,
        connection: u64,
        traffic: Arc<Traffic>,
        config: &LinkConfig,
    ) -> Self {
        Outgoing {
            peer,
            incarnation,
            connection,
            made: Instant::now(),
            queue: Queue::new(config.write_queue_bytes_max, config.spare_buffers_max),
            cut: Cut::default(),
            traffic,
            pings: Mutex::default(),
        }
    }

    /// Hands frames over to be written. What is too much breaks the link.
    pub(crate) fn send(&self, frames: Vec<u8>) -> Result<(), LinkDown> {
        match self.queue.put(frames)? {
            Put::Taken => {
                self.traffic.sent();
                Ok(())
            }
            Put::TooMuch { waiting } => {
                self.cut.cut(DownReason::TooSlow { waiting });
                self.queue.close();
                Err(LinkDown)
            }
        }
    }

    fn pings(&self) -> std::sync::MutexGuard<'_, Pings> {
        self.pings.lock().expect("no thread panics while it holds the pings")
    }

    /// Sends a sign of life; its number.
    pub(crate) fn ping(&self) -> u64 {
        let mut pings = self.pings();
        let sequence = pings.next;
        pings.next += 1;
        pings.open.get_or_insert_with(|| (sequence, Instant::now(), self.traffic.bytes_out()));
        drop(pings);
        self.sign(PING, sequence);
        sequence
    }

    /// Answers one.
    pub(crate) fn pong(&self, sequence: u64) {
        self.sign(PONG, sequence);
    }

    fn sign(&self, channel: u32, sequence: u64) {
        let mut out = self.queue.buffer();
        Draft::write(&header(Kind::Ping, channel, sequence), &[], &mut out);
        // Where the link is down, its end is under way.
        let _ = self.send(out);
    }

    /// Learns that one was answered.
    pub(crate) fn answered(&self, sequence: u64) {
        let mut pings = self.pings();
        if sequence >= pings.next {
            return;
        }
        pings.answered = pings.answered.max(sequence + 1);
        if let Some((open, sent, _)) = pings.open
            && sequence >= open
        {
            if sequence == open {
                self.traffic.measured(sent.elapsed());
            }
            pings.open = None;
        }
    }

    /// Whether one was answered, or a later one.
    pub(crate) fn is_answered(&self, sequence: u64) -> bool {
        self.pings().answered > sequence
    }

    /// Whether an answer is overdue.
    pub(crate) fn is_silent(&self, silent_max: Duration) -> bool {
        self.pings().open.is_some_and(|(_, sent, written)| {
            sent.elapsed() > silent_max && self.traffic.bytes_out() - written < OVERDUE_BYTES
        })
    }

    /// Whether nothing of what waits has been written for too long. To be asked often.
    fn is_stuck(&self, waiting: usize, silent_max: Duration) -> bool {
        let (mut pings, written) = (self.pings(), self.traffic.bytes_out());
        match pings.stuck {
            Some((since, by_then)) if waiting > 0 && by_then == written => since.elapsed() > silent_max,
            Some(_) | None => {
                pings.stuck = (waiting > 0).then(|| (Instant::now(), written));
                false
            }
        }
    }

    /// Forgives the peer its silence, of which this node was the cause.
    pub(crate) fn forgive(&self) {
        let mut pings = self.pings();
        (pings.open, pings.stuck) = (None, None);
    }

    /// Why it should be ended, where it should.
    pub(crate) fn trouble(&self, config: &LinkConfig, up: bool) -> Option<DownReason> {
        let (waiting, silent_max) = (self.queue.waiting(), config.silent_max);
        if self.is_stuck(waiting, silent_max) {
            return Some(DownReason::TooSlow { waiting });
        }
        if up && self.is_silent(silent_max) {
            return Some(DownReason::Silent(silent_max));
        }
        let patience = config.handshake_within + silent_max;
        (!up && self.made.elapsed() > patience).then_some(DownReason::Silent(patience))
    }
}

/// The connection that this node accepted.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) incarnation: Incarnation,
    pub(crate) connection: u64,
    pub(crate) made: Instant,
    pub(crate) cut: Cut,
    /// Rings when the link is up, and frames may be handed over.
    pub(crate) up: Notify,
    /// When something was last heard, in nanoseconds since `made`.
    heard: AtomicU64,
    /// When the frame began that has not ended, likewise; 0 where there is none.
    begun: AtomicU64,
}

impl Incoming {
    pub(crate) fn new(incarnation: Incarnation, connection: u64) -> Self {
        Incoming {
            incarnation,
            connection,
            made: Instant::now(),
            cut: Cut::default(),
            up: Notify::new(),
            heard: AtomicU64::new(0),
            begun: AtomicU64::new(0),
        }
    }

    fn now(&self) -> u64 {
        (self.made.elapsed().as_nanos() as u64).max(1)
    }

    /// Notes that something was heard, and whether the last frame has not ended with it.
    pub(crate) fn heard(&self, has_part: bool, had_frame: bool) {
        let now = self.now();
        self.heard.store(now, Relaxed);
        if !has_part {
            self.begun.store(0, Relaxed);
        } else if had_frame || self.begun.load(Relaxed) == 0 {
            self.begun.store(now, Relaxed);
        }
    }

    /// Forgives the peer its silence, of which this node was the cause.
    pub(crate) fn forgive(&self) {
        let now = self.now();
        self.heard.store(now, Relaxed);
        if self.begun.load(Relaxed) > 0 {
            self.begun.store(now, Relaxed);
        }
    }

    /// Why it should be ended, where it should.
    pub(crate) fn trouble(&self, config: &LinkConfig, up: bool) -> Option<DownReason> {
        if !up {
            let patience = config.handshake_within + config.silent_max;
            return (self.made.elapsed() > patience).then_some(DownReason::Silent(patience));
        }
        let ago = |nanos: u64| self.made.elapsed().saturating_sub(Duration::from_nanos(nanos));
        let begun = self.begun.load(Relaxed);
        if begun > 0 && ago(begun) > config.frame_within {
            let limit = config.frame_within.as_millis();
            return Some(DownReason::Violated(format!("a frame did not end within {limit} ms")));
        }
        (ago(self.heard.load(Relaxed)) > config.silent_max).then_some(DownReason::Silent(config.silent_max))
    }
}

/// Draws a number by lot, for connections and for waits.
pub(crate) fn lot() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_answer_to_a_ping_that_was_sent_counts() {
        let (peer, traffic) = (NodeName::new("b").unwrap(), Arc::new(Traffic::new()));
        let outgoing = Outgoing::new(peer, Incarnation(1), 1, traffic, &LinkConfig::default());
        let first = outgoing.ping();
        assert!(outgoing.is_silent(Duration::ZERO));
        outgoing.answered(first + 1);
        assert!(!outgoing.is_answered(first));
        outgoing.answered(first);
        assert!(outgoing.is_answered(first) && !outgoing.is_silent(Duration::ZERO));
    }

    #[test]
    fn a_frame_that_began_must_end_in_time() {
        let incoming = Incoming::new(Incarnation(1), 1);
        let silent_max = Duration::from_secs(3600);
        let config = LinkConfig { frame_within: Duration::ZERO, silent_max, ..LinkConfig::default() };
        incoming.heard(false, true);
        assert_eq!(incoming.trouble(&config, true), None);
        incoming.heard(true, false);
        std::thread::sleep(Duration::from_millis(1));
        assert!(matches!(incoming.trouble(&config, true), Some(DownReason::Violated(_))));
    }
}
