//! ractor: an actor that is reached over `ractor_cluster`.
//!
//! Both processes have a node server on loopback; the first one connects, and finds the actor in the group that it
//! joined.

use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, pg};
use ractor_cluster::{NodeServer, NodeServerMessage, RactorClusterMessage};
use tokio::runtime::Runtime;

use crate::measure::{self, Figures, Load, Remote};
use crate::second::say;

/// The group that the actor joins.
const GROUP: &str = "echo";

/// How long the actor is looked for.
const FOUND_WITHIN: Duration = Duration::from_secs(10);

/// How long an answer may take.
const ASK_WITHIN_MS: u64 = 10_000;

/// Answers with the number that it is asked with, and counts what it is told.
struct Echo;

#[derive(RactorClusterMessage)]
enum Word {
    #[rpc]
    Ask(u64, RpcReplyPort<u64>),
    Tell(Vec<u8>),
    #[rpc]
    Arrived(RpcReplyPort<u64>),
}

impl Actor for Echo {
    type Msg = Word;
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Word>, (): ()) -> Result<u64, ActorProcessingErr> {
        Ok(0)
    }

    async fn handle(&self, _: ActorRef<Word>, word: Word, told: &mut u64) -> Result<(), ActorProcessingErr> {
        match word {
            Word::Ask(number, reply) => reply.send(number)?,
            Word::Tell(_) => *told += 1,
            Word::Arrived(reply) => reply.send(*told)?,
        }
        Ok(())
    }
}

fn failed(error: impl Display) -> String {
    error.to_string()
}

/// Starts a node server on a free port of loopback.
async fn server(name: &str) -> Result<(ActorRef<NodeServerMessage>, u16), String> {
    let here = IpAddr::from(Ipv4Addr::LOCALHOST);
    let free = TcpListener::bind((here, 0)).map_err(failed)?;
    let port = free.local_addr().map_err(failed)?.port();
    drop(free);
    let (cookie, name, host) = ("bench".to_owned(), name.to_owned(), "localhost".to_owned());
    let server = NodeServer::new(port, cookie, name, host, None, None).with_listen_addr(here);
    let (server, _) = Actor::spawn(None, server, ()).await.map_err(failed)?;
    Ok((server, port))
}

/// Has the actor for ever.
pub(crate) fn answer() -> Result<(), String> {
    Runtime::new().map_err(failed)?.block_on(async {
        let (_server, port) = server("second").await?;
        let (echo, _) = Actor::spawn(None, Echo, ()).await.map_err(failed)?;
        pg::join(GROUP.to_owned(), vec![echo.get_cell()]);
        say(&port.to_string())?;
        std::future::pending().await
    })
}

/// Finds the actor of the other process.
async fn find() -> Result<ActorRef<Word>, String> {
    let begun = Instant::now();
    while begun.elapsed() < FOUND_WITHIN {
        if let Some(echo) = pg::get_members(&GROUP.to_owned()).pop() {
            return Ok(echo.into());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Err("the actor was not found".to_owned())
}

/// The actor of the other process.
struct Other(ActorRef<Word>);

impl Remote for Other {
    async fn ask(&self, number: u64) -> Result<u64, String> {
        ractor::call_t!(self.0, Word::Ask, ASK_WITHIN_MS, number).map_err(failed)
    }

    async fn tell(&self, messages: u64, bytes: usize) -> Result<(), String> {
        for _ in 0..messages {
            self.0.cast(Word::Tell(vec![7; bytes])).map_err(failed)?;
        }
        Ok(())
    }

    async fn arrived(&self) -> Result<u64, String> {
        ractor::call_t!(self.0, Word::Arrived, ASK_WITHIN_MS).map_err(failed)
    }
}

/// Asks and tells the actor of the node at some port.
pub(crate) fn measure(port: &str, load: &Load) -> Result<Figures, String> {
    let port: u16 = port.parse().map_err(failed)?;
    Runtime::new().map_err(failed)?.block_on(async {
        let (server, _) = server("first").await?;
        ractor_cluster::client_connect(&server, (Ipv4Addr::LOCALHOST, port)).await.map_err(failed)?;
        let other = Other(find().await?);
        let (ask_p50_us, ask_p99_us) = measure::ask(&other, load).await?;
        let tells_per_second = measure::tells(&other, load).await?;
        Ok(Figures { ask_p50_us, ask_p99_us, tells_per_second })
    })
}
