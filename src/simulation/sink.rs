//! The world outside: what is visible at each sink, and what only it knows.
//!
//! It outlives every crash. A deed that a node has sent off arrives even if the node is dead by then.

use std::collections::{BTreeMap, BTreeSet};

use watershed_core::checkpoint::{Payload, Staged, Xid};
use watershed_core::{Epoch, Lineage, SubtaskId};
use watershed_protocol::checkpoint::Authority;

use crate::agenda::{Happening, Seat};
use crate::graph::SinkKind;
use crate::mutant::Mutant;
use crate::properties;
use crate::record::{Name, Record, decode, encode};
use crate::world::World;

/// What a sink subtask does outside, one deed at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// Refuse older runs of this subtask from now on, and of those whose heir it is among so many.
    Fence(Authority, u32),
    /// Make what is staged visible.
    Commit(Staged),
    /// Take back what earlier runs of them have prepared, but for these.
    Sweep(Authority, u32, Vec<Xid>),
    /// Prepare a transaction.
    Prepare(Authority, Xid, Vec<Record>),
    /// Take back what will never be decided.
    TakeBack(Xid),
}

/// What became of a deed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    Well,
    /// It was not done.
    Refused,
    /// Nobody knows.
    Unknown,
}

/// One external system, for one sink of the job.
#[derive(Clone, Debug)]
pub(crate) struct Outside {
    pub(crate) kind: SinkKind,
    pub(crate) visible: BTreeMap<Name, Record>,
    /// Of staged output: the newest epoch that was committed.
    fence: BTreeMap<(Lineage, SubtaskId), Epoch>,
    pub(crate) prepared: BTreeMap<Xid, Vec<Record>>,
    /// The transactions that were committed.
    pub(crate) markers: BTreeSet<Xid>,
    pub(crate) taken_back: BTreeSet<Xid>,
    /// Older runs than these are refused, of all subtasks whose heir the owner is among so many.
    owners: BTreeMap<(SubtaskId, u32), Authority>,
    /// How long a deed takes, at most, and how many of a hundred fail.
    pub(crate) slowness: u64,
    pub(crate) failures: u64,
}

/// What a commit was.
pub(crate) enum Committed {
    /// These rows are visible now.
    Now(Vec<Record>),
    /// It had been done before.
    Before,
    /// It is neither there nor marked: IN_DOUBT_LOST.
    Lost,
}

/// The rows that ride in a checkpoint.
pub(crate) fn rows(staged: &Staged) -> Vec<Record> {
    match &staged.payload {
        Payload::Inline(bytes) if bytes.is_empty() => Vec::new(),
        Payload::Inline(bytes) => decode(bytes),
        Payload::Object(_) => unreachable!("payloads ride in the vote here"),
    }
}

pub(crate) fn payload(rows: &[Record]) -> Payload {
    Payload::Inline(encode(&rows))
}

impl Outside {
    pub(crate) fn new(kind: SinkKind) -> Outside {
        Outside {
            kind,
            visible: BTreeMap::new(),
            fence: BTreeMap::new(),
            prepared: BTreeMap::new(),
            markers: BTreeSet::new(),
            taken_back: BTreeSet::new(),
            owners: BTreeMap::new(),
            slowness: 5,
            failures: 0,
        }
    }

    /// Whether a commit of what is staged would still show it.
    pub(crate) fn would_show(&self, staged: &Staged) -> Vec<Record> {
        match self.kind {
            SinkKind::Staged if self.is_behind_fence(staged.xid) => Vec::new(),
            SinkKind::Staged => rows(staged),
            SinkKind::Prepared => self.prepared.get(&staged.xid).cloned().unwrap_or_default(),
        }
    }

    fn is_behind_fence(&self, xid: Xid) -> bool {
        self.fence.get(&(xid.lineage, xid.subtask)).is_some_and(|fence| *fence >= xid.epoch)
    }

