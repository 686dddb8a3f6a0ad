//! The other nodes: where they are, and whether they are up.
//!
//! A peer is up while both of its connections are there, with the same life of it at the other end. Whichever ends
//! first takes the other along, so that both nodes see the link break, and both begin anew.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use actix::Recipient;
use tokio::sync::Notify;

use crate::config::LinkConfig;
use crate::connection::{Incoming, Outgoing};
use crate::hello::{Hello, Refusal};
use crate::name::{Incarnation, NodeName};
use crate::report::{DownReason, PeerChange, PeerReport};
use crate::traffic::Traffic;

/// One other node.
#[derive(Debug)]
pub(crate) struct Peer {
    /// Where this node was told that it listens; `None` where it has only heard its introduction.
    told: Option<String>,
    /// Where it says itself that it listens.
    introduced: Option<String>,
    /// The latest life that was seen.
    latest: Incarnation,
    outgoing: Option<Arc<Outgoing>>,
    incoming: Option<Arc<Incoming>>,
    up: Option<Incarnation>,
    /// Since when it is up or down.
    since: Instant,
    trouble: Option<String>,
    traffic: Arc<Traffic>,
    /// Rings where it is worth to dial now.
    pub(crate) dial: Arc<Notify>,
    /// Distinguishes it from one of the same name that was forgotten.
    number: u64,
}

impl Peer {
    fn learn(&mut self, address: &str, told: bool) {
        let place = if told { &mut self.told } else { &mut self.introduced };
        *place = Some(address.to_owned());
    }

    /// Where to look for it at some try: in turns where this node was told and where it says itself, since it may have
    /// moved, and may not know how it is reached from here.
    pub(crate) fn address(&self, attempt: usize) -> &str {
        let known = [&self.told, &self.introduced].into_iter().flatten();
        known.clone().nth(attempt % known.count()).expect("a peer is learnt with an address")
    }
}

/// All other nodes.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    peers: BTreeMap<NodeName, Peer>,
    watchers: Vec<Recipient<PeerChange>>,
    next: u64,
}

/// How an introduction is to be met.
#[derive(Debug)]
pub(crate) enum Meeting {
    Welcome,
    Refuse(Refusal),
    /// An older life is up: it is to be asked whether it lives.
    Probe(Arc<Outgoing>),
}

/// What becomes of peers, to be told when the peers are not held any more.
type Changes = Vec<PeerChange>;

impl Inner {
    fn announce(&mut self, change: &PeerChange) {
        self.watchers.retain(Recipient::connected);
        for watcher in &self.watchers {
            watcher.do_send(change.clone());
        }
    }

    /// Says that a peer is up where it has become so.
    fn settle(&mut self, node: &NodeName) -> Changes {
        let Some(peer) = self.peers.get_mut(node) else { return Vec::new() };
        let (Some(outgoing), Some(incoming)) = (&peer.outgoing, &peer.incoming) else { return Vec::new() };
        if peer.up.is_some() || outgoing.incarnation != incoming.incarnation {
            return Vec::new();
        }
        let incarnation = outgoing.incarnation;
        peer.up = Some(incarnation);
        (peer.since, peer.trouble) = (Instant::now(), None);
        let incoming = incoming.clone();
        incoming.forgive();
        outgoing.forgive();
        let change = PeerChange::Up { node: node.clone(), incarnation };
        self.announce(&change);
        incoming.up.notify_one();
        vec![change]
    }

    /// Takes both connections of a peer away.
    fn part(&mut self, node: &NodeName, reason: &DownReason) -> Changes {
        let Some(peer) = self.peers.get_mut(node) else { return Vec::new() };
        peer.trouble = Some(reason.to_string());
        if let Some(outgoing) = peer.outgoing.take() {
            outgoing.cut.cut(reason.clone());
            outgoing.queue.close();
        }
        if let Some(incoming) = peer.incoming.take() {
            incoming.cut.cut(reason.clone());
        }
        let Some(incarnation) = peer.up.take() else { return Vec::new() };
        peer.since = Instant::now();
        let change = PeerChange::Down { node: node.clone(), incarnation, reason: reason.clone() };
        self.announce(&change);
        vec![change]
    }
}

