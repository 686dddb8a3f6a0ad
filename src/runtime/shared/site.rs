//! One site's replica: the tables, the machine, and what waits for either.

mod agreed;
mod clients;
mod hearing;

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use watershed_core::causal::{HybridTime, VectorClock};
use watershed_core::checkpoint::{SharedBase, SharedLog, SiteShare};
use watershed_core::shared::{AnyShared, AnyTable, Refusal, Replica, Settled, Stamp};
use watershed_core::{Epoch, Run, SharedId, Site, SubtaskId};
use watershed_protocol::causal::{
    Replica as Machine, ReplicaConfig, ReplicaEffect, ReplicaEvent, ReplicaLimits, Session, StampError,
};
use watershed_protocol::{Machine as _, Outcome, Tick};
use watershed_state::CheckpointStore;

use super::restore::{RestoreError, read_back};
use super::share::{NewBase, ShareDraft};
use super::{Operation, Word};
use crate::breakage::{Breakage, is_broken};
use crate::clock;
use crate::guard::{Caught, guarded};
use crate::query::Tallies;
pub(crate) use agreed::Said;
use clients::Clients;
pub(crate) use clients::{NotWritten, Turn};

/// After how many bytes of logs a new base is written, at least.
const LOGS_BYTES_MIN: usize = 1 << 20;

/// After how many logs a new base is written, however short they are.
const LOGS_MAX: usize = 64;

/// Where a replica belongs.
#[derive(Clone, Debug)]
pub(crate) struct SiteSettings {
    pub(crate) run: Run,
    pub(crate) site: Site,
    /// How many sites the run has.
    pub(crate) sites: u16,
    /// Epochs up to this one were handed out before the run.
    pub(crate) after: Epoch,
    /// Whether there are checkpoints that last.
    pub(crate) lasts: bool,
    /// Whether batches wait for what their senders had seen.
    pub(crate) waits: bool,
    /// The subtasks that live here.
    pub(crate) subtasks: BTreeSet<SubtaskId>,
}

/// All shared state of a job, as one site of a run has it.
pub(crate) struct SiteReplica {
    settings: SiteSettings,
    /// By their numbers.
    tables: Vec<Arc<dyn AnyTable>>,
    began: Instant,
    /// Everything up to this epoch is everywhere.
    settled: AtomicU64,
    state: Mutex<State>,
}

struct State {
    machine: Machine<Arc<Operation>>,
    effects: Vec<ReplicaEffect<Arc<Operation>>>,
    outgoing: Vec<Outgoing>,
    /// Whom to wake when something is to be sent, or has gone wrong.
    sender: Option<Waker>,
    /// What each subtask waits for that does.
    waiting: BTreeMap<SubtaskId, (VectorClock, Waker)>,
    /// What clients from outside wait for.
    clients: Clients,
    /// The newest barrier that each subtask has passed.
    passed: BTreeMap<SubtaskId, Epoch>,
    kept: Kept,
    /// Why the run cannot go on.
    trouble: Option<String>,
    /// How many updates there were.
    tallies: Tallies,
}

/// What is kept of this site in checkpoints.
#[derive(Default)]
struct Kept {
    /// Written for checkpoints that are not known to be complete.
    pending: BTreeMap<Epoch, Written>,
    base: Option<SharedBase>,
    /// Of completed checkpoints.
    logs: Vec<SharedLog>,
    /// How many bytes they have.
    log_bytes: usize,
    /// How many bases are being written: tables settle nothing meanwhile.
    writing_bases: u32,
    /// What is to be settled when they are written.
    settle_next: Option<Epoch>,
    /// A completed checkpoint has a base of this epoch.
    based: Epoch,
    /// The newest checkpoint that is known here to be complete.
    completed: Epoch,
    /// Whether the run has begun with anything: its first checkpoint says it whole.
    inherits: bool,
}

struct Written {
    base: Option<SharedBase>,
    log: Option<SharedLog>,
    bytes: usize,
}

/// A word that is to be sent.
pub(crate) enum Outgoing {
    ToAll(Word),
    To(Site, Word),
}

