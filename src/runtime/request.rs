//! What somebody has asked a running job for, until it is answered.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot;
use tokio::sync::oneshot::error::RecvError;
use watershed_core::checkpoint::Pointer;
use watershed_protocol::checkpoint::{Answer, Wish};

/// The answer to a request, once it comes: the checkpoint that was asked for, or with which the job ended. `None`
/// where the job ended without one.
#[derive(Debug)]
#[must_use = "the answer says whether the wish was granted"]
pub struct Asked {
    wish: Wish,
    answer: oneshot::Receiver<Answer>,
}

/// Why a request was not granted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The job says no.
    #[error("{}: {reason}", not_granted(*wish))]
    Refused {
        /// What was asked for.
        wish: Wish,
        /// Why it is not to be had.
        reason: String,
    },
    /// The job is gone.
    #[error("{}: the job was over before it could answer", not_granted(*wish))]
    Over {
        /// What was asked for.
        wish: Wish,
    },
}

impl Asked {
    pub(crate) fn new(wish: Wish, answer: oneshot::Receiver<Answer>) -> Self {
        Asked { wish, answer }
    }

    /// Waits for the answer, on a thread that may block: one where no actors live.
    ///
    /// # Errors
    ///
    /// Where the wish is not granted.
    pub fn wait(self) -> Result<Option<Pointer>, RequestError> {
        judged(self.wish, self.answer.blocking_recv())
    }
}

impl Future for Asked {
    type Output = Result<Option<Pointer>, RequestError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let wish = self.wish;
        Pin::new(&mut self.answer).poll(cx).map(|answer| judged(wish, answer))
    }
}

fn judged(wish: Wish, answer: Result<Answer, RecvError>) -> Result<Option<Pointer>, RequestError> {
    match answer {
        Ok(Answer::Done(pointer)) => Ok(pointer),
        Ok(Answer::Refused { wish, reason }) => Err(RequestError::Refused { wish, reason }),
        Err(_) => Err(RequestError::Over { wish }),
    }
}

fn not_granted(wish: Wish) -> &'static str {
    match wish {
        Wish::Checkpoint => "there is no checkpoint",
        Wish::Savepoint => "there is no savepoint",
        Wish::Suspend => "the job was not suspended",
        Wish::Drain => "the job was not drained",
        Wish::Cancel => "the job was not cancelled",
    }
}
