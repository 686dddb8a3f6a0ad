//! How a plan grows while a pipeline's function runs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;

use crate::columns::BatchCodec;
use crate::plan::{Edge, Plan, PlanError, Routing, SharedPlan, StageInfo, Vertex};
use crate::shared::laws::glance;
use crate::shared::{AnyShared, NAME_BYTES_MAX, Propagation, Resolver, Shared};
use crate::stage::{DEAD_LETTERS, MAIN, SideFactory, SideOf};
use crate::task::TaskFactory;
use crate::{Data, DeadLetter, Key, KeyGroups, PortId, Shape, SharedId, VertexId, excerpt};

/// A plan under construction.
pub struct PlanBuilder {
    name: String,
    key_groups: KeyGroups,
    vertices: Vec<Draft>,
    edges: Vec<Edge>,
    dead_letters: Option<VertexId>,
    kinds: BTreeMap<String, u32>,
    shared: Vec<SharedPlan>,
    propagation: Propagation,
    error: Option<PlanError>,
}

/// A vertex whose chain is still growing.
#[derive(Default)]
struct Draft {
    stages: Vec<StageInfo>,
    parallelism: Option<u32>,
    is_source: bool,
    is_sink: bool,
    prints: bool,
    factory: Option<Box<dyn TaskFactory>>,
}

/// An output of a vertex that leads nowhere yet.
#[derive(Clone)]
pub struct Upstream {
    /// The vertex.
    pub from: VertexId,
    /// The name of the output.
    pub output: String,
    /// Which records will go where.
    pub routing: Routing,
    /// The shape of its records.
    pub shape: Shape,
    /// Writes and reads batches of them.
    pub codec: BatchCodec,
    /// Makes the outlet of a side output.
    pub side: Option<Arc<dyn SideFactory>>,
}

impl Upstream {
    /// The main output of a vertex.
    pub fn main<T: Data>(from: VertexId, routing: Routing) -> Self {
        let (shape, codec) = (T::shape(), BatchCodec::of::<T>());
        Upstream { from, output: MAIN.to_owned(), routing, shape, codec, side: None }
    }

    /// A side output of a vertex.
    pub fn side<T: Data>(from: VertexId, name: &str) -> Self {
        let side: Arc<dyn SideFactory> = Arc::new(SideOf::<T>::new());
        Upstream {
            from,
            output: name.to_owned(),
            routing: Routing::Forward,
            shape: T::shape(),
            codec: BatchCodec::of::<T>(),
            side: Some(side),
        }
    }
}

impl PlanBuilder {
    /// An empty plan.
    pub fn new(name: &str, key_groups: KeyGroups) -> Self {
        PlanBuilder {
            name: name.to_owned(),
            key_groups,
            vertices: Vec::new(),
            edges: Vec::new(),
            dead_letters: None,
            kinds: BTreeMap::new(),
            shared: Vec::new(),
            propagation: Propagation::default(),
            error: None,
        }
    }

    /// Begins a vertex that is fed by `inputs`, one port each.
    pub fn vertex(&mut self, inputs: impl IntoIterator<Item = Upstream>) -> VertexId {
        let to = VertexId(self.vertices.len() as u32);
        self.vertices.push(Draft::default());
        for (port, input) in inputs.into_iter().enumerate() {
            self.connect(input, to, PortId(port as u16));
        }
        to
    }

    /// Begins a vertex that reads splits.
    pub fn source(&mut self) -> VertexId {
        let vertex = self.vertex([]);
        self.draft(vertex).is_source = true;
        vertex
    }

    /// Adds an operator to a vertex's chain, named after its kind until somebody names it better.
    pub fn stage(&mut self, vertex: VertexId, kind: &str, emits: Shape) {
        let count = self.kinds.entry(kind.to_owned()).or_default();
        *count += 1;
        let uid = format!("{kind}-{count}");
        self.draft(vertex).stages.push(StageInfo {
            uid,
            name: kind.to_owned(),
            kind: kind.to_owned(),
            emits,
        });
    }

