//! Links between nodes, and actors that are reached over them.
//!
//! A node opens its [`Links`] once. It learns where others listen, or they introduce themselves; from then on a link is
//! kept up to each, and made anew whenever it breaks. Over one link go
//!
//! - the frames of running jobs, which [`FrameSender`] sends and an [`Intake`] takes,
//! - messages for actors that are [registered](Links::register) by name: told, asked, and watched through a
//!   [`RemoteActor`],
//! - signs of life, by which it is noticed within a bounded time that a peer is gone.
//!
//! ```text
//!   node a                                        node b
//!   writes ──── the connection that a dialled ───► reads
//!   reads  ◄─── the connection that b dialled ──── writes
//! ```
//!
//! A peer is [up](PeerChange::Up) while both connections are, with one life of it at the other end. All sockets of a
//! node are served by one thread, and nothing that happens on it ever waits for a peer: what a slow peer does not take
//! is kept up to a limit, and then the link is broken.
//!
//! # Actors on other nodes
//!
//! Any actix actor can be given a name, by which all nodes tell it, ask it and watch it. Two nodes, here in one process:
//!
//! ```
//! use actix::prelude::*;
//! use serde::{Deserialize, Serialize};
//! use watershed_link::*;
//!
//! #[derive(Message, Serialize, Deserialize)]
//! #[rtype(result = "u64")]
//! struct Add {
//!     number: u64,
//! }
//!
//! impl RemoteMessage for Add {
//!     const NAME: &'static str = "add";
//! }
//!
//! #[derive(Default)]
//! struct Sum(u64);
//!
//! impl Actor for Sum {
//!     type Context = Context<Self>;
//! }
//!
//! impl Handler<Add> for Sum {
//!     type Result = u64;
//!
//!     fn handle(&mut self, add: Add, _: &mut Context<Self>) -> u64 {
//!         self.0 += add.number;
//!         self.0
//!     }
//! }
//!
//! /// Hears when an actor is no more.
//! struct Mourner(Option<tokio::sync::oneshot::Sender<Ending>>);
//!
//! impl Actor for Mourner {
//!     type Context = Context<Self>;
//! }
//!
//! impl Handler<Terminated> for Mourner {
//!     type Result = ();
//!
//!     fn handle(&mut self, terminated: Terminated, _: &mut Context<Self>) {
//!         let told = self.0.take().map(|tx| tx.send(terminated.why));
//!         assert_eq!(told, Some(Ok(())));
//!     }
//! }
//!
//! async fn open(node: &str) -> Result<Links, Box<dyn std::error::Error>> {
//!     let (cluster, program, node) = ("sums".to_owned(), "sums".to_owned(), NodeName::new(node)?);
//!     let local = Local { cluster, node, incarnation: Incarnation(1), program, advertise: None };
//!     Ok(Links::open(local, "127.0.0.1:0".parse()?, Security::Plain, LinkConfig::default()).await?)
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! System::new().block_on(async {
//!     let (a, b) = (open("a").await?, open("b").await?);
//!
//!     // On node b: an actor that is started anew when it panics. `register` gives a name to one that runs already.
//!     let takes = Takes::new().message::<Add>();
//!     b.supervise("sum", takes, Strategy::Restart(Restarts::default()), &Arbiter::current(), Sum::default);
//!
//!     // On node a: it is found wherever it is, once the link is up.
//!     a.learn(&b.local().node, &b.address().to_string());
//!     let sum = loop {
//!         match a.lookup::<Add>("sum").await {
//!             Err(LookupError::Unknown { .. }) => actix_rt::time::sleep(std::time::Duration::from_millis(5)).await,
//!             found => break found?,
//!         }
//!     };
//!     sum.tell(Add { number: 1 })?; // arrives once or never, in order; never waits
//!     assert_eq!(sum.ask(Add { number: 2 }).await?, 3); // or a typed error that says why there is no answer
//!
//!     let (tx, rx) = tokio::sync::oneshot::channel();
//!     sum.watch(Mourner(Some(tx)).start().recipient());
//!     b.close().await;
//!     assert_eq!(rx.await?, Ending::NodeDown(DownReason::Left));
//!     Ok(())
//! })
//! # }
//! ```

mod accept;
mod asks;
#[cfg(feature = "tls")]
pub mod certs;
mod config;
mod connection;
mod core;
mod deaths;
mod dial;
mod door;
mod envelope;
mod error;
mod frames;
mod hello;
mod links;
mod lookout;
mod messages;
mod msgpack;
mod name;
mod peers;
mod pulse;
mod queue;
mod receive;
mod registry;
mod remote;
mod report;
mod security;
mod supervise;
#[cfg(feature = "tls")]
mod tls;
mod traffic;

#[cfg(test)]
mod tests;

pub use config::{LinkConfig, Local};
pub use core::Intake;
pub use deaths::{Ending, Terminated};
pub use door::RemoteMessage;
pub use error::{AskError, Fault, LinkDown, LinkError, LookupError, TellError};
pub use frames::FrameSender;
pub use hello::Refusal;
pub use links::Links;
pub use name::{Incarnation, NAME_BYTES_MAX, NameError, NodeName};
pub use remote::RemoteActor;
pub use report::{DownReason, PeerChange, PeerReport};
pub use security::{Security, TlsFiles};
pub use supervise::{Escalation, Restarts, Strategy, Takes};
