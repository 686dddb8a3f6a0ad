//! Carries what the coordinators decide and what all gossip, over the links.

use std::time::Duration;

use actix::prelude::*;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use watershed_cluster::{Cluster, Transport, TransportError};
use watershed_link::{AskError, Links, NodeName, RemoteMessage};

use super::vitals::Lifeline;

/// The name under which the cluster's own traffic is taken in.
const CLUSTER: &str = "watershed/cluster";

/// A question of the group of coordinators.
#[derive(Debug, Message, Serialize, Deserialize)]
#[rtype(result = "Result<Bytes, String>")]
pub(crate) struct Question {
    from: NodeName,
    body: Bytes,
}

/// A word of gossip.
#[derive(Debug, Message, Serialize, Deserialize)]
#[rtype(result = "()")]
pub(crate) struct Gossip {
    from: NodeName,
    body: Bytes,
}

/// Bytes that travel as such.
#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Bytes(#[serde(with = "serde_bytes")] Vec<u8>);

impl RemoteMessage for Question {
    const NAME: &'static str = "watershed/question";

    fn sent_by(&mut self, node: &NodeName) {
        self.from = node.clone();
    }
}

impl RemoteMessage for Gossip {
    const NAME: &'static str = "watershed/gossip";

    fn sent_by(&mut self, node: &NodeName) {
        self.from = node.clone();
    }
}

/// The way out.
pub(crate) struct Carrier {
    links: Links,
}

impl Carrier {
    pub(crate) fn new(links: &Links) -> Self {
        Carrier { links: links.clone() }
    }
}

#[async_trait]
impl Transport for Carrier {
    async fn ask(&self, node: &str, body: Vec<u8>, within: Duration) -> Result<Vec<u8>, TransportError> {
        let unsent = |reason: String| TransportError::Unsent { node: node.to_owned(), reason };
        let name = NodeName::new(node).map_err(|error| unsent(error.to_string()))?;
        let question = Question { from: self.links.local().node.clone(), body: Bytes(body) };
        let answer = self.links.actor::<Question>(&name, CLUSTER).ask_within(question, within).await;
        let unanswered = |reason: String| TransportError::Unanswered { node: node.to_owned(), reason };
        match answer {
            Ok(Ok(Bytes(answer))) => Ok(answer),
            Ok(Err(reason)) => Err(unanswered(reason)),
            Err(error @ AskError::Unsent(_)) => Err(unsent(error.to_string())),
            Err(error) => Err(unanswered(error.to_string())),
        }
    }

    fn tell(&self, node: &str, body: Vec<u8>) {
        let Ok(name) = NodeName::new(node) else { return };
        let gossip = Gossip { from: self.links.local().node.clone(), body: Bytes(body) };
        // Gossip that is lost is repeated by itself.
        let _ = self.links.actor::<Gossip>(&name, CLUSTER).tell(gossip);
    }
}

/// The way in.
pub(crate) struct Desk {
    cluster: Cluster,
    _lifeline: Lifeline,
}

impl Desk {
    /// Begins to take in what other nodes send.
    pub(super) fn start(links: &Links, cluster: &Cluster, lifeline: Lifeline) {
        let address = Desk { cluster: cluster.clone(), _lifeline: lifeline }.start();
        links.register::<Question>(CLUSTER, address.clone().recipient());
        links.register::<Gossip>(CLUSTER, address.recipient());
    }
}

impl Actor for Desk {
    type Context = Context<Self>;
}

impl Handler<Question> for Desk {
    type Result = ResponseFuture<Result<Bytes, String>>;

    fn handle(&mut self, Question { from, body }: Question, _: &mut Self::Context) -> Self::Result {
        let cluster = self.cluster.clone();
        Box::pin(async move {
            let answer = cluster.answer(from.as_str(), body.0).await;
            answer.map(Bytes).map_err(|error| error.to_string())
        })
    }
}

impl Handler<Gossip> for Desk {
    type Result = ();

    fn handle(&mut self, Gossip { from, body }: Gossip, _: &mut Self::Context) {
        self.cluster.heard(from.as_str(), body.0);
    }
}
