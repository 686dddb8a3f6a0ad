//! The connection that this node makes to a peer, and makes again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::connection::{Outgoing, lot};
use crate::core::Core;
use crate::hello::{Hello, Reply, hear, say};
use crate::name::NodeName;
use crate::report::DownReason;
use crate::security::Secured;

/// Keeps a connection to a peer, until the peer is forgotten. May be called on any thread.
pub(crate) fn begin(core: &Arc<Core>, node: NodeName, number: u64) {
    let kept = core.clone();
    core.arbiter().spawn_fn(move || {
        actix_rt::spawn(keep(kept, node, number));
    });
}

async fn keep(core: Arc<Core>, node: NodeName, number: u64) {
    let (first, max) = (core.config.retry_first, core.config.retry_max);
    let (mut wait, mut attempt) = (first, 0);
    loop {
        let looked =
            core.peers.look(&node, number, |peer| (peer.address(attempt).to_owned(), peer.dial.clone()));
        let Some((address, hint)) = looked else { return };
        let within = core.config.handshake_within;
        match timeout(within, connect(&core, &node, &address)).await {
            Ok(Ok((outgoing, secured))) => {
                let lasted = Instant::now();
                let reason = hold(&core, &outgoing, secured).await;
                core.tell(core.peers.ended(&node, outgoing.connection, &reason));
                if lasted.elapsed() > max {
                    wait = first;
                }
            }
            Ok(Err(why)) => {
                attempt += 1;
                note(&core, &node, &address, &why);
            }
            Err(_) => {
                attempt += 1;
                note(&core, &node, &address, &format!("no connection within {} ms", within.as_millis()));
            }
        }
        // The first part is waited for in any case, so that two nodes cannot hint at each other without end.
        sleep(first / 4).await;
        tokio::select! {
            () = sleep(jitter(wait)) => {}
            () = hint.notified() => {}
        }
        wait = (wait * 2).min(max);
    }
}

/// Between a half and the whole of it.
fn jitter(wait: Duration) -> Duration {
    wait.mul_f64(0.5 + (lot() % 1024) as f64 / 2048.0)
}

fn note(core: &Core, node: &NodeName, address: &str, why: &str) {
    if core.peers.trouble(node, why) {
        tracing::warn!(%node, address, why, "cannot connect to a peer");
    }
}

/// Dials, and introduces this node.
async fn connect(core: &Core, node: &NodeName, address: &str) -> Result<(Arc<Outgoing>, Secured), String> {
    let traffic = core.peers.traffic(node).ok_or("it was forgotten")?;
    let stream = open(core, address).await?;
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    let mut secured = core.guard.dial(stream, node).await?;
    let connection = lot();
    say(&Hello::new(&core.local, &core.advertise, connection), &mut secured.writer).await?;
    let mut buffer = BytesMut::new();
    let incarnation = match hear(&mut secured.reader, &mut buffer, core.config.hello_bytes_max).await? {
        Reply::Welcome { node: other, incarnation } if other == *node => incarnation,
        Reply::Welcome { node: other, .. } => return Err(format!("node {other} answers at {address}")),
        Reply::Refused { why } => return Err(format!("it refuses this node: {why}")),
    };
    let outgoing = Outgoing::new(node.clone(), incarnation, connection, traffic, &core.config);
    Ok((Arc::new(outgoing), secured))
}

/// Connects to the first address that answers.
async fn open(core: &Core, address: &str) -> Result<TcpStream, String> {
    let resolved = tokio::net::lookup_host(address)
        .await
        .map_err(|error| format!("cannot resolve {address}: {error}"))?;
    let mut trouble = format!("{address} has no address");
    for address in resolved {
        if let Err(error) = core.guard.may_reach(address) {
            trouble = error.to_string();
            continue;
        }
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => trouble = error.to_string(),
        }
    }
    Err(trouble)
}

/// Writes what is to be written until the connection ends; why it did.
async fn hold(core: &Arc<Core>, outgoing: &Arc<Outgoing>, mut secured: Secured) -> DownReason {
    core.tell(core.peers.dialled(outgoing));
    tokio::select! {
        written = outgoing.queue.write_to(&mut secured.writer, &outgoing.traffic) => match written {
            Ok(()) => outgoing.cut.reason().unwrap_or(DownReason::Closed),
            Err(error) => DownReason::Ended(error.to_string()),
        },
        reason = end_of(&mut secured.reader) => reason,
        reason = outgoing.cut.wait() => reason,
    }
}

/// Waits until the peer closes a connection on which it has nothing to say.
async fn end_of(reader: &mut (impl AsyncRead + Unpin + ?Sized)) -> DownReason {
    match reader.read(&mut [0; 1]).await {
        Ok(0) => DownReason::Ended("the peer closed it".to_owned()),
        Ok(_) => DownReason::Violated("it answered where it has nothing to say".to_owned()),
        Err(error) => DownReason::Ended(error.to_string()),
    }
}
