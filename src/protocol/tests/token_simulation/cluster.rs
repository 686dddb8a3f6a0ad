//! The whole: sites, a network, a coordinator, zombies and clients, and what chance makes them do.

use std::collections::BTreeMap;
use std::time::Duration;

use watershed_core::causal::VectorClock;
use watershed_core::checkpoint::{
    Change, ContentHash, Guard, Manifest, Meta, ObjectRef, Pointer, SharedCut, Vote,
};
use watershed_core::plan::{Fingerprint, Plan};
use watershed_core::shared::Propagation;
use watershed_core::{Epoch, KeyGroups, Run, Site, SubtaskId, Term};
use watershed_protocol::Tick;
use watershed_protocol::causal::{JobToken, Translation};
use watershed_protocol::checkpoint::certify_manifest;

use crate::client::{Answer, Client, Durable, judge};
use crate::dice::Dice;
use crate::fault::Fault;
use crate::history::{History, Key};
use crate::replica::Message;
use crate::site::{Beginning, Node};
use crate::violation::{Invariant, Violation};

const CLIENTS: usize = 4;
const KEYS: usize = 3;
/// How many durable tokens are kept to be shown again: the newest ones, and each of them for ever.
const DURABLE_MAX: usize = 24;
/// How much time passes from one step to the next.
const STEP: Duration = Duration::from_millis(200);
/// How often everybody gossips in the end, and how much later each time: a pull that was lost is asked for again.
const ROUNDS: usize = 12;
const ROUND: Duration = Duration::from_secs(3);

/// A checkpoint on which votes are collected.
struct Pending {
    epoch: Epoch,
    votes: BTreeMap<SubtaskId, Vote>,
}

/// What has happened, so that a simulation in which nothing happens is noticed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) runs: u64,
    pub(crate) forks: u64,
    pub(crate) checkpoints: u64,
    pub(crate) updates: u64,
    pub(crate) answers: BTreeMap<Answer, u64>,
    pub(crate) durable_shown: u64,
    /// How often the job went on with more sites, or with fewer.
    pub(crate) moves: u64,
    /// The most entries that a site's vector had at the end of each run, and the bytes of the longest token then.
    pub(crate) sizes: Vec<(usize, usize)>,
}

pub(crate) struct Cluster {
    dice: Dice,
    fault: Fault,
    meta: Meta,
    /// Counts runs where the fault does not.
    execution: Run,
    history: History,
    nodes: Vec<Node>,
    /// Nodes of runs that are over, which do not know it.
    zombies: Vec<Node>,
    network: Vec<(Site, Message)>,
    now: Tick,
    pending: Option<Pending>,
    /// Where the lanes ended that each complete checkpoint of this run closed.
    finals: BTreeMap<Epoch, VectorClock>,
    /// All checkpoints that may be gone back to.
    pointers: Vec<Pointer>,
    clients: Vec<Client>,
    durable: Vec<Durable>,
    pub(crate) tally: Tally,
}

impl Cluster {
    pub(crate) fn new(seed: u64, fault: Fault) -> Self {
        let mut dice = Dice::new(seed);
        let sites = 2 + dice.below(2);
        let mut cluster = Cluster {
            dice,
            fault,
            meta: Meta::default(),
            execution: Run(0),
            history: History::default(),
            nodes: Vec::new(),
            zombies: Vec::new(),
            network: Vec::new(),
            now: Tick(0),
            pending: None,
            finals: BTreeMap::new(),
            pointers: Vec::new(),
            clients: (0..CLIENTS).map(|_| Client::default()).collect(),
            durable: Vec::new(),
            tally: Tally::default(),
        };
        cluster.begin_run(&Change::BeginRun, sites);
        cluster
    }

    /// Harm: chance decides what happens next.
    pub(crate) fn step(&mut self) -> Result<(), Violation> {
        self.now = self.now.after(STEP);
        match self.dice.below(100) {
            0..25 => self.ask(),
            25..30 => {
                self.ask_whether_durable();
                Ok(())
            }
            30..40 => self.work(),
            40..70 => {
                (0..4).for_each(|_| self.deliver());
                Ok(())
            }
            70..75 => self.trigger(),
            75..90 => self.pass(),
            90..92 => {
                let node = self.dice.below(self.nodes.len());
                let messages = self.nodes[node].tick(self.now);
                self.network.extend(messages);
                Ok(())
            }
            92 => {
                self.pending = None;
                Ok(())
            }
            93..97 => {
                let node = self.dice.below(self.nodes.len());
                self.learn(node);
                Ok(())
            }
            97 => {
                self.zombies.pop();
                Ok(())
            }
            _ => self.set_back(),
        }
    }

