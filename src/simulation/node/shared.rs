//! The state that all subtasks of a job share: a node's replica of it, and what of it goes into checkpoints.
//!
//! The state is the set of records that were counted. So what is in the end saved of it tells whether each record was
//! counted once there too, across all roll-backs. Beside the protocol and unseen by it, each update has the truth with
//! it: all updates that its writer knew ([`Made`]).

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use watershed_core::causal::{Dot, HybridTime, Lane, VectorClock};
use watershed_core::checkpoint::{ObjectRef, RollBack, SharedCut, SharedLog, SiteShare};
use watershed_core::shared::Stamp;
use watershed_core::{Epoch, ProcessingTime, Site, SubtaskId};
use watershed_protocol::causal::{
    Gap, Gossip, Replica, ReplicaConfig, ReplicaEffect, ReplicaEvent, ReplicaLimits, RollBacks, Size,
    StampError, Update,
};
use watershed_protocol::checkpoint::Authority;
use watershed_protocol::{Machine, Outcome};

use crate::agenda::Seat;
use crate::client::Dots;
use crate::message::{Beginning, Message};
use crate::mutant::Mutant;
use crate::properties::Broken;
use crate::record::{Name, Record, decode};
use crate::world::World;

/// What an update adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) enum Counted {
    /// One more record was counted, at this vertex.
    Record(u32, Name),
    /// A client has asked for it; the question by its number.
    OfClient(usize, u64),
}

impl Size for Counted {
    fn bytes(&self) -> usize {
        16
    }
}

/// What replicas tell each other.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Word {
    Update(Update<Counted>),
    Gossip(Gossip),
    Pull(Gap),
    Answer { lane: Lane, updates: Vec<Update<Counted>> },
}

/// What is true of an update.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    /// The epoch of the task that made it.
    pub(crate) epoch: Epoch,
    /// All updates of its run that the task knew.
    pub(crate) causes: Rc<BTreeSet<Dot>>,
}

/// A log in the checkpoint store.
pub(crate) type Log = Vec<(Stamp, Counted)>;

/// A node's share in one run.
#[derive(Debug)]
pub(crate) struct Home {
    pub(crate) authority: Authority,
    pub(crate) site: Site,
    /// The nodes, by their sites.
    nodes: Vec<usize>,
    pub(crate) replica: Replica<Counted>,
    /// The epoch behind which the run began.
    begun: Epoch,
    /// The checkpoint that it began from, and the newest one that is known to be complete.
    pub(crate) began_from: Option<Epoch>,
    pub(crate) completed: Option<Epoch>,
    pub(crate) roll_backs: RollBacks,
    /// Whether the run may go on elsewhere without this node.
    pub(crate) is_doubted: bool,
    /// The updates that the run began with, by what is true.
    pub(crate) base: Dots,
    /// The updates of this run that have been joined.
    pub(crate) table: BTreeSet<Dot>,
    /// The newest barrier that each local subtask has passed.
    passed: BTreeMap<SubtaskId, Epoch>,
    /// The logs that checkpoints had which are not known to be complete, and those of the newest one that is.
    pending: BTreeMap<Epoch, Vec<SharedLog>>,
    logs: Vec<SharedLog>,
}

fn limits() -> ReplicaLimits {
    ReplicaLimits {
        gossip_interval: Duration::from_millis(80),
        pull_retry: Duration::from_millis(120),
        piece_updates_max: 5,
        held_updates_max: 30,
        ..ReplicaLimits::default()
    }
}

impl Home {
    /// The newest complete checkpoint all of which is to be seen here.
    pub(crate) fn whole(&self) -> Option<Epoch> {
        Some(self.replica.applied().settled()).filter(|epoch| *epoch > self.begun).or(self.began_from)
    }

    /// The epoch of the task of the site that has come farthest.
    pub(crate) fn newest_epoch(&self) -> Epoch {
        Epoch(self.passed.values().max().copied().unwrap_or_default().0 + 1)
    }

    /// Links to another node are gone.
    pub(crate) fn doubt_without(&mut self, other: usize) {
        self.is_doubted |= self.nodes.contains(&other);
    }
}

impl World {
    /// What the wall clock of a node shows.
    pub(crate) fn wall(&self, node: usize) -> ProcessingTime {
        ProcessingTime::from_millis(1_000_000 + self.now as i64 + self.nodes[node].wall_offset)
    }

