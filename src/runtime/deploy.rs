//! From a plan to subtasks and channels: who there is, who sends to whom, and on which slot.

use std::collections::BTreeMap;

use watershed_core::checkpoint::ChannelKey;
use watershed_core::plan::Fingerprint;
use watershed_core::plan::{Edge, Routing};
use watershed_core::stage::{OutputInfo, TaskInfo};
use watershed_core::{ChannelId, KeyGroupRange, Plan, PortId, SubtaskId, VertexId};
use watershed_protocol::checkpoint::{Authority, Role, Roster};

/// A plan laid out as subtasks.
pub(crate) struct Deployment {
    pub(crate) subtasks: BTreeMap<SubtaskId, Placement>,
}

/// A subtask's share of the key groups, where its input is dealt out by key.
pub(crate) fn key_groups_of(plan: &Plan, subtask: SubtaskId, parallelism: u32) -> Option<KeyGroupRange> {
    let mut inputs = plan.edges.iter().filter(|edge| edge.to == subtask.vertex);
    inputs.any(|edge| edge.routing == Routing::Key).then(|| plan.key_groups.range(subtask.index, parallelism))
}

/// One subtask: where it lives and what it is connected to.
pub(crate) struct Placement {
    pub(crate) info: TaskInfo,
    /// The number of its first input channel among all of the run's.
    pub(crate) first_channel: u32,
    /// On which of the job's slots it lives.
    pub(crate) slot: usize,
    /// Its input channels, by their ids.
    pub(crate) inbound: Vec<Inlet>,
    /// For each output and each of its receivers, the channel to it, where this subtask uses it.
    pub(crate) outbound: Vec<Vec<Option<Outlet>>>,
}

/// The receiving end of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Inlet {
    pub(crate) port: PortId,
    pub(crate) from: SubtaskId,
    /// Which of the sender's outputs, and which receiver of it, this channel is.
    pub(crate) edge: usize,
    pub(crate) receiver: u32,
}

/// The sending end of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outlet {
    pub(crate) to: SubtaskId,
    pub(crate) channel: ChannelId,
}

impl Deployment {
    /// Lays a plan out over some slots. `parallelism` is for the vertices that do not say.
    /// `authority` is that of the run.
    pub(crate) fn of(
        plan: &Plan,
        parallelism: u32,
        batch_records: usize,
        slots: usize,
        authority: Authority,
    ) -> Self {
        let mut subtasks = BTreeMap::new();
        let mut next_slot = 0;
        let mut homes: BTreeMap<VertexId, usize> = BTreeMap::new();
        for vertex in &plan.vertices {
            let count = plan.parallelism_of(vertex.id, parallelism);
            // A single subtask lives where the one that feeds it does, so that it is fed in place; a
            // single source goes wherever the last one did not.
            // What feeds the dead letters may come later in the plan, and has no home yet.
            let mut feeders = plan.edges.iter().filter(|edge| edge.to == vertex.id);
            let feeder = feeders.find_map(|edge| homes.get(&edge.from).copied());
            let home = feeder.unwrap_or_else(|| {
                next_slot += 1;
                (next_slot - 1) % slots
            });
            homes.insert(vertex.id, if count == 1 { home } else { 0 });
            let outputs: Vec<OutputInfo> = edges_from(plan, vertex.id)
                .map(|edge| {
                    let receivers = plan.parallelism_of(edge.to, parallelism);
                    OutputInfo {
                        name: edge.output.clone(),
                        receivers,
                        forward: edge.routing == Routing::Forward && receivers == count,
                        side: edge.side.clone(),
                    }
                })
                .collect();
            for index in 0..count {
                let subtask = SubtaskId { vertex: vertex.id, index };
                let info = TaskInfo {
                    job: plan.name.clone(),
                    lineage: authority.lineage,
                    run: authority.run,
                    subtask,
                    parallelism: count,
                    key_groups: plan.key_groups,
                    uids: vertex.stages.iter().map(|stage| stage.uid.clone()).collect(),
                    outputs: outputs.clone(),
                    batch_records,
                };
                let slot = if count == 1 { home } else { index as usize % slots };
                let outbound = outputs.iter().map(|output| vec![None; output.receivers as usize]).collect();
                subtasks.insert(
                    subtask,
                    Placement { info, slot, first_channel: 0, inbound: Vec::new(), outbound },
                );
            }
        }
        let mut deployment = Deployment { subtasks };
        deployment.connect(plan);
        deployment.number();
        deployment
    }

    /// How many slots have a subtask: the first ones. A plan may be narrower than the job everywhere.
    pub(crate) fn width(&self) -> usize {
        self.subtasks.values().map(|placement| placement.slot + 1).max().unwrap_or(0)
    }

