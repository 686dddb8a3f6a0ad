//! Who is there: what each node tells of itself, and who has not been heard of (`chitchat`).
//!
//! Every quarter of a second a node compares notes with up to three others, and a few words are enough where nothing has
//! changed. What a node tells of itself so reaches all others in a few rounds, and its heartbeat with it; a node whose
//! heartbeat does not go up for a while is taken for dead.
//!
//! `chitchat` takes a node for dead after so many times the mean time between its heartbeats, and in a small cluster
//! that mean is a few dozen milliseconds: a node that pauses for half a second would be dead. So the mean is held near a
//! fixed value by few samples and a heavy prior, which makes the time nearly fixed: about
//! [`silence`](crate::Timings::silence).

mod about;
mod socket;
mod view;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chitchat::{ChitchatConfig, ChitchatHandle, ChitchatId, FailureDetectorConfig, spawn_chitchat};
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinHandle;

pub use about::{About, Load, Member};

use crate::config::ClusterConfig;
use crate::error::ClusterError;
use crate::gossip::about::{ABOUT, LOAD, Slow};
use crate::gossip::socket::{Carrier, Heard, Names, address};
use crate::{Leader, Transport};

/// How many of the last times between two heartbeats count.
const SAMPLES: usize = 2;

/// How heavily the expected time between two heartbeats weighs against them; `chitchat`'s own constant.
const PRIOR_WEIGHT: f64 = 5.0;

/// So many mean times without a heartbeat are a death.
const PHI: f64 = 6.0;

/// This node's part in the gossip.
pub(crate) struct Gossip {
    handle: Mutex<Option<ChitchatHandle>>,
    heard: mpsc::Sender<Heard>,
    names: Arc<Names>,
    about: watch::Sender<About>,
    reign: watch::Sender<Option<u64>>,
    members: watch::Receiver<BTreeMap<String, Member>>,
    leader: watch::Receiver<Option<Leader>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Gossip {
    pub(crate) async fn open(
        config: &Arc<ClusterConfig>,
        transport: Arc<dyn Transport>,
    ) -> Result<Gossip, ClusterError> {
        let names = Arc::new(Names::new(config.coordinators.iter().chain([&config.node])));
        let (heard, hearing) = mpsc::channel(config.bounds.gossip_waiting_max);
        let carrier = Carrier::new(hearing, names.clone(), transport);
        let about = About::default();
        let first = vec![
            (ABOUT.to_owned(), Slow::of(&about, config.is_coordinator()).write()),
            (LOAD.to_owned(), about.load.write()),
        ];
        let handle = spawn_chitchat(gossip_config(config), first, &carrier)
            .await
            .map_err(|failed| ClusterError::Gossip { reason: failed.to_string() })?;
        let (about, told) = watch::channel(about);
        let (reign, reigning) = watch::channel(None);
        let (shown, members) = watch::channel(BTreeMap::new());
        let (said, leader) = watch::channel(None);
        let looking = view::look(config.clone(), handle.chitchat(), names.clone(), shown, said);
        let telling = view::tell(config.is_coordinator(), handle.chitchat(), told, reigning);
        let tasks = vec![tokio::spawn(looking), tokio::spawn(telling)];
        Ok(Gossip { handle: Mutex::new(Some(handle)), heard, names, about, reign, members, leader, tasks })
    }

    pub(crate) fn heard(&self, from: &str, body: Vec<u8>) {
        self.names.learn(from);
        // What does not fit is dropped, as gossip may be.
        let _ = self.heard.try_send(Heard { from: address(from), body });
    }

    pub(crate) fn members(&self) -> watch::Receiver<BTreeMap<String, Member>> {
        self.members.clone()
    }

    pub(crate) fn tell_of_self(&self, about: About) {
        self.about.send_replace(about);
    }

    /// Tells the others when this node leads.
    pub(crate) fn tell_of_reign(&self, mut leader: watch::Receiver<Option<Leader>>) -> JoinHandle<()> {
        let (reign, names) = (self.reign.clone(), self.names.clone());
        tokio::spawn(async move {
            loop {
                let term = leader
                    .borrow_and_update()
                    .as_ref()
                    .filter(|leader| names.is_self(&leader.node))
                    .map(|leader| leader.term);
                reign.send_replace(term);
                if leader.changed().await.is_err() {
                    return;
                }
            }
        })
    }

    /// Says who leads as far as the others tell.
    pub(crate) fn hear_of_reign(&self, said: watch::Sender<Option<Leader>>) -> JoinHandle<()> {
        let mut leader = self.leader.clone();
        tokio::spawn(async move {
            loop {
                said.send_replace(leader.borrow_and_update().clone());
                if leader.changed().await.is_err() {
                    return;
                }
            }
        })
    }

    pub(crate) async fn close(&self) {
        for task in &self.tasks {
            task.abort();
        }
        if let Some(handle) = self.handle.lock().await.take()
            && let Err(failed) = handle.shutdown().await
        {
            tracing::warn!(%failed, "gossip did not stop in order");
        }
    }
}

fn gossip_config(config: &ClusterConfig) -> ChitchatConfig {
    let me = address(&config.node);
    let timings = &config.timings;
    // With no samples to speak of, the mean is this much of the prior; see the module's words.
    let share = PRIOR_WEIGHT / (PRIOR_WEIGHT + SAMPLES as f64);
    let samples = SAMPLES as f64 * timings.gossip.as_secs_f64() / (PRIOR_WEIGHT + SAMPLES as f64);
    let mean = timings.silence.as_secs_f64() / PHI;
    let prior = ((mean - samples) / share).max(timings.gossip.as_secs_f64());
    ChitchatConfig {
        chitchat_id: ChitchatId::new(config.node.as_str(), config.incarnation, me),
        cluster_id: config.cluster.clone(),
        gossip_interval: timings.gossip,
        listen_addr: me,
        seed_nodes: config.coordinators.iter().map(|node| address(node).to_string()).collect(),
        failure_detector_config: FailureDetectorConfig {
            phi_threshold: PHI,
            sampling_window_size: SAMPLES,
            max_interval: timings.silence,
            initial_interval: Duration::from_secs_f64(prior),
            dead_node_grace_period: timings.dead_kept,
        },
        marked_for_deletion_grace_period: timings.dead_kept,
        catchup_callback: None,
        extra_liveness_predicate: None,
    }
}
