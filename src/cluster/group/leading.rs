//! Whether this node leads, and for how long it may say so.
//!
//! A leader that is cut off does not learn that another one reigns. What it decides is safe all the same, since nothing
//! is decided without a majority; but what it *does* on its own should stop. So it says that it leads only after a
//! majority has confirmed it, has that confirmed again and again, and stops saying it once that has not succeeded for the
//! time of the lease, or at once when it hears of a newer term.

use std::sync::Arc;

use openraft::error::Fatal;
use openraft::{Raft, ServerState};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use crate::Leader;
use crate::config::ClusterConfig;
use crate::group::{Types, name_of};

/// Says who leads, until consensus stops, and then why it did if nobody has stopped it.
pub(super) async fn watch(
    raft: Raft<Types>,
    config: Arc<ClusterConfig>,
    said: watch::Sender<Option<Leader>>,
    broken: watch::Sender<Option<String>>,
) {
    lead(&raft, &config, &said).await;
    say(&said, None);
    let state = raft.metrics().borrow().running_state.clone();
    if let Err(fatal @ (Fatal::StorageError(_) | Fatal::Panicked)) = state {
        tracing::error!(%fatal, "this node is no coordinator any more");
        broken.send_replace(Some(fatal.to_string()));
    }
}

/// Says who leads, until consensus stops.
async fn lead(raft: &Raft<Types>, config: &ClusterConfig, said: &watch::Sender<Option<Leader>>) {
    let mut metrics = raft.server_metrics();
    let mut lease: Option<(u64, Instant)> = None;
    loop {
        let seen = metrics.borrow_and_update().clone();
        let term = seen.vote.leader_id().term;
        let leads = seen.state == ServerState::Leader && seen.current_leader == Some(seen.id);
        if !leads {
            lease = None;
            let name = seen.current_leader.filter(|leader| *leader != seen.id);
            let name = name.and_then(|leader| name_of(leader, &seen.membership_config));
            say(said, name.map(|node| Leader { node, term }));
            if metrics.changed().await.is_err() {
                break;
            }
            continue;
        }
        if lease.is_none_or(|(of, _)| of != term) {
            lease = None;
            say(said, None);
        }
        // The lease counts from before the question: a majority had not left by then.
        let asked = Instant::now();
        let confirmed = tokio::select! {
            biased;
            changed = metrics.changed() => if changed.is_err() { break } else { continue },
            answer = timeout(config.timings.confirm, raft.ensure_linearizable()) => matches!(answer, Ok(Ok(_))),
        };
        if confirmed {
            lease = Some((term, asked));
            say(said, Some(Leader { node: config.node.clone(), term }));
        } else if lease.is_none_or(|(_, since)| since.elapsed() >= config.timings.lease) {
            lease = None;
            say(said, None);
        }
        let rest = config.timings.confirm.saturating_sub(asked.elapsed());
        // A confirmation that fails at once is tried again soon, but not without a pause.
        let rest = if confirmed { rest } else { config.timings.retry };
        tokio::select! {
            biased;
            changed = metrics.changed() => if changed.is_err() { break },
            () = sleep(rest) => {}
        }
    }
}

fn say(said: &watch::Sender<Option<Leader>>, leader: Option<Leader>) {
    said.send_if_modified(|current| {
        let new = *current != leader;
        if new {
            tracing::info!(?leader, "the leader changes");
            *current = leader;
        }
        new
    });
}
