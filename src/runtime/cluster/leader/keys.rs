//! The key with which tokens are sealed: decided once, and told to whoever has begun without it.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use watershed_cluster::{Cluster, ClusterChange, ClusterView};

use super::Leader;
use crate::cluster::message::Ticket;
use crate::query::new_secret;

/// How long it is waited before a key is asked for again.
const KEY_AGAIN: Duration = Duration::from_secs(1);

impl Leader {
    /// Takes note of the keys of a view, and has one decided beside all else where there is none: a job that has begun
    /// without cannot be asked anything.
    pub(super) fn learn_keys(&mut self, view: &ClusterView, cx: &mut Context<Self>) {
        if view.state.token_keys.is_empty() {
            return self.seek_key(cx);
        }
        if self.token_keys == view.state.token_keys {
            return;
        }
        self.token_keys.clone_from(&view.state.token_keys);
        let led = self.reign.iter_mut().flat_map(|reign| reign.jobs.values_mut());
        for led in led.filter(|led| led.ticket.token_keys != self.token_keys) {
            let token_keys = self.token_keys.clone();
            led.ticket = Arc::new(Ticket { token_keys, ..Ticket::clone(&led.ticket) });
        }
        // Crews that come have it from the ticket, and those that are there from the roll.
        self.tell_sites();
        for node in self.linked.clone() {
            self.call_roll(&node);
        }
    }

    fn seek_key(&mut self, cx: &mut Context<Self>) {
        if std::mem::replace(&mut self.seeks_key, true) {
            return;
        }
        cx.run_later(KEY_AGAIN, |leader, cx| {
            leader.seeks_key = false;
            if leader.reign.is_none() {
                return;
            }
            let cluster = leader.cluster.clone();
            let view = async move { keyed(&cluster, cluster.view().await.map_err(|e| e.to_string())?).await };
            cx.spawn(view.into_actor(leader).map(|view, leader, cx| match view {
                Ok(view) => leader.learn_keys(&view, cx),
                Err(error) => {
                    tracing::warn!(error, "no key for tokens is decided yet, and jobs cannot be asked");
                    leader.seek_key(cx);
                }
            }));
        });
    }
}

/// What is decided, with a key for tokens, which is decided where there is none.
pub(super) async fn keyed(cluster: &Cluster, view: ClusterView) -> Result<ClusterView, String> {
    if !view.state.token_keys.is_empty() {
        return Ok(view);
    }
    let secret = new_secret().map_err(|error| format!("no key for tokens can be made: {error}"))?;
    cluster.propose(ClusterChange::TokenKey { secret }).await.map_err(|error| error.to_string())
}
