//! What the decisions have led to, as consensus wants to see it. All that decides is in [`decided`](crate::decided).

use std::io::{self, Cursor};
use std::sync::Arc;

use openraft::storage::RaftStateMachine;
use openraft::{
    BasicNode, Entry, EntryPayload, LogId, OptionalSend, RaftSnapshotBuilder, Snapshot, SnapshotMeta,
    StorageError, StorageIOError, StoredMembership,
};
use tokio::sync::watch;

use crate::decided::ClusterState;
use crate::group::journal::{Journal, Kept, Record};
use crate::group::{Applied, Seat, Types};
use crate::message;

/// What is decided, and up to which decision. It is in memory alone: after a restart, it is led to again from the last
/// snapshot by the decisions behind it, as soon as a leader says which of them are agreed on.
#[derive(Debug)]
pub(super) struct Machine {
    journal: Journal,
    applied: Option<LogId<Seat>>,
    membership: StoredMembership<Seat, BasicNode>,
    state: Arc<ClusterState>,
    /// What is decided, for whoever reads.
    shown: watch::Sender<Arc<ClusterState>>,
}

/// Makes a snapshot of what was decided when it was asked for.
#[derive(Debug)]
pub(super) struct Builder {
    journal: Journal,
    meta: SnapshotMeta<Seat, BasicNode>,
    state: Arc<ClusterState>,
}

impl Machine {
    /// What the journal's snapshot says.
    pub(super) fn open(journal: Journal) -> Result<(Machine, watch::Receiver<Arc<ClusterState>>), String> {
        let kept = journal.look(|memory| memory.snapshot.clone());
        let (shown, receiver) = watch::channel(Arc::default());
        let mut machine = Machine {
            journal,
            applied: None,
            membership: StoredMembership::default(),
            state: Arc::default(),
            shown,
        };
        if let Some(kept) = kept {
            machine.take(&kept)?;
        }
        Ok((machine, receiver))
    }

    fn take(&mut self, kept: &Kept) -> Result<(), String> {
        self.state = Arc::new(message::decode(&kept.bytes)?);
        self.applied = kept.meta.last_log_id;
        self.membership = kept.meta.last_membership.clone();
        self.show();
        Ok(())
    }

    fn show(&self) {
        self.shown.send_replace(self.state.clone());
    }
}

impl RaftStateMachine<Types> for Machine {
    type SnapshotBuilder = Builder;

    async fn applied_state(
        &mut self,
    ) -> Result<(Option<LogId<Seat>>, StoredMembership<Seat, BasicNode>), StorageError<Seat>> {
        Ok((self.applied, self.membership.clone()))
    }

    async fn apply<I>(&mut self, entries: I) -> Result<Vec<Applied>, StorageError<Seat>>
    where
        I: IntoIterator<Item = Entry<Types>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut answers = Vec::new();
        for entry in entries {
            let refusal = match entry.payload {
                EntryPayload::Blank => None,
                EntryPayload::Normal(change) => Arc::make_mut(&mut self.state).apply(change).err(),
                EntryPayload::Membership(membership) => {
                    self.membership = StoredMembership::new(Some(entry.log_id), membership);
                    None
                }
            };
            self.applied = Some(entry.log_id);
            answers.push(Applied { refusal, state: self.state.clone() });
        }
        self.show();
        Ok(answers)
    }

    async fn get_snapshot_builder(&mut self) -> Self::SnapshotBuilder {
        let snapshot_id = self.applied.map_or_else(String::new, |applied| applied.to_string());
        let (last_log_id, last_membership) = (self.applied, self.membership.clone());
        let meta = SnapshotMeta { last_log_id, last_membership, snapshot_id };
        Builder { journal: self.journal.clone(), meta, state: self.state.clone() }
    }

    async fn begin_receiving_snapshot(&mut self) -> Result<Box<Cursor<Vec<u8>>>, StorageError<Seat>> {
        Ok(Box::default())
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta<Seat, BasicNode>,
        snapshot: Box<Cursor<Vec<u8>>>,
    ) -> Result<(), StorageError<Seat>> {
        let failed = |failed: io::Error| StorageIOError::write_snapshot(Some(meta.signature()), &failed);
        let kept = Kept { meta: meta.clone(), bytes: snapshot.into_inner() };
        // Read before it is kept, so that what cannot be read is not kept.
        message::decode::<ClusterState>(&kept.bytes).map_err(|reason| failed(io::Error::other(reason)))?;
        self.journal.keep(Record::Snapshot(kept.clone())).await.map_err(failed)?;
        self.take(&kept).map_err(|reason| failed(io::Error::other(reason)))?;
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot<Types>>, StorageError<Seat>> {
        Ok(self.journal.look(|memory| memory.snapshot.clone()).map(|kept| snapshot(&kept)))
    }
}

impl RaftSnapshotBuilder<Types> for Builder {
    async fn build_snapshot(&mut self) -> Result<Snapshot<Types>, StorageError<Seat>> {
        let kept = Kept { meta: self.meta.clone(), bytes: message::encode(&*self.state) };
        let written = self.journal.keep(Record::Snapshot(kept.clone())).await;
        written.map_err(|failed| StorageIOError::write_snapshot(Some(self.meta.signature()), &failed))?;
        Ok(snapshot(&kept))
    }
}

fn snapshot(kept: &Kept) -> Snapshot<Types> {
    Snapshot { meta: kept.meta.clone(), snapshot: Box::new(Cursor::new(kept.bytes.clone())) }
}