    fn commit(&mut self, staged: &Staged, mutant: Option<Mutant>) -> Committed {
        let (xid, again) = (staged.xid, mutant == Some(Mutant::CommitNotIdempotent));
        match self.kind {
            SinkKind::Staged if self.is_behind_fence(xid) && !again => Committed::Before,
            SinkKind::Staged => {
                self.fence.insert((xid.lineage, xid.subtask), xid.epoch);
                Committed::Now(rows(staged))
            }
            SinkKind::Prepared => match self.prepared.remove(&xid) {
                Some(rows) => {
                    self.markers.insert(xid);
                    Committed::Now(rows)
                }
                None if self.markers.contains(&xid) && again => Committed::Now(rows(staged)),
                None if self.markers.contains(&xid) => Committed::Before,
                None => Committed::Lost,
            },
        }
    }

    fn take_back(&mut self, xid: Xid) {
        if self.prepared.remove(&xid).is_some() {
            self.taken_back.insert(xid);
        }
    }

    fn is_refused(&self, subtask: SubtaskId, authority: Authority) -> bool {
        let is_heir = |heir: SubtaskId, parallelism| inherits(heir, parallelism, subtask);
        self.owners.iter().any(|(&(heir, among), owner)| is_heir(heir, among) && authority < *owner)
    }
}

/// Whether what a subtask has left, which may be no more, is for this one to settle.
fn inherits(heir: SubtaskId, parallelism: u32, subtask: SubtaskId) -> bool {
    subtask.index % parallelism == heir.index
}

impl World {
    /// Sends a deed off.
    pub(crate) fn go_outside(&mut self, seat: Seat, deed: Deed) {
        let slowness = self.outside[&seat.subtask.vertex].slowness;
        let delay = self.chance.between(1, slowness);
        self.later(delay, Happening::Deed { seat, deed });
    }

    /// A deed arrives.
    pub(crate) fn deed(&mut self, seat: Seat, deed: &Deed) {
        let outside = self.outside.get_mut(&seat.subtask.vertex).expect("a sink has its system");
        let (slowness, failures) = (outside.slowness, outside.failures);
        let done = if self.chance.hit(failures) {
            Done::Refused
        } else {
            let done = self.do_outside(seat.subtask, deed);
            if self.chance.hit(failures) { Done::Unknown } else { done }
        };
        let delay = self.chance.between(1, slowness);
        self.later(delay, Happening::Done { seat, done });
    }

    /// What a database does that gives transactions up after a time: only a mutant's does.
    pub(crate) fn forget_prepared(&mut self) {
        for outside in self.outside.values_mut() {
            outside.prepared.pop_first();
        }
        self.outside_changed = true;
    }

    fn do_outside(&mut self, subtask: SubtaskId, deed: &Deed) -> Done {
        let mutant = self.mutant;
        let outside = self.outside.get_mut(&subtask.vertex).expect("a sink has its system");
        match deed {
            Deed::Fence(authority, parallelism) => {
                let owner = outside.owners.entry((subtask, *parallelism)).or_insert(*authority);
                *owner = authority.max(owner).to_owned();
                self.outside_changed = true;
                return if self.outside[&subtask.vertex].is_refused(subtask, *authority) {
                    Done::Refused
                } else {
                    Done::Well
                };
            }
            Deed::Commit(staged) => {
                let committed = outside.commit(staged, mutant);
                properties::output::committed(self, subtask, staged, committed);
            }
            Deed::Sweep(authority, parallelism, listed) => {
                if outside.is_refused(subtask, *authority) {
                    return Done::Refused;
                }
                let everything = mutant == Some(Mutant::RecoveryTakesEverythingBack);
                let reused = mutant == Some(Mutant::EpochsReused);
                let own_only = mutant == Some(Mutant::OrphansLeft);
                let orphans = outside.prepared.keys().filter(|xid| {
                    inherits(subtask, *parallelism, xid.subtask)
                        && (xid.subtask == subtask || !own_only)
                        && (xid.run < authority.run || reused)
                        && (everything || !listed.contains(xid))
                });
                for xid in orphans.copied().collect::<Vec<_>>() {
                    outside.take_back(xid);
                }
            }
            Deed::Prepare(authority, xid, rows) => {
                if outside.is_refused(subtask, *authority) && mutant != Some(Mutant::EpochsReused) {
                    return Done::Refused;
                }
                // Under a name that is taken, the transaction grows: that is what becomes of a name used twice.
                outside.prepared.entry(*xid).or_default().extend(rows);
            }
            Deed::TakeBack(xid) => outside.take_back(*xid),
        }
        self.outside_changed = true;
        Done::Well
    }
}
