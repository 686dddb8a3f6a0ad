//! Connects the subtasks of a crew with those that they send to and hear from, here or on other nodes.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use watershed_core::columns::BatchCodec;
use watershed_core::{ChannelId, Sequence, SubtaskId, VertexId};
use watershed_link::{FrameSender, NodeName};

use super::{Assignment, Crew};
use crate::deploy::{Deployment, Inlet, Outlet};
use crate::far::{Inflow, Outflow, Route, RunIntake};
use crate::inbound::Back;
use crate::message::Connect;
use crate::outbound::{Road, Target};

/// What is needed to connect the subtasks of one run.
struct Ends<'a> {
    crew: &'a Crew,
    layout: &'a Deployment,
    assignment: &'a Assignment,
    /// The ways to the other nodes, by the numbers of their crews.
    ways: BTreeMap<u16, FrameSender>,
    intake: RunIntake,
}

impl Crew {
    /// Tells every subtask its channels. Fails where another node is out of reach.
    pub(super) fn connect(&self, layout: &Deployment, assignment: &Assignment) -> Result<(), String> {
        let (ways, intake) = (self.ways(assignment)?, RunIntake::default());
        let mut ends = Ends { crew: self, layout, assignment, ways, intake };
        let connects: Vec<_> =
            self.handles.iter().map(|(subtask, handle)| (&handle.connect, ends.connect(*subtask))).collect();
        if let Some(abroad) = &self.abroad
            && !ends.intake.is_empty()
        {
            abroad.links.take_frames(abroad.job, assignment.authority.run, Arc::new(ends.intake));
        }
        for (to, connect) in connects {
            to.do_send(connect);
        }
        Ok(())
    }

    /// The ways to the other nodes of a run.
    fn ways(&self, assignment: &Assignment) -> Result<BTreeMap<u16, FrameSender>, String> {
        let others = (0..).zip(&assignment.nodes).filter(|(crew, _)| *crew != assignment.crew);
        let way = |(crew, node): (u16, &String)| {
            let abroad = self.abroad.as_ref().ok_or("it is alone")?;
            let name = NodeName::new(node).map_err(|error| error.to_string())?;
            let way = abroad.links.frames(&name).ok_or_else(|| format!("there is no link to node {node}"))?;
            Ok((crew, way))
        };
        others.map(way).collect()
    }
}

impl Ends<'_> {
    fn connect(&mut self, subtask: SubtaskId) -> Connect {
        let layout = self.layout;
        let placement = &layout.subtasks[&subtask];
        let mut outbound = Vec::with_capacity(placement.outbound.len());
        for (edge, outlets) in placement.outbound.iter().enumerate() {
            let target = |(receiver, outlet): (usize, &Option<Outlet>)| {
                let Outlet { to, channel } = (*outlet)?;
                let road = self.road(subtask, edge, receiver as u32, to, channel);
                Some(Target { road, subtask: to, channel })
            };
            outbound.push(outlets.iter().enumerate().map(target).collect());
        }
        let inlets = placement.inbound.iter().zip(0..);
        let inbound = inlets.map(|(inlet, channel)| (*inlet, self.back(subtask, ChannelId(channel), inlet)));
        Connect { inbound: inbound.collect(), outbound }
    }

    fn road(
        &mut self,
        from: SubtaskId,
        edge: usize,
        receiver: u32,
        to: SubtaskId,
        channel: ChannelId,
    ) -> Road {
        if let Some(handle) = self.crew.handles.get(&to) {
            return Road::Near(handle.deliver.clone().expect("nobody sends to a source"));
        }
        let route = self.route(to, channel, to, from.vertex, edge);
        let to_sender = self.crew.handles[&from].give_back.clone();
        let outflow = Outflow::new(self.node_of(to), to_sender, edge, receiver);
        self.intake.flows_out(route.channel, outflow);
        Road::Far(route)
    }

    fn back(&mut self, to: SubtaskId, channel: ChannelId, inlet: &Inlet) -> Back {
        if let Some(handle) = self.crew.handles.get(&inlet.from) {
            return Back::Near(handle.give_back.clone());
        }
        let route = self.route(to, channel, inlet.from, inlet.from.vertex, inlet.edge);
        let deliver = self.crew.handles[&to].deliver.clone().expect("nobody sends to a source");
        let inflow = Inflow::new(self.node_of(inlet.from), deliver, channel, route.codec);
        self.intake.flows_in(route.channel, inflow);
        Back::Far { route, spare: Vec::new(), next: Sequence(0) }
    }

    /// The way of a channel to the node where its other end is.
    fn route(
        &self,
        to: SubtaskId,
        channel: ChannelId,
        other: SubtaskId,
        from: VertexId,
        edge: usize,
    ) -> Route {
        let abroad = self.crew.abroad.as_ref().expect("only a crew with links has neighbours");
        Route {
            sender: self.ways[&self.crew_of(other)].clone(),
            job: abroad.job,
            run: self.assignment.authority.run,
            channel: self.layout.number_of(to, channel),
            codec: self.codec(from, edge),
            compress: abroad.links.compresses_records().then(RefCell::default),
        }
    }

    fn codec(&self, from: VertexId, edge: usize) -> BatchCodec {
        let mut edges = self.crew.plan.edges.iter().filter(|one| one.from == from);
        edges.nth(edge).expect("a channel belongs to an edge of the plan").codec
    }

    fn crew_of(&self, subtask: SubtaskId) -> u16 {
        self.assignment.crew_of(self.layout.subtasks[&subtask].slot)
    }

    fn node_of(&self, subtask: SubtaskId) -> String {
        self.assignment.nodes[self.crew_of(subtask) as usize].clone()
    }
}
