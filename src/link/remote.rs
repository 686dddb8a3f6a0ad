//! Actors that are reached by their node and name.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use actix::{MailboxError, Recipient};
use tokio::time::timeout;

use crate::asks::Answered;
use crate::core::Core;
use crate::deaths::{Ending, Terminated};
use crate::door::{RemoteMessage, Typed};
use crate::envelope::Envelope;
use crate::error::{AskError, Fault, TellError};
use crate::messages;
use crate::msgpack::{self, Bin};
use crate::name::NodeName;
use crate::registry::Watcher;

/// An actor of any node, the own one included, that takes messages of type `M`. Works on every thread.
pub struct RemoteActor<M> {
    core: Arc<Core>,
    node: NodeName,
    name: Arc<str>,
    message: PhantomData<fn(M)>,
}

impl<M> Clone for RemoteActor<M> {
    fn clone(&self) -> Self {
        let RemoteActor { core, node, name, message } = self;
        RemoteActor { core: core.clone(), node: node.clone(), name: name.clone(), message: *message }
    }
}

impl<M> fmt::Debug for RemoteActor<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteActor")
            .field("node", &self.node)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl<M: RemoteMessage> RemoteActor<M> {
    pub(crate) fn new(core: Arc<Core>, node: NodeName, name: &str) -> Self {
        RemoteActor { core, node, name: name.into(), message: PhantomData }
    }

    /// The node of the actor.
    pub fn node(&self) -> &NodeName {
        &self.node
    }

    /// The name of the actor.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sends a message, which arrives once or never. Never waits. Messages of one thread to one actor arrive in their
    /// order.
    ///
    /// # Errors
    ///
    /// Where it was not sent. What becomes of it later is counted where the actor is, see
    /// [`Links::dead_letters`](crate::Links::dead_letters).
    pub fn tell(&self, message: M) -> Result<(), TellError> {
        if self.node == self.core.local.node {
            let told = self.own(|door| door.tell(message));
            return told.map_err(|fault| {
                self.core.registry.lose(&self.node, &self.name, M::NAME, &fault);
                TellError::Refused(fault)
            });
        }
        let payload = msgpack::write(&message).map_err(TellError::Unwritable)?;
        let envelope = Envelope::Tell { actor: &self.name, message: M::NAME, payload: Bin(&payload) };
        self.send(&envelope)
    }

    /// Sends a message and waits for its answer, for [`LinkConfig::ask_within`](crate::LinkConfig::ask_within) at most.
    ///
    /// # Errors
    ///
    /// Where there is none.
    pub async fn ask(&self, message: M) -> Result<M::Result, AskError> {
        self.ask_within(message, self.core.config.ask_within).await
    }

    /// Sends a message and waits for its answer, for some time at most.
    ///
    /// # Errors
    ///
    /// Where there is none.
    pub async fn ask_within(&self, message: M, within: Duration) -> Result<M::Result, AskError> {
        if self.node == self.core.local.node {
            return self.ask_own(message, within).await;
        }
        let payload = msgpack::write(&message).map_err(TellError::Unwritable)?;
        let mut waiting = self.core.asks.begin(&self.node)?;
        // The actor has a little less time than the asker, never none.
        let within_ms = u64::try_from(within.as_millis()).unwrap_or(u64::MAX).max(1);
        let (actor, message) = (&*self.name, M::NAME);
        self.send(&Envelope::Ask { id: waiting.id, within_ms, actor, message, payload: Bin(&payload) })?;
        match timeout(within, &mut waiting.answer).await {
            Ok(Ok(Ok(Answered::Done(payload)))) => {
                msgpack::read_owned(&payload).map_err(AskError::Undecodable)
            }
            Ok(Ok(Ok(Answered::Found(_)))) => Err(AskError::Undecodable("it answers no ask".to_owned())),
            Ok(Ok(Err(error))) => Err(error),
            Ok(Err(_)) => Err(AskError::Down(self.node.clone())),
            Err(_) => Err(AskError::TimedOut { within }),
        }
    }

    /// Tells, once, when the actor stops, its name is taken back, or its node goes down; at once where it is not there.
    pub fn watch(&self, to: Recipient<Terminated>) {
        let id = self.core.deaths.begin(&self.node, &self.name, to);
        if self.node == self.core.local.node {
            let watcher = Watcher { node: self.node.clone(), id };
            if !self.core.registry.watch(&self.name, watcher.clone(), &self.core.config) {
                messages::gone(&self.core, [watcher], true);
            }
        } else if self.send(&Envelope::Watch { id, actor: &self.name }).is_err() {
            self.core.deaths.end(&self.node, id, Ending::Unreachable);
        }
    }

    /// Sends to another node.
    fn send(&self, envelope: &Envelope<'_>) -> Result<(), TellError> {
        let down = || TellError::Down(self.node.clone());
        let outgoing = self.core.peers.outgoing(&self.node).ok_or_else(down)?;
        let mut out = outgoing.queue.buffer();
        envelope.write(&mut out);
        let (bytes, bytes_max) = (out.len(), self.core.config.frames.control_bytes_max);
        if bytes > bytes_max {
            return Err(TellError::TooLarge { bytes, bytes_max });
        }
        outgoing.send(out).map_err(|_| down())
    }

    /// Uses the door of an actor of the own node.
    fn own<T>(&self, enter: impl FnOnce(&Typed<M>) -> Result<T, Fault>) -> Result<T, Fault> {
        let door = self.core.registry.door(&self.name, M::NAME)?;
        // Two types that go by one name are not the same message.
        enter(door.as_any().downcast_ref::<Typed<M>>().ok_or(Fault::UnknownMessage)?)
    }

    async fn ask_own(&self, message: M, within: Duration) -> Result<M::Result, AskError> {
        let to = self.own(|door| Ok(door.to.clone())).map_err(AskError::Refused)?;
        if !to.connected() {
            return Err(AskError::Refused(Fault::Gone));
        }
        match timeout(within, to.send(message)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(MailboxError::Closed)) => Err(AskError::Refused(Fault::Unanswered)),
            Ok(Err(MailboxError::Timeout)) => Err(AskError::Refused(Fault::Full)),
            Err(_) => Err(AskError::TimedOut { within }),
        }
    }
}
