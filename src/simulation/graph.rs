//! The job's graph: vertices, who sends to whom, and what has to come out at each sink.
//!
//! ```text
//!   chain      source - operator - sink          fan-out    source - operator - two sinks
//!   straight   source - sink                     two sinks  source - two sinks
//!   exchange   source =key= counter - sink       diamond    source - two operators =key= counter - sink
//!   relay      source =key= counter =key= counter - sink
//! ```
//!
//! Sinks are of two kinds, see [`crate::sink`]. A counter keeps a count for each key and writes it into the record, so
//! that what comes out tells whether state counted each record once.

use std::collections::{BTreeMap, BTreeSet};

use watershed_core::checkpoint::ChannelKey;
use watershed_core::plan::{Fingerprint, Plan};
use watershed_core::shared::Propagation;
use watershed_core::{ChannelId, KeyGroups, SubtaskId, VertexId};
use watershed_protocol::checkpoint::{Role, Roster};

use crate::dice::Dice;
use crate::record::Record;

/// The job's name.
pub(crate) const JOB: &str = "rehearsal";

/// How long it takes until its first run has begun, about.
const TO_BEGIN: u64 = 200;

/// What a vertex does with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Reads one split for each subtask.
    Source,
    /// Marks the record with the way that it has come.
    Mark(u8),
    /// Counts the records of each key.
    Count,
    /// Writes to the world outside.
    Sink(SinkKind),
}

/// How a sink keeps its output from being seen before the decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SinkKind {
    /// The rows ride in the checkpoint until they are committed, in one transaction with a fence row.
    Staged,
    /// The rows wait in a prepared transaction of the database, which marks those that it has committed.
    Prepared,
}

/// A vertex, and those that it hears.
#[derive(Clone, Debug)]
pub(crate) struct Vertex {
    pub(crate) work: Work,
    pub(crate) parallelism: u32,
    pub(crate) inputs: Vec<u32>,
}

/// From one subtask to another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Channel {
    pub(crate) from: SubtaskId,
    pub(crate) key: ChannelKey,
}

/// The job.
#[derive(Clone, Debug)]
pub(crate) struct Graph {
    pub(crate) name: &'static str,
    pub(crate) vertices: Vec<Vertex>,
    pub(crate) channels: Vec<Channel>,
    pub(crate) key_groups: KeyGroups,
    /// How many keys there are.
    pub(crate) keys: u64,
    /// How many records each split has.
    pub(crate) lengths: Vec<u64>,
    /// Whether counters also count in state that all subtasks share.
    pub(crate) shares: bool,
    /// Records that a vertex cannot bear: the vertex, the split and the position.
    pub(crate) poison: BTreeSet<(VertexId, u32, u64)>,
}

impl Graph {
    pub(crate) fn draw(dice: &mut Dice) -> Graph {
        let kinds = [SinkKind::Staged, SinkKind::Prepared];
        let (one, other) = (Work::Sink(dice.pick(&kinds)), Work::Sink(dice.pick(&kinds)));
        let (name, works): (_, Vec<(Work, Vec<u32>)>) = match dice.below(8) {
            0 => ("straight", vec![(Work::Source, vec![]), (one, vec![0])]),
            1 => ("chain", vec![(Work::Source, vec![]), (Work::Mark(1), vec![0]), (one, vec![1])]),
            2 => ("exchange", vec![(Work::Source, vec![]), (Work::Count, vec![0]), (one, vec![1])]),
            3 => (
                "fan-out",
                vec![(Work::Source, vec![]), (Work::Count, vec![0]), (one, vec![1]), (other, vec![1])],
            ),
            4 | 5 => (
                "relay",
                vec![(Work::Source, vec![]), (Work::Count, vec![0]), (Work::Count, vec![1]), (one, vec![2])],
            ),
            6 => ("two sinks", vec![(Work::Source, vec![]), (one, vec![0]), (other, vec![0])]),
            _ => (
                "diamond",
                vec![
                    (Work::Source, vec![]),
                    (Work::Mark(1), vec![0]),
                    (Work::Mark(2), vec![0]),
                    (Work::Count, vec![1, 2]),
                    (one, vec![3]),
                ],
            ),
        };
        let vertex = |(work, inputs)| Vertex { work, parallelism: dice.between(1, 3) as u32, inputs };
        let vertices: Vec<Vertex> = works.into_iter().map(vertex).collect();
        let lengths = (0..vertices[0].parallelism).map(|_| dice.between(20, 90)).collect();
        let channels = channels(&vertices);
        let key_groups = KeyGroups::new(16).expect("16 groups are allowed");
        let counts = vertices.iter().any(|vertex| vertex.work == Work::Count);
        let shares = counts && dice.hit(50);
        Graph {
            name,
            vertices,
            channels,
            key_groups,
            keys: dice.between(1, 12),
            lengths,
            shares,
            poison: BTreeSet::new(),
        }
    }

    /// Whether any vertex counts.
    pub(crate) fn counts(&self) -> bool {
        self.vertices.iter().any(|vertex| vertex.work == Work::Count)
    }

    /// About how long it takes to read all splits, where a source waits for so long at most between two reads, of one
    /// to three records.
    pub(crate) fn takes(&self, pace: u64) -> u64 {
        let reads = self.lengths.iter().max().map_or(0, |longest| longest / 2);
        TO_BEGIN + reads * pace / 2
    }

    /// The same job with other parallelism.
    pub(crate) fn reshaped(&self, dice: &mut Dice) -> Graph {
        let mut other = self.clone();
        other.vertices.iter_mut().for_each(|vertex| vertex.parallelism = dice.between(1, 4) as u32);
        other.channels = channels(&other.vertices);
        other
    }