impl SiteReplica {
    /// A replica that has what a checkpoint has of it; nothing where there is none.
    pub(crate) async fn begin(
        settings: SiteSettings,
        states: &[AnyShared],
        shares: &[SiteShare],
        store: &CheckpointStore,
    ) -> Result<Arc<SiteReplica>, RestoreError> {
        let SiteSettings { run, site: own, sites, after, .. } = settings;
        let (tables, high_water) = read_back(store, shares, states, (run, after)).await?;
        // What travels in one message stays below what a link takes.
        let limits = ReplicaLimits { piece_bytes_max: 256 << 10, ..ReplicaLimits::default() };
        let config = ReplicaConfig { run, own, sites, base: after, high_water, limits };
        let inherits = shares.iter().any(|share| share.objects().next().is_some());
        let state = State {
            machine: Machine::new(config, Tick(0), clock::now()),
            effects: Vec::new(),
            outgoing: Vec::new(),
            sender: None,
            waiting: BTreeMap::new(),
            clients: Clients::default(),
            passed: settings.subtasks.iter().map(|subtask| (*subtask, after)).collect(),
            kept: Kept { based: after, completed: after, inherits, ..Kept::default() },
            trouble: None,
            tallies: Tallies::default(),
        };
        let (began, settled) = (Instant::now(), AtomicU64::new(after.0));
        Ok(Arc::new(SiteReplica { settings, tables, began, settled, state: Mutex::new(state) }))
    }

    pub(crate) fn site(&self) -> Site {
        self.settings.site
    }

    /// How many sites the run has.
    pub(crate) fn sites(&self) -> u16 {
        self.settings.sites
    }

    /// The epoch up to which everything is everywhere.
    pub(crate) fn settled(&self) -> Epoch {
        Epoch(self.settled.load(Relaxed))
    }

    /// The newest checkpoint of this run of which everything is everywhere, where there is one.
    pub(crate) fn settled_checkpoint(&self) -> Option<Epoch> {
        Some(self.settled()).filter(|epoch| *epoch > self.settings.after)
    }

    /// Whether all is applied here that a session has seen, and updates can be made. Where not, wakes when it may be.
    pub(super) fn has_or_wakes(&self, subtask: SubtaskId, session: &Session, waker: &Waker) -> bool {
        let mut state = self.lock();
        let has = !self.settings.waits || session.may_work(state.machine.applied());
        if state.machine.is_ready() && has {
            return true;
        }
        state.waiting.insert(subtask, (session.clock().clone(), waker.clone()));
        false
    }

    /// Whether a clock that came from elsewhere can be one.
    pub(crate) fn believes(&self, clock: &VectorClock) -> bool {
        self.lock().machine.is_plausible(clock)
    }

    /// Lets a session note that its task has read or updated something. Whether that was news.
    pub(crate) fn touch(&self, session: &mut Session, epoch: Epoch) -> bool {
        let state = self.lock();
        let seen = state.machine.applied().up_to(epoch);
        if session.clock().covers(&seen) {
            return false;
        }
        session.touched(state.machine.applied(), epoch);
        true
    }

    /// Looks at the clock: tells the others how far this site is, when it is time. How long until the next time.
    pub(crate) fn look_at_clock(&self) -> Option<Duration> {
        self.with(|state, now| {
            if state.machine.deadline().is_some_and(|deadline| deadline <= now) {
                state.feed(self, now, ReplicaEvent::Deadline { wall: clock::now() });
            }
            state.machine.deadline().map(|deadline| deadline.since(now))
        })
    }

    /// What is to be sent, in its order; why the run cannot go on, if so.
    pub(crate) fn take_outgoing(&self) -> (Vec<Outgoing>, Option<String>) {
        let mut state = self.lock();
        (mem::take(&mut state.outgoing), state.trouble.take())
    }

    /// Says whom to wake when something is to be sent.
    pub(crate) fn wake_to_send(&self, waker: Waker) {
        self.lock().sender = Some(waker);
    }

    /// Takes note that a subtask has passed a barrier, and that a checkpoint is complete. Where it was the last one here:
    /// what the site adds to the checkpoint.
    pub(super) fn pass(
        self: &Arc<Self>,
        subtask: SubtaskId,
        epoch: Epoch,
        completed: Option<Epoch>,
    ) -> Option<ShareDraft> {
        self.with(|state, now| {
            if let Some(completed) = completed.filter(|completed| *completed > self.settings.after) {
                state.kept.complete(completed);
                state.feed(self, now, ReplicaEvent::Completed { epoch: completed });
            }
            let before = state.all_passed();
            state.passed.insert(subtask, epoch);
            if state.all_passed() <= before || state.all_passed() < epoch {
                return None;
            }
            state.feed(self, now, ReplicaEvent::Passed { epoch });
            self.settings.lasts.then(|| state.share(self.clone(), epoch))
        })
    }

    /// What the tables are called, by their numbers.
    pub(crate) fn names(&self) -> Vec<String> {
        self.tables.iter().map(|table| table.name().to_owned()).collect()
    }

    pub(crate) fn tables(&self) -> Vec<Arc<dyn AnyTable>> {
        self.tables.clone()
    }

