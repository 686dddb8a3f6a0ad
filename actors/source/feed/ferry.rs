//! Carries what arrives into an ingress log, for a reader that takes it out again.
//!
//! ```text
//! socket -> thread: Framer -> queue of chunks (bounded) -> thread: Ferry -> log, fsync -> subtask: FeedReader -> ..
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use watershed_core::spi::{LogInput, LogOutput, OpenLog, Ring};
use watershed_core::{Position, SourceError};

use super::stdin::spawn;
use super::{Bell, Fed, Handed, Threads, entry};

/// How often the ferry looks whether it is still wanted.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long what has been read already is still logged when the reader is dropped.
const STOP_WITHIN: Duration = Duration::from_secs(1);

/// The reader's end of a log, and the thread that fills it.
pub(super) struct Ferry {
    output: Box<dyn LogOutput>,
    input: Arc<dyn LogInput>,
    bell: Arc<Bell>,
    /// Whether what is left in the queue is for a later reader; otherwise it is logged at the end.
    keeps_queue: bool,
    stopped: Arc<AtomicBool>,
    thread: JoinHandle<Left>,
}

/// What a ferry leaves: the queue, and what it took out of it and could not log.
type Left = (Receiver<Handed>, Option<Fed>);

impl Ferry {
    /// Begins to carry.
    pub(super) fn start(
        log: OpenLog,
        queue: Receiver<Handed>,
        unlogged: Option<Fed>,
        bell: &Arc<Bell>,
        keeps_queue: bool,
    ) -> Result<Self, SourceError> {
        let OpenLog { input, output } = log;
        let (to, heard, stopped) = (Arc::clone(&input), Arc::clone(bell), Arc::new(AtomicBool::new(false)));
        let until = Arc::clone(&stopped);
        let wanted = move |is_empty: bool| !until.load(Ordering::Acquire) || (!keeps_queue && !is_empty);
        let thread = spawn("ingress", move || carry(queue, unlogged, to.as_ref(), &heard, wanted))?;
        Ok(Ferry { output, input, bell: Arc::clone(bell), keeps_queue, stopped, thread })
    }

    /// What comes next, and at which position it begins; `None` where there is nothing yet.
    pub(super) fn next(&mut self) -> Result<Option<(Position, Fed)>, SourceError> {
        // Looked at first: what was logged before a failure is there when the failure is.
        let failure = self.bell.failure();
        match (self.output.next()?, failure) {
            (Some(logged), _) => Ok(Some((logged.first, entry::decode(&logged)?))),
            (None, Some((what, why))) => Err(SourceError::new(what, why)),
            (None, None) => Ok(None),
        }
    }

    /// Lets the log go of what lies before a position.
    pub(super) fn forget(&mut self, before: Position) {
        self.output.forget(before);
    }

    /// Ends the threads of the source and this one. What they have read by now is logged.
    pub(super) fn stop(self, threads: &mut dyn Threads) {
        if !self.keeps_queue {
            self.bell.stop();
        }
        self.stopped.store(true, Ordering::Release);
        // A log that is full would keep the ferry for ever; what it carries then is not logged.
        let begun = std::time::Instant::now();
        while !self.thread.is_finished() && begun.elapsed() < STOP_WITHIN {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.input.close();
        // A panic over there has been reported, and this is the end of it.
        if let Ok((queue, unlogged)) = self.thread.join() {
            threads.stop(queue, unlogged);
        }
    }
}

/// The call by which a log rings a bell.
pub(super) fn rings(bell: &Arc<Bell>) -> Ring {
    let bell = Arc::clone(bell);
    Box::new(move || bell.ring())
}

/// Carries until there is no more, nobody wants it, or the log takes no more.
fn carry(
    queue: Receiver<Handed>,
    unlogged: Option<Fed>,
    log: &dyn LogInput,
    bell: &Bell,
    wanted: impl Fn(bool) -> bool,
) -> Left {
    let (mut next, mut newest) = (unlogged, None);
    while wanted(false) {
        let waited = next
            .take()
            .map_or_else(|| queue.recv_timeout(LOOK_EVERY), |fed| Ok(Handed { fed, receipts: None }));
        let Handed { fed, receipts } = match waited {
            Ok(handed) => handed,
            Err(RecvTimeoutError::Timeout) if wanted(true) => continue,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return (queue, None),
        };
        let Some((positions, bytes)) = entry::encode(&fed) else {
            if let Fed::Failed { what, why } = fed {
                // A log that fails now has a reason of its own, which the reader finds.
                let _ = newest.map(|behind: Position| log.durable_beyond(Position(behind.0 - 1)));
                bell.failed(what, why);
            }
            return (queue, None);
        };
        let Some(behind) = log.append(positions, bytes) else { return (queue, Some(fed)) };
        newest = Some(behind);
        if let Some(receipts) = receipts {
            receipts.append(positions, behind);
        }
        if fed == Fed::Ended {
            return (queue, None);
        }
    }
    (queue, next)
}