    /// The last operator of a vertex's chain.
    pub fn last_stage(&mut self, vertex: VertexId) -> Option<&mut StageInfo> {
        self.draft(vertex).stages.last_mut()
    }

    /// Sets the number of a vertex's subtasks.
    pub fn parallelism(&mut self, vertex: VertexId, parallelism: u32) {
        self.draft(vertex).parallelism = Some(parallelism);
    }

    /// Sets how shared state comes from one site to the others.
    pub fn propagate(&mut self, propagation: Propagation) {
        self.propagation = propagation;
    }

    /// Ends a vertex's chain.
    pub fn finish(&mut self, vertex: VertexId, factory: Box<dyn TaskFactory>) {
        self.draft(vertex).factory = Some(factory);
    }

    /// Says that a vertex writes to the world, and whether it does so on standard output.
    pub fn mark_sink(&mut self, vertex: VertexId, prints: bool) {
        let draft = self.draft(vertex);
        draft.is_sink = true;
        draft.prints = prints;
    }

    /// The vertex to which every other one's dead letters go; the first call begins it.
    pub fn dead_letters(&mut self) -> Option<VertexId> {
        if self.dead_letters.is_some() {
            return None;
        }
        let vertex = self.vertex([]);
        self.dead_letters = Some(vertex);
        Some(vertex)
    }

    /// Whether somebody takes the dead letters.
    pub fn takes_dead_letters(&self) -> bool {
        self.dead_letters.is_some()
    }

    /// Whether a vertex reads splits.
    pub fn is_source(&self, vertex: VertexId) -> bool {
        self.vertices[vertex.0 as usize].is_source
    }

    /// Adds a shared state.
    pub fn shared<K, V, R>(&mut self, name: &str, resolver: R) -> Shared<K, V, R>
    where
        K: Key + Sync,
        V: Data,
        R: Resolver<V, State: Sync, Value: Serialize>,
    {
        if !AnyShared::is_name(name) {
            self.fail(PlanError::SharedName { name: excerpt(name, NAME_BYTES_MAX).into_owned() });
        }
        if self.shared.iter().any(|other| other.state.name() == name) {
            self.fail(PlanError::DuplicateShared { name: name.to_owned() });
        }
        if cfg!(debug_assertions)
            && let Some(broken) = glance::<V, R>(&resolver)
        {
            self.fail(PlanError::Resolver { name: name.to_owned(), broken });
        }
        let shared = Shared::new(SharedId(self.shared.len() as u32), name, resolver);
        self.shared.push(SharedPlan { state: shared.any(), users: Vec::new() });
        shared
    }

    /// Keeps the first thing found wrong.
    pub fn fail(&mut self, error: PlanError) {
        self.error.get_or_insert(error);
    }

    /// The finished plan.
    ///
    /// # Errors
    ///
    /// Where the pipeline cannot be run as it was described.
    pub fn build(mut self) -> Result<Plan, PlanError> {
        self.connect_dead_letters();
        if let Some(error) = self.error {
            return Err(error);
        }
        if !self.vertices.iter().any(|vertex| vertex.is_source) {
            return Err(PlanError::Empty);
        }
        let mut uids = BTreeSet::new();
        for stage in self.vertices.iter().flat_map(|vertex| &vertex.stages) {
            if !uids.insert(&stage.uid) {
                return Err(PlanError::DuplicateUid { uid: stage.uid.clone() });
            }
        }
        let mut vertices = Vec::with_capacity(self.vertices.len());
        for (id, draft) in self.vertices.into_iter().enumerate() {
            let last = draft.stages.last().map_or_else(|| "union".to_owned(), |stage| stage.name.clone());
            vertices.push(Vertex {
                id: VertexId(id as u32),
                stages: draft.stages,
                parallelism: draft.parallelism,
                is_source: draft.is_source,
                is_sink: draft.is_sink,
                prints: draft.prints,
                factory: draft.factory.ok_or(PlanError::Unfinished { operator: last })?,
            });
        }
        let shared = with_users(self.shared, &vertices)?;
        let (name, key_groups, propagation) = (self.name, self.key_groups, self.propagation);
        let plan = Plan { name, key_groups, vertices, edges: self.edges, shared, propagation };
        // A parallelism that the pipeline asks for is checked now; the default one when the plan runs.
        plan.check_parallelism(1)?;
        Ok(plan)
    }