    /// A new base is written, or will not be: tables may settle again.
    pub(super) fn base_is_written(&self) {
        self.with(|state, _| {
            state.kept.writing_bases -= 1;
            if state.kept.writing_bases == 0
                && let Some(epoch) = state.kept.settle_next.take()
            {
                self.settle_tables(epoch);
            }
        });
    }

    /// Takes note of what was written for a checkpoint.
    pub(super) fn written(&self, epoch: Epoch, base: Option<SharedBase>, logs: &[SharedLog], bytes: usize) {
        let log = logs.last().filter(|log| log.epoch == epoch).cloned();
        self.with(|state, _| state.kept.pending.insert(epoch, Written { base, log, bytes }));
    }

    fn settle_tables(&self, epoch: Epoch) {
        if is_broken(Breakage::Fence) {
            return;
        }
        let settled = Settled { run: self.settings.run, epoch, time: HybridTime::default() };
        self.tables.iter().for_each(|table| table.settle(settled));
    }

    /// Works on the state; then wakes whoever may go on.
    fn with<T>(&self, work: impl FnOnce(&mut State, Tick) -> T) -> T {
        let mut state = self.lock();
        let now = Tick(u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX));
        let done = work(&mut state, now);
        let woken = state.woken(self.settings.waits);
        drop(state);
        woken.into_iter().for_each(Waker::wake);
        done
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Whoever panicked while the lock was held ends the run, and the replica with it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Lets the machine decide. Whether it is what a correct peer says.
    fn feed(&mut self, site: &SiteReplica, now: Tick, event: ReplicaEvent<Arc<Operation>>) -> bool {
        let outcome = self.machine.on(now, event, &mut self.effects);
        if outcome == Outcome::Unexpected {
            tracing::warn!(site = %site.settings.site, "heard of shared state what no correct peer says");
        }
        for effect in mem::take(&mut self.effects) {
            self.perform(site, effect);
        }
        outcome != Outcome::Unexpected
    }

    /// An update was made here, which had been counted as refused.
    fn made(&mut self, site: &SiteReplica, now: Tick, stamp: Stamp, delta: Arc<Operation>) {
        self.tallies.refused -= 1;
        self.tallies.made += 1;
        self.feed(site, now, ReplicaEvent::Wrote { stamp, delta });
    }

    fn perform(&mut self, site: &SiteReplica, effect: ReplicaEffect<Arc<Operation>>) {
        match effect {
            ReplicaEffect::Apply(update) => {
                let Operation { shared, key, delta } = update.delta.as_ref();
                let applied = match site.tables.get(shared.0 as usize) {
                    Some(table) => match guarded(|| table.apply(&update.stamp, key, delta)) {
                        Ok(applied) => applied.map(drop).map_err(|error| error.to_string()),
                        Err(caught) => Err(self.half_joined(table.name(), &caught)),
                    },
                    None => Err(format!("an update names shared state {shared}, and there is none")),
                };
                // The other sites refuse it too, whoever made it: it is in nobody's table, and its name is used up.
                self.tallies.applied += u64::from(applied.is_ok());
                self.tallies.refused += u64::from(applied.is_err());
                if let Err(reason) = applied {
                    tracing::warn!(stamp = ?update.stamp, reason, "an update of shared state is set aside");
                }
            }
            ReplicaEffect::Broadcast(update) => match self.outgoing.last_mut() {
                Some(Outgoing::ToAll(Word::Updates(updates))) => updates.push(update),
                Some(_) | None => self.outgoing.push(Outgoing::ToAll(Word::Updates(vec![update]))),
            },
            ReplicaEffect::Gossip(gossip) => {
                let based = self.kept.based;
                self.outgoing.push(Outgoing::ToAll(Word::Gossip { gossip, based }));
            }
            ReplicaEffect::Pull { from, gap } => self.outgoing.push(Outgoing::To(from, Word::Pull(gap))),
            ReplicaEffect::Answer { to, lane, updates } => {
                self.outgoing.push(Outgoing::To(to, Word::Answer { lane, updates }));
            }
            ReplicaEffect::Settle { epoch } => {
                site.settled.store(epoch.0, Relaxed);
                if self.kept.writing_bases > 0 {
                    self.kept.settle_next = Some(epoch);
                } else {
                    site.settle_tables(epoch);
                }
            }
            ReplicaEffect::Distrust { site, ahead } => {
                let ahead = ahead.as_millis();
                self.trouble = Some(format!(
                    "the clock of the node at site {site} is {ahead} ms ahead of most others: set the clocks of the nodes"
                ));
            }
        }
    }

