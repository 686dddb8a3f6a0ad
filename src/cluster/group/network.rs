//! Words of consensus to the other seats, over the node's transport.

use std::sync::Arc;
use std::time::Duration;

use openraft::error::{InstallSnapshotError, NetworkError, RPCError, RaftError, RemoteError, Unreachable};
use openraft::network::{Backoff, RPCOption, RaftNetwork, RaftNetworkFactory};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse,
    VoteRequest, VoteResponse,
};
use openraft::{AnyError, BasicNode};

use crate::Transport;
use crate::group::{Seat, Types};
use crate::message::{self, Answer, Ask, Reply, Word};

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

impl Way {
    async fn say(&self, word: Word, option: &RPCOption) -> Result<Reply, Unreachable> {
        let body = message::encode(&Ask::Raft { to: self.to, word: Box::new(word) });
        let unreachable = |reason: String| Unreachable::new(&AnyError::error(reason));
        let answer = self.transport.ask(&self.node, body, option.hard_ttl()).await;
        let answer = answer.map_err(|failed| unreachable(failed.to_string()))?;
        match message::decode(&answer).map_err(unreachable)? {
            Answer::Raft(reply) => Ok(*reply),
            other => Err(unreachable(format!("node {} does not hold the seat: {other:?}", self.node))),
        }
    }
}

/// A reply that does not fit its word.
fn unfit<E: std::error::Error>(reply: &Reply) -> RPCError<Seat, BasicNode, E> {
    NetworkError::new(&AnyError::error(format!("the reply does not fit the word: {reply:?}"))).into()
}

impl RaftNetwork<Types> for Way {
    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<Types>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<Seat>, RPCError<Seat, BasicNode, RaftError<Seat>>> {
        match self.say(Word::Append(rpc), &option).await? {
            Reply::Append(reply) => Ok(reply),
            other => Err(unfit(&other)),
        }
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<Seat>,
        option: RPCOption,
    ) -> Result<VoteResponse<Seat>, RPCError<Seat, BasicNode, RaftError<Seat>>> {
        match self.say(Word::Vote(rpc), &option).await? {
            Reply::Vote(reply) => Ok(reply),
            other => Err(unfit(&other)),
        }
    }

    async fn install_snapshot(
        &mut self,
        rpc: InstallSnapshotRequest<Types>,
        option: RPCOption,
    ) -> Result<InstallSnapshotResponse<Seat>, RPCError<Seat, BasicNode, RaftError<Seat, InstallSnapshotError>>>
    {
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
