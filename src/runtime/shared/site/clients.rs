//! What clients from outside the job read and write at a site, and wait for.
//!
//! A task sees what was done up to its own epoch, so that a checkpoint is a cut. A client is part of no cut, and sees all
//! that there is. What it has seen comes back into the job only by what it writes; so an update of a client belongs to the
//! newest epoch that a task of its site is in, or to a later one in which it has seen an update. SUBTLE: that lane is
//! open, since a site's lanes are closed by the last of its tasks to pass a barrier; and all that the client has seen is in
//! lanes up to it, so that the update names all of that as what it depends on. A task of an older epoch does not see it.

use std::collections::BTreeMap;

use tokio::sync::oneshot;
use watershed_core::causal::{Dot, VectorClock};
use watershed_core::shared::TableError;
use watershed_core::{Epoch, SharedId, SubtaskId, VertexId};
use watershed_protocol::causal::{Lag, Needs, StampError};

use super::{Operation, SiteReplica, State};
use crate::clock;
use crate::guard::guarded;
use crate::query::Tallies;
use crate::query::limits::WAITING_MAX;

/// The vertex in whose name clients write; no plan has so many. Its subtasks are the sites.
const CLIENTS: VertexId = VertexId(u32::MAX);

/// The epoch in which a client reads: behind all others.
const NEWEST: Epoch = Epoch(u64::MAX);

/// Clients that wait, in the order in which they came.
#[derive(Default)]
pub(super) struct Clients {
    next: u64,
    waiting: BTreeMap<u64, Waiting>,
    /// The run is over here: nobody is served any more.
    closed: bool,
}

struct Waiting {
    needs: Needs,
    writes: bool,
    turn: oneshot::Sender<()>,
}

/// Whether a client may be served.
pub(crate) enum Turn {
    /// All is there that it needs.
    Now,
    /// When this is told. Where it is dropped, the run is over here.
    Later(oneshot::Receiver<()>),
    /// Too many wait already.
    Full,
    /// The run is over here.
    Over,
}

/// What a client finds.
pub(crate) struct Looked {
    /// As MessagePack.
    pub(crate) value: Option<Vec<u8>>,
    /// All that the value can come from, and what is settled besides.
    pub(crate) seen: VectorClock,
}

/// Why a client's update is not made.
pub(crate) enum NotWritten {
    /// The run is over here.
    Over,
    /// The table, its resolver or a limit says no.
    Refused(TableError),
    /// The site makes no updates now.
    Stamp(StampError),
    /// Its resolver has panicked half way, which ends the run.
    Panicked(String),
}

impl SiteReplica {
    /// The number of a shared state.
    pub(crate) fn find(&self, name: &str) -> Option<SharedId> {
        let place = self.tables.iter().position(|table| table.name() == name)?;
        Some(SharedId(place as u32))
    }

    /// Whether the values of a shared state are agreed on.
    pub(crate) fn agrees_on(&self, name: &str) -> bool {
        self.tables.iter().any(|table| table.name() == name && table.agrees().is_some())
    }

    /// What there is of a key now.
    pub(crate) fn look(&self, shared: SharedId, key: &[u8]) -> Result<Looked, TableError> {
        let value = self.tables[shared.0 as usize].get(NEWEST, key)?;
        // SUBTLE: in this order. An update that is made here is in the table before it is in the clock, but under the lock.
        let seen = self.lock().machine.applied().clock().clone();
        Ok(Looked { value, seen })
    }

    /// Whether all is applied here that a client needs, and updates can be made where it wants to. Where not, it is told
    /// when it may be.
    pub(crate) fn take_turn(&self, needs: &Needs, writes: bool) -> Turn {
        let mut state = self.lock();
        if state.clients.closed {
            return Turn::Over;
        }
        if state.serves(needs, writes) {
            return Turn::Now;
        }
        // Those who have given up make room.
        state.clients.waiting.retain(|_, one| !one.turn.is_closed());
        if state.clients.waiting.len() >= WAITING_MAX {
            return Turn::Full;
        }
        let (turn, told) = oneshot::channel();
        let number = state.clients.next;
        state.clients.next += 1;
        state.clients.waiting.insert(number, Waiting { needs: needs.clone(), writes, turn });
        Turn::Later(told)
    }