    /// A resolver has panicked in the middle of a join: what is in the table is nobody's state, and the run ends. Why, for a
    /// person.
    fn half_joined(&mut self, table: &str, caught: &Caught) -> String {
        let reason = format!("the resolver of the shared state {table:?} panics: {}", caught.message);
        self.trouble = Some(reason.clone());
        reason
    }

    /// The newest barrier that all subtasks of the site have passed.
    fn all_passed(&self) -> Epoch {
        self.passed.values().copied().min().unwrap_or_default()
    }

    /// What the site adds to a checkpoint whose barrier its last subtask has passed.
    fn share(&mut self, replica: Arc<SiteReplica>, epoch: Epoch) -> ShareDraft {
        let updates: Vec<_> = self.machine.own_log(epoch).cloned().collect();
        let finals = self.machine.finals(epoch).into_iter().collect();
        let high_water = self.machine.high_water();
        let is_first = replica.settings.site == Site(0);
        let new_base = (is_first && self.kept.needs_base()).then(|| {
            self.kept.writing_bases += 1;
            NewBase { epoch: self.machine.applied().settled(), replica: replica.clone() }
        });
        let (base, logs) = (self.kept.base.clone(), self.kept.logs.clone());
        ShareDraft { replica, epoch, finals, updates, high_water, base, logs, new_base }
    }

    /// Those who have waited for what is there now, if they wait for more than the right to work.
    fn woken(&mut self, waits: bool) -> Vec<Waker> {
        let mut woken = Vec::new();
        if !self.waiting.is_empty() && self.machine.is_ready() {
            let applied = self.machine.applied();
            self.waiting.retain(|_, (clock, waker)| {
                let is_served = !waits || applied.covers(clock);
                if is_served {
                    woken.push(waker.clone());
                }
                !is_served
            });
        }
        self.serve_clients();
        if !self.outgoing.is_empty() || self.trouble.is_some() {
            woken.extend(self.sender.clone());
        }
        woken
    }
}

impl Kept {
    /// A checkpoint is complete: what was written for it counts, and what was written for those before it that are not
    /// does not.
    fn complete(&mut self, epoch: Epoch) {
        self.completed = self.completed.max(epoch);
        let later = self.pending.split_off(&Epoch(epoch.0 + 1));
        let written = mem::replace(&mut self.pending, later).remove(&epoch);
        if let Some(Written { base, log, bytes }) = written {
            if let Some(base) = base.filter(|base| self.base.as_ref() != Some(base)) {
                self.based = self.based.max(base.epoch);
                self.base = Some(base);
                self.log_bytes = 0;
                self.inherits = false;
            }
            self.logs.extend(log);
            self.log_bytes += bytes;
        }
        self.logs.retain(|log| log.epoch > self.based);
    }

    /// Whether the next checkpoint is to have a new base.
    fn needs_base(&self) -> bool {
        // What the run has begun with is in no log of its own: until a completed checkpoint has it, each says it anew.
        if self.inherits {
            return true;
        }
        let is_underway = self.writing_bases > 0 || self.pending.values().any(|one| one.base != self.base);
        let base_bytes = self.base.as_ref().map_or(0, |base| base.object.bytes);
        let bytes_max = LOGS_BYTES_MIN.max(usize::try_from(base_bytes).unwrap_or(usize::MAX));
        !is_underway && (self.log_bytes > bytes_max || self.logs.len() >= LOGS_MAX)
    }
}

impl Replica for SiteReplica {
    fn table(&self, shared: SharedId) -> &dyn AnyTable {
        self.tables[shared.0 as usize].as_ref()
    }

    fn write(
        &self,
        shared: SharedId,
        writer: SubtaskId,
        epoch: Epoch,
        key: Vec<u8>,
        make: &mut dyn FnMut(&Stamp) -> Result<Vec<u8>, Refusal>,
    ) -> Result<(), Refusal> {
        self.with(|state, now| {
            // As long as it is not made.
            state.tallies.refused += 1;
            let stamp = state.machine.stamp(now, clock::now(), epoch, writer).map_err(refusal)?;
            let delta = make(&stamp)?;
            let delta = Arc::new(Operation { shared, key, delta });
            state.made(self, now, stamp, delta);
            Ok(())
        })
    }

    fn applied(&self, epoch: Epoch) -> VectorClock {
        self.lock().machine.applied().up_to(epoch)
    }
}

fn refusal(error: StampError) -> Refusal {
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    match error {
        StampError::ClockSkew { ahead, max } => {
            Refusal::ClockSkew { ahead_ms: millis(ahead), max_ms: millis(max) }
        }
        error => Refusal::Update(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
