//! Closed lanes, and epochs that are forgotten.

use super::*;

const SETTLE_1: Effect = ReplicaEffect::Settle { epoch: Epoch(1) };

#[test]
fn all_are_told_at_once_when_a_lane_is_closed() {
    let mut replica = replica(2);
    written(&mut replica, 1);
    match fed(&mut replica, 5, passed(1)).as_slice() {
        [ReplicaEffect::Gossip(gossip)] => {
            assert_eq!((gossip.closed, &gossip.applied), (Epoch(1), &clock(&[(1, 0, 1)])));
        }
        effects => panic!("{effects:?}"),
    }
    assert_eq!(refused(&mut replica, passed(1)), Outcome::Duplicate);
}

#[test]
fn an_epoch_is_settled_once_all_have_all_of_it_and_its_checkpoint_is_completed() {
    let mut replica = replica(3);
    let own = written(&mut replica, 1).stamp.dot;
    fed(&mut replica, 0, heard(&update(1, 1, 1, &[])));
    fed(&mut replica, 0, passed(1));
    assert_eq!(fed(&mut replica, 0, completed(1)), []);
    assert_eq!(fed(&mut replica, 0, gossip(1, &[(1, 0, 1), (1, 1, 1)], 1, 0)), []);
    // This one has closed and lacks something.
    assert_eq!(fed(&mut replica, 0, gossip(2, &[(1, 0, 1)], 1, 0)), []);
    // This one has all.
    assert_eq!(fed(&mut replica, 0, gossip(2, &[(1, 0, 1), (1, 1, 1)], 1, 0)), [SETTLE_1]);
    assert_eq!(applied(&replica), []);
    assert!(replica.applied().has(own));
    assert_eq!(replica.lag().others_log.updates, 0);
    assert_eq!(refused(&mut replica, heard(&update(1, 1, 1, &[]))), Outcome::Duplicate);
}

#[test]
fn an_epoch_is_not_settled_before_its_lanes_are_closed() {
    let mut replica = replica(2);
    fed(&mut replica, 0, passed(1));
    fed(&mut replica, 0, completed(1));
    fed(&mut replica, 0, heard(&update(1, 1, 1, &[])));
    assert_eq!(fed(&mut replica, 0, gossip(1, &[(1, 1, 1)], 0, 0)), []);
    assert_eq!(fed(&mut replica, 0, gossip(1, &[(1, 1, 1)], 1, 0)), [SETTLE_1]);
}

#[test]
fn an_epoch_is_not_settled_before_the_last_update_of_a_closed_lane_is_here() {
    let mut replica = replica(2);
    fed(&mut replica, 0, passed(1));
    fed(&mut replica, 0, completed(1));
    assert_eq!(fed(&mut replica, 0, gossip(1, &[(1, 1, 1)], 1, 0)), []);
    let last = update(1, 1, 1, &[]);
    assert_eq!(fed(&mut replica, 0, heard(&last)), [apply(&last)]);
    assert_eq!(fed(&mut replica, 1000, Event::Deadline { wall: NOON }).len(), 1);
    assert_eq!(fed(&mut replica, 1001, gossip(1, &[(1, 1, 1), (2, 1, 1)], 1, 0)), [SETTLE_1]);
}

#[test]
fn whoever_has_settled_speaks_for_all() {
    let mut replica = replica(3);
    fed(&mut replica, 0, passed(1));
    fed(&mut replica, 0, completed(1));
    // The closing of site 2 was never heard here.
    assert_eq!(fed(&mut replica, 0, gossip(1, &[], 1, 1)), [SETTLE_1]);
}

#[test]
fn an_epoch_is_not_settled_before_its_checkpoint_is_completed() {
    let mut replica = replica(2);
    fed(&mut replica, 0, passed(2));
    assert_eq!(fed(&mut replica, 0, gossip(1, &[], 2, 2)), []);
    assert_eq!(fed(&mut replica, 0, completed(1)), [SETTLE_1]);
    assert_eq!(fed(&mut replica, 0, completed(2)), [ReplicaEffect::Settle { epoch: Epoch(2) }]);
}

#[test]
fn checkpoints_are_settled_one_after_the_other() {
    let mut replica = replica(2);
    fed(&mut replica, 0, passed(5));
    fed(&mut replica, 0, completed(2));
    fed(&mut replica, 0, completed(5));
    let settle = |epoch| ReplicaEffect::Settle { epoch: Epoch(epoch) };
    assert_eq!(fed(&mut replica, 0, gossip(1, &[], 6, 0)), [settle(2), settle(5)]);
}

#[test]
fn a_checkpoint_that_this_site_has_no_part_in_is_refused() {
    let mut replica = replica(2);
    assert_eq!(refused(&mut replica, completed(1)), Outcome::Unexpected);
    fed(&mut replica, 0, passed(3));
    fed(&mut replica, 0, completed(3));
    assert_eq!(refused(&mut replica, completed(3)), Outcome::Duplicate);
    assert_eq!(refused(&mut replica, completed(1)), Outcome::Stale);
}

#[test]
fn dependencies_on_what_is_settled_here_are_met() {
    let mut replica = replica(2);
    fed(&mut replica, 0, heard(&update(1, 1, 1, &[])));
    fed(&mut replica, 0, passed(1));
    fed(&mut replica, 0, completed(1));
    assert_eq!(fed(&mut replica, 0, gossip(1, &[(1, 1, 1)], 1, 0)), [SETTLE_1]);
    let later = update(2, 1, 1, &[(1, 1, 1)]);
    assert_eq!(fed(&mut replica, 0, heard(&later)), [apply(&later)]);
}

#[test]
fn a_peer_that_has_not_settled_still_gets_dependencies_that_are_applied_here() {
    let mut replica = replica(2);
    written(&mut replica, 1);
    fed(&mut replica, 0, passed(1));
    fed(&mut replica, 0, completed(1));
    assert_eq!(written(&mut replica, 2).deps, clock(&[(1, 0, 1)]));
    assert_eq!(fed(&mut replica, 0, gossip(1, &[(1, 0, 1)], 1, 0)), [SETTLE_1]);
    assert_eq!(written(&mut replica, 2).deps, clock(&[(2, 0, 1)]));
}
