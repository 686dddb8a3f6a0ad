//! All see all, the dead are seen, and a pause is no death.

use std::time::Duration;

use tokio::time::{Instant, advance, sleep};

use super::world::{World, until};
use crate::{About, Load};

fn about(slots: u32) -> About {
    let load = Load { cpu: 0.5, memory_bytes: 1 << 20, queue: 7 };
    let address = format!("127.0.0.1:{}", 7000 + slots);
    About { address, http: Some("127.0.0.1:80".to_owned()), slots, load, leaving: false }
}

#[tokio::test(start_paused = true)]
async fn each_node_learns_of_all_others_what_they_tell_of_themselves() {
    let world = World::started(&["a", "b", "c"]).await;
    world.start("v").await;
    world.start("w").await;
    let nodes = ["a", "b", "c", "v", "w"];
    for (slots, node) in (1..).zip(nodes) {
        world.node(node).tell_of_self(about(slots));
    }
    for node in nodes {
        let members = until(world.node(node).members(), |members| {
            members.len() == nodes.len() && members.values().all(|member| member.alive && member.slots > 0)
        });
        let members = members.await;
        for (slots, name) in (1..).zip(nodes) {
            let About { address, http, slots, load, leaving } = about(slots);
            let coordinator = name.len() == 1 && "abc".contains(name);
            let expected = crate::Member {
                incarnation: 1,
                address,
                http,
                coordinator,
                slots,
                load,
                leaving,
                alive: true,
            };
            assert_eq!(members[name], expected, "{name} as {node} sees it");
        }
    }
    let leaving = About { leaving: true, ..about(9) };
    world.node("w").tell_of_self(leaving);
    until(world.node("v").members(), |members| members["w"].leaving).await;
}

#[tokio::test(start_paused = true)]
async fn a_killed_node_is_seen_dead_by_all_and_alive_again_in_its_next_life() {
    let world = World::started(&["a", "b", "c"]).await;
    world.start("w").await;
    let nodes = ["a", "b", "c"];
    for node in nodes {
        until(world.node(node).members(), |members| members.get("w").is_some_and(|w| w.alive)).await;
    }
    sleep(Duration::from_secs(2)).await;
    world.kill("w").await;
    let began = Instant::now();
    for node in nodes {
        until(world.node(node).members(), |members| !members["w"].alive).await;
    }
    let took = began.elapsed();
    println!("seen dead by all after {took:?}");
    assert!(took > Duration::from_secs(1), "a pause of {took:?} is taken for a death");
    world.start("w").await;
    for node in nodes {
        let members = until(world.node(node).members(), |members| members["w"].alive).await;
        assert_eq!(members["w"].incarnation, 2);
    }
}

/// The clock goes on and nobody has done anything meanwhile, as in a machine that is paused.
#[tokio::test(start_paused = true)]
async fn nobody_is_taken_for_dead_because_the_machine_stood_still() {
    let world = World::started(&["a", "b", "c"]).await;
    let nodes = ["a", "b", "c"];
    for node in nodes {
        until(world.node(node).members(), |members| members.len() == 3 && members.values().all(|m| m.alive))
            .await;
    }
    sleep(Duration::from_secs(1)).await;
    for pause in [1, 3, 5] {
        advance(Duration::from_secs(pause)).await;
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(3) {
            for node in nodes {
                let members = world.node(node).members().borrow().clone();
                assert!(members.values().all(|member| member.alive), "after {pause} s, {node}: {members:?}");
            }
            sleep(Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_no_coordinator_learns_of_each_new_leader() {
    let world = World::started(&["a", "b", "c"]).await;
    let worker = world.start("w").await;
    let first = until(worker.leader(), Option::is_some).await.unwrap();
    world.kill(&first.node).await;
    let second =
        until(worker.leader(), |leader| leader.as_ref().is_some_and(|leader| leader.term > first.term));
    assert_ne!(second.await.unwrap().node, first.node);
    world.cut(&["w"], &["a", "b", "c"]);
    until(worker.leader(), Option::is_none).await;
}
