//! Introductions that are accepted, and those that are not.

use super::fixture::*;
use crate::*;

/// Lets `a` dial `b`, and waits until it says why that is refused.
async fn refused(a: Local, b: Local, why: &str) {
    let (peer, a, b) = (b.node.clone(), open(a).await, open(b).await);
    a.learn(&peer, &b.address().to_string());
    trouble(&a, peer.as_str(), why).await;
    assert!(!is_up(&a, peer.as_str()) && b.peers().is_empty());
}

#[actix_rt::test]
async fn who_is_introduced_is_dialled_back_and_up_on_both_sides() {
    let (a, b) = pair().await;
    let seen =
        |links: &Links| links.peers().iter().map(|peer| (peer.node.clone(), peer.up)).collect::<Vec<_>>();
    assert_eq!(seen(&a), [(name("b"), Some(Incarnation(1)))]);
    assert_eq!(seen(&b), [(name("a"), Some(Incarnation(1)))]);
    until("a round trip is measured", || a.peers()[0].round_trip.is_some()).await;
    let (ear, heard) = Ear::open();
    a.watch(ear);
    assert_eq!(hear(&heard).await, PeerChange::Up { node: name("b"), incarnation: Incarnation(1) });
    b.close().await;
    let left = PeerChange::Down { node: name("b"), incarnation: Incarnation(1), reason: DownReason::Left };
    assert_eq!(hear(&heard).await, left);
}

#[actix_rt::test]
async fn links_close_when_the_last_handle_is_dropped() {
    let (a, b) = pair().await;
    drop(b);
    until("b is down", || !is_up(&a, "b")).await;
}

#[actix_rt::test]
async fn another_cluster_is_refused() {
    let other = Local { cluster: "other".to_owned(), ..local("a") };
    refused(other, local("b"), "the node belongs to cluster \"other\", and this is cluster \"test\"").await;
}

#[actix_rt::test]
async fn another_program_is_refused() {
    let other = Local { program: "other".to_owned(), ..local("a") };
    refused(other, local("b"), "runs program \"other\"").await;
}

#[actix_rt::test]
async fn a_node_of_the_same_name_is_refused() {
    let (a, b) = (open(local("b")).await, open(local("b")).await);
    a.learn(&name("c"), &b.address().to_string());
    trouble(&a, "c", "give each its own name").await;
}

#[actix_rt::test]
async fn an_address_that_is_none_is_refused() {
    let other = Local { advertise: Some("nowhere".to_owned()), ..local("a") };
    refused(other, local("b"), "is no host:port").await;
}

#[actix_rt::test]
async fn another_node_at_the_address_is_noticed() {
    let (a, b) = (open(local("a")).await, open(local("b")).await);
    a.learn(&name("c"), &b.address().to_string());
    trouble(&a, "c", "node b answers").await;
    assert!(!is_up(&a, "c"));
}

#[actix_rt::test]
async fn a_life_that_is_over_is_refused() {
    let b = open(local("b")).await;
    let second = open(Local { incarnation: Incarnation(2), ..local("a") }).await;
    second.learn(&name("b"), &b.address().to_string());
    up(&b, "a").await;
    second.close().await;
    until("a is down", || !is_up(&b, "a")).await;
    // What is known of a node by its introduction alone goes with it.
    b.learn(&name("a"), &second.address().to_string());
    let third = open(Local { incarnation: Incarnation(3), ..local("a") }).await;
    third.learn(&name("b"), &b.address().to_string());
    up(&b, "a").await;
    third.close().await;
    until("a is down", || !is_up(&b, "a")).await;
    let first = open(local("a")).await;
    first.learn(&name("b"), &b.address().to_string());
    trouble(&first, "b", "life 1 of the node is over: life 3 of it has been seen").await;
}

#[actix_rt::test]
async fn a_newer_life_is_refused_while_the_older_answers() {
    let (_a, b) = pair().await;
    let newer = open(Local { incarnation: Incarnation(2), ..local("a") }).await;
    newer.learn(&name("b"), &b.address().to_string());
    trouble(&newer, "b", "lives already, as incarnation 1").await;
    assert!(is_up(&b, "a"));
}

#[actix_rt::test]
async fn a_newer_life_takes_the_place_of_one_that_does_not_answer() {
    // Silence alone would be noticed only much later.
    let b = open_within(local("b"), LinkConfig { silent_max: config().silent_max, ..hasty() }).await;
    let a = open(local("a")).await;
    a.learn(&name("b"), &b.address().to_string());
    up(&b, "a").await;
    let (tx, rx) = std::sync::mpsc::channel::<()>();
    // Its thread does nothing any more.
    a.arbiter().spawn_fn(move || {
        let _ = rx.recv();
    });
    let newer = open(Local { incarnation: Incarnation(2), ..local("a") }).await;
    newer.learn(&name("b"), &b.address().to_string());
    until("the newer life is up", || b.peers()[0].up == Some(Incarnation(2))).await;
    drop(tx);
}

#[actix_rt::test]
async fn plain_links_do_not_leave_the_machine() {
    let open = |security| Links::open(local("a"), "0.0.0.0:0".parse().unwrap(), security, config());
    let error = open(Security::Plain).await.unwrap_err();
    assert!(matches!(error, LinkError::NotLoopback { .. }), "{error}");
    let a = open(Security::PlainAnywhere).await.unwrap();
    a.close().await;
    let b = super::fixture::open(local("b")).await;
    // An address for documentation, to which nothing is sent.
    b.learn(&name("c"), "192.0.2.1:9");
    trouble(&b, "c", "is no loopback address").await;
}
