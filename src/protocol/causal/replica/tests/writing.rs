//! Local writes, and what of them a checkpoint saves.

use watershed_core::causal::Dot;

use super::*;

#[test]
fn each_epoch_has_a_lane_of_its_own() {
    let mut replica = replica(2);
    let dots: Vec<Dot> = [1, 2, 1, 2].map(|epoch| written(&mut replica, epoch).stamp.dot).to_vec();
    assert_eq!(dots, [dot(1, 0, 1), dot(2, 0, 1), dot(1, 0, 2), dot(2, 0, 2)]);
}

#[test]
fn an_update_depends_on_all_that_its_site_has_applied_up_to_its_epoch() {
    let mut replica = replica(3);
    written(&mut replica, 1);
    written(&mut replica, 2);
    fed(&mut replica, 0, heard(&update(1, 1, 1, &[])));
    fed(&mut replica, 0, heard(&update(2, 2, 1, &[])));
    assert_eq!(written(&mut replica, 1).deps, clock(&[(1, 0, 1), (1, 1, 1)]));
    assert_eq!(written(&mut replica, 2).deps, clock(&[(1, 0, 2), (1, 1, 1), (2, 0, 1), (2, 2, 1)]));
}

#[test]
fn a_stamp_that_is_not_used_leaves_no_gap() {
    let mut replica = replica(2);
    let unused = replica.stamp(Tick(0), NOON, Epoch(1), WRITER).unwrap();
    let used = written(&mut replica, 1).stamp;
    assert_eq!(used.dot, unused.dot);
    assert!(used.time > unused.time);
}

#[test]
fn an_update_is_later_than_all_that_its_site_has_seen() {
    let mut replica = replica(2);
    let mut seen = update(1, 1, 1, &[]);
    seen.stamp.time = HybridTime::at(1_000_400);
    fed(&mut replica, 0, heard(&seen));
    assert_eq!(written(&mut replica, 1).stamp.time, seen.stamp.time.next());
}

#[test]
#[should_panic(expected = "a closed lane gets no update")]
fn a_closed_lane_is_not_written() {
    let mut replica = replica(2);
    fed(&mut replica, 0, passed(1));
    let _ = replica.stamp(Tick(0), NOON, Epoch(1), WRITER);
}

#[test]
#[should_panic(expected = "a stamp is used at once or not at all")]
fn a_stamp_is_not_used_twice() {
    let mut replica = replica(2);
    let stamp = written(&mut replica, 1).stamp;
    let _ = replica.on(Tick(0), ReplicaEvent::Wrote { stamp, delta: vec![] }, &mut Vec::new());
}

#[test]
fn a_site_that_is_alone_tells_nobody() {
    let mut replica = replica(1);
    let stamp = replica.stamp(Tick(0), NOON, Epoch(1), WRITER).unwrap();
    assert_eq!(fed(&mut replica, 0, ReplicaEvent::Wrote { stamp, delta: vec![] }), []);
    assert_eq!(fed(&mut replica, 0, passed(1)), []);
    assert_eq!(fed(&mut replica, 0, completed(1)), [ReplicaEffect::Settle { epoch: Epoch(1) }]);
    assert_eq!(replica.deadline(), None);
    assert_eq!(replica.lag().own_log, Default::default());
}

#[test]
fn a_vote_saves_what_no_completed_checkpoint_has() {
    let mut replica = replica(2);
    let first = [written(&mut replica, 1), written(&mut replica, 1)];
    let second = written(&mut replica, 2);
    fed(&mut replica, 0, heard(&update(1, 1, 1, &[])));
    written(&mut replica, 3);
    let saved = |replica: &Replica<Vec<u8>>, up_to| -> Vec<Dot> {
        replica.own_log(Epoch(up_to)).map(|update| update.stamp.dot).collect()
    };
    fed(&mut replica, 0, passed(2));
    let dots = [first[0].stamp.dot, first[1].stamp.dot, second.stamp.dot];
    assert_eq!(saved(&replica, 1), dots[..2]);
    assert_eq!(saved(&replica, 2), dots);
    assert_eq!(replica.finals(Epoch(2)), [dot(1, 0, 2), dot(2, 0, 1)]);
    fed(&mut replica, 0, completed(1));
    assert_eq!(saved(&replica, 2), dots[2..]);
    assert_eq!(replica.finals(Epoch(2)), [dot(2, 0, 1)]);
}

#[test]
fn what_is_not_saved_is_kept_though_all_have_applied_it() {
    let mut replica = replica(2);
    written(&mut replica, 1);
    fed(&mut replica, 0, gossip(1, &[(1, 0, 1)], 0, 0));
    fed(&mut replica, 0, passed(1));
    assert_eq!(replica.own_log(Epoch(1)).count(), 1);
    fed(&mut replica, 0, completed(1));
    assert_eq!(replica.lag().own_log.updates, 0);
}

#[test]
fn what_is_saved_is_kept_until_all_have_applied_it() {
    let mut replica = replica(3);
    written(&mut replica, 1);
    fed(&mut replica, 0, passed(1));
    fed(&mut replica, 0, completed(1));
    fed(&mut replica, 0, gossip(1, &[(1, 0, 1)], 0, 0));
    assert_eq!(replica.lag().own_log.updates, 1);
    assert_eq!(replica.lag().behind, [(Site(1), 0), (Site(2), 1)]);
    fed(&mut replica, 0, gossip(2, &[(1, 0, 1)], 0, 0));
    assert_eq!((replica.lag().own_log.updates, replica.lag().own_log.bytes), (0, 0));
}
