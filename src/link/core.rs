//! What all parts of a node's links share.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock, RwLock};

use actix_rt::ArbiterHandle;
use watershed_core::Run;
use watershed_wire::Frame;

use crate::asks::Asks;
use crate::config::{LinkConfig, Local};
use crate::deaths::Deaths;
use crate::error::{AskError, TellError};
use crate::lookout::Lookout;
use crate::name::NodeName;
use crate::peers::Peers;
use crate::registry::Registry;
use crate::report::PeerChange;
use crate::security::Guard;

/// Takes the frames of one run of one job.
pub trait Intake: Send + Sync {
    /// Takes a frame of kind `Records`, `Element`, `Credit` or `Clock`. Called on the thread of the links, for the
    /// frames of one peer in the order in which it sent them; so it must not take long. An error breaks the link with
    /// the peer, and is the reason that is told.
    ///
    /// # Errors
    ///
    /// Where the frame makes no sense in the run.
    fn frame(&self, from: &NodeName, frame: Frame) -> Result<(), String>;
}

/// All that the tasks of a node's links, and the handles to them, have in common.
pub(crate) struct Core {
    pub(crate) local: Local,
    pub(crate) config: LinkConfig,
    pub(crate) guard: Guard,
    /// The address that is really listened on.
    pub(crate) address: SocketAddr,
    /// The address that others are told.
    pub(crate) advertise: String,
    pub(crate) peers: Peers,
    pub(crate) registry: Registry,
    pub(crate) asks: Asks,
    pub(crate) deaths: Deaths,
    pub(crate) intakes: RwLock<HashMap<(u32, Run), Arc<dyn Intake>>>,
    /// How many frames came that nobody took.
    pub(crate) fenced: AtomicU64,
    /// How many accepted connections have not introduced themselves.
    pub(crate) strangers: AtomicUsize,
    pub(crate) lookout: Lookout,
    /// The thread of the links.
    pub(crate) arbiter: OnceLock<ArbiterHandle>,
}

impl Core {
    /// The thread of the links.
    pub(crate) fn arbiter(&self) -> &ArbiterHandle {
        self.arbiter.get().expect("the thread of the links is set before anything runs on it")
    }

    /// Hands a frame to whoever takes those of its run.
    pub(crate) fn take_in(&self, from: &NodeName, frame: Frame) -> Result<(), String> {
        let run = (frame.header.job, frame.header.run);
        let intake =
            self.intakes.read().expect("no thread panics while it holds the intakes").get(&run).cloned();
        match intake {
            Some(intake) => intake.frame(from, frame),
            None => {
                self.fenced.fetch_add(1, Relaxed);
                Ok(())
            }
        }
    }

    /// Sends a message to a peer that is up.
    pub(crate) fn send(&self, node: &NodeName, frame: Vec<u8>) -> Result<(), TellError> {
        let down = || TellError::Down(node.clone());
        self.peers.outgoing(node).ok_or_else(down)?.send(frame).map_err(|_| down())
    }

    /// Acts on changes of peers: tells who watches, and settles what waited for a peer that is down.
    pub(crate) fn tell(&self, changes: Vec<PeerChange>) {
        for change in changes {
            match &change {
                PeerChange::Up { node, incarnation } => {
                    tracing::info!(%node, %incarnation, "a peer is up");
                }
                PeerChange::Down { node, incarnation, reason } => {
                    tracing::warn!(%node, %incarnation, %reason, "a peer is down");
                    self.asks.fail_all(node, &AskError::Down(node.clone()));
                    self.deaths.node_down(node, reason);
                    self.registry.forget_watchers(node);
                }
            }
        }
    }
}