    /// A change of what is decided; the coordinator never asks for one that is refused.
    fn decide(&mut self, change: &Change) {
        self.meta = change.apply(Guard::of(&self.meta), &self.meta).expect("the change is in order");
    }

    /// A node dies, or all of them: the job goes back to the newest complete checkpoint, or by hand to any.
    fn set_back(&mut self) -> Result<(), Violation> {
        if !self.dice.once_in(2) {
            return Ok(());
        }
        let sites = if self.dice.once_in(3) { 2 + self.dice.below(2) } else { self.nodes.len() };
        if !self.pointers.is_empty() && self.dice.once_in(8) {
            let base = self.pointers[self.dice.below(self.pointers.len())].clone();
            self.pointers.retain(|pointer| pointer.epoch <= base.epoch);
            self.begin_run(&Change::Fork { base: Some(base) }, sites);
            self.tally.forks += 1;
        } else {
            self.begin_run(&Change::BeginRun, sites);
        }
        self.show_durable(false)
    }

    fn begin_run(&mut self, change: &Change, sites: usize) {
        let before = self.nodes.first().map(|node| node.beginning.clone());
        self.tally.moves +=
            u64::from(before.as_ref().is_some_and(|before| usize::from(before.sites) != sites));
        let entries = self.nodes.iter().map(|node| node.replica.applied().len()).max();
        let token_bytes = self.clients.iter().map(Client::token_bytes).max();
        self.tally.sizes.push((entries.unwrap_or_default(), token_bytes.unwrap_or_default()));
        self.decide(change);
        self.execution.0 += 1;
        self.tally.runs += 1;
        for node in std::mem::take(&mut self.nodes) {
            if self.dice.once_in(3) {
                self.zombies.push(node);
            }
        }
        let record = self.meta.roll_backs.last().expect("each run has a record");
        let mut beginning = Beginning {
            lineage: record.lineage,
            run: record.run,
            execution: self.execution,
            base: record.base,
            burnt: self.meta.burnt,
            sites: sites as u16,
            tasks: 1 + self.dice.below(2),
            state: self.history.checkpoint(record.base),
            applied: VectorClock::new(),
            roll_backs: self.meta.roll_backs.clone(),
        };
        let finals = std::mem::take(&mut self.finals);
        if let (Fault::CountersRestored, Change::BeginRun, Some(before)) = (self.fault, change, before) {
            let kept = finals.into_iter().filter(|(epoch, _)| Some(*epoch) <= beginning.base);
            let mut restored = before.applied;
            kept.for_each(|(_, finals)| restored.merge(&finals));
            (beginning.run, beginning.roll_backs) = (before.run, before.roll_backs);
            beginning.applied = restored;
        }
        self.pending = None;
        let node = |site| Node::new(self.fault, Site(site), &beginning, self.now);
        self.nodes = (0..beginning.sites).map(node).collect();
        for node in &mut self.nodes {
            self.network.extend(node.tick(self.now));
        }
    }

    /// A task works: it reads, and now and then it writes.
    fn work(&mut self) -> Result<(), Violation> {
        let node = self.dice.below(self.nodes.len());
        let task = self.dice.below(self.nodes[node].tasks.len());
        if self.dice.once_in(2) {
            self.nodes[node].read(task);
            return Ok(());
        }
        let key = self.key();
        let Some(stamp) = self.nodes[node].stamp(self.now, task) else { return Ok(()) };
        let id = self.history.make(stamp.dot, key, self.execution)?;
        let messages = self.nodes[node].write(self.now, task, stamp, id);
        self.network.extend(messages);
        self.tally.updates += 1;
        Ok(())
    }

    fn key(&mut self) -> Key {
        Key(self.dice.below(KEYS) as u8)
    }