    /// What a client still lacks here, in words.
    pub(crate) fn lacks(&self, needs: &Needs, writes: bool) -> String {
        let state = self.lock();
        let machine = &state.machine;
        let dots = needs.seen.dots().filter(|dot| !machine.applied().has(*dot));
        let mut missing: Vec<String> = dots.map(|dot| dot.to_string()).collect();
        missing.extend(
            needs
                .checkpoint
                .filter(|epoch| !machine.has_whole(*epoch))
                .map(|epoch| format!("all of checkpoint {epoch}")),
        );
        if writes && !machine.is_ready() {
            missing.push("word of the clocks of most other nodes".to_owned());
        }
        missing.join(", ")
    }

    /// Makes an update for a client that has seen this, all of which is applied here.
    pub(crate) fn write_for_client(
        &self,
        shared: SharedId,
        key: &[u8],
        update: &[u8],
        seen: &VectorClock,
    ) -> Result<Dot, NotWritten> {
        self.with(|state, now| {
            if state.clients.closed {
                return Err(NotWritten::Over);
            }
            let named = seen.dots().map(|dot| dot.lane.epoch).max().unwrap_or_default();
            let epoch = named.max(state.newest_epoch());
            let writer = SubtaskId { vertex: CLIENTS, index: u32::from(self.settings.site.0) };
            // As long as it is not made.
            state.tallies.refused += 1;
            let stamp = state.machine.stamp(now, clock::now(), epoch, writer).map_err(NotWritten::Stamp)?;
            let table = &self.tables[shared.0 as usize];
            let made = guarded(|| table.update_bytes(&stamp, key, update));
            let delta = match made {
                Ok(made) => made.map_err(NotWritten::Refused)?,
                Err(caught) => return Err(NotWritten::Panicked(state.half_joined(table.name(), &caught))),
            };
            let delta = std::sync::Arc::new(Operation { shared, key: key.to_vec(), delta });
            state.made(self, now, stamp, delta);
            Ok(stamp.dot)
        })
    }

    /// How many updates there were, what is held, and how many clients wait.
    pub(crate) fn standing(&self) -> (Tallies, Lag, usize) {
        let state = self.lock();
        (state.tallies, state.machine.lag(), state.clients.waiting.len())
    }

    /// The run is over here: whoever waits is told so, and no update is taken that would go nowhere.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.clients.closed = true;
        let waiting = std::mem::take(&mut state.clients.waiting);
        drop(state);
        drop(waiting);
    }
}

impl State {
    /// The epoch of the task of the site that has come farthest.
    pub(super) fn newest_epoch(&self) -> Epoch {
        Epoch(self.passed.values().max().copied().unwrap_or_default().0 + 1)
    }

    fn serves(&self, needs: &Needs, writes: bool) -> bool {
        (!writes || self.machine.is_ready())
            && self.machine.applied().covers(&needs.seen)
            && needs.checkpoint.is_none_or(|epoch| self.machine.has_whole(epoch))
    }

    /// Tells the clients that have waited for what is there now.
    pub(super) fn serve_clients(&mut self) {
        if self.clients.waiting.is_empty() {
            return;
        }
        let waiting = std::mem::take(&mut self.clients.waiting);
        let (served, waiting) = waiting.into_iter().partition(|(_, one)| self.serves(&one.needs, one.writes));
        self.clients.waiting = waiting;
        let served: BTreeMap<u64, Waiting> = served;
        for (_, one) in served {
            // One that has given up needs no word.
            let _ = one.turn.send(());
        }
    }
}
