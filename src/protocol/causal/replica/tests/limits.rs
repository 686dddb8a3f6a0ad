//! What happens when there is too much of something.

use super::super::{StampError, Tally};
use super::*;

#[test]
fn where_too_much_waits_the_lane_is_dropped_and_pulled_later() {
    let mut replica = replica(3);
    fed(&mut replica, 0, heard(&update(1, 2, 3, &[])));
    for counter in [2, 3, 4] {
        fed(&mut replica, 0, heard(&update(1, 1, counter, &[])));
    }
    let lag = replica.lag();
    assert_eq!((lag.held.updates, lag.dropped), (1, 3));
    fed(&mut replica, 500, gossip(1, &[(1, 1, 4)], 0, 0));
    let effects = fed(&mut replica, 1000, Event::Deadline { wall: NOON });
    assert_eq!(effects[1..], [pull(1, lane(1, 1), 0, 4)]);
}

#[test]
fn an_answer_for_which_there_is_no_room_is_not_asked_for_again_at_once() {
    let mut replica = replica(3);
    for counter in [2, 3] {
        fed(&mut replica, 0, heard(&update(1, 2, counter, &[])));
    }
    fed(&mut replica, 500, gossip(1, &[(1, 1, 2)], 0, 0));
    let round = |replica: &mut Replica<Vec<u8>>, now| {
        fed(replica, now, Event::Deadline { wall: NOON }).into_iter().skip(1).collect::<Vec<_>>()
    };
    assert_eq!(round(&mut replica, 1000), [pull(1, lane(1, 1), 0, 2)]);
    let updates = [1, 2].map(|counter| update(1, 1, counter, &[(1, 2, 1)])).to_vec();
    let answer = ReplicaEvent::Answered { from: Site(1), lane: lane(1, 1), updates };
    assert_eq!(fed(&mut replica, 1001, answer), []);
    assert_eq!(replica.lag().dropped, 2);
    assert_eq!(round(&mut replica, 2000), [pull(1, lane(1, 1), 0, 2)]);
}

#[test]
fn what_waits_is_bounded_in_bytes_too() {
    let mut config = config(0, 2);
    config.limits.held_bytes_max = 1000;
    let mut replica: Replica<Vec<u8>> = Replica::new(config, Tick(0), NOON);
    let mut large = update(1, 1, 2, &[]);
    large.delta = vec![0; 1001];
    fed(&mut replica, 0, heard(&large));
    assert_eq!((replica.lag().held, replica.lag().dropped), (Tally::default(), 1));
}

#[test]
fn a_site_with_too_much_that_is_not_saved_does_not_write() {
    let mut replica = replica(2);
    for _ in 0..10 {
        written(&mut replica, 1);
    }
    let full = replica.stamp(Tick(0), NOON, Epoch(1), WRITER);
    assert!(matches!(full, Err(StampError::Full { updates: 10, .. })), "{full:?}");
    fed(&mut replica, 0, passed(1));
    fed(&mut replica, 0, completed(1));
    assert!(replica.stamp(Tick(0), NOON, Epoch(2), WRITER).is_err());
    fed(&mut replica, 0, gossip(1, &[(1, 0, 4)], 0, 0));
    assert!(replica.stamp(Tick(0), NOON, Epoch(2), WRITER).is_ok());
}

#[test]
fn a_site_opens_no_more_than_so_many_lanes() {
    let mut replica = replica(2);
    for epoch in 1..=3 {
        written(&mut replica, epoch);
    }
    assert!(matches!(replica.stamp(Tick(0), NOON, Epoch(4), WRITER), Err(StampError::Full { .. })));
    assert!(replica.stamp(Tick(0), NOON, Epoch(3), WRITER).is_ok());
}

#[test]
fn of_the_others_only_the_newest_are_kept() {
    let mut replica = replica(3);
    for counter in 1..=12 {
        fed(&mut replica, 0, heard(&update(1, 1, counter, &[])));
    }
    assert_eq!(replica.lag().others_log.updates, 10);
    let ask = |after| ReplicaEvent::Pulled { by: Site(2), gap: gap(lane(1, 1), after, 12) };
    assert_eq!(refused(&mut replica, ask(1)), Outcome::Stale);
    assert_eq!(fed(&mut replica, 0, ask(2)).len(), 1);
}
