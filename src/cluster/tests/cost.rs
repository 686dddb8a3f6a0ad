//! What a cluster in which nothing happens costs.

use std::time::Duration;

use tokio::time::sleep;

use super::world::{World, until};
use crate::{About, Load};

/// How long is measured.
const MEASURED: Duration = Duration::from_secs(5);

#[tokio::test(start_paused = true)]
async fn a_node_of_an_idle_cluster_sends_a_few_dozen_small_messages_a_second() {
    for nodes in [3_u64, 5, 8] {
        let world = World::started(&["a", "b", "c"]).await;
        let mut last = world.node("a");
        for worker in 3..nodes {
            last = world.start(&format!("w{worker}")).await;
        }
        for node in ["a", "b", "c"] {
            let (address, http) =
                ("192.168.100.100:7400".to_owned(), Some("192.168.100.100:7480".to_owned()));
            let load = Load { cpu: 0.25, memory_bytes: 1 << 30, queue: 3 };
            world.node(node).tell_of_self(About { address, http, slots: 4, load, leaving: false });
        }
        until(last.members(), |members| members.len() as u64 == nodes).await;
        sleep(Duration::from_secs(1)).await;
        let (asked, told) = (world.wires.asked.read(), world.wires.told.read());
        sleep(MEASURED).await;
        let (asked_after, told_after) = (world.wires.asked.read(), world.wires.told.read());
        let each = |now: u64, before: u64| (now - before) as f64 / nodes as f64 / MEASURED.as_secs_f64();
        let gossip = (each(told_after.0, told.0), each(told_after.1, told.1));
        let consensus = (each(asked_after.0, asked.0), each(asked_after.1, asked.1));
        println!(
            "{nodes} nodes, each: gossip {:.1} messages and {:.0} bytes a second, consensus {:.1} and {:.0}",
            gossip.0, gossip.1, consensus.0, consensus.1
        );
        assert!(gossip.0 + consensus.0 < 100.0);
        assert!(gossip.1 + consensus.1 < 32_768.0);
        for node in ["a", "b", "c"] {
            world.kill(node).await;
        }
    }
}