    /// Who takes part in the job's checkpoints.
    pub(crate) fn roster(&self, plan: &Plan) -> Roster {
        let role = |subtask: SubtaskId| {
            let vertex = &plan.vertices[subtask.vertex.0 as usize];
            Role { source: vertex.is_source, sink: vertex.is_sink }
        };
        let channels = self.subtasks.iter().flat_map(|(&to, placement)| {
            let numbers = (0..).map(ChannelId).take(placement.inbound.len());
            numbers.map(move |channel| ChannelKey { to, channel })
        });
        Roster {
            plan: Fingerprint::of(plan),
            key_groups: plan.key_groups,
            subtasks: self.subtasks.keys().map(|&subtask| (subtask, role(subtask))).collect(),
            channels: channels.collect(),
        }
    }

    fn connect(&mut self, plan: &Plan) {
        for vertex in &plan.vertices {
            for (number, edge) in edges_from(plan, vertex.id).enumerate() {
                self.connect_edge(edge, number);
            }
        }
    }

    fn connect_edge(&mut self, edge: &Edge, number: usize) {
        let first = SubtaskId { vertex: edge.from, index: 0 };
        let senders = self.subtasks[&first].info.parallelism;
        let OutputInfo { receivers, forward, .. } = self.subtasks[&first].info.outputs[number];
        for sender in 0..senders {
            for receiver in 0..receivers {
                if forward && sender != receiver {
                    continue;
                }
                let from = SubtaskId { vertex: edge.from, index: sender };
                let to = SubtaskId { vertex: edge.to, index: receiver };
                let inbound = &mut self.placement(to).inbound;
                let channel = ChannelId(inbound.len() as u32);
                inbound.push(Inlet { port: edge.port, from, edge: number, receiver });
                self.placement(from).outbound[number][receiver as usize] = Some(Outlet { to, channel });
            }
        }
    }

    /// Numbers the channels of the run, in the order of their receivers: by this a frame names its channel.
    fn number(&mut self) {
        let mut next = 0;
        for placement in self.subtasks.values_mut() {
            placement.first_channel = next;
            next += placement.inbound.len() as u32;
        }
    }

    /// The number of a channel in the run.
    pub(crate) fn number_of(&self, to: SubtaskId, channel: ChannelId) -> u32 {
        self.subtasks[&to].first_channel + channel.0
    }

    fn placement(&mut self, subtask: SubtaskId) -> &mut Placement {
        self.subtasks.get_mut(&subtask).expect("every subtask of the plan has a place")
    }
}

/// The edges that leave a vertex, in the order of its outputs.
fn edges_from(plan: &Plan, vertex: VertexId) -> impl Iterator<Item = &Edge> {
    plan.edges.iter().filter(move |edge| edge.from == vertex)
}

#[cfg(test)]
mod tests {
    use super::*;
    use watershed_core::testing::Numbers;
    use watershed_core::{KeyGroups, Pipeline};

    fn deployment(parallelism: u32) -> Deployment {
        let pipeline = Pipeline::new("test", KeyGroups::default());
        let shared = pipeline.source(Numbers::up_to(1)).shared();
        shared.branch().discard();
        shared.branch().gather().discard();
        Deployment::of(&pipeline.plan().unwrap(), parallelism, 1, 2, Authority::default())
    }

    #[test]
    fn forward_channels_join_equal_subtasks_only() {
        let deployment = deployment(3);
        let branch = &deployment.subtasks[&SubtaskId { vertex: VertexId(1), index: 2 }];
        let from = SubtaskId { vertex: VertexId(0), index: 2 };
        assert_eq!(branch.inbound, [Inlet { port: PortId(0), from, edge: 0, receiver: 2 }]);
    }

    #[test]
    fn a_single_receiver_has_a_channel_from_every_sender() {
        let deployment = deployment(3);
        let gathered = &deployment.subtasks[&SubtaskId { vertex: VertexId(3), index: 0 }];
        let senders: Vec<u32> = gathered.inbound.iter().map(|inlet| inlet.from.index).collect();
        assert_eq!(senders, [0, 1, 2]);
        assert_eq!(deployment.subtasks.len(), 3 + 3 + 3 + 1);
    }

    #[test]
    fn slots_without_subtasks_are_the_last_ones_and_change_nothing() {
        let pipeline = Pipeline::new("test", KeyGroups::default());
        let narrow = pipeline.source(Numbers::up_to(1)).parallelism(2);
        narrow.gather().discard();
        let plan = pipeline.plan().unwrap();
        let of = |slots| Deployment::of(&plan, 5, 1, slots, Authority::default());
        let homes = |layout: &Deployment| layout.subtasks.values().map(|one| one.slot).collect::<Vec<_>>();
        assert_eq!(of(5).width(), 2);
        assert_eq!(homes(&of(2)), homes(&of(5)));
    }

    #[test]
    fn dead_letters_may_be_asked_for_before_anything_can_write_them() {
        let pipeline = Pipeline::new("test", KeyGroups::default());
        pipeline.dead_letters().discard();
        pipeline.source(Numbers::up_to(1)).discard();
        let deployment = Deployment::of(&pipeline.plan().unwrap(), 2, 1, 2, Authority::default());
        let letters = &deployment.subtasks[&SubtaskId { vertex: VertexId(0), index: 0 }];
        assert_eq!(letters.inbound.len(), 2);
    }
}
