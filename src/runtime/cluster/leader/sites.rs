//! Which nodes there are for the jobs.

use std::sync::Arc;

use actix::prelude::*;
use watershed_link::NodeName;
use watershed_protocol::placement::Offer;

use super::Leader;
use super::jobs::Led;
use crate::cluster::line::RemoteCrew;
use crate::coordinator::{SetSites, Site};

impl Leader {
    /// Tells every job where it can live.
    pub(super) fn tell_sites(&self) {
        let Some(reign) = &self.reign else { return };
        for (job, led) in &reign.jobs {
            let (sites, settled) = (self.sites(job, led), self.is_settled());
            led.coordinator.do_send(SetSites { sites, settled });
        }
    }

    /// The nodes on which a job can live: those that are heard of, and to which there is a link.
    fn sites(&self, job: &str, led: &Led) -> Vec<Site> {
        let site = |(node, member): (&String, &watershed_cluster::Member)| {
            let name = NodeName::new(node).ok()?;
            let line = RemoteCrew::new(&self.links, &name, led.ticket.clone(), self.limits.line);
            let offer = Offer {
                slots: member.slots.saturating_sub(self.used_by_others(job, node)),
                busy_percent: (member.load.cpu.clamp(0.0, 1.0) * 100.0) as u32,
                leaves: member.leaving,
            };
            Some(Site { node: node.clone(), offer, line: Arc::new(line) })
        };
        let there = self.members.iter().filter(|(node, member)| member.alive && self.linked.contains(*node));
        there.filter_map(site).collect()
    }

    /// How many slots of a node the other jobs have.
    fn used_by_others(&self, job: &str, node: &str) -> u32 {
        let jobs = self.reign.iter().flat_map(|reign| &reign.jobs);
        jobs.filter(|(other, _)| *other != job).filter_map(|(_, led)| led.slots.get(node)).sum()
    }

    /// How many slots of a node are in use.
    pub(super) fn used(&self, node: &str) -> u32 {
        self.used_by_others("", node)
    }

    /// Moves jobs away from nodes that are about to leave, at a checkpoint of each.
    pub(super) fn move_from_leaving(&mut self, cx: &mut Context<Self>) {
        let leaving: Vec<String> =
            self.members.iter().filter(|(_, member)| member.leaving).map(|(node, _)| node.clone()).collect();
        let Some(reign) = &mut self.reign else { return };
        let on_one = |led: &&mut Led| leaving.iter().any(|node| led.slots.contains_key(node)) && !led.moves;
        let moved: Vec<String> = reign
            .jobs
            .iter_mut()
            .filter_map(|(job, led)| {
                on_one(&led).then(|| {
                    led.moves = true;
                    job.clone()
                })
            })
            .collect();
        for job in moved {
            self.reshape(&job, None, cx);
        }
    }
}
