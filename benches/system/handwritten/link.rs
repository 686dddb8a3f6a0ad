//! Channels between the two threads: batches one way, empty buffers the other.
//!
//! Each thread waits for neither: a bounded channel of the standard library costs some 20 ns a message,
//! nothing beside a batch of thousands.

use std::hint;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Instant;

use crate::workload::SUBTASKS;

/// Batches under way to one thread.
const CREDIT: usize = 8;
/// Rounds without work after which a thread lets others run.
const IDLE_ROUNDS: u32 = 64;

/// One thread's ends of the channels to and from the other.
#[derive(Debug)]
pub(super) struct Link<M, B> {
    data_out: SyncSender<M>,
    data_in: Receiver<M>,
    buffers_out: SyncSender<B>,
    buffers_in: Receiver<B>,
}

impl<M, B> Link<M, B> {
    /// Both threads' ends; the buffers that are the credit already wait at either side.
    pub(super) fn pair(buffer: impl Fn() -> B) -> [Self; SUBTASKS] {
        let ((data_1, data_in_1), (data_0, data_in_0)) = (sync_channel(CREDIT), sync_channel(CREDIT));
        let ((buffers_1, buffers_in_1), (buffers_0, buffers_in_0)) =
            (sync_channel(CREDIT), sync_channel(CREDIT));
        for buffers in [&buffers_0, &buffers_1] {
            (0..CREDIT).for_each(|_| {
                buffers.send(buffer()).unwrap_or_else(|_| unreachable!("the receiver is in this function"));
            });
        }
        [
            Self { data_out: data_1, data_in: data_in_0, buffers_out: buffers_1, buffers_in: buffers_in_0 },
            Self { data_out: data_0, data_in: data_in_1, buffers_out: buffers_0, buffers_in: buffers_in_1 },
        ]
    }

    /// A buffer to fill, if there is credit.
    pub(super) fn buffer(&self) -> Option<B> {
        self.buffers_in.try_recv().ok()
    }

    /// Sends what was filled.
    pub(super) fn send(&self, message: M) {
        assert!(self.data_out.send(message).is_ok(), "a subtask receives until the last message");
    }

    /// What the other thread sent, if anything.
    pub(super) fn receive(&self) -> Option<M> {
        self.data_in.try_recv().ok()
    }

    /// What the other thread sends until `end`.
    pub(super) fn receive_until(&self, end: Instant) -> Option<M> {
        match self.data_in.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(message) => Some(message),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                // The other thread has ended, which must not make this one spin.
                thread::sleep(end.saturating_duration_since(Instant::now()));
                None
            }
        }
    }

    /// Gives a buffer back; the other thread may have ended and not need it.
    pub(super) fn give_back(&self, buffer: B) {
        drop(self.buffers_out.try_send(buffer));
    }
}

/// Counts rounds without work, and waits a little in each.
#[derive(Debug, Default)]
pub(super) struct Idle {
    rounds: u32,
}

impl Idle {
    /// There was work in this round.
    pub(super) fn end(&mut self) {
        self.rounds = 0;
    }

    /// A round is over; waits unless there was work in it.
    pub(super) fn round(&mut self) {
        match self.rounds {
            0 => {}
            1..IDLE_ROUNDS => hint::spin_loop(),
            IDLE_ROUNDS.. => thread::yield_now(),
        }
        self.rounds = self.rounds.saturating_add(1);
    }
}
