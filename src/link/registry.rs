//! The actors of this node that are reached by their names.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, RwLock};
use std::time::{Duration, Instant};

use crate::config::LinkConfig;
use crate::door::{Door, RemoteMessage, Typed};
use crate::error::Fault;
use crate::name::NodeName;

/// All of them, and what did not reach any.
#[derive(Default)]
pub(crate) struct Registry {
    named: RwLock<HashMap<String, Named>>,
    lost: Mutex<Lost>,
}

/// One actor, or several that share a name and take different types of messages.
#[derive(Default)]
struct Named {
    doors: HashMap<&'static str, Arc<dyn Door>>,
    watchers: Vec<Watcher>,
    /// Whether the name stays while no actor has it.
    held: bool,
}

/// Who wants to know when an actor is no more: a watch of a node, by its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Watcher {
    pub(crate) node: NodeName,
    pub(crate) id: u64,
}

#[derive(Default)]
struct Lost {
    /// By what is wrong, without its details.
    counts: BTreeMap<Fault, u64>,
    /// When something was last said of a name.
    said: HashMap<String, Instant>,
}

/// How often a lost message for one name is worth a line.
const SAY_EVERY: Duration = Duration::from_secs(1);

/// Of how many names it is remembered when something was said of them.
const SAID_MAX: usize = 1_024;

impl Registry {
    fn named(&self) -> std::sync::RwLockReadGuard<'_, HashMap<String, Named>> {
        self.named.read().expect("no thread panics while it holds the names")
    }

    fn named_mut(&self) -> std::sync::RwLockWriteGuard<'_, HashMap<String, Named>> {
        self.named.write().expect("no thread panics while it holds the names")
    }

    /// Gives an actor a name. Whether there was room for it.
    pub(crate) fn register<M: RemoteMessage>(&self, name: &str, door: Typed<M>, config: &LinkConfig) -> bool {
        let mut named = self.named_mut();
        if name.len() > config.name_bytes_max
            || (named.len() >= config.names_max && !named.contains_key(name))
        {
            return false;
        }
        named.entry(name.to_owned()).or_default().doors.insert(M::NAME, Arc::new(door));
        true
    }

    /// Keeps a name while no actor has it, or does so no more.
    pub(crate) fn hold(&self, name: &str, held: bool) {
        let mut named = self.named_mut();
        if held {
            named.entry(name.to_owned()).or_default().held = true;
        } else if let Some(named) = named.get_mut(name) {
            named.held = false;
        }
    }

    /// Takes a name back. Those who watched it.
    pub(crate) fn unregister(&self, name: &str) -> Vec<Watcher> {
        self.named_mut().remove(name).map(|named| named.watchers).unwrap_or_default()
    }

    /// Takes the names of actors back that have stopped. Those who watched them.
    pub(crate) fn sweep(&self) -> Vec<Watcher> {
        let gone = |named: &Named| !named.held && !named.doors.values().any(|door| door.connected());
        if !self.named().values().any(gone) {
            return Vec::new();
        }
        let mut watchers = Vec::new();
        self.named_mut().retain(|_, named| {
            let gone = gone(named);
            if gone {
                watchers.append(&mut named.watchers);
            }
            !gone
        });
        watchers
    }

    /// The door of an actor for a type of messages.
    pub(crate) fn door(&self, name: &str, message: &str) -> Result<Arc<dyn Door>, Fault> {
        let named = self.named();
        let doors = &named.get(name).ok_or(Fault::UnknownActor)?.doors;
        doors.get(message).cloned().ok_or(Fault::UnknownMessage)
    }

    /// Watches an actor. Whether there is one, and room for the watch.
    pub(crate) fn watch(&self, name: &str, watcher: Watcher, config: &LinkConfig) -> bool {
        let mut named = self.named_mut();
        let Some(named) = named.get_mut(name) else { return false };
        let of_node = named.watchers.iter().filter(|other| other.node == watcher.node).count();
        let lives = named.held || named.doors.values().any(|door| door.connected());
        if !lives || of_node >= config.watchers_max {
            return false;
        }
        named.watchers.push(watcher);
        true
    }

    /// Forgets the watches of a node that is down.
    pub(crate) fn forget_watchers(&self, node: &NodeName) {
        for named in self.named_mut().values_mut() {
            named.watchers.retain(|watcher| watcher.node != *node);
        }
    }

    /// Counts a message that did not reach its actor, and says so, though not too often.
    pub(crate) fn lose(&self, from: &NodeName, name: &str, message: &str, fault: &Fault) {
        let kind = match fault {
            Fault::Undecodable(_) => Fault::Undecodable(String::new()),
            Fault::Unsendable(_) => Fault::Unsendable(String::new()),
            Fault::UnknownActor | Fault::UnknownMessage | Fault::Gone | Fault::Full | Fault::Unanswered => {
                fault.clone()
            }
        };
        let mut lost = self.lost.lock().expect("no thread panics while it holds the counts");
        *lost.counts.entry(kind).or_default() += 1;
        if lost.said.len() >= SAID_MAX {
            lost.said.retain(|_, said| said.elapsed() < SAY_EVERY);
        }
        let recent = lost.said.get(name).is_some_and(|said| said.elapsed() < SAY_EVERY);
        if !recent && lost.said.len() < SAID_MAX {
            lost.said.insert(name.to_owned(), Instant::now());
            drop(lost);
            tracing::warn!(%from, actor = ?name, ?message, %fault, "a message did not reach its actor");
        }
    }

    /// How many messages did not reach their actors, by what was wrong.
    pub(crate) fn lost(&self) -> BTreeMap<Fault, u64> {
        self.lost.lock().expect("no thread panics while it holds the counts").counts.clone()
    }
}
