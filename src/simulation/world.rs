//! Everything there is, and the loop in which it happens.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use watershed_core::causal::Dot;
use watershed_core::checkpoint::{Manifest, Meta, Xid};
use watershed_core::{Epoch, Run, VertexId};
use watershed_protocol::agree::AgreeEvent;
use watershed_protocol::checkpoint::Authority;
use watershed_wire::Kind;

use crate::agenda::{Agenda, Happening};
use crate::agree::Called;
use crate::client::Client;
use crate::dice::Dice;
use crate::faults::{Fault, HARM_UNTIL, draw};
use crate::graph::Graph;
use crate::message::Message;
use crate::mutant::Mutant;
use crate::network::{Network, read};
use crate::node::Node;
use crate::node::shared::Made;
use crate::properties::{self, Broken};
use crate::record::{Record, decode};
use crate::reign::{self, Elected};
use crate::report::Report;
use crate::reshape::{self, Wanted};
use crate::sink::Outside;
use crate::tally::Tally;

/// How long after the healing the job may take to come to its end.
const PATIENCE: u64 = 60_000;

/// How long the world goes on after the end of the job, for zombies to do harm.
const AFTERWARDS: u64 = 1500;

/// A world, drawn from a seed.
pub(crate) struct World {
    pub(crate) seed: u64,
    /// The job, and the shapes in which it is to run: the first is the job as it was drawn.
    pub(crate) graph: Rc<Graph>,
    pub(crate) shapes: Vec<Rc<Graph>>,
    pub(crate) wanted: Wanted,
    /// By how many faults nobody is elected.
    pub(crate) leaderless: u32,
    pub(crate) elected: Elected,
    pub(crate) faults: Vec<Fault>,
    pub(crate) mutant: Option<Mutant>,
    /// From the start of one checkpoint to the start of the next.
    pub(crate) interval: u64,
    /// How long a source waits between two reads, at most.
    pub(crate) pace: u64,
    pub(crate) chance: Dice,
    pub(crate) now: u64,
    pub(crate) agenda: Agenda,
    pub(crate) network: Network,
    pub(crate) nodes: Vec<Node>,
    pub(crate) meta: Meta,
    /// How many of a hundred questions to the meta store, and of its answers, are not heard in time.
    pub(crate) doubt: u64,
    pub(crate) asked: u64,
    /// The objects that are synced, by their paths.
    pub(crate) objects: BTreeMap<String, Vec<u8>>,
    pub(crate) puts: u64,
    pub(crate) outside: BTreeMap<VertexId, Outside>,
    pub(crate) outside_changed: bool,
    /// What has to come out at each sink, in the order of names.
    pub(crate) expected: BTreeMap<VertexId, Vec<Record>>,
    /// The newest decision, and how far its sources had come.
    pub(crate) decided: Option<Manifest>,
    pub(crate) positions: Vec<u64>,
    /// All that decided manifests list.
    pub(crate) listed: BTreeSet<Xid>,
    /// In whose name each epoch was handed out, and when.
    pub(crate) triggered: BTreeMap<Epoch, (Authority, u64)>,
    /// What is true of each update of shared state, and of each batch: what its writer knew.
    pub(crate) made: BTreeMap<Dot, Made>,
    pub(crate) truths: BTreeMap<(Run, u32, u64), Rc<BTreeSet<Dot>>>,
    /// All calls for what is agreed on, by their numbers.
    pub(crate) calls: Vec<Called>,
    pub(crate) caller_chance: Dice,
    pub(crate) clients: Vec<Client>,
    pub(crate) client_chance: Dice,
    pub(crate) tally: Tally,
    broken: Option<(Broken, String)>,
    /// Whether it says what happens.
    pub(crate) talks: bool,
}

