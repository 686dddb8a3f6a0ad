//! kameo: an actor that is reached over libp2p.
//!
//! The connection is TCP with `yamux`, and plain as those of the others are. The swarm is made by hand: the one that
//! kameo makes by itself listens on all addresses, encrypts, and looks for others by multicast. The actor is not looked
//! up by its name; what says where it is comes from the second process.
//!
//! kameo opens a stream of libp2p for each message, of which no more than [`STREAMS`] may be open at once: what is told
//! beyond them is dropped. So tells are acknowledged, that many at a time.

use std::convert::Infallible;
use std::fmt::Display;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use kameo::prelude::*;
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, PeerId, Swarm, SwarmBuilder, identity, plaintext, tcp, yamux};
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use crate::measure::{self, Figures, Load, Remote};
use crate::second::say;

/// How many streams are open at once: kameo's default.
const STREAMS: usize = 100;

/// How long a connection stays without a message.
const IDLE_MAX: Duration = Duration::from_secs(600);

/// How long a message or its answer may take.
const REQUEST_WITHIN: Duration = Duration::from_secs(10);

/// Answers with the number that it is asked with, and counts what it is told.
#[derive(Actor, RemoteActor)]
struct Echo {
    told: u64,
}

#[derive(Serialize, Deserialize)]
struct Ask {
    number: u64,
}

#[derive(Serialize, Deserialize)]
struct Tell {
    #[serde(with = "serde_bytes")]
    payload: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct Arrived;

#[remote_message]
impl Message<Ask> for Echo {
    type Reply = u64;

    async fn handle(&mut self, ask: Ask, _: &mut Context<Self, u64>) -> u64 {
        ask.number
    }
}

#[remote_message]
impl Message<Tell> for Echo {
    type Reply = ();

    async fn handle(&mut self, _: Tell, _: &mut Context<Self, ()>) {
        self.told += 1;
    }
}

#[remote_message]
impl Message<Arrived> for Echo {
    type Reply = u64;

    async fn handle(&mut self, _: Arrived, _: &mut Context<Self, u64>) -> u64 {
        self.told
    }
}

/// Where the actor is.
#[derive(Serialize, Deserialize)]
struct Place {
    address: Multiaddr,
    node: Vec<u8>,
    /// The reference to the actor, as MessagePack.
    actor: Vec<u8>,
}

fn failed(error: impl Display) -> String {
    error.to_string()
}

fn swarm() -> Result<Swarm<remote::Behaviour>, String> {
    let plain = |keys: &identity::Keypair| Ok::<_, Infallible>(plaintext::Config::new(keys));
    let config = remote::messaging::Config::default()
        .with_request_timeout(REQUEST_WITHIN)
        .with_max_concurrent_streams(STREAMS);
    let swarm = SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(tcp::Config::default(), plain, yamux::Config::default)
        .map_err(failed)?
        .with_behaviour(|keys| remote::Behaviour::new(keys.public().to_peer_id(), config))
        .map_err(failed)?
        .with_swarm_config(|config| config.with_idle_connection_timeout(IDLE_MAX))
        .build();
    swarm.behaviour().try_init_global().map_err(failed)?;
    Ok(swarm)
}

/// Has the actor for ever.
pub(crate) fn answer() -> Result<(), String> {
    Runtime::new().map_err(failed)?.block_on(async {
        let mut swarm = swarm()?;
        let anywhere = "/ip4/127.0.0.1/tcp/0".parse().map_err(failed)?;
        swarm.listen_on(anywhere).map_err(failed)?;
        let echo = Echo::spawn(Echo { told: 0 });
        let actor = rmp_serde::to_vec_named(&echo.into_remote_ref().await).map_err(failed)?;
        loop {
            if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
                let place = Place { address, node: swarm.local_peer_id().to_bytes(), actor: actor.clone() };
                say(&serde_json::to_string(&place).map_err(failed)?)?;
            }
        }
    })
}

/// The actor of the other process.
struct Other(RemoteActorRef<Echo>);

impl Remote for Other {
    async fn ask(&self, number: u64) -> Result<u64, String> {
        self.0.ask(&Ask { number }).await.map_err(failed)
    }

    async fn tell(&self, messages: u64, bytes: usize) -> Result<(), String> {
        let tell = |_| async move {
            let tell = Tell { payload: vec![7; bytes] };
            self.0.tell(&tell).send_ack().await.map_err(failed)
        };
        stream::iter(0..messages).map(tell).buffer_unordered(STREAMS).try_collect::<()>().await
    }

    async fn arrived(&self) -> Result<u64, String> {
        self.0.ask(&Arrived).await.map_err(failed)
    }
}

/// Asks and tells the actor at some place.
pub(crate) fn measure(place: &str, load: &Load) -> Result<Figures, String> {
    let Place { address, node, actor } = serde_json::from_str(place).map_err(failed)?;
    Runtime::new().map_err(failed)?.block_on(async {
        let mut swarm = swarm()?;
        let node = PeerId::from_bytes(&node).map_err(failed)?;
        swarm.add_peer_address(node, address.clone());
        swarm.dial(address).map_err(failed)?;
        let (tx, connected) = oneshot::channel();
        let mut tx = Some(tx);
        tokio::spawn(async move {
            loop {
                match swarm.select_next_some().await {
                    SwarmEvent::ConnectionEstablished { .. } => {
                        // Whoever waits for it may have been interrupted.
                        let _ = tx.take().map(|tx| tx.send(Ok(())));
                    }
                    SwarmEvent::OutgoingConnectionError { error, .. } => {
                        let _ = tx.take().map(|tx| tx.send(Err(error.to_string())));
                    }
                    _ => {}
                }
            }
        });
        connected.await.map_err(failed)??;
        let other = Other(rmp_serde::from_slice(&actor).map_err(failed)?);
        let (ask_p50_us, ask_p99_us) = measure::ask(&other, load).await?;
        let tells_per_second = measure::tells(&other, load).await?;
        Ok(Figures { ask_p50_us, ask_p99_us, tells_per_second })
    })
}