    /// Makes a node's replica for a run, from what a checkpoint has, unless it is there. What of that is missing, if so.
    pub(crate) fn make_home(
        &mut self,
        node: usize,
        authority: Authority,
        beginning: &Beginning,
        shares: &[SiteShare],
    ) -> Result<(), ObjectRef> {
        if self.nodes[node].home.as_ref().is_some_and(|home| home.authority == authority) {
            return Ok(());
        }
        let Beginning { after, places, roll_backs, .. } = beginning;
        let after = *after;
        let mut logs: Vec<SharedLog> = shares.iter().flat_map(|share| share.logs.iter().cloned()).collect();
        logs.sort_by(|one, other| (one.epoch, &one.object).cmp(&(other.epoch, &other.object)));
        logs.dedup();
        let (mut high_water, mut base) = (HybridTime::default(), BTreeSet::new());
        for log in &logs {
            let Some(bytes) = self.get(&log.object) else { return Err(log.object.clone()) };
            for (stamp, _) in decode::<Log>(bytes) {
                high_water = high_water.max(stamp.time);
                base.insert(stamp.dot);
            }
        }
        let nodes: BTreeSet<usize> = places.values().copied().collect();
        let nodes: Vec<usize> = nodes.into_iter().collect();
        let place = nodes.iter().position(|other| *other == node).expect("who is set up has a place");
        let (own, sites) = (Site(place as u16), nodes.len() as u16);
        let (mut run, mut begun) = (authority.run, after);
        if self.has(Mutant::CountersRestored) {
            run = watershed_core::Run(1);
            begun = logs.last().map_or(Epoch(0), |log| log.epoch);
        }
        let config = ReplicaConfig { run, own, sites, base: begun, high_water, limits: limits() };
        let local = places.iter().filter(|(_, at)| **at == node).map(|(&subtask, _)| (subtask, begun));
        let records: Vec<RollBack> =
            roll_backs.iter().filter(|record| record.run <= authority.run).copied().collect();
        let began_from = records.last().and_then(|record| record.base);
        let home = Home {
            authority,
            site: own,
            nodes,
            replica: Replica::new(config, self.tick(node), self.wall(node)),
            begun,
            began_from,
            completed: began_from,
            roll_backs: RollBacks::of(&records),
            is_doubted: false,
            base: Rc::new(base),
            table: BTreeSet::new(),
            passed: local.collect(),
            pending: BTreeMap::new(),
            // One site says again what the run began with.
            logs: if place == 0 { logs } else { Vec::new() },
        };
        self.nodes[node].home = Some(home);
        self.attend_all(node);
        self.plan_look(node);
        Ok(())
    }

    /// Lets a subtask count on where the checkpoint ended, as only a mutant does.
    pub(crate) fn restore_counters(&mut self, seat: Seat) {
        let begun = self.nodes[seat.node].home.as_ref().map(|home| home.begun);
        if let (Some(begun), Some(subtask)) = (begun, self.seated(seat)) {
            subtask.epoch = Epoch(begun.0 + 1);
        }
    }

    /// The replica of a subtask's run.
    pub(crate) fn home(&mut self, node: usize, authority: Authority) -> Option<&mut Home> {
        self.nodes[node].home.as_mut().filter(|home| home.authority == authority)
    }

    /// Feeds an event to a node's replica, and performs what it wants.
    pub(crate) fn feed(&mut self, node: usize, event: ReplicaEvent<Counted>) {
        let now = self.tick(node);
        let Some(home) = &mut self.nodes[node].home else { return };
        let mut effects = Vec::new();
        let outcome = home.replica.on(now, event, &mut effects);
        let is_skewed = |effect: &ReplicaEffect<_>| matches!(effect, ReplicaEffect::Distrust { .. });
        let is_explained = effects.iter().any(is_skewed);
        let is_right = self.mutant.is_none_or(|mutant| mutant == Mutant::AnyRunHeard);
        if outcome == Outcome::Unexpected && !is_explained && is_right {
            self.broken(
                Broken::Mistrust,
                format!("the replica on node {node} finds what it hears unexpected"),
            );
        }
        for effect in effects {
            self.perform_shared(node, effect);
        }
        let waiting = self.nodes[node].subtasks.iter().filter(|(_, subtask)| subtask.is_waiting);
        let waiting: Vec<SubtaskId> = waiting.map(|(&id, _)| id).collect();
        waiting.into_iter().for_each(|id| self.plan(node, id, 0));
        self.attend_all(node);
        self.plan_look(node);
    }