impl World {
    /// The world of a seed. `faults` replaces those that the seed draws.
    pub(crate) fn draw(seed: u64, mutant: Option<Mutant>, faults: Option<Vec<Fault>>, talks: bool) -> World {
        let mut dice = Dice::new(seed);
        let (mut shape, mut chance, mut harm) = (dice.fork(), dice.fork(), dice.fork());
        let (clients, mut poison, mut shapes) = (dice.fork(), dice.fork(), dice.fork());
        let (callers, mut reigns) = (dice.fork(), dice.fork());
        let (mut pairs, mut skews) = (dice.fork(), dice.fork());
        let mut graph = Graph::draw(&mut shape);
        graph.shares |= mutant.is_some_and(Mutant::needs_sharing) && graph.counts();
        if mutant.is_none_or(Mutant::is_of_quarantine) {
            graph.draw_poison(&mut poison);
        }
        let count = shape.between(2, 5) as usize;
        let nodes: Vec<Node> = (0..count).map(|_| Node::new(chance.below(10_000))).collect();
        let (interval, pace) = (shape.between(40, 300), shape.between(10, 120));
        // What goes wrong when the job has ended, does nothing.
        let until = graph.takes(pace).min(HARM_UNTIL * 3 / 4);
        let mut drawn = draw::mixed(&mut harm, count, &graph, until);
        drawn.extend(draw::pairs(&mut pairs, count, until));
        if mutant.is_none() {
            drawn.extend(draw::skews(&mut skews, count, &graph, until));
        }
        if mutant.is_none_or(Mutant::is_of_shapes) {
            drawn.extend(reshape::draw(&mut shapes, until));
        }
        if mutant.is_none_or(|mutant| mutant == Mutant::DeposedStaysDown) {
            drawn.extend(reign::draw(&mut reigns, count, until));
        }
        drawn.sort_by_key(|fault| fault.at);
        let graph = Rc::new(graph);
        let outside = graph.sinks().map(|(sink, kind)| (sink, Outside::new(kind))).collect();
        let expected = graph.sinks().map(|(sink, _)| (sink, sorted(graph.expected(sink)))).collect();
        let positions = vec![0; graph.lengths.len()];
        let mut world = World {
            seed,
            shapes: vec![graph.clone()],
            graph,
            wanted: Wanted::default(),
            leaderless: 0,
            elected: Elected::default(),
            faults: faults.unwrap_or(drawn),
            mutant,
            interval,
            pace,
            chance,
            now: 0,
            agenda: Agenda::default(),
            network: Network { delay: 8, ..Network::default() },
            nodes,
            meta: Meta::default(),
            doubt: 0,
            asked: 0,
            objects: BTreeMap::new(),
            puts: 0,
            outside,
            outside_changed: false,
            expected,
            decided: None,
            positions,
            listed: BTreeSet::new(),
            triggered: BTreeMap::new(),
            made: BTreeMap::new(),
            truths: BTreeMap::new(),
            calls: Vec::new(),
            caller_chance: callers.clone(),
            clients: Vec::new(),
            client_chance: clients.clone(),
            tally: Tally::default(),
            broken: None,
            talks,
        };
        (0..count).for_each(|node| world.wake(node));
        world.schedule();
        world.draw_clients(clients);
        world.draw_callers(callers);
        world
    }