    /// Draws records that a vertex cannot bear. SUBTLE: what has been counted is not the same when it comes again, since
    /// counts follow the order of arrival, so nobody could tell that it is the same record.
    pub(crate) fn draw_poison(&mut self, dice: &mut Dice) {
        let works = (0..).map(VertexId).zip(&self.vertices).filter_map(|(id, vertex)| match vertex.work {
            Work::Mark(_) | Work::Count if !self.is_counted(id) => Some(id),
            Work::Source | Work::Mark(_) | Work::Count | Work::Sink(_) => None,
        });
        let works: Vec<VertexId> = works.collect();
        if works.is_empty() || !dice.hit(25) {
            return;
        }
        for _ in 0..dice.between(1, 3) {
            let split = dice.place(self.lengths.len());
            self.poison.insert((dice.pick(&works), split as u32, dice.below(self.lengths[split])));
        }
    }

    /// Whether a vertex panics at a record.
    pub(crate) fn is_poison(&self, vertex: VertexId, record: &Record) -> bool {
        !record.dead && self.poison.contains(&(vertex, record.split, record.position))
    }

    pub(crate) fn vertex(&self, subtask: SubtaskId) -> &Vertex {
        &self.vertices[subtask.vertex.0 as usize]
    }

    pub(crate) fn subtasks(&self) -> impl Iterator<Item = SubtaskId> + '_ {
        (0..).zip(&self.vertices).flat_map(|(vertex, shape)| {
            (0..shape.parallelism).map(move |index| SubtaskId { vertex: VertexId(vertex), index })
        })
    }

    /// The sinks, by their vertices.
    pub(crate) fn sinks(&self) -> impl Iterator<Item = (VertexId, SinkKind)> + '_ {
        (0..).map(VertexId).zip(&self.vertices).filter_map(|(id, vertex)| match vertex.work {
            Work::Sink(kind) => Some((id, kind)),
            Work::Source | Work::Mark(_) | Work::Count => None,
        })
    }

    /// The subtask of a vertex that takes a record.
    pub(crate) fn receiver(&self, vertex: VertexId, record: &Record) -> SubtaskId {
        let parallelism = self.vertices[vertex.0 as usize].parallelism;
        SubtaskId { vertex, index: self.key_groups.owner(self.key_groups.of(&record.key), parallelism) }
    }

    /// The vertices that hear a vertex.
    pub(crate) fn outputs(&self, of: VertexId) -> impl Iterator<Item = VertexId> + '_ {
        let hears = move |vertex: &Vertex| vertex.inputs.contains(&of.0);
        (0..).map(VertexId).zip(&self.vertices).filter(move |(_, vertex)| hears(vertex)).map(|(id, _)| id)
    }

    /// A record of a split, always the same.
    pub(crate) fn record(&self, split: u32, position: u64) -> Record {
        let mut dice = Dice::new(u64::from(split) << 32 | position);
        Record { split, position, key: dice.below(self.keys), way: 0, count: 0, dead: false }
    }

    /// All records that have to come out at a vertex, in no order and without their counts.
    pub(crate) fn expected(&self, vertex: VertexId) -> Vec<Record> {
        let Vertex { work, inputs, .. } = &self.vertices[vertex.0 as usize];
        let splits = (0..).zip(&self.lengths);
        let lives =
            |record: Record| Record { dead: record.dead || self.is_poison(vertex, &record), ..record };
        match work {
            Work::Source => splits
                .flat_map(|(split, &length)| (0..length).map(move |position| self.record(split, position)))
                .collect(),
            Work::Mark(way) => {
                let heard = inputs.iter().flat_map(|&input| self.expected(VertexId(input)));
                heard.map(|record| lives(Record { way: *way, ..record })).collect()
            }
            Work::Count | Work::Sink(_) => {
                let heard = inputs.iter().flat_map(|&input| self.expected(VertexId(input)));
                heard.map(lives).collect()
            }
        }
    }

    /// Whether what comes to a vertex has been counted.
    pub(crate) fn is_counted(&self, vertex: VertexId) -> bool {
        let inputs = &self.vertices[vertex.0 as usize].inputs;
        inputs.iter().any(|&input| {
            self.vertices[input as usize].work == Work::Count || self.is_counted(VertexId(input))
        })
    }

    pub(crate) fn roster(&self) -> Roster {
        let (name, key_groups) = (JOB.to_owned(), self.key_groups);
        let plan = Plan {
            name,
            key_groups,
            vertices: Vec::new(),
            edges: Vec::new(),
            shared: Vec::new(),
            propagation: Propagation::default(),
        };
        let role = |subtask| match self.vertex(subtask).work {
            Work::Source => Role { source: true, sink: false },
            Work::Sink(_) => Role { source: false, sink: true },
            Work::Mark(_) | Work::Count => Role::default(),
        };
        Roster {
            plan: Fingerprint::of(&plan),
            key_groups,
            subtasks: self.subtasks().map(|subtask| (subtask, role(subtask))).collect(),
            channels: self.channels.iter().map(|channel| channel.key).collect::<BTreeSet<_>>(),
        }
    }
}

fn channels(vertices: &[Vertex]) -> Vec<Channel> {
    let mut channels = Vec::new();
    let mut taken: BTreeMap<SubtaskId, u32> = BTreeMap::new();
    for (vertex, shape) in (0..).map(VertexId).zip(vertices) {
        for index in 0..shape.parallelism {
            let to = SubtaskId { vertex, index };
            for &input in &shape.inputs {
                for index in 0..vertices[input as usize].parallelism {
                    let channel = taken.entry(to).or_default();
                    let key = ChannelKey { to, channel: ChannelId(*channel) };
                    *channel += 1;
                    channels.push(Channel { from: SubtaskId { vertex: VertexId(input), index }, key });
                }
            }
        }
    }
    channels
}