    pub(crate) fn perform_shared(&mut self, node: usize, effect: ReplicaEffect<Counted>) {
        let Some(home) = &mut self.nodes[node].home else { return };
        match effect {
            ReplicaEffect::Broadcast(update) => self.word_to_others(node, &Word::Update(update)),
            ReplicaEffect::Gossip(gossip) => self.word_to_others(node, &Word::Gossip(gossip)),
            ReplicaEffect::Pull { from, gap } => self.word(node, from, &Word::Pull(gap)),
            ReplicaEffect::Answer { to, lane, updates } => {
                self.word(node, to, &Word::Answer { lane, updates });
            }
            ReplicaEffect::Apply(update) => {
                let dot = update.stamp.dot;
                let is_caused = self.made.get(&dot).is_some_and(|made| made.causes.is_subset(&home.table));
                home.table.insert(dot);
                if !is_caused {
                    self.broken(
                        Broken::C3,
                        format!("{dot} is joined on node {node} before what it depends on"),
                    );
                }
            }
            // Sessions forget when they pass their next barrier.
            ReplicaEffect::Settle { .. } => {}
            // Skew that is drawn is not always borne: the run ends, as it does where a subtask is lost.
            ReplicaEffect::Distrust { .. } => {
                self.tally.distrusted += 1;
                for subtask in self.nodes[node].subtasks.values_mut() {
                    subtask.break_down("a clock is ahead");
                }
            }
        }
    }

    fn word_to_others(&mut self, node: usize, word: &Word) {
        let Some(home) = &self.nodes[node].home else { return };
        let others: Vec<Site> =
            (0..home.nodes.len() as u16).map(Site).filter(|site| *site != home.site).collect();
        others.into_iter().for_each(|to| self.word(node, to, word));
    }

    fn word(&mut self, node: usize, to: Site, word: &Word) {
        let Some(home) = &self.nodes[node].home else { return };
        let message = Message::Word { authority: home.authority, from: home.site, word: word.clone() };
        let to = home.nodes[usize::from(to.0)];
        self.send(node, to, &message);
    }

    /// A word of another replica arrives.
    pub(crate) fn hear_word(&mut self, node: usize, authority: Authority, from: Site, word: Word) {
        if self.home(node, authority).is_none() && !self.has(Mutant::AnyRunHeard) {
            return;
        }
        let event = match word {
            Word::Update(update) => ReplicaEvent::Heard { from, update },
            Word::Gossip(gossip) => ReplicaEvent::Gossip { from, gossip },
            Word::Pull(gap) => ReplicaEvent::Pulled { by: from, gap },
            Word::Answer { lane, updates } => ReplicaEvent::Answered { from, lane, updates },
        };
        self.feed(node, event);
    }

    /// A checkpoint of a run is decided: those who wait for it may be told. The replica itself is told with barriers.
    pub(crate) fn hear_completed(&mut self, node: usize, authority: Authority, epoch: Epoch) {
        if let Some(home) = self.home(node, authority) {
            home.completed = home.completed.max(Some(epoch));
            self.attend_all(node);
        }
    }

    /// Whether a subtask has to wait before it works on records.
    pub(crate) fn waits(&mut self, node: usize, id: SubtaskId) -> bool {
        let no_waits = self.has(Mutant::NoWaits);
        let Some(subtask) = self.nodes[node].subtasks.get(&id) else { return false };
        let Some(home) = self.nodes[node].home.as_ref().filter(|home| home.authority == subtask.authority)
        else {
            return true;
        };
        let is_here = subtask.session.may_work(home.replica.applied()) || no_waits;
        !(home.replica.is_ready() && is_here)
    }

    /// A counter reads what it sees of shared state and writes what it has counted.
    pub(crate) fn count_together(&mut self, node: usize, id: SubtaskId, records: &[Record]) {
        let (now, wall) = (self.tick(node), self.wall(node));
        let (no_filter, no_lanes) = (self.has(Mutant::NoEpochFilter), self.has(Mutant::NoLanes));
        let own = &mut self.nodes[node];
        let Some(subtask) = own.subtasks.get_mut(&id) else { return };
        let Some(home) = own.home.as_mut().filter(|home| home.authority == subtask.authority) else { return };
        let epoch = subtask.epoch;
        let sees_to = if no_filter { Epoch(u64::MAX) } else { epoch };
        let made = &self.made;
        let truly = |dot: &&Dot| made.get(*dot).is_some_and(|made| made.epoch <= sees_to);
        let visible: BTreeSet<Dot> = home.table.iter().filter(truly).copied().collect();
        let past = subtask.knows.iter().find(|dot| !visible.contains(*dot)).copied();
        let mut knows = visible;
        knows.extend(subtask.knows.iter().copied());
        let mut effects = Vec::new();
        let mut trouble = past.map(|dot| {
            (Broken::C2, format!("{id} works on what was written with {dot} in sight, and does not find it"))
        });
        for record in records {
            let lane_epoch = if no_lanes { Epoch(home.begun.0 + 1) } else { epoch };
            let stamp = match home.replica.stamp(now, wall, lane_epoch, id) {
                Ok(stamp) => stamp,
                Err(error) => {
                    self.tally.skewed += u64::from(matches!(error, StampError::ClockSkew { .. }));
                    subtask.break_down(&error.to_string());
                    break;
                }
            };
            let causes = Rc::new(knows.clone());
            knows.insert(stamp.dot);
            home.table.insert(stamp.dot);
            if self.made.insert(stamp.dot, Made { epoch, causes }).is_some() {
                trouble = Some((Broken::C1, format!("{} names two updates", stamp.dot)));
            }
            let delta = Counted::Record(id.vertex.0, record.name());
            let _ = home.replica.on(now, ReplicaEvent::Wrote { stamp, delta }, &mut effects);
        }
        subtask.knows = Rc::new(knows);
        subtask.session.touched(home.replica.applied(), sees_to);
        for effect in effects {
            self.perform_shared(node, effect);
        }
        if let Some((broken, reason)) = trouble {
            self.broken(broken, reason);
        }
    }

