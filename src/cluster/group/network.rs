//! Words of consensus to the other seats, over the node's transport.

use std::sync::Arc;
use std::time::Duration;

use openraft::error::{
    Infallible, InstallSnapshotError, NetworkError, RPCError, RaftError, RemoteError, Unreachable,
};
use openraft::network::{Backoff, RPCOption, RaftNetwork, RaftNetworkFactory};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse,
    VoteRequest, VoteResponse,
};
use openraft::{AnyError, BasicNode};

use crate::group::{Seat, Types};
use crate::message::{self, Answer, Ask, Reply, Word};
use crate::{Transport, TransportError};

/// How long consensus waits before it asks a node again that cannot be reached.
const BACKOFF: Duration = Duration::from_millis(200);

/// Makes the ways to the other seats.
#[derive(Clone)]
pub(super) struct Network {
    transport: Arc<dyn Transport>,
}

/// The way to one seat.
pub(super) struct Way {
    transport: Arc<dyn Transport>,
    to: Seat,
    node: String,
}

impl Network {
    pub(super) fn new(transport: Arc<dyn Transport>) -> Network {
        Network { transport }
    }
}

impl RaftNetworkFactory<Types> for Network {
    type Network = Way;

    async fn new_client(&mut self, target: Seat, node: &BasicNode) -> Way {
        Way { transport: self.transport.clone(), to: target, node: node.addr.clone() }
    }
}

/// A reply, or why there is none.
type Said<T, E = Infallible> = Result<T, RPCError<Seat, BasicNode, RaftError<Seat, E>>>;

impl Way {
    /// SUBTLE: a seat that has not answered in time is asked again at once, and only one that cannot be reached, after a
    /// while. Where packets are lost most answers are late, though every word arrives: a leader that paused after each of
    /// them would be heard too seldom to be kept.
    async fn say<E: std::error::Error>(&self, word: Word, option: &RPCOption) -> Said<Reply, E> {
        let body = message::encode(&Ask::Raft { to: self.to, word: Box::new(word) });
        let answer = self.transport.ask(&self.node, body, option.hard_ttl()).await;
        let answer = answer.map_err(|failed| match failed {
            TransportError::Unsent { .. } => unreachable(failed.to_string()),
            TransportError::Unanswered { .. } => lost(failed.to_string()),
        })?;
        match message::decode(&answer).map_err(unreachable)? {
            Answer::Raft(reply) => Ok(*reply),
            other => Err(unreachable(format!("node {} does not hold the seat: {other:?}", self.node))),
        }
    }
}

fn unreachable<E: std::error::Error>(reason: String) -> RPCError<Seat, BasicNode, E> {
    Unreachable::new(&AnyError::error(reason)).into()
}

fn lost<E: std::error::Error>(reason: String) -> RPCError<Seat, BasicNode, E> {
    NetworkError::new(&AnyError::error(reason)).into()
}

/// A reply that does not fit its word.
fn unfit<E: std::error::Error>(reply: &Reply) -> RPCError<Seat, BasicNode, E> {
    lost(format!("the reply does not fit the word: {reply:?}"))
}

impl RaftNetwork<Types> for Way {
    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<Types>,
        option: RPCOption,
    ) -> Said<AppendEntriesResponse<Seat>> {
        match self.say(Word::Append(rpc), &option).await? {
            Reply::Append(reply) => Ok(reply),
            other => Err(unfit(&other)),
        }
    }

    async fn vote(&mut self, rpc: VoteRequest<Seat>, option: RPCOption) -> Said<VoteResponse<Seat>> {
        match self.say(Word::Vote(rpc), &option).await? {
            Reply::Vote(reply) => Ok(reply),
            other => Err(unfit(&other)),
        }
    }

    async fn install_snapshot(
        &mut self,
        rpc: InstallSnapshotRequest<Types>,
        option: RPCOption,
    ) -> Said<InstallSnapshotResponse<Seat>, InstallSnapshotError> {
        match self.say(Word::Snapshot(rpc), &option).await? {
            Reply::Snapshot(reply) => Ok(reply),
            Reply::Mismatch(mismatch) => {
                let source = RaftError::APIError(InstallSnapshotError::SnapshotMismatch(mismatch));
                Err(RPCError::RemoteError(RemoteError::new(self.to, source)))
            }
            other => Err(unfit(&other)),
        }
    }

    fn backoff(&self) -> Backoff {
        Backoff::new(std::iter::repeat(BACKOFF))
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use openraft::Vote;

    use super::*;

    /// What becomes of all questions.
    struct Nowhere(fn(String) -> TransportError);

    #[async_trait]
    impl Transport for Nowhere {
        async fn ask(&self, node: &str, _: Vec<u8>, _: Duration) -> Result<Vec<u8>, TransportError> {
            Err(self.0(node.to_owned()))
        }

        fn tell(&self, _: &str, _: Vec<u8>) {}
    }

    async fn asked(failed: fn(String) -> TransportError) -> RPCError<Seat, BasicNode, RaftError<Seat>> {
        let mut network = Network::new(Arc::new(Nowhere(failed)));
        let mut way = network.new_client(7, &BasicNode::new("b")).await;
        let option = RPCOption::new(Duration::from_millis(150));
        way.vote(VoteRequest::new(Vote::new(1, 3), None), option).await.expect_err("nobody answers")
    }

    /// Consensus pauses where it is told that a seat is unreachable, and there alone.
    #[tokio::test]
    async fn only_a_node_that_was_never_asked_is_left_alone_for_a_while() {
        let late = asked(|node| TransportError::Unanswered { node, reason: "it is late".to_owned() }).await;
        assert!(matches!(late, RPCError::Network(_)), "{late}");
        let away = asked(|node| TransportError::Unsent { node, reason: "it is not there".to_owned() }).await;
        assert!(matches!(away, RPCError::Unreachable(_)), "{away}");
    }
}
