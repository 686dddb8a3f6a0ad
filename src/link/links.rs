//! The links of one node, opened and used.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, OnceLock};

use actix::{Recipient, System};
use actix_rt::{Arbiter, ArbiterHandle};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};
use watershed_core::Run;

use crate::accept;
use crate::asks::{Answered, Asks};
use crate::config::{LinkConfig, Local};
use crate::core::{Core, Intake};
use crate::dial;
use crate::door::{RemoteMessage, Typed};
use crate::envelope::Envelope;
use crate::error::{Fault, LinkError, LookupError};
use crate::frames::FrameSender;
use crate::lookout::Lookout;
use crate::messages;
use crate::name::NodeName;
use crate::pulse;
use crate::remote::RemoteActor;
use crate::report::{PeerChange, PeerReport};
use crate::security::{Guard, Security};

/// The links of one node to all others. A handle: clones are the same links, which close when the last is dropped.
#[derive(Clone)]
pub struct Links {
    core: Arc<Core>,
    _life: Arc<Life>,
}

/// Ends the thread of the links.
struct Life(Arc<Core>);

impl Drop for Life {
    fn drop(&mut self) {
        self.0.tell(self.0.peers.close());
        self.0.arbiter().stop();
    }
}

impl fmt::Debug for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Core { local, address, .. } = &*self.core;
        f.debug_struct("Links").field("local", local).field("address", address).finish_non_exhaustive()
    }
}

