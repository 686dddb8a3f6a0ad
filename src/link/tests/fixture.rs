//! Nodes for tests, and what they hear.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use actix::prelude::*;

use crate::*;

/// How long a test waits for what must come.
const WAIT_MAX: Duration = Duration::from_secs(120);

/// An address of this machine on which any free port is taken.
pub(crate) fn anywhere() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

pub(crate) fn name(node: &str) -> NodeName {
    NodeName::new(node).unwrap()
}

pub(crate) fn local(node: &str) -> Local {
    Local {
        cluster: "test".to_owned(),
        node: name(node),
        incarnation: Incarnation(1),
        program: "program".to_owned(),
        advertise: None,
    }
}

/// Limits that a machine does not come upon which stands still for seconds.
pub(crate) fn config() -> LinkConfig {
    let patience = Duration::from_secs(60);
    LinkConfig {
        ping_every: Duration::from_millis(50),
        silent_max: patience,
        handshake_within: patience,
        probe_within: patience,
        frame_within: patience,
        ask_within: patience,
        retry_first: Duration::from_millis(20),
        retry_max: Duration::from_millis(200),
        ..LinkConfig::default()
    }
}

/// Short limits, for what happens when they have passed.
pub(crate) fn hasty() -> LinkConfig {
    LinkConfig {
        silent_max: Duration::from_millis(800),
        handshake_within: Duration::from_millis(500),
        probe_within: Duration::from_millis(200),
        frame_within: Duration::from_millis(400),
        ..config()
    }
}

/// The trouble with a peer, waited for.
pub(crate) async fn trouble(links: &Links, node: &str, part: &str) {
    let mut seen = Vec::new();
    let has = |peer: &PeerReport| peer.trouble.as_ref().is_some_and(|trouble| trouble.contains(part));
    let begun = Instant::now();
    while !links.peers().iter().any(|peer| peer.node == name(node) && has(peer)) {
        seen.extend(links.peers().into_iter().filter_map(|peer| peer.trouble));
        seen.dedup();
        assert!(begun.elapsed() < WAIT_MAX, "waited in vain for trouble {part:?} among {seen:#?}");
        actix_rt::time::sleep(Duration::from_millis(2)).await;
    }
}

pub(crate) async fn open(local: Local) -> Links {
    open_within(local, config()).await
}

pub(crate) async fn open_within(local: Local, limits: LinkConfig) -> Links {
    Links::open(local, anywhere(), Security::Plain, limits).await.unwrap()
}

/// Two nodes that know each other.
pub(crate) async fn pair() -> (Links, Links) {
    pair_within(config()).await
}

pub(crate) async fn pair_within(limits: LinkConfig) -> (Links, Links) {
    let (a, b) = (open_within(local("a"), limits.clone()).await, open_within(local("b"), limits).await);
    a.learn(&name("b"), &b.address().to_string());
    up(&a, "b").await;
    up(&b, "a").await;
    (a, b)
}

pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < WAIT_MAX, "waited in vain until {what}");
        actix_rt::time::sleep(Duration::from_millis(2)).await;
    }
}

pub(crate) fn is_up(links: &Links, node: &str) -> bool {
    links.peers().iter().any(|peer| peer.node == name(node) && peer.up.is_some())
}

pub(crate) async fn up(links: &Links, node: &str) {
    until(&format!("{node} is up"), || is_up(links, node)).await;
}

/// An actor that passes on what it is sent.
pub(crate) struct Ear<M>(Sender<M>);

impl<M: Message<Result = ()> + Unpin + Send + 'static> Ear<M> {
    pub(crate) fn open() -> (Recipient<M>, Receiver<M>) {
        let (tx, rx) = channel();
        (Ear(tx).start().recipient(), rx)
    }
}

impl<M: Unpin + 'static> Actor for Ear<M> {
    type Context = Context<Self>;
}

impl<M: Message<Result = ()> + Unpin + 'static> Handler<M> for Ear<M> {
    type Result = ();

    fn handle(&mut self, message: M, _: &mut Context<Self>) {
        let _ = self.0.send(message);
    }
}

/// Waits for something that an [`Ear`] hears.
pub(crate) async fn hear<M>(from: &Receiver<M>) -> M {
    let mut heard = None;
    until("something is heard", || {
        heard = from.try_recv().ok();
        heard.is_some()
    })
    .await;
    heard.unwrap()
}
