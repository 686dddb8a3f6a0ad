//! The connections that others make to this node.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use crate::connection::Incoming;
use crate::core::Core;
use crate::dial;
use crate::hello::{Hello, Refusal, Reply, hear, say};
use crate::messages::InHand;
use crate::name::NodeName;
use crate::peers::Meeting;
use crate::receive::Receiver;
use crate::report::DownReason;
use crate::security::{Identity, Secured};

/// How long to wait where the system cannot accept a connection, for want of file descriptors for example.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// How often it is said that there are too many strangers.
const SAY_EVERY: Duration = Duration::from_secs(1);

/// Of how many nodes it is remembered that they were refused.
const REFUSED_MAX: usize = 256;

/// How often an older life is asked whether it has answered.
const PROBE_EVERY: Duration = Duration::from_millis(5);

/// A connection that has not introduced itself.
struct Stranger(Arc<Core>);

impl Drop for Stranger {
    fn drop(&mut self) {
        self.0.strangers.fetch_sub(1, Relaxed);
    }
}

/// What all connections of a node have in common, on the one thread that serves them.
#[derive(Clone, Default)]
struct Shared {
    in_hand: InHand,
    /// Why nodes were last refused. It is said once, however often they come again.
    refused: Rc<RefCell<BTreeMap<NodeName, Refusal>>>,
}

impl Shared {
    /// Notes that a node is refused. Whether that is news.
    fn refuse(&self, node: &NodeName, why: &Refusal) -> bool {
        let mut refused = self.refused.borrow_mut();
        if refused.len() >= REFUSED_MAX {
            refused.clear();
        }
        refused.insert(node.clone(), why.clone()).as_ref() != Some(why)
    }
}

/// Accepts connections for ever.
pub(crate) async fn listen(core: Arc<Core>, listener: TcpListener) {
    let shared = Shared::default();
    let mut said: Option<Instant> = None;
    loop {
        let (stream, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(ACCEPT_RETRY).await;
                continue;
            }
        };
        let strangers = core.strangers.load(Relaxed);
        if strangers >= core.config.connections_without_hello_max {
            if said.is_none_or(|said| said.elapsed() > SAY_EVERY) {
                said = Some(Instant::now());
                tracing::warn!(%from, strangers, "closed connections: too many have not introduced themselves");
            }
            continue;
        }
        core.strangers.fetch_add(1, Relaxed);
        let stranger = Stranger(core.clone());
        actix_rt::spawn(serve(core.clone(), shared.clone(), stranger, stream, from));
    }
}

/// Serves one connection from its beginning to its end.
async fn serve(core: Arc<Core>, shared: Shared, stranger: Stranger, stream: TcpStream, from: SocketAddr) {
    let within = core.config.handshake_within;
    let met = timeout(within, meet(&core, stream)).await;
    let (hello, incoming, mut secured, mut buffer) = match met {
        Ok(Ok(met)) => met,
        Ok(Err(Closing::Broken(why))) => {
            tracing::warn!(%from, why, "closed a connection");
            return;
        }
        Ok(Err(Closing::Refused { node, why })) => {
            if shared.refuse(&node, &why) {
                tracing::warn!(%from, %node, %why, "refused a node");
            }
            return;
        }
        Err(_) => {
            let within_ms = within.as_millis() as u64;
            tracing::warn!(%from, within_ms, "closed a connection that did not introduce itself in time");
            return;
        }
    };
    drop(stranger);
    shared.refused.borrow_mut().remove(&hello.node);
    let Some(traffic) = core.peers.traffic(&hello.node) else { return };
    let node = hello.node;
    let receiver = Receiver {
        core: core.clone(),
        in_hand: shared.in_hand,
        node: node.clone(),
        incoming: incoming.clone(),
        traffic,
    };
    let reason = tokio::select! {
        reason = receiver.run(&mut secured.reader, &mut buffer) => reason,
        reason = incoming.cut.wait() => reason,
    };
    if let DownReason::Violated(why) = &reason {
        tracing::warn!(%from, %node, %why, "closed a connection that broke the protocol");
    }
    core.tell(core.peers.ended(&node, incoming.connection, &reason));
}

type Met = (Hello, Arc<Incoming>, Secured, BytesMut);

/// Why a connection is closed before anything was read from it but the introduction.
enum Closing {
    Broken(String),
    Refused { node: NodeName, why: Refusal },
}

impl From<String> for Closing {
    fn from(why: String) -> Self {
        Closing::Broken(why)
    }
}

/// Hears the introduction of a node, and answers it.
async fn meet(core: &Arc<Core>, stream: TcpStream) -> Result<Met, Closing> {
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    let mut secured = core.guard.accept(stream).await?;
    let mut buffer = BytesMut::new();
    let hello: Hello = hear(&mut secured.reader, &mut buffer, core.config.hello_bytes_max).await?;
    if let Err(why) = consider(core, &hello, &secured.identity).await {
        let reply = Reply::Refused { why: why.clone() };
        say(&reply, &mut secured.writer).await?;
        return Err(Closing::Refused { node: hello.node, why });
    }
    let incoming = Arc::new(Incoming::new(hello.incarnation, hello.connection));
    if let Some(number) = core.peers.learn(&hello.node, &hello.advertise, false) {
        dial::begin(core, hello.node.clone(), number);
    }
    core.tell(core.peers.accepted(&hello.node, incoming.clone()));
    let reply = Reply::Welcome { node: core.local.node.clone(), incarnation: core.local.incarnation };
    if let Err(why) = say(&reply, &mut secured.writer).await {
        core.tell(core.peers.ended(&hello.node, hello.connection, &DownReason::Ended(why.clone())));
        return Err(why.into());
    }
    Ok((hello, incoming, secured, buffer))
}

/// Whether a node is welcome.
async fn consider(core: &Arc<Core>, hello: &Hello, identity: &Identity) -> Result<(), Refusal> {
    if !identity.is(&hello.node) {
        return Err(Refusal::Certificate(hello.node.clone()));
    }
    hello.check(&core.local)?;
    loop {
        match core.peers.meet(hello, &core.config) {
            Meeting::Welcome => return Ok(()),
            Meeting::Refuse(why) => return Err(why),
            Meeting::Probe(older) => {
                let (begun, sequence) = (Instant::now(), older.ping());
                while !older.is_answered(sequence) {
                    let ended = core.peers.outgoing(&hello.node).is_none_or(|up| !Arc::ptr_eq(&up, &older));
                    if ended {
                        break;
                    }
                    if begun.elapsed() > core.config.probe_within {
                        core.tell(core.peers.ended(&hello.node, older.connection, &DownReason::Replaced));
                        break;
                    }
                    sleep(PROBE_EVERY).await;
                }
                if older.is_answered(sequence) {
                    return Err(Refusal::Lives { lives: older.incarnation });
                }
            }
        }
    }
}