impl Links {
    /// Listens, on a thread of its own that does all the reading and writing of this node's links.
    ///
    /// # Errors
    ///
    /// Where the address cannot be listened on, or not so; where a certificate cannot be used; where no actor system
    /// runs here.
    pub async fn open(
        local: Local,
        listen: SocketAddr,
        security: Security,
        config: LinkConfig,
    ) -> Result<Links, LinkError> {
        System::try_current().ok_or(LinkError::NoSystem)?;
        check(&config)?;
        let guard = Guard::new(&security)?;
        guard.may_reach(listen)?;
        let failed = |source| LinkError::Listen { address: listen, source };
        let listener = std::net::TcpListener::bind(listen).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let core = Arc::new(Core {
            advertise: local.advertise.clone().unwrap_or_else(|| address.to_string()),
            local,
            guard,
            address,
            peers: crate::peers::Peers::default(),
            registry: crate::registry::Registry::default(),
            asks: Asks::new(config.asks_waiting_max),
            deaths: crate::deaths::Deaths::default(),
            intakes: std::sync::RwLock::default(),
            fenced: AtomicU64::new(0),
            strangers: std::sync::atomic::AtomicUsize::new(0),
            lookout: Lookout::new(config.vigil),
            arbiter: OnceLock::new(),
            config,
        });
        let arbiter = Arbiter::new();
        core.arbiter.get_or_init(|| arbiter.handle());
        let (begun, (tx, rx)) = (core.clone(), oneshot::channel());
        arbiter.spawn_fn(move || {
            // Whoever opened the links may not wait any more.
            let _ = tx.send(TcpListener::from_std(listener).map(|listener| begin(begun, listener)));
        });
        rx.await.map_err(|_| LinkError::Ended)?.map_err(failed)?;
        Ok(Links { _life: Arc::new(Life(core.clone())), core })
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// What this node says of itself.
    pub fn local(&self) -> &Local {
        &self.core.local
    }

    /// The address that is really listened on.
    pub fn address(&self) -> SocketAddr {
        self.core.address
    }

    /// The thread of the links. An actor on it hears from other nodes without another thread being woken; it must not
    /// keep that thread busy for long.
    pub fn arbiter(&self) -> ArbiterHandle {
        self.core.arbiter().clone()
    }

    /// Learns where a peer listens, as `host:port`, and keeps a link to it from now on.
    pub fn learn(&self, node: &NodeName, address: &str) {
        if *node == self.core.local.node {
            return;
        }
        if let Some(number) = self.core.peers.learn(node, address, true) {
            dial::begin(&self.core, node.clone(), number);
        }
    }

    /// Keeps no link to a peer any more, until it is learnt anew or introduces itself.
    pub fn forget(&self, node: &NodeName) {
        self.core.tell(self.core.peers.forget(node));
    }

    /// What is known of each peer.
    pub fn peers(&self) -> Vec<PeerReport> {
        self.core.peers.reports()
    }

    /// Tells of peers that come up and go down from now on, and of those that are up already.
    pub fn watch(&self, to: Recipient<PeerChange>) {
        self.core.peers.watch(to);
    }

    /// Sends frames over the connection to a peer that is up now.
    pub fn frames(&self, node: &NodeName) -> Option<FrameSender> {
        self.core.peers.outgoing(node).map(FrameSender::new)
    }

    /// Whether whoever writes records to other nodes is to compress them.
    pub fn compresses_records(&self) -> bool {
        self.core.config.compress_records
    }

    /// Takes the frames of one run of a job from now on.
    pub fn take_frames(&self, job: u32, run: Run, intake: Arc<dyn Intake>) {
        self.core
            .intakes
            .write()
            .expect("no thread panics while it holds the intakes")
            .insert((job, run), intake);
    }

    /// Takes them no more: those that still come are dropped and counted.
    pub fn end_frames(&self, job: u32, run: Run) {
        let removed = self
            .core
            .intakes
            .write()
            .expect("no thread panics while it holds the intakes")
            .remove(&(job, run));
        // It may have much to drop, for which the others need not wait.
        drop(removed);
    }

    /// How many frames came for runs that nobody takes them for.
    pub fn fenced(&self) -> u64 {
        self.core.fenced.load(Relaxed)
    }

    /// How many messages did not reach their actors, by what was wrong.
    pub fn dead_letters(&self) -> BTreeMap<Fault, u64> {
        self.core.registry.lost()
    }

    /// Gives an actor a name by which all nodes reach it. A name can take messages of several types; of each type, the
    /// last actor that was registered for it gets them. Whether there was room for the name, see
    /// [`LinkConfig::names_max`].
    pub fn register<M: RemoteMessage>(&self, name: &str, actor: Recipient<M>) -> bool {
        let config = &self.core.config;
        self.core.registry.register(name, Typed::new(actor, config.inbox_messages_max), config)
    }

    /// Takes a name back. Who watches it is told that the actor is no more.
    pub fn unregister(&self, name: &str) {
        messages::gone(&self.core, self.core.registry.unregister(name), false);
    }

    /// An actor of a node, by its name. Whether there is one shows when a message is sent.
    pub fn actor<M: RemoteMessage>(&self, node: &NodeName, name: &str) -> RemoteActor<M> {
        RemoteActor::new(self.core.clone(), node.clone(), name)
    }

    /// Finds an actor by its name, on this node or on those that are up.
    ///
    /// # Errors
    ///
    /// Where none has it, or several have.
    pub async fn lookup<M: RemoteMessage>(&self, name: &str) -> Result<RemoteActor<M>, LookupError> {
        let own = &self.core.local.node;
        let mut found: Vec<NodeName> = Vec::new();
        if self.core.registry.door(name, M::NAME).is_ok_and(|door| door.connected()) {
            found.push(own.clone());
        }
        let peers = self.core.peers.all_up();
        let deadline = Instant::now() + self.core.config.ask_within;
        let mut waiting = Vec::new();
        for node in &peers {
            let Ok(begun) = self.core.asks.begin(node) else { continue };
            let find = Envelope::Find { id: begun.id, actor: name, message: M::NAME };
            if self.core.send(node, find.frame()).is_ok() {
                waiting.push((node, begun));
            }
        }
        for (node, mut begun) in waiting {
            let answer = tokio::time::timeout_at(deadline, &mut begun.answer).await;
            if matches!(answer, Ok(Ok(Ok(Answered::Found(true))))) {
                found.push(node.clone());
            }
        }
        match &found[..] {
            [node] => Ok(self.actor(node, name)),
            [] => {
                let asked = std::iter::once(own.clone()).chain(peers).collect();
                Err(LookupError::Unknown { name: name.to_owned(), message: M::NAME, asked })
            }
            _ => Err(LookupError::Ambiguous { name: name.to_owned(), found }),
        }
    }

    /// Says good-bye to all peers and closes the links for good.
    pub async fn close(&self) {
        let ending: Vec<_> =
            self.core.peers.connections().into_iter().filter_map(|peer| peer.outgoing).collect();
        for outgoing in &ending {
            // Where it is down already, nobody is there to be told.
            let _ = outgoing.send(Envelope::Leave.frame());
            outgoing.queue.finish();
        }
        let written = async {
            while ending.iter().any(|outgoing| outgoing.queue.waiting() > 0) {
                sleep(std::time::Duration::from_millis(1)).await;
            }
        };
        if timeout(self.core.config.close_within, written).await.is_err() {
            tracing::warn!("a peer did not take this node's good-bye in time");
        }
        self.core.tell(self.core.peers.close());
        self.core.arbiter().stop();
    }
}

/// A limit of zero would let nothing happen at all.
fn check(config: &LinkConfig) -> Result<(), LinkError> {
    let times = [
        ("ping_every", config.ping_every),
        ("silent_max", config.silent_max),
        ("handshake_within", config.handshake_within),
        ("frame_within", config.frame_within),
        ("retry_first", config.retry_first),
        ("retry_max", config.retry_max),
    ];
    let zero = times.iter().find(|(_, time)| time.is_zero()).map(|(name, _)| *name);
    zero.map_or(Ok(()), |name| Err(LinkError::Limit { name }))
}

/// Begins all that a node's links do by themselves. To be called on their thread.
fn begin(core: Arc<Core>, listener: TcpListener) {
    let looking = core.clone();
    actix_rt::spawn(async move { looking.lookout.keep().await });
    actix_rt::spawn(pulse::beat(core.clone()));
    actix_rt::spawn(accept::listen(core, listener));
}