    /// A subtask passes a barrier: what it has seen, and, where it is the last of its site, what the site adds.
    pub(crate) fn share(
        &mut self,
        node: usize,
        id: SubtaskId,
        epoch: Epoch,
        completed: Option<Epoch>,
    ) -> Option<(SharedCut, Option<Log>)> {
        let authority = self.nodes[node].subtasks.get(&id)?.authority;
        let home = self.home(node, authority)?;
        home.completed = home.completed.max(completed);
        if let Some(completed) = completed
            && let Some(logs) = home.pending.remove(&completed)
        {
            home.pending.retain(|epoch, _| *epoch > completed);
            home.logs = logs;
            if !self.has(Mutant::NoLanes) {
                self.feed(node, ReplicaEvent::Completed { epoch: completed });
            }
        }
        let own = &mut self.nodes[node];
        let (home, subtask) = (own.home.as_mut()?, own.subtasks.get_mut(&id)?);
        subtask.session.forget(home.replica.applied().settled());
        let session = subtask.session.clock().clone();
        home.passed.insert(id, epoch);
        let (site, is_last) = (home.site, home.passed.values().all(|passed| *passed >= epoch));
        let mut cut = SharedCut { site, session, share: None };
        if !is_last {
            return Some((cut, None));
        }
        if self.has(Mutant::NoLanes) {
            return Some(self.share_without_lanes(node, cut));
        }
        self.feed(node, ReplicaEvent::Passed { epoch });
        let home = self.home(node, authority)?;
        let updates: Vec<&Update<Counted>> = home.replica.own_log(epoch).collect();
        let mut deps = VectorClock::new();
        updates.iter().for_each(|update| deps.merge(&update.deps));
        let log: Log = updates.iter().map(|update| (update.stamp, update.delta)).collect();
        let finals = home.replica.finals(epoch).into_iter().collect();
        cut.share = Some(SiteShare { finals, deps, base: None, logs: home.logs.clone() });
        home.pending.insert(epoch, home.logs.clone());
        Some((cut, Some(log)))
    }

    /// What a site would add that counts through all epochs.
    fn share_without_lanes(&mut self, node: usize, mut cut: SharedCut) -> (SharedCut, Option<Log>) {
        let home = self.nodes[node].home.as_ref().expect("the caller has seen it");
        let own: Vec<Dot> = home.table.iter().filter(|dot| dot.lane.site == home.site).copied().collect();
        let finals = own.iter().copied().collect();
        let writer = SubtaskId { vertex: watershed_core::VertexId(0), index: 0 };
        let stamp = |dot: Dot| Stamp { dot, time: HybridTime::default(), writer };
        let log = own.into_iter().map(|dot| (stamp(dot), Counted::Record(0, (0, 0, 0)))).collect();
        cut.share = Some(SiteShare { finals, deps: VectorClock::new(), base: None, logs: Vec::new() });
        (cut, Some(log))
    }

    /// The log of a site is on its way: the next checkpoints name it too, if this one is decided.
    pub(crate) fn logged(&mut self, node: usize, authority: Authority, epoch: Epoch, logs: &[SharedLog]) {
        if let Some(home) = self.home(node, authority) {
            home.pending.insert(epoch, logs.to_vec());
        }
    }

    /// Looks whether a node's replica waits for this moment.
    pub(crate) fn look_at_home(&mut self, node: usize) {
        let (now, wall) = (self.tick(node), self.wall(node));
        let is_time = |home: &Home| home.replica.deadline().is_some_and(|deadline| deadline <= now);
        if self.nodes[node].home.as_ref().is_some_and(is_time) {
            self.feed(node, ReplicaEvent::Deadline { wall });
        }
    }
}