impl Peers {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no thread panics while it holds the peers")
    }

    /// Learns where a peer listens. Its number where it was not known, so that somebody has to dial it.
    pub(crate) fn learn(&self, node: &NodeName, address: &str, told: bool) -> Option<u64> {
        let mut inner = self.inner();
        if let Some(peer) = inner.peers.get_mut(node) {
            peer.learn(address, told);
            peer.dial.notify_one();
            return None;
        }
        let number = inner.next;
        inner.next += 1;
        let mut peer = Peer {
            told: None,
            introduced: None,
            latest: Incarnation(0),
            outgoing: None,
            incoming: None,
            up: None,
            since: Instant::now(),
            trouble: None,
            traffic: Arc::new(Traffic::new()),
            dial: Arc::default(),
            number,
        };
        peer.learn(address, told);
        inner.peers.insert(node.clone(), peer);
        Some(number)
    }

    /// Forgets a peer.
    pub(crate) fn forget(&self, node: &NodeName) -> Changes {
        let mut inner = self.inner();
        let changes = inner.part(node, &DownReason::Forgotten);
        if let Some(peer) = inner.peers.remove(node) {
            peer.dial.notify_one();
        }
        changes
    }

    /// Looks at a peer, where it is still the one of that number.
    pub(crate) fn look<T>(&self, node: &NodeName, number: u64, look: impl FnOnce(&Peer) -> T) -> Option<T> {
        self.inner().peers.get(node).filter(|peer| peer.number == number).map(look)
    }

    /// Notes why a peer could not be reached. Whether that is news.
    pub(crate) fn trouble(&self, node: &NodeName, trouble: &str) -> bool {
        let mut inner = self.inner();
        let Some(peer) = inner.peers.get_mut(node) else { return false };
        let is_new = peer.trouble.as_deref() != Some(trouble);
        peer.trouble = Some(trouble.to_owned());
        is_new
    }

    /// How an introduction is to be met.
    pub(crate) fn meet(&self, hello: &Hello, config: &LinkConfig) -> Meeting {
        let inner = self.inner();
        let Some(peer) = inner.peers.get(&hello.node) else {
            let known = inner.peers.len();
            let full = known >= config.peers_max;
            return if full { Meeting::Refuse(Refusal::TooMany { known }) } else { Meeting::Welcome };
        };
        if hello.incarnation < peer.latest {
            return Meeting::Refuse(Refusal::Over { theirs: hello.incarnation, later: peer.latest });
        }
        match (peer.up, &peer.outgoing) {
            (Some(up), Some(outgoing)) if up < hello.incarnation => Meeting::Probe(outgoing.clone()),
            (Some(_) | None, _) => Meeting::Welcome,
        }
    }

    /// Has an accepted connection. What was there before of the peer is replaced.
    pub(crate) fn accepted(&self, node: &NodeName, incoming: Arc<Incoming>) -> Changes {
        let mut inner = self.inner();
        let Some(peer) = inner.peers.get_mut(node) else { return Vec::new() };
        let mut changes = Vec::new();
        let stale = peer.outgoing.as_ref().is_some_and(|out| out.incarnation < incoming.incarnation);
        if peer.up.is_some() || stale {
            changes = inner.part(node, &DownReason::Replaced);
        }
        let peer = inner.peers.get_mut(node).expect("the peer was there a moment ago");
        peer.latest = peer.latest.max(incoming.incarnation);
        if let Some(older) = peer.incoming.replace(incoming) {
            older.cut.cut(DownReason::Replaced);
        }
        peer.dial.notify_one();
        changes.extend(inner.settle(node));
        changes
    }

    /// Has a connection that was dialled and welcomed.
    pub(crate) fn dialled(&self, outgoing: &Arc<Outgoing>) -> Changes {
        let (mut inner, node) = (self.inner(), &outgoing.peer);
        let Some(peer) = inner.peers.get_mut(node) else {
            outgoing.cut.cut(DownReason::Forgotten);
            return Vec::new();
        };
        if outgoing.incarnation < peer.latest {
            outgoing.cut.cut(DownReason::Replaced);
            return Vec::new();
        }
        let mut changes = Vec::new();
        let stale =
            peer.incoming.as_ref().is_some_and(|incoming| incoming.incarnation < outgoing.incarnation);
        if peer.up.is_some() || stale {
            changes = inner.part(node, &DownReason::Replaced);
        }
        let peer = inner.peers.get_mut(node).expect("the peer was there a moment ago");
        peer.latest = peer.latest.max(outgoing.incarnation);
        if let Some(older) = peer.outgoing.replace(outgoing.clone()) {
            older.cut.cut(DownReason::Replaced);
        }
        changes.extend(inner.settle(node));
        changes
    }

    /// A connection has ended, and takes the other one along where the peer was up.
    pub(crate) fn ended(&self, node: &NodeName, connection: u64, reason: &DownReason) -> Changes {
        let mut inner = self.inner();
        let Some(peer) = inner.peers.get_mut(node) else { return Vec::new() };
        let outgoing = peer.outgoing.as_ref().is_some_and(|out| out.connection == connection);
        let incoming = peer.incoming.as_ref().is_some_and(|incoming| incoming.connection == connection);
        if !outgoing && !incoming {
            return Vec::new();
        }
        if peer.up.is_some() {
            let changes = inner.part(node, reason);
            let heard_of_only = inner.peers.get(node).is_some_and(|peer| peer.told.is_none());
            if heard_of_only && *reason == DownReason::Left {
                inner.peers.remove(node);
            }
            return changes;
        }
        peer.trouble = Some(reason.to_string());
        if outgoing && let Some(outgoing) = peer.outgoing.take() {
            outgoing.queue.close();
        }
        if incoming {
            peer.incoming = None;
        }
        Vec::new()
    }

    /// Ends a connection from this side.
    pub(crate) fn cut(&self, node: &NodeName, connection: u64, reason: &DownReason) -> Changes {
        let cut = |peer: &Peer| {
            let outgoing = peer.outgoing.as_ref().filter(|out| out.connection == connection);
            let incoming = peer.incoming.as_ref().filter(|incoming| incoming.connection == connection);
            outgoing
                .map(|out| &out.cut)
                .or(incoming.map(|incoming| &incoming.cut))
                .map(|cut| cut.cut(reason.clone()))
        };
        self.inner().peers.get(node).and_then(cut);
        self.ended(node, connection, reason)
    }

    /// What is counted of a peer.
    pub(crate) fn traffic(&self, node: &NodeName) -> Option<Arc<Traffic>> {
        self.inner().peers.get(node).map(|peer| peer.traffic.clone())
    }

    /// The connection to write on, of a peer that is up.
    pub(crate) fn outgoing(&self, node: &NodeName) -> Option<Arc<Outgoing>> {
        let inner = self.inner();
        let peer = inner.peers.get(node)?;
        peer.up.and_then(|_| peer.outgoing.clone())
    }

    /// The peers that are up.
    pub(crate) fn all_up(&self) -> Vec<NodeName> {
        let inner = self.inner();
        inner.peers.iter().filter(|(_, peer)| peer.up.is_some()).map(|(node, _)| node.clone()).collect()
    }

    /// The connections, and whether their peers are up.
    pub(crate) fn connections(&self) -> Vec<Connections> {
        let connections = |(node, peer): (&NodeName, &Peer)| Connections {
            node: node.clone(),
            outgoing: peer.outgoing.clone(),
            incoming: peer.incoming.clone(),
            up: peer.up.is_some(),
        };
        self.inner().peers.iter().map(connections).collect()
    }

    /// Forgets the peers that are known by their introduction alone, and have been down for long.
    pub(crate) fn forget_old(&self, config: &LinkConfig) {
        self.inner().peers.retain(|_, peer| {
            let keep = peer.told.is_some() || peer.up.is_some() || peer.since.elapsed() < config.forget_after;
            if !keep {
                peer.dial.notify_one();
            }
            keep
        });
    }

    /// Tells of each change from now on, and of what is up already.
    pub(crate) fn watch(&self, to: Recipient<PeerChange>) {
        let mut inner = self.inner();
        for (node, peer) in &inner.peers {
            if let Some(incarnation) = peer.up {
                to.do_send(PeerChange::Up { node: node.clone(), incarnation });
            }
        }
        inner.watchers.push(to);
    }

    /// Breaks all links for good.
    pub(crate) fn close(&self) -> Changes {
        let mut inner = self.inner();
        let nodes: Vec<NodeName> = inner.peers.keys().cloned().collect();
        let changes = nodes.iter().flat_map(|node| inner.part(node, &DownReason::Closed)).collect();
        for peer in std::mem::take(&mut inner.peers).into_values() {
            peer.dial.notify_one();
        }
        changes
    }

    /// What is known of each.
    pub(crate) fn reports(&self) -> Vec<PeerReport> {
        let report = |(node, peer): (&NodeName, &Peer)| PeerReport {
            node: node.clone(),
            address: peer.address(0).to_owned(),
            up: peer.up,
            since: peer.since.elapsed(),
            trouble: peer.trouble.clone(),
            bytes_in: peer.traffic.bytes_in(),
            bytes_out: peer.traffic.bytes_out(),
            frames_in: peer.traffic.frames_in(),
            sends: peer.traffic.sends(),
            waiting_bytes: peer.outgoing.as_ref().map_or(0, |out| out.queue.waiting() as u64),
            round_trip: peer.traffic.round_trip(),
        };
        self.inner().peers.iter().map(report).collect()
    }
}

/// The connections of one peer.
pub(crate) struct Connections {
    pub(crate) node: NodeName,
    pub(crate) outgoing: Option<Arc<Outgoing>>,
    pub(crate) incoming: Option<Arc<Incoming>>,
    pub(crate) up: bool,
}