    /// The network delivers in any order, what is left of older runs to whoever has the place now, and now and then
    /// nothing: the real replica asks again for what it lacks.
    fn deliver(&mut self) {
        if self.network.is_empty() {
            return;
        }
        let (to, message) = self.network.swap_remove(self.dice.below(self.network.len()));
        if !self.fault.is_of_replica() && self.dice.once_in(20) {
            return;
        }
        if let Some(node) = self.nodes.get_mut(usize::from(to.0)) {
            let answers = node.hear(self.now, message);
            self.network.extend(answers);
        }
    }

    fn trigger(&mut self) -> Result<(), Violation> {
        if self.pending.is_none() {
            let epoch = Epoch(self.meta.burnt.0 + 1);
            self.decide(&Change::Burn(epoch));
            self.pending = Some(Pending { epoch, votes: BTreeMap::new() });
        }
        Ok(())
    }

    /// A task that has not yet passed the barrier does.
    fn pass(&mut self) -> Result<(), Violation> {
        let Some(pending) = &mut self.pending else { return Ok(()) };
        let epoch = pending.epoch;
        let tasks = self.nodes.iter().enumerate().flat_map(|(node, at)| {
            let behind = at.tasks.iter().enumerate().filter(|(_, task)| task.epoch <= epoch);
            behind.map(move |(task, _)| (node, task))
        });
        let tasks: Vec<(usize, usize)> = tasks.collect();
        let (node, task) = tasks[self.dice.below(tasks.len())];
        let (cut, messages) = self.nodes[node].pass(self.now, task, epoch);
        self.network.extend(messages);
        let subtask = self.nodes[node].subtask(task);
        pending.votes.insert(subtask, vote(subtask, cut));
        if tasks.len() == 1 { self.complete() } else { Ok(()) }
    }

    /// All have voted: the cut is proved and decided.
    fn complete(&mut self) -> Result<(), Violation> {
        let Some(Pending { epoch, votes }) = self.pending.take() else { return Ok(()) };
        let beginning = &self.nodes[0].beginning;
        let base = self.meta.completed.as_ref().map(|pointer| pointer.epoch);
        let manifest = manifest(beginning, epoch, base, votes.into_values().collect());
        if let Err(violation) = certify_manifest(&manifest, None) {
            return Invariant::ConsistentCut.broken(violation.to_string());
        }
        let cuts = manifest.votes.iter().filter_map(|vote| vote.shared.as_deref());
        let mut finals = VectorClock::new();
        cuts.filter_map(|cut| cut.share.as_ref()).for_each(|share| finals.merge(&share.finals));
        let object = ObjectRef { path: epoch.to_string(), bytes: 0, hash: ContentHash([0; 32]) };
        let pointer = Pointer { lineage: self.meta.lineage, epoch, manifest: object };
        self.history.complete(epoch, beginning.base, self.execution);
        self.decide(&Change::Complete(pointer.clone()));
        self.finals.insert(epoch, finals);
        self.pointers.push(pointer);
        self.tally.checkpoints += 1;
        Ok(())
    }

    /// A node hears of all checkpoints of this run that are complete.
    fn learn(&mut self, node: usize) {
        for (epoch, finals) in &self.finals {
            let messages = self.nodes[node].learn(self.now, *epoch, finals);
            self.network.extend(messages);
        }
    }

    /// A client asks some node, which may be of a run that is over.
    fn ask(&mut self) -> Result<(), Violation> {
        let client = self.dice.below(self.clients.len());
        let server = self.dice.below(self.nodes.len() + self.zombies.len());
        let (live, key) = (self.nodes.len(), self.key());
        let node = match server.checked_sub(live) {
            None => &mut self.nodes[server],
            Some(zombie) => &mut self.zombies[zombie],
        };
        let asking = &mut self.clients[client];
        let answer = match asking.show(self.fault, node, &self.history)? {
            Err(answer) => answer,
            Ok(token) => {
                let written = match self.dice.below(8) {
                    0..4 => {
                        asking.read(token, key, node, &self.history)?;
                        None
                    }
                    4 => {
                        asking.read_as_of(token, key, node, &self.history);
                        None
                    }
                    _ => write(asking, token, key, node, self.now, &mut self.history)?,
                };
                if self.dice.once_in(4) {
                    asking.reduce(node);
                }
                self.tally.updates += u64::from(written.is_some());
                if server < live {
                    self.network.extend(written.into_iter().flatten());
                }
                Answer::Served
            }
        };
        *self.tally.answers.entry(answer).or_default() += 1;
        Ok(())
    }

