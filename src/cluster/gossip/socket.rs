//! Gossip over the node's transport.
//!
//! `chitchat` knows nodes by socket address, and a link is to a name. So each name stands for an address that nobody
//! connects to: `fd`, followed by fifteen bytes of the name's hash. Which name an address stands for is learned from the
//! list of coordinators, from whoever is heard, and from what is heard of others.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chitchat::transport::{Socket, Transport as Opens};
use chitchat::{ChitchatMessage, Deserializable, Serializable};
use tokio::sync::mpsc;

use crate::Transport;

/// How many names are remembered.
const NAMES_MAX: usize = 4096;

/// Any port: the address alone says who it is.
const PORT: u16 = 1;

/// The address that stands for a node.
pub(super) fn address(node: &str) -> SocketAddr {
    let mut bytes = [0; 16];
    bytes[0] = 0xfd;
    bytes[1..].copy_from_slice(&blake3::hash(node.as_bytes()).as_bytes()[..15]);
    SocketAddr::new(IpAddr::V6(Ipv6Addr::from(bytes)), PORT)
}

/// Which node an address stands for.
#[derive(Debug)]
pub(super) struct Names {
    me: String,
    known: Mutex<BTreeMap<SocketAddr, String>>,
}

impl Names {
    /// The names that are known from the beginning; the last is this node's.
    pub(super) fn new<'a>(names: impl Iterator<Item = &'a String> + Clone) -> Names {
        let me = names.clone().last().cloned().unwrap_or_default();
        Names { me, known: Mutex::new(names.map(|name| (address(name), name.clone())).collect()) }
    }

    pub(super) fn is_self(&self, node: &str) -> bool {
        self.me == node
    }

    pub(super) fn learn(&self, node: &str) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() < NAMES_MAX {
            known.entry(address(node)).or_insert_with(|| node.to_owned());
        }
    }

    fn name(&self, of: &SocketAddr) -> Option<String> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(of).cloned()
    }
}

/// A piece of gossip that has arrived.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) from: SocketAddr,
    pub(super) body: Vec<u8>,
}

/// Opens the one socket of this node.
pub(super) struct Carrier(Mutex<Option<Pipe>>);

struct Pipe {
    hearing: mpsc::Receiver<Heard>,
    names: Arc<Names>,
    transport: Arc<dyn Transport>,
}

impl Carrier {
    pub(super) fn new(
        hearing: mpsc::Receiver<Heard>,
        names: Arc<Names>,
        transport: Arc<dyn Transport>,
    ) -> Carrier {
        Carrier(Mutex::new(Some(Pipe { hearing, names, transport })))
    }
}

#[async_trait]
impl Opens for Carrier {
    async fn open(&self, _listen_addr: SocketAddr) -> anyhow::Result<Box<dyn Socket>> {
        let pipe = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok(Box::new(pipe.ok_or_else(|| anyhow::anyhow!("gossip is open already"))?))
    }
}

#[async_trait]
impl Socket for Pipe {
    async fn send(&mut self, to: SocketAddr, message: ChitchatMessage) -> anyhow::Result<()> {
        if let Some(name) = self.names.name(&to) {
            self.transport.tell(&name, message.serialize_to_vec());
        }
        Ok(())
    }

    async fn recv(&mut self) -> anyhow::Result<(SocketAddr, ChitchatMessage)> {
        loop {
            let Some(Heard { from, body }) = self.hearing.recv().await else {
                anyhow::bail!("the node has closed");
            };
            match ChitchatMessage::deserialize(&mut body.as_slice()) {
                Ok(message) => return Ok((from, message)),
                Err(failed) => tracing::debug!(%from, %failed, "a piece of gossip is not understood"),
            }
        }
    }
}
