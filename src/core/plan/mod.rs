//! The plan: what a pipeline's function described, as vertices and edges.

mod build;
mod error;
mod fingerprint;
mod render;
#[cfg(test)]
mod tests;

pub use build::{PlanBuilder, Upstream};
pub use error::PlanError;
pub use fingerprint::{Fingerprint, PlannedOperator};

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::columns::BatchCodec;
use crate::shared::{AnyShared, Propagation};
use crate::stage::SideFactory;
use crate::task::TaskFactory;
use crate::{KeyGroups, PortId, Shape, VertexId};

/// A pipeline as a graph, ready to be run.
pub struct Plan {
    /// The pipeline's name.
    pub name: String,
    /// Into how many groups its keys are divided.
    pub key_groups: KeyGroups,
    /// The vertices, by their ids.
    pub vertices: Vec<Vertex>,
    /// The edges, in the order in which they were drawn.
    pub edges: Vec<Edge>,
    /// The shared states, by their ids.
    pub shared: Vec<SharedPlan>,
    /// How they come from one site to the others. No part of the fingerprint, as parameters are none.
    pub propagation: Propagation,
}

/// A shared state in a plan.
#[derive(Clone, Debug)]
pub struct SharedPlan {
    /// Its name and its types, and what makes its tables.
    pub state: AnyShared,
    /// The vertices with operators that use it.
    pub users: Vec<VertexId>,
}

/// A chain of operators that run as one.
pub struct Vertex {
    /// Its number.
    pub id: VertexId,
    /// Its operators, first to last.
    pub stages: Vec<StageInfo>,
    /// How many subtasks it has; `None` leaves it to whoever runs the plan.
    pub parallelism: Option<u32>,
    /// Whether it reads splits.
    pub is_source: bool,
    /// Whether it writes to the world.
    pub is_sink: bool,
    /// Whether it does so on standard output.
    pub prints: bool,
    /// Makes its tasks.
    pub factory: Box<dyn TaskFactory>,
}

/// An operator in a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageInfo {
    /// What its state and its metrics are filed under; unique in the plan.
    pub uid: String,
    /// What a person calls it.
    pub name: String,
    /// What kind of operator it is: `map`, `window`.
    pub kind: String,
    /// The shape of what it emits.
    pub emits: Shape,
}

/// How records pass from one vertex to another.
#[derive(Clone)]
pub struct Edge {
    /// The sending vertex.
    pub from: VertexId,
    /// Which of its outputs: [`MAIN`](crate::stage::MAIN) or the name of a side output.
    pub output: String,
    /// The receiving vertex.
    pub to: VertexId,
    /// Which of its inputs.
    pub port: PortId,
    /// Which records go where.
    pub routing: Routing,
    /// The shape of the records.
    pub shape: Shape,
    /// Writes and reads batches of the records, where the edge leads to another process.
    pub codec: BatchCodec,
    /// Makes the outlet of a side output.
    pub side: Option<Arc<dyn SideFactory>>,
}

/// Which receiver a record goes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Routing {
    /// Subtask i to subtask i; dealt out in batches where the parallelisms differ.
    Forward,
    /// By the key group of a key.
    Key,
    /// To every receiver.
    Broadcast,
    /// By another rule, of this name.
    Rule(String),
}

impl fmt::Display for Routing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Routing::Forward => f.write_str("forward"),
            Routing::Key => f.write_str("by key"),
            Routing::Broadcast => f.write_str("broadcast"),
            Routing::Rule(name) => f.write_str(name),
        }
    }
}

impl Vertex {
    /// The names of the operators, joined by arrows.
    pub fn name(&self) -> String {
        let names: Vec<&str> = self.stages.iter().map(|stage| stage.name.as_str()).collect();
        names.join(" -> ")
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text())
    }
}
