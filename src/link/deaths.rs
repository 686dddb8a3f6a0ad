//! The actors of other nodes that actors of this one watch.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use actix::{Message, Recipient};

use crate::name::NodeName;
use crate::report::DownReason;

/// A watched actor is no more, as far as can be known from here. Told once.
#[derive(Clone, Debug, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct Terminated {
    /// The node of the actor.
    pub node: NodeName,
    /// Its name.
    pub actor: String,
    /// Why.
    pub why: Ending,
}

/// Why a watched actor is no more.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// It stopped, or its name was taken back.
    Stopped,
    /// There was none of that name.
    Unknown,
    /// Its node went down. Whether the actor lives is not known.
    NodeDown(DownReason),
    /// Its node was not up. Whether the actor lives is not known.
    Unreachable,
}

/// All watches, by number.
#[derive(Debug, Default)]
pub(crate) struct Deaths {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    next: u64,
    watches: HashMap<u64, Watch>,
}

#[derive(Debug)]
struct Watch {
    node: NodeName,
    actor: String,
    to: Recipient<Terminated>,
}

impl Watch {
    fn tell(self, why: Ending) {
        self.to.do_send(Terminated { node: self.node, actor: self.actor, why });
    }
}

impl Deaths {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no thread panics while it holds the watches")
    }

    /// Begins a watch; its number.
    pub(crate) fn begin(&self, node: &NodeName, actor: &str, to: Recipient<Terminated>) -> u64 {
        let mut inner = self.inner();
        let id = inner.next;
        inner.next += 1;
        // Nobody is left to be told of those.
        inner.watches.retain(|_, watch| watch.to.connected());
        inner.watches.insert(id, Watch { node: node.clone(), actor: actor.to_owned(), to });
        id
    }

    /// Ends a watch on an actor of a node.
    pub(crate) fn end(&self, node: &NodeName, id: u64, why: Ending) {
        let mut inner = self.inner();
        if inner.watches.get(&id).is_some_and(|watch| watch.node == *node)
            && let Some(watch) = inner.watches.remove(&id)
        {
            drop(inner);
            watch.tell(why);
        }
    }

    /// Ends all watches on actors of a node.
    pub(crate) fn node_down(&self, node: &NodeName, reason: &DownReason) {
        let mut inner = self.inner();
        let watches = std::mem::take(&mut inner.watches);
        let (over, kept): (HashMap<_, _>, _) =
            watches.into_iter().partition(|(_, watch)| watch.node == *node);
        inner.watches = kept;
        drop(inner);
        for watch in over.into_values() {
            watch.tell(Ending::NodeDown(reason.clone()));
        }
    }
}
