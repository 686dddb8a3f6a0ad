//! The questions of this node that wait for answers.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use tokio::sync::oneshot;

use crate::error::AskError;
use crate::name::NodeName;

/// What comes back: the MessagePack of an answer, or whether an actor was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answered {
    Done(Vec<u8>),
    Found(bool),
}

/// All of them, by number.
#[derive(Debug)]
pub(crate) struct Asks {
    inner: Mutex<Inner>,
    waiting_max: usize,
}

#[derive(Debug, Default)]
struct Inner {
    next: u64,
    waiting: HashMap<u64, (NodeName, oneshot::Sender<Result<Answered, AskError>>)>,
}

/// One of them. Whoever drops it does not wait any more.
#[derive(Debug)]
pub(crate) struct Waiting<'a> {
    asks: &'a Asks,
    pub(crate) id: u64,
    pub(crate) answer: oneshot::Receiver<Result<Answered, AskError>>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.asks.inner().waiting.remove(&self.id);
    }
}

impl Asks {
    pub(crate) fn new(waiting_max: usize) -> Self {
        Asks { inner: Mutex::default(), waiting_max }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no thread panics while it holds the asks")
    }

    /// Begins to wait for the answer of a node.
    pub(crate) fn begin(&self, node: &NodeName) -> Result<Waiting<'_>, AskError> {
        let (tx, answer) = oneshot::channel();
        let mut inner = self.inner();
        let waiting = inner.waiting.len();
        if waiting >= self.waiting_max {
            return Err(AskError::TooMany { waiting });
        }
        let id = inner.next;
        inner.next += 1;
        inner.waiting.insert(id, (node.clone(), tx));
        drop(inner);
        Ok(Waiting { asks: self, id, answer })
    }

    /// Has an answer, which is dropped where nobody waits for it from that node.
    pub(crate) fn answer(&self, from: &NodeName, id: u64, answer: Result<Answered, AskError>) {
        let mut inner = self.inner();
        if inner.waiting.get(&id).is_some_and(|(node, _)| node == from)
            && let Some((_, tx)) = inner.waiting.remove(&id)
        {
            drop(inner);
            // Whoever asked may have stopped waiting.
            let _ = tx.send(answer);
        }
    }

    /// Fails all that wait for a node.
    pub(crate) fn fail_all(&self, node: &NodeName, error: &AskError) {
        let mut inner = self.inner();
        let waiting = std::mem::take(&mut inner.waiting);
        let (failed, kept) = waiting.into_iter().partition(|(_, (of, _))| of == node);
        inner.waiting = kept;
        drop(inner);
        let failed: HashMap<_, (NodeName, oneshot::Sender<_>)> = failed;
        for (_, tx) in failed.into_values() {
            let _ = tx.send(Err(error.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_counts_only_from_the_node_that_was_asked() {
        let asks = Asks::new(1);
        let (a, b) = (NodeName::new("a").unwrap(), NodeName::new("b").unwrap());
        let mut waiting = asks.begin(&a).unwrap();
        assert!(matches!(asks.begin(&a), Err(AskError::TooMany { waiting: 1 })));
        asks.answer(&b, waiting.id, Ok(Answered::Found(true)));
        assert!(waiting.answer.try_recv().is_err());
        asks.answer(&a, waiting.id, Ok(Answered::Found(false)));
        assert_eq!(waiting.answer.try_recv(), Ok(Ok(Answered::Found(false))));
        drop(waiting);
        assert!(asks.inner().waiting.is_empty());
    }
}
