//! A thread of a writer's own that talks to the database.
//!
//! A subtask shares its thread with others, and a database may be slow, down or gone. So the writer never waits for it
//! longer than its patience: what takes longer goes on here, and the writer asks again. It is also why the blocking client
//! is the right one: it must not be used on a thread that runs futures, and here none runs.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use watershed_core::SinkError;

type Task<S> = Box<dyn FnOnce(&mut S) + Send>;

/// Hands tasks to the thread, which does them one after the other. Dropped, it lets the thread end behind the last.
pub(super) struct Desk<S> {
    tasks: Sender<Task<S>>,
}

/// What the thread works with, and what it does unasked now and then.
pub(super) trait Clerk: Send + 'static {
    /// How often [`Clerk::look_after`] is called.
    fn every(&self) -> Duration;

    /// Called between two tasks.
    fn look_after(&mut self);
}

/// The answer to a task, as soon as there is one.
pub(super) struct Answer<R>(Receiver<R>);

impl<S: Clerk> Desk<S> {
    /// Starts the thread.
    pub(super) fn new(mut clerk: S) -> Result<Desk<S>, SinkError> {
        let (tasks, queue) = mpsc::channel::<Task<S>>();
        let work = move || {
            let mut next = Instant::now() + clerk.every();
            loop {
                match queue.recv_timeout(next.saturating_duration_since(Instant::now())) {
                    Ok(task) => task(&mut clerk),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                }
                if Instant::now() >= next {
                    clerk.look_after();
                    next = Instant::now() + clerk.every();
                }
            }
        };
        let started = thread::Builder::new().name("postgres-sink".to_owned()).spawn(work);
        started.map_err(|error| SinkError::new("a thread for the database", error))?;
        Ok(Desk { tasks })
    }

    /// Hands a task over.
    pub(super) fn ask<R: Send + 'static>(
        &self,
        task: impl FnOnce(&mut S) -> R + Send + 'static,
    ) -> Answer<R> {
        let (answer, wait) = mpsc::channel();
        // Where the thread is gone, the answer never comes, and says so.
        let _ = self.tasks.send(Box::new(move |clerk| drop(answer.send(task(clerk)))));
        Answer(wait)
    }
}

impl<R> Answer<Result<R, SinkError>> {
    /// Waits for the answer; none where it takes longer.
    pub(super) fn within(&self, patience: Duration) -> Option<Result<R, SinkError>> {
        match self.0.recv_timeout(patience) {
            Ok(answer) => Some(answer),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                Some(Err(SinkError::new("the thread that talks to the database", "has ended by a panic")))
            }
        }
    }
}
