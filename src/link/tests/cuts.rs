//! Links that break, and are made again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::fixture::*;
use crate::*;

/// Passes connections on to a node, until it is told to cut them or to swallow what goes through.
struct Proxy {
    address: SocketAddr,
    cut: watch::Sender<u32>,
    swallow: Arc<AtomicBool>,
}

impl Proxy {
    async fn open(to: SocketAddr) -> Self {
        let listener = TcpListener::bind(anywhere()).await.unwrap();
        let (address, (cut, seen), swallow) =
            (listener.local_addr().unwrap(), watch::channel(0), Arc::new(AtomicBool::new(false)));
        let swallows = swallow.clone();
        actix_rt::spawn(async move {
            loop {
                let (from, _) = listener.accept().await.unwrap();
                let Ok(to) = TcpStream::connect(to).await else { continue };
                let ((from_read, from_write), (to_read, to_write)) = (from.into_split(), to.into_split());
                let pump = |mut reader: tokio::net::tcp::OwnedReadHalf,
                            mut writer: tokio::net::tcp::OwnedWriteHalf| {
                    let swallows = swallows.clone();
                    async move {
                        let mut bytes = [0; 4096];
                        while let Ok(read @ 1..) = reader.read(&mut bytes).await {
                            if !swallows.load(Relaxed) && writer.write_all(&bytes[..read]).await.is_err() {
                                break;
                            }
                        }
                    }
                };
                let (forth, back) = (pump(from_read, to_write), pump(to_read, from_write));
                let mut seen = seen.clone();
                seen.mark_unchanged();
                actix_rt::spawn(async move {
                    tokio::select! {
                        () = forth => {}
                        () = back => {}
                        _ = seen.changed() => {}
                    }
                });
            }
        });
        Proxy { address, cut, swallow }
    }
}

/// Two nodes that reach each other through a proxy.
async fn apart(limits: LinkConfig) -> (Links, Links, Proxy) {
    let b = open_within(local("b"), limits.clone()).await;
    let proxy = Proxy::open(b.address()).await;
    let a = open_within(local("a"), limits).await;
    a.learn(&name("b"), &proxy.address.to_string());
    up(&a, "b").await;
    up(&b, "a").await;
    (a, b, proxy)
}

#[actix_rt::test]
async fn a_link_that_is_cut_is_made_again() {
    let (a, b, proxy) = apart(config()).await;
    let (ear, heard) = Ear::open();
    b.watch(ear);
    for _ in 0..5 {
        assert!(matches!(hear(&heard).await, PeerChange::Up { .. }));
        let before = a.frames(&name("b"));
        proxy.cut.send_modify(|cuts| *cuts += 1);
        assert!(matches!(hear(&heard).await, PeerChange::Down { .. }));
        if let Some(before) = before {
            until("the old connection takes nothing", || before.send(vec![0]).is_err()).await;
        }
    }
    assert!(matches!(hear(&heard).await, PeerChange::Up { .. }));
    up(&a, "b").await;
}

#[actix_rt::test]
async fn silence_is_noticed_in_time_on_both_sides() {
    let (a, b, proxy) = apart(hasty()).await;
    let (ear_a, heard_a) = Ear::open();
    let (ear_b, heard_b) = Ear::open();
    a.watch(ear_a);
    b.watch(ear_b);
    hear(&heard_a).await;
    hear(&heard_b).await;
    // Only what a writes is lost. One of them notices first, b that nothing comes or a that nothing is answered, and
    // ends the connections.
    proxy.swallow.store(true, Relaxed);
    let heard = [hear(&heard_a).await, hear(&heard_b).await];
    assert!(heard.iter().all(|change| matches!(change, PeerChange::Down { .. })), "{heard:?}");
    let silent =
        |change: &PeerChange| matches!(change, PeerChange::Down { reason: DownReason::Silent(_), .. });
    assert!(heard.iter().any(silent), "{heard:?}");
    proxy.swallow.store(false, Relaxed);
    up(&a, "b").await;
    up(&b, "a").await;
}

#[actix_rt::test]
async fn a_peer_whose_thread_hangs_is_down() {
    let (a, b) = pair_within(hasty()).await;
    let (tx, rx) = std::sync::mpsc::channel::<()>();
    b.arbiter().spawn_fn(move || {
        let _ = rx.recv();
    });
    until("b is down", || !is_up(&a, "b")).await;
    drop(tx);
    up(&a, "b").await;
    up(&b, "a").await;
}

#[actix_rt::test]
async fn a_peer_that_is_forgotten_is_down_at_once() {
    let (a, b) = pair().await;
    let (ear, heard) = Ear::open();
    a.watch(ear);
    hear(&heard).await;
    a.forget(&name("b"));
    assert!(a.peers().is_empty() && a.frames(&name("b")).is_none());
    let (node, reason) = (name("b"), DownReason::Forgotten);
    assert_eq!(hear(&heard).await, PeerChange::Down { node, incarnation: Incarnation(1), reason });
    drop(b);
}
