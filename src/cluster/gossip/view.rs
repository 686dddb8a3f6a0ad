//! What this node makes of the gossip, and what it puts into it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chitchat::{Chitchat, ChitchatId, NodeState};
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::Leader;
use crate::config::ClusterConfig;
use crate::gossip::about::{ABOUT, About, LOAD, Load, Member, REIGN, Slow};
use crate::gossip::socket::Names;

/// So many rounds late, and this node takes itself to have stood still.
const STALL_ROUNDS: u32 = 3;

/// Shows who is there, and who leads as far as they tell.
pub(super) async fn look(
    config: Arc<ClusterConfig>,
    chitchat: Arc<Mutex<Chitchat>>,
    names: Arc<Names>,
    shown: watch::Sender<BTreeMap<String, Member>>,
    said: watch::Sender<Option<Leader>>,
) {
    let mut ticks = interval(config.timings.gossip);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = Instant::now();
    // While nobody is taken for dead, since it was this node that did not hear.
    let mut lenient: Option<Instant> = None;
    loop {
        ticks.tick().await;
        if last.elapsed() >= config.timings.gossip * STALL_ROUNDS {
            lenient = Some(Instant::now());
        }
        last = Instant::now();
        if lenient.is_some_and(|since| since.elapsed() >= config.timings.after_stall) {
            lenient = None;
        }
        let (mut members, reigns) = read(&*chitchat.lock().await, &names);
        if lenient.is_some() {
            let before = shown.borrow();
            for (name, member) in &mut members {
                let known = before.get(name).filter(|known| known.incarnation == member.incarnation);
                member.alive |= known.is_some_and(|known| known.alive);
            }
        }
        let alive = |leader: &Leader| members.get(&leader.node).is_some_and(|member| member.alive);
        let leader = reigns.into_iter().filter(alive).max_by_key(|leader| leader.term);
        said.send_if_modified(|current| std::mem::replace(current, leader.clone()) != leader);
        shown.send_if_modified(|current| {
            let new = *current != members;
            if new {
                *current = members;
            }
            new
        });
    }
}

fn read(chitchat: &Chitchat, names: &Names) -> (BTreeMap<String, Member>, Vec<Leader>) {
    let live: BTreeSet<&ChitchatId> = chitchat.live_nodes().collect();
    let mut members: BTreeMap<String, Member> = BTreeMap::new();
    let mut reigns: BTreeMap<String, u64> = BTreeMap::new();
    for (id, state) in chitchat.node_states() {
        names.learn(&id.node_id);
        let Some(member) = member(id, state, live.contains(id)) else { continue };
        // Of the lives of a node, the newest counts.
        if members.get(&*id.node_id).is_some_and(|known| known.incarnation > member.incarnation) {
            continue;
        }
        let name = id.node_id.to_string();
        match state.get(REIGN).and_then(|term| term.parse().ok()) {
            Some(term) => drop(reigns.insert(name.clone(), term)),
            None => drop(reigns.remove(&name)),
        }
        members.insert(name, member);
    }
    (members, reigns.into_iter().map(|(node, term)| Leader { node, term }).collect())
}

/// `None` while nothing but the name has been heard.
fn member(id: &ChitchatId, state: &NodeState, alive: bool) -> Option<Member> {
    let Slow { address, http, coordinator, slots, leaving } = Slow::read(state.get(ABOUT)?)?;
    let load = state.get(LOAD).and_then(Load::read).unwrap_or_default();
    let incarnation = id.generation_id;
    Some(Member { incarnation, address, http, coordinator, slots, load, leaving, alive })
}

/// Puts into the gossip what this node tells of itself.
pub(super) async fn tell(
    coordinator: bool,
    chitchat: Arc<Mutex<Chitchat>>,
    mut about: watch::Receiver<About>,
    mut reign: watch::Receiver<Option<u64>>,
) {
    loop {
        let (slow, load) = {
            let about = about.borrow_and_update();
            (Slow::of(&about, coordinator).write(), about.load.write())
        };
        let term = *reign.borrow_and_update();
        {
            let mut chitchat = chitchat.lock().await;
            let me = chitchat.self_node_state();
            // What is as it was is not told again; `chitchat` sees to that.
            me.set(ABOUT, slow);
            me.set(LOAD, load);
            match term {
                Some(term) => me.set(REIGN, term),
                None if me.get(REIGN).is_some() => me.set(REIGN, ""),
                None => {}
            }
        }
        tokio::select! {
            changed = about.changed() => if changed.is_err() { return },
            changed = reign.changed() => if changed.is_err() { return },
        }
    }
}
