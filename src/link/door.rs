//! Where messages of one type reach an actor that is known by its name.

use std::any::Any;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use actix::dev::SendError;
use actix::{MailboxError, Message, Recipient};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Fault;
use crate::msgpack;
use crate::name::NodeName;

/// A message that can be sent to an actor of another node. Fields go by name, so a later version of it may have more of
/// them, with defaults.
///
/// Where an ask and tells are sent to an actor whose mailbox is full, the ask may be overtaken by later tells; tells are
/// never overtaken by tells, nor asks by asks.
pub trait RemoteMessage:
    Message<Result: Serialize + DeserializeOwned + Send> + Serialize + DeserializeOwned + Send + 'static
{
    /// What the type is called on the wire, the same in all programs that use it.
    const NAME: &'static str;

    /// Called on a message that has come over a link, before its actor gets it, with the node at the other end: the one
    /// that has introduced itself there, and in whose name its certificate is. A message that says who sends it is put
    /// right here. The default does nothing. Not called for messages of the own node.
    fn sent_by(&mut self, node: &NodeName) {
        let _ = node;
    }
}

/// The answer of an actor, under way.
pub(crate) type Answering = Pin<Box<dyn Future<Output = Result<Vec<u8>, Fault>>>>;

/// One type of messages of one actor.
pub(crate) trait Door: Send + Sync {
    /// Hands a message over.
    fn tell(&self, from: &NodeName, payload: &[u8]) -> Result<(), Fault>;
    /// Hands a message over whose answer is wanted.
    fn ask(&self, from: &NodeName, payload: &[u8]) -> Result<Answering, Fault>;
    /// Whether the actor lives.
    fn connected(&self) -> bool;
    /// Itself, for those who know its type.
    fn as_any(&self) -> &dyn Any;
}

/// The door for messages of type `M`.
pub(crate) struct Typed<M: RemoteMessage> {
    pub(crate) to: Recipient<M>,
    /// How many messages have been handed over since the mailbox last had room. A mailbox takes all that it is told, so
    /// this is what bounds it.
    crowd: AtomicU64,
    crowd_max: u64,
}

impl<M: RemoteMessage> Typed<M> {
    pub(crate) fn new(to: Recipient<M>, crowd_max: u64) -> Self {
        Typed { to, crowd: AtomicU64::new(0), crowd_max }
    }

    /// Hands a message over.
    pub(crate) fn tell(&self, message: M) -> Result<(), Fault> {
        match self.to.try_send(message) {
            Ok(()) => {
                self.crowd.store(0, Relaxed);
                Ok(())
            }
            Err(SendError::Closed(_)) => Err(Fault::Gone),
            Err(SendError::Full(message)) => {
                if self.crowd.load(Relaxed) >= self.crowd_max {
                    return Err(Fault::Full);
                }
                self.crowd.fetch_add(1, Relaxed);
                self.to.do_send(message);
                Ok(())
            }
        }
    }
}

impl<M: RemoteMessage> Door for Typed<M> {
    fn tell(&self, from: &NodeName, payload: &[u8]) -> Result<(), Fault> {
        self.tell(read(from, payload)?)
    }

    fn ask(&self, from: &NodeName, payload: &[u8]) -> Result<Answering, Fault> {
        let message: M = read(from, payload)?;
        if !self.to.connected() {
            return Err(Fault::Gone);
        }
        let answer = self.to.send(message);
        Ok(Box::pin(async move {
            let answer = answer.await.map_err(|error| match error {
                MailboxError::Closed => Fault::Unanswered,
                MailboxError::Timeout => Fault::Full,
            })?;
            msgpack::write(&answer).map_err(Fault::Unsendable)
        }))
    }

    fn connected(&self) -> bool {
        self.to.connected()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A message that has come over a link.
fn read<M: RemoteMessage>(from: &NodeName, payload: &[u8]) -> Result<M, Fault> {
    let mut message: M = msgpack::read_owned(payload).map_err(Fault::Undecodable)?;
    message.sent_by(from);
    Ok(message)
}
