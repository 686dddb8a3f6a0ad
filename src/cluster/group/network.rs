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
