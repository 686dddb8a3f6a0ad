//! The heartbeat of a node's links: signs of life, and what is noticed where they stay away.

use std::sync::Arc;
use std::time::Instant;

use tokio::time::{MissedTickBehavior, interval};

use crate::core::Core;
use crate::messages;

/// How many looks at the connections there are between two signs of life.
const LOOKS: u32 = 4;

/// Beats for ever.
pub(crate) async fn beat(core: Arc<Core>) {
    let every = core.config.ping_every / LOOKS;
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = Instant::now();
    for look in (0..LOOKS).cycle() {
        ticks.tick().await;
        // Where this thread could not look for long, the others are not to be blamed for what it has not heard.
        let late = last.elapsed() > every + core.config.silent_max / 2;
        last = Instant::now();
        for peer in core.peers.connections() {
            let mut ended = Vec::new();
            if let Some(outgoing) = &peer.outgoing {
                if late {
                    outgoing.forgive();
                }
                if look == 0 {
                    outgoing.ping();
                }
                ended.extend(
                    outgoing.trouble(&core.config, peer.up).map(|reason| (outgoing.connection, reason)),
                );
            }
            if let Some(incoming) = &peer.incoming {
                if late {
                    incoming.forgive();
                }
                ended.extend(
                    incoming.trouble(&core.config, peer.up).map(|reason| (incoming.connection, reason)),
                );
            }
            for (connection, reason) in ended {
                core.tell(core.peers.cut(&peer.node, connection, &reason));
            }
        }
        if look == 0 {
            core.peers.forget_old(&core.config);
        }
        messages::gone(&core, core.registry.sweep(), false);
    }
}