    /// A client asks some node whether its token is durable.
    fn ask_whether_durable(&mut self) {
        let client = self.dice.below(self.clients.len());
        let place = self.nodes[self.dice.below(self.nodes.len())].place();
        if let Some(durable) = self.clients[client].durable(self.fault, &place) {
            self.durable.push(durable);
            self.durable.drain(..self.durable.len().saturating_sub(DURABLE_MAX));
        }
    }

    /// Shows the durable tokens to all nodes. When all has been delivered, each of them must also be met.
    fn show_durable(&mut self, healed: bool) -> Result<(), Violation> {
        for node in &self.nodes {
            let place = node.place();
            for Durable { token, seen } in self.durable.iter().filter(|at| at.token.lineage == place.lineage)
            {
                self.tally.durable_shown += 1;
                let told = judge(self.fault, token, &place);
                let holds = match &told {
                    Translation::Wait(needs) => !healed || (node.meets(needs) && seen.is_subset(&node.state)),
                    _ => false,
                };
                if !holds {
                    return Invariant::DurableTokensHold.broken(format!("{token:?} comes to {told:?}"));
                }
            }
        }
        Ok(())
    }

    /// Heal: no zombies, nothing lost, one more checkpoint. Everybody gets an answer then.
    pub(crate) fn heal(&mut self) -> Result<(), Violation> {
        self.zombies.clear();
        self.pending = None;
        self.trigger()?;
        while self.pending.is_some() {
            self.pass()?;
        }
        (0..self.nodes.len()).for_each(|node| self.learn(node));
        for _ in 0..ROUNDS {
            self.now = self.now.after(ROUND);
            for node in &mut self.nodes {
                self.network.extend(node.tick(self.now));
            }
            while !self.network.is_empty() {
                self.deliver();
            }
        }
        self.show_durable(true)?;
        for client in &mut self.clients {
            for node in &self.nodes {
                let mut answer = client.show(self.fault, node, &self.history)?;
                if matches!(answer, Err(Answer::RolledBack | Answer::Forked)) {
                    answer = client.show(self.fault, node, &self.history)?;
                }
                match answer {
                    Ok(token) => client.read(token, Key(0), node, &self.history)?,
                    Err(answer) => return Invariant::Answered.broken(format!("in the end: {answer:?}")),
                }
            }
        }
        Ok(())
    }
}

/// A client writes through a task that may see all that the client has seen.
fn write(
    client: &mut Client,
    token: JobToken,
    key: Key,
    node: &mut Node,
    now: Tick,
    history: &mut History,
) -> Result<Option<Vec<(Site, Message)>>, Violation> {
    let newest = token.seen.dots().map(|dot| dot.lane.epoch).max();
    let Some(task) = node.tasks.iter().position(|task| Some(task.epoch) >= newest) else { return Ok(None) };
    let Some(stamp) = node.stamp(now, task) else { return Ok(None) };
    let id = history.make(stamp.dot, key, node.beginning.execution)?;
    let messages = node.write(now, task, stamp, id);
    client.wrote(token, id, history);
    Ok(Some(messages))
}

fn plan() -> Fingerprint {
    let (name, key_groups, propagation) =
        ("simulated".to_owned(), KeyGroups::default(), Propagation::default());
    let (vertices, edges, shared) = (Vec::new(), Vec::new(), Vec::new());
    Fingerprint::of(&Plan { name, key_groups, vertices, edges, shared, propagation })
}

fn vote(subtask: SubtaskId, cut: SharedCut) -> Vote {
    Vote {
        subtask,
        plan: plan().digest(),
        snapshot: Vec::new(),
        key_groups: None,
        received: Vec::new(),
        sent: Vec::new(),
        in_flight: Vec::new(),
        splits: Vec::new(),
        staged: Vec::new(),
        finished: false,
        shared: Some(Box::new(cut)),
    }
}

fn manifest(beginning: &Beginning, epoch: Epoch, base: Option<Epoch>, votes: Vec<Vote>) -> Manifest {
    Manifest {
        job: "simulated".to_owned(),
        lineage: beginning.lineage,
        epoch,
        run: beginning.run,
        term: Term(0),
        base,
        plan: plan(),
        key_groups: KeyGroups::default(),
        taken_at: 0,
        savepoint: false,
        last: false,
        votes,
    }
}
