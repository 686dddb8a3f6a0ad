//! The fingerprint of a plan: equal where two programs run the same graph.

use std::fmt::{self, Write};
use std::hash::Hasher;

use serde::{Deserialize, Serialize};

use crate::VertexId;
use crate::key::KeyHasher;
use crate::plan::{Plan, SharedPlan};

/// A plan in canonical words and their hash.
///
/// The words name shape, operator uids and kinds, record shapes, routing, key groups, and shared states with their types
/// and users where there are any; names of operators, parallelism and parameters are left out, since a job may come back with others. Two nodes whose fingerprints
/// differ run different programs, and the words show where.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fingerprint {
    words: String,
    hash: u64,
}

impl Fingerprint {
    /// The hash of the words.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// The fingerprint of a plan.
    pub fn of(plan: &Plan) -> Self {
        let mut words = format!("watershed plan 1: {}, {} key groups\n", plan.name, plan.key_groups.count());
        for vertex in &plan.vertices {
            for stage in &vertex.stages {
                writeln!(words, "vertex {}: {} {} -> {}", vertex.id, stage.kind, stage.uid, stage.emits)
                    .expect("writing to a string succeeds");
            }
        }
        for edge in &plan.edges {
            let (from, to, port) = (edge.from, edge.to, edge.port);
            writeln!(words, "edge {from}{:?} -> {to}:{port} {} {}", edge.output, edge.routing, edge.shape)
                .expect("writing to a string succeeds");
        }
        for SharedPlan { state, users } in &plan.shared {
            let (id, name, shape, resolver) = (state.id(), state.name(), state.shape(), state.resolver());
            let users: Vec<String> = users.iter().map(ToString::to_string).collect();
            let users = users.join(", ");
            writeln!(words, "shared {id}: {name} {shape} by {resolver}, used by {users}")
                .expect("writing to a string succeeds");
        }
        let mut hasher = KeyHasher::default();
        hasher.write(words.as_bytes());
        Fingerprint { words, hash: hasher.finish() }
    }

    /// The hash of the words: what a vote names the plan by.
    pub const fn digest(&self) -> u64 {
        self.hash
    }

    /// The operators of the plan, as its words tell them: also of a plan that only a checkpoint remembers.
    pub fn operators(&self) -> impl Iterator<Item = PlannedOperator<'_>> {
        self.words.lines().filter_map(PlannedOperator::of_line)
    }

    /// The name of the pipeline.
    pub fn pipeline(&self) -> Option<&str> {
        let told = self.words.lines().next()?.strip_prefix("watershed plan 1: ")?;
        told.rsplit_once(", ").map(|(name, _)| name)
    }

    /// The types of the shared state of a name: equal where one program reads what the other one has saved, and makes the
    /// same of it.
    pub fn shared(&self, name: &str) -> Option<&str> {
        self.words.lines().find_map(|line| {
            let (_, told) = line.strip_prefix("shared ")?.split_once(": ")?;
            let (types, _users) = told.strip_prefix(name)?.strip_prefix(' ')?.rsplit_once(", used by ")?;
            Some(types)
        })
    }

    /// The lines in which another plan differs from this one: `-` ours, `+` theirs. Empty where equal.
    pub fn difference(&self, other: &Fingerprint) -> String {
        let (ours, theirs): (Vec<&str>, Vec<&str>) =
            (self.words.lines().collect(), other.words.lines().collect());
        let mut lines = String::new();
        let missing = ours.iter().filter(|line| !theirs.contains(line)).map(|line| ('-', line));
        let added = theirs.iter().filter(|line| !ours.contains(line)).map(|line| ('+', line));
        for (sign, line) in missing.chain(added) {
            writeln!(lines, "{sign} {line}").expect("writing to a string succeeds");
        }
        lines
    }
}

/// An operator as the words of a fingerprint tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedOperator<'a> {
    /// The vertex that it is part of.
    pub vertex: VertexId,
    /// What kind of operator it is.
    pub kind: &'a str,
    /// What its state is filed under.
    pub uid: &'a str,
    /// The shape of what it emits.
    pub emits: &'a str,
}

impl<'a> PlannedOperator<'a> {
    fn of_line(line: &'a str) -> Option<Self> {
        let (vertex, operator) = line.strip_prefix("vertex ")?.split_once(": ")?;
        let (kind, operator) = operator.split_once(' ')?;
        let (uid, emits) = operator.split_once(" -> ")?;
        Some(PlannedOperator { vertex: VertexId(vertex.parse().ok()?), kind, uid, emits })
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.hash)
    }
}