    fn draft(&mut self, vertex: VertexId) -> &mut Draft {
        &mut self.vertices[vertex.0 as usize]
    }

    fn connect(&mut self, input: Upstream, to: VertexId, port: PortId) {
        let Upstream { from, output, routing, shape, codec, side } = input;
        let same = self.edges.iter().find(|edge| edge.from == from && edge.output == output);
        if let Some(same) = same
            && same.shape != shape
        {
            let (first, second) = (same.shape.to_string(), shape.to_string());
            self.fail(PlanError::SideOutput { name: output.clone(), first, second });
        }
        self.edges.push(Edge { from, output, to, port, routing, shape, codec, side });
    }

    /// Draws an edge for dead letters from every vertex that does not itself stand behind them.
    fn connect_dead_letters(&mut self) {
        let Some(to) = self.dead_letters else { return };
        let behind = behind(BTreeSet::from([to]), &self.edges);
        let senders: Vec<VertexId> =
            (0..self.vertices.len() as u32).map(VertexId).filter(|vertex| !behind.contains(vertex)).collect();
        for (port, from) in senders.into_iter().enumerate() {
            self.connect(Upstream::side::<DeadLetter>(from, DEAD_LETTERS.name()), to, PortId(port as u16));
        }
    }
}

/// The shared states, each with the vertices whose operators use it.
fn with_users(mut shared: Vec<SharedPlan>, vertices: &[Vertex]) -> Result<Vec<SharedPlan>, PlanError> {
    for vertex in vertices {
        for used in vertex.factory.shared() {
            let own = shared.get_mut(used.id().0 as usize).filter(|own| own.state == used);
            let Some(own) = own else {
                let (operator, name) = (vertex.name(), used.name().to_owned());
                return Err(PlanError::ForeignShared { operator, name });
            };
            if !own.users.contains(&vertex.id) {
                own.users.push(vertex.id);
            }
        }
    }
    Ok(shared)
}

/// Some vertices and all that stand behind them.
fn behind(mut vertices: BTreeSet<VertexId>, edges: &[Edge]) -> BTreeSet<VertexId> {
    loop {
        let next: Vec<VertexId> = edges
            .iter()
            .filter(|edge| vertices.contains(&edge.from) && !vertices.contains(&edge.to))
            .map(|edge| edge.to)
            .collect();
        if next.is_empty() {
            return vertices;
        }
        vertices.extend(next);
    }
}

impl Plan {
    /// The vertices that take the dead letters of the others, and those behind them; upstream first.
    pub fn behind_dead_letters(&self) -> Vec<VertexId> {
        let takes = self.edges.iter().filter(|edge| edge.output == DEAD_LETTERS.name());
        // A vertex is numbered when it begins, and begins behind those that feed it.
        behind(takes.map(|edge| edge.to).collect(), &self.edges).into_iter().collect()
    }

    /// How many subtasks a vertex has where `default` is used for those that do not say.
    pub fn parallelism_of(&self, vertex: VertexId, default: u32) -> u32 {
        self.vertices[vertex.0 as usize].parallelism.unwrap_or(default)
    }

    /// Checks that every vertex has between 1 and as many subtasks as there are key groups.
    ///
    /// # Errors
    ///
    /// Names the first operator for which this does not hold.
    pub fn check_parallelism(&self, default: u32) -> Result<(), PlanError> {
        let groups = self.key_groups.count();
        for vertex in &self.vertices {
            let parallelism = vertex.parallelism.unwrap_or(default);
            if parallelism == 0 || parallelism > u32::from(groups) {
                return Err(PlanError::Parallelism { operator: vertex.name(), parallelism, groups });
            }
        }
        Ok(())
    }
}
