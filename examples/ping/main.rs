//! How long it takes to ask an actor of another node.
//!
//! `cargo run --release --example ping` links two nodes in one process and asks from one to the other. In two processes:
//!
//! ```sh
//! cargo run --release --example ping -- --listen 127.0.0.1:7000
//! cargo run --release --example ping -- --peer 127.0.0.1:7000
//! ```
//!
//! An actor that lives on the thread of the links hears from others without a second thread being woken, and so does
//! whoever asks from there; the example asks from there and from a thread of its own, to show what that is worth.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use actix::prelude::*;
use clap::Parser;
use serde::{Deserialize, Serialize};
use watershed::link::{
    Incarnation, LinkConfig, Links, Local, LookupError, NodeName, RemoteActor, RemoteMessage, Security,
};

/// Asks an actor of another node, again and again, and says how long that takes.
#[derive(Parser)]
struct Arguments {
    /// Answers at this address, until it is interrupted.
    #[arg(long, conflicts_with = "peer")]
    listen: Option<SocketAddr>,
    /// Asks the node that listens at this address.
    #[arg(long)]
    peer: Option<SocketAddr>,
    /// How often.
    #[arg(long, default_value_t = 20_000)]
    asks: usize,
}

/// What is asked. It goes by the wire as a MessagePack map.
#[derive(Message, Serialize, Deserialize)]
#[rtype(result = "u64")]
struct Ping {
    number: u64,
}

impl RemoteMessage for Ping {
    const NAME: &'static str = "ping";
}

/// Answers with the number that it was asked with.
struct Pong;

impl Actor for Pong {
    type Context = Context<Self>;
}

impl Handler<Ping> for Pong {
    type Result = u64;

    fn handle(&mut self, ping: Ping, _: &mut Context<Self>) -> u64 {
        ping.number
    }
}

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

async fn open(node: &str, listen: SocketAddr) -> Outcome<Links> {
    // Each start is a later life than all before.
    let incarnation = Incarnation(std::time::UNIX_EPOCH.elapsed()?.as_millis() as u64);
    let (cluster, program, node) = ("ping".to_owned(), "ping".to_owned(), NodeName::new(node)?);
    let local = Local { cluster, node, incarnation, program, advertise: None };
    Ok(Links::open(local, listen, Security::Plain, LinkConfig::default()).await?)
}

async fn answer(listen: SocketAddr) -> Outcome<Links> {
    let links = open("pong", listen).await?;
    let pong = Pong::start_in_arbiter(&links.arbiter(), |_| Pong);
    links.register("pong", pong.recipient::<Ping>());
    println!("node pong listens at {}", links.address());
    Ok(links)
}

/// Finds the actor, wherever it is, as soon as the link to its node is up.
async fn find(links: &Links) -> Result<RemoteActor<Ping>, LookupError> {
    let begun = Instant::now();
    loop {
        match links.lookup("pong").await {
            Err(LookupError::Unknown { .. }) if begun.elapsed() < Duration::from_secs(5) => {
                actix_rt::time::sleep(Duration::from_millis(10)).await;
            }
            found => return found,
        }
    }
}

/// Asks one after the other; how long each took, in order.
async fn ask(pong: RemoteActor<Ping>, asks: usize) -> Vec<Duration> {
    let mut times = Vec::with_capacity(asks);
    for number in 0..asks as u64 {
        let begun = Instant::now();
        match pong.ask(Ping { number }).await {
            Ok(answer) => assert_eq!(answer, number, "an answer belongs to its question"),
            Err(error) => println!("ask {number}: {error}"),
        }
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    times
}

fn tell(from: &str, times: &[Duration]) {
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    let (p50, p99, most) = (at(0.5), at(0.99), at(1.0));
    println!("{} asks from {from}: p50 {p50:.1?}, p99 {p99:.1?}, at most {most:.1?}", times.len());
}

async fn run(arguments: Arguments) -> Outcome<()> {
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    if let Some(listen) = arguments.listen {
        let links = answer(listen).await?;
        actix_rt::signal::ctrl_c().await?;
        links.close().await;
        return Ok(());
    }
    let here = if arguments.peer.is_none() { Some(answer(anywhere).await?) } else { None };
    let peer = arguments.peer.or(here.as_ref().map(Links::address)).unwrap_or(anywhere);
    let links = open("ping", anywhere).await?;
    links.learn(&NodeName::new("pong")?, &peer.to_string());
    let pong = find(&links).await?;
    println!("found {} at {peer}", pong.node());

    let asks = arguments.asks.max(1);
    let (tx, rx) = tokio::sync::oneshot::channel();
    let asked = pong.clone();
    links.arbiter().spawn(async move {
        let _ = tx.send(ask(asked, asks).await);
    });
    tell("the thread of the links", &rx.await?);
    tell("another thread", &ask(pong, asks).await);
    links.close().await;
    Ok(())
}

fn main() -> std::process::ExitCode {
    match System::new().block_on(run(Arguments::parse())) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ping: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}
