//! What is counted, for Prometheus: `/metrics`.
//!
//! Each node tells of itself and its links. Of jobs, and of slots in use, the leader alone tells: were all nodes to, each
//! record would be counted once for every node that is asked.

mod exposition;
mod progress;
mod sharing;

use std::collections::BTreeMap;
use std::time::SystemTime;

use actix_web::{HttpResponse, web};
use watershed_runtime::cluster::{JobReport, JobState, NodeHandle, NodeReport};

use crate::config::ServerConfig;
use crate::server::OneJob;
use crate::{jobs, nodes};
use exposition::{Exposition, Kind};
use progress::Told;

/// The type of what is answered.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(crate) async fn show(node: web::Data<NodeHandle>, config: web::Data<ServerConfig>) -> HttpResponse {
    let mut out = Exposition::default();
    write_node(&mut out, &node);
    write_links(&mut out, &node);
    sharing::write(&mut out, &node.shared());
    if node.leader().as_deref() == Some(node.node()) {
        let told = async { (jobs::all(&node).await, nodes::all(&node).await) };
        // What is not told in time is left out: it is there at the next look.
        if let Ok((Ok(jobs), Ok(nodes))) = tokio::time::timeout(config.look_within, told).await {
            write_slots(&mut out, &nodes);
            write_jobs(&mut out, &jobs);
            let told: Vec<Told<'_>> = jobs.iter().map(Told::of).collect();
            progress::write(&mut out, &told, now_ms());
        }
    }
    HttpResponse::Ok().content_type(CONTENT_TYPE).body(out.text())
}

/// What is counted of a job that runs in this process alone: as of one of a cluster, but for what there is of it only there.
pub(crate) async fn show_job(job: web::Data<OneJob>) -> HttpResponse {
    let OneJob { name, job } = job.as_ref();
    let mut out = Exposition::default();
    sharing::write(&mut out, job.shared().as_slice());
    let (vertices, checkpoints) = (job.report(), job.checkpoints());
    progress::write(
        &mut out,
        &[Told { job: name, vertices: &vertices, checkpoints: &checkpoints }],
        now_ms(),
    );
    HttpResponse::Ok().content_type(CONTENT_TYPE).body(out.text())
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn write_node(out: &mut Exposition, node: &NodeHandle) {
    let leader = node.cluster().leader().borrow().clone();
    let leads = leader.as_ref().is_some_and(|leader| leader.node == node.node());
    out.family("watershed_leader", Kind::Gauge, "Whether this node leads the cluster.");
    out.sample(&[], u8::from(leads));
    out.family("watershed_leader_known", Kind::Gauge, "Whether this node knows who leads the cluster.");
    out.sample(&[], u8::from(leader.is_some()));
    out.family("watershed_term", Kind::Gauge, "The reign of the leader that this node knows.");
    if let Some(leader) = leader {
        out.sample(&[], leader.term);
    }
    let members = node.cluster().members().borrow().clone();
    out.family(
        "watershed_members",
        Kind::Gauge,
        "The nodes that this node knows, by whether they are heard of.",
    );
    let alive = members.values().filter(|member| member.alive).count();
    out.sample(&[("state", "alive")], alive);
    out.sample(&[("state", "away")], members.len() - alive);
    if let Some(own) = members.get(node.node()) {
        out.family("watershed_node_slots", Kind::Gauge, "How many subtasks of each vertex this node takes.");
        out.sample(&[], own.slots);
        out.family(
            "watershed_node_cpu_ratio",
            Kind::Gauge,
            "The share of this node's processors that is busy.",
        );
        out.sample(&[], own.load.cpu);
        out.family("watershed_node_memory_bytes", Kind::Gauge, "How much memory this node's process has.");
        out.sample(&[], own.load.memory_bytes);
    }
    let links = node.links();
    out.family(
        "watershed_messages_lost_total",
        Kind::Counter,
        "Messages that did not reach their actors, by why.",
    );
    let mut lost: BTreeMap<String, u64> = BTreeMap::new();
    for (fault, count) in links.dead_letters() {
        // What stands behind the kind is different each time.
        let fault = format!("{fault:?}");
        let kind = fault.split(['(', ' ', '{']).next().unwrap_or_default();
        *lost.entry(kind.to_lowercase()).or_default() += count;
    }
    for (kind, count) in lost {
        out.sample(&[("fault", &kind)], count);
    }
    out.family("watershed_frames_fenced_total", Kind::Counter, "Frames that came for runs that are over.");
    out.sample(&[], links.fenced());
}

fn write_links(out: &mut Exposition, node: &NodeHandle) {
    let peers = node.links().peers();
    let mut each = |name, kind, help, value: &dyn Fn(&watershed_link::PeerReport) -> Option<f64>| {
        out.family(name, kind, help);
        for peer in &peers {
            if let Some(value) = value(peer) {
                out.sample(&[("peer", peer.node.as_str())], value);
            }
        }
    };
    each("watershed_link_up", Kind::Gauge, "Whether the link to a peer is up.", &|peer| {
        Some(f64::from(u8::from(peer.up.is_some())))
    });
    each("watershed_link_received_bytes_total", Kind::Counter, "Bytes that were read of a peer.", &|peer| {
        Some(peer.bytes_in as f64)
    });
    each("watershed_link_sent_bytes_total", Kind::Counter, "Bytes that were written to a peer.", &|peer| {
        Some(peer.bytes_out as f64)
    });
    each(
        "watershed_link_received_frames_total",
        Kind::Counter,
        "Frames that were read of a peer.",
        &|peer| Some(peer.frames_in as f64),
    );
    each(
        "watershed_link_sends_total",
        Kind::Counter,
        "How often frames were handed over for a peer.",
        &|peer| Some(peer.sends as f64),
    );
    each("watershed_link_waiting_bytes", Kind::Gauge, "What waits to be written to a peer.", &|peer| {
        Some(peer.waiting_bytes as f64)
    });
    each(
        "watershed_link_round_trip_seconds",
        Kind::Gauge,
        "The last sign of life, there and back.",
        &|peer| peer.round_trip.map(|time| time.as_secs_f64()),
    );
}

fn write_slots(out: &mut Exposition, nodes: &[NodeReport]) {
    out.family("watershed_slots_used", Kind::Gauge, "How many slots of a node are in use.");
    for node in nodes {
        out.sample(&[("node", &node.node)], node.used);
    }
}

fn write_jobs(out: &mut Exposition, jobs: &[JobReport]) {
    let mut each = |name, kind, help, value: &dyn Fn(&JobReport) -> Option<f64>| {
        out.family(name, kind, help);
        for job in jobs {
            if let Some(value) = value(job) {
                out.sample(&[("job", &job.job)], value);
            }
        }
    };
    each("watershed_job_running", Kind::Gauge, "Whether a job runs, or is being restored.", &|job| {
        Some(f64::from(u8::from(job.state == JobState::Running)))
    });
    each("watershed_job_failed", Kind::Gauge, "Whether a job has failed.", &|job| {
        Some(f64::from(u8::from(job.state == JobState::Failed)))
    });
    each("watershed_job_run", Kind::Gauge, "The execution that a job is in.", &|job| job.run.map(f64::from));
    each(
        "watershed_job_parallelism",
        Kind::Gauge,
        "How many subtasks a vertex has that does not say.",
        &|job| Some(f64::from(job.parallelism)),
    );
}