    pub(crate) fn has(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    /// Whether channels have lost their order, as some mutants want it: promises that rest on it are not looked at, since
    /// the certificate has to find what becomes of it.
    pub(crate) fn is_blind(&self) -> bool {
        matches!(self.mutant, Some(Mutant::FrameLeftOut | Mutant::FrameTwice | Mutant::BarrierOvertakes))
    }

    pub(crate) fn later(&mut self, delay: u64, happening: Happening) {
        self.agenda.enter(self.now + delay, happening);
    }

    /// Says what happens, to whoever repeats a seed.
    pub(crate) fn say(&self, what: String) {
        if self.talks {
            println!("{:>6}  {what}", self.now);
        }
    }

    /// A property does not hold. The first one counts.
    pub(crate) fn broken(&mut self, broken: Broken, reason: String) {
        self.say(format!("BROKEN {broken:?}: {reason}"));
        self.broken.get_or_insert((broken, reason));
    }

    pub(crate) fn is_over(&self) -> bool {
        self.meta.finished
    }

    /// Lets everything happen, until the job has come to its end or a property does not hold.
    pub(crate) fn run(mut self) -> Report {
        let limit = self.healed_at() + PATIENCE;
        while self.broken.is_none() {
            let Some((at, happening)) = self.agenda.next() else {
                self.broken(Broken::D12, "nothing is to happen any more".to_owned());
                break;
            };
            self.now = at;
            if self.tally.finished_at.is_some_and(|finished| finished + AFTERWARDS < at) {
                properties::end::look(&mut self);
                properties::agreed::look(&mut self);
                break;
            }
            if at > limit && self.tally.finished_at.is_none() {
                self.broken(
                    Broken::D12,
                    "the job does not come to its end, though nothing hinders it".to_owned(),
                );
                break;
            }
            self.happen(happening);
            if std::mem::take(&mut self.outside_changed) {
                properties::loss::look(&mut self);
            }
            if self.meta.finished && self.tally.finished_at.is_none() {
                self.say("FINISHED".to_owned());
                self.tally.finished_at = Some(self.now);
            }
        }
        self.report()
    }

    fn happen(&mut self, happening: Happening) {
        if let Some((node, life)) = happening.place() {
            let own = &self.nodes[node];
            if own.down > 0 || life.is_some_and(|life| life != own.life) {
                return;
            }
            if own.paused_until > self.now {
                self.agenda.enter(own.paused_until, happening);
                return;
            }
        }
        match happening {
            Happening::Frame { from, to, bytes } => {
                let frame = read(&bytes);
                if frame.header.kind == Kind::Message {
                    let message: Message = decode(&frame.body);
                    self.hear(from, to, message);
                } else {
                    self.channel_frame(to, &frame);
                }
            }
            Happening::LinkBroken { at, other } => self.link_broken(at, other),
            Happening::Beat { node, life } => self.beat(node, life),
            Happening::Look { node, .. } => self.look(node),
            Happening::Step(seat) => self.step(seat),
            Happening::Asked { node, life, number, question } => self.asked((node, life), number, &question),
            Happening::Answered { node, number, answer, .. } => self.answered(node, number, answer),
            Happening::Synced { node, life, put } => self.synced(node, life, put),
            Happening::Fetched { node, pointer, .. } => self.fetched(node, &pointer),
            Happening::Fetch(seat) => self.fetch(seat),
            Happening::Deed { seat, deed } => self.deed(seat, &deed),
            Happening::Done { seat, done } => self.done(seat, done),
            Happening::Reshape { node, .. } => self.reshape(node),
            Happening::Caller => self.caller(),
            Happening::Call { node, number, call } => self.call(node, number, call),
            Happening::Agreeing { node, number, .. } => self.agree(node, number, AgreeEvent::Deadline),
            Happening::Heard { number, heard } => self.heard(number, heard),
            Happening::Turn(client) => self.turn(client),
            Happening::Question { node, question } => self.question(node, question),
            Happening::WaitOver { node, client, number, .. } => self.wait_over(node, client, number),
            Happening::Reply { client, number, reply } => self.replied(client, number, reply),
            Happening::GiveUp { client, number } => self.give_up(client, number),
            Happening::Harm(place) => self.harm(place),
            Happening::Heal(place) => self.heal(place),
        }
    }

    fn report(self) -> Report {
        let Graph { name, vertices, keys, shares, poison, .. } = &*self.graph;
        let parallelism: Vec<u32> = vertices.iter().map(|vertex| vertex.parallelism).collect();
        let shape = format!(
            "{name} {parallelism:?} on {} nodes, {keys} keys, shared state: {shares}, {} clients, {} poison, interval {}",
            self.nodes.len(),
            self.clients.len(),
            poison.len(),
            self.interval
        );
        let expected = self.expected.values().map(|records| records.len() as u64).sum();
        Report {
            seed: self.seed,
            shape,
            expected,
            faults: self.faults,
            tally: self.tally,
            broken: self.broken,
        }
    }
}

fn sorted(mut records: Vec<Record>) -> Vec<Record> {
    records.sort_by_key(Record::name);
    records
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_nothing_will_happen_to_any_more_has_not_come_to_its_end() {
        let mut world = World::draw(0, None, Some(Vec::new()), false);
        world.agenda = Agenda::default();
        let report = world.run();
        assert!(matches!(report.broken, Some((Broken::D12, _))), "{report}");
    }
}
