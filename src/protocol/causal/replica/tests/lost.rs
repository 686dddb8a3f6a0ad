//! Updates that were lost: who is asked for them, and what is answered.

use super::*;

const DEADLINE: Event = Event::Deadline { wall: NOON };

/// The pulls of a round; every round also tells the others.
fn round(replica: &mut Replica<Vec<u8>>, now: u64) -> Vec<Effect> {
    let mut effects = fed(replica, now, DEADLINE);
    assert!(matches!(effects.remove(0), ReplicaEffect::Gossip(_)));
    effects
}

fn answered(from: u16, updates: &[Update<Vec<u8>>]) -> Event {
    let lane = updates[0].stamp.dot.lane;
    ReplicaEvent::Answered { from: Site(from), lane, updates: updates.to_vec() }
}

#[test]
fn all_are_told_every_second_what_is_here() {
    let mut replica = replica(2);
    written(&mut replica, 1);
    assert_eq!(replica.deadline(), Some(Tick(1000)));
    assert_eq!(refused(&mut replica, DEADLINE), Outcome::Stale);
    let told = fed(&mut replica, 1000, DEADLINE);
    let clocks = vec![(Site(1), ClockOffset(NOON.as_millis()))];
    let (closed, settled) = (Epoch(0), Epoch(0));
    let gossip = Gossip { run: RUN, sent: Tick(1000), applied: clock(&[(1, 0, 1)]), closed, settled, clocks };
    assert_eq!(told, [ReplicaEffect::Gossip(gossip)]);
    assert_eq!(replica.deadline(), Some(Tick(2000)));
}

#[test]
fn a_peer_that_speaks_for_the_first_time_is_told_at_once() {
    let mut replica: Replica<Vec<u8>> = Replica::new(config(0, 2), Tick(0), NOON);
    fed(&mut replica, 0, DEADLINE);
    assert_eq!(replica.deadline(), Some(Tick(1000)));
    fed(&mut replica, 7, gossip(1, &[], 0, 0));
    assert_eq!(replica.deadline(), Some(Tick(7)));
    fed(&mut replica, 7, DEADLINE);
    fed(&mut replica, 8, gossip(1, &[(1, 1, 1)], 0, 0));
    assert_eq!(replica.deadline(), Some(Tick(1007)));
}

#[test]
fn what_is_missing_and_does_not_come_is_pulled_from_its_own_site() {
    let mut replica = replica(3);
    fed(&mut replica, 500, gossip(1, &[(1, 2, 3)], 0, 0));
    fed(&mut replica, 500, gossip(2, &[(1, 2, 4)], 0, 0));
    assert_eq!(round(&mut replica, 1000), [pull(2, lane(1, 2), 0, 4)]);
    assert_eq!(round(&mut replica, 2000), []);
}

#[test]
fn a_lane_that_moves_is_not_pulled() {
    let mut replica = replica(2);
    fed(&mut replica, 500, heard(&update(1, 1, 1, &[])));
    fed(&mut replica, 500, gossip(1, &[(1, 1, 2)], 0, 0));
    assert_eq!(round(&mut replica, 1000), []);
    assert_eq!(round(&mut replica, 2000), [pull(1, lane(1, 1), 1, 2)]);
}

#[test]
fn a_pull_that_is_not_answered_goes_to_the_next_who_has_it() {
    let mut replica = replica(4);
    for from in [1, 2, 3] {
        fed(&mut replica, 500, gossip(from, &[(1, 2, 1)], 0, 0));
    }
    let asked: Vec<_> = [1000, 3000, 5000, 7000].map(|now| round(&mut replica, now)).concat();
    assert_eq!(asked, [2, 3, 1, 2].map(|from| pull(from, lane(1, 2), 0, 1)));
}

#[test]
fn an_answer_is_applied_and_the_rest_is_asked_for_at_once() {
    let mut replica = replica(2);
    fed(&mut replica, 500, gossip(1, &[(1, 1, 3)], 0, 0));
    round(&mut replica, 1000);
    let updates = [1, 2, 3].map(|counter| update(1, 1, counter, &[]));
    let effects = fed(&mut replica, 1001, answered(1, &updates[..2]));
    assert_eq!(effects, [apply(&updates[0]), apply(&updates[1]), pull(1, lane(1, 1), 2, 3)]);
    assert_eq!(refused(&mut replica, answered(1, &updates[..2])), Outcome::Duplicate);
    assert_eq!(fed(&mut replica, 1002, answered(1, &updates[2..])), [apply(&updates[2])]);
    assert_eq!(round(&mut replica, 9000), []);
}

#[test]
fn only_the_gap_before_what_waits_is_pulled() {
    let mut replica = replica(2);
    fed(&mut replica, 500, gossip(1, &[(1, 1, 9)], 0, 0));
    fed(&mut replica, 500, heard(&update(1, 1, 4, &[])));
    assert_eq!(round(&mut replica, 1000), [pull(1, lane(1, 1), 0, 3)]);
}

#[test]
fn what_waits_for_another_lane_is_not_pulled_again() {
    let mut replica = replica(3);
    fed(&mut replica, 500, gossip(1, &[(1, 1, 1), (1, 2, 1)], 0, 0));
    fed(&mut replica, 500, heard(&update(1, 1, 1, &[(1, 2, 1)])));
    assert_eq!(round(&mut replica, 1000), [pull(1, lane(1, 2), 0, 1)]);
}

#[test]
fn an_update_of_a_third_site_is_taken_only_from_whom_it_was_asked() {
    let mut replica = replica(3);
    let lost = update(1, 2, 1, &[]);
    assert_eq!(refused(&mut replica, answered(1, std::slice::from_ref(&lost))), Outcome::Stale);
    fed(&mut replica, 500, gossip(1, &[(1, 2, 1)], 0, 0));
    assert_eq!(round(&mut replica, 1000), [pull(1, lane(1, 2), 0, 1)]);
    assert_eq!(fed(&mut replica, 1001, answered(1, std::slice::from_ref(&lost))), [apply(&lost)]);
}

#[test]
fn no_more_than_so_many_lanes_are_pulled_at_once_and_none_starves() {
    let mut replica = replica(4);
    fed(&mut replica, 500, gossip(1, &[(1, 1, 1), (1, 2, 1), (1, 3, 1)], 0, 0));
    let ask = |site| pull(1, lane(1, site), 0, 1);
    assert_eq!(round(&mut replica, 1000), [ask(1), ask(2)]);
    assert_eq!(round(&mut replica, 2000), []);
    // Neither was answered, and the third has its turn.
    assert_eq!(round(&mut replica, 3000), [ask(3), ask(1)]);
    fed(&mut replica, 3001, answered(1, &[update(1, 1, 1, &[])]));
    assert_eq!(round(&mut replica, 4001), [ask(2)]);
}

#[test]
fn a_pull_is_answered_in_pieces_from_its_beginning() {
    let mut replica = replica(2);
    let updates: Vec<_> = (0..5).map(|_| written(&mut replica, 1)).collect();
    let ask = |after, up_to| ReplicaEvent::Pulled { by: Site(1), gap: gap(lane(1, 0), after, up_to) };
    let answer = |updates: &[Update<Vec<u8>>]| {
        [ReplicaEffect::Answer { to: Site(1), lane: lane(1, 0), updates: updates.to_vec() }]
    };
    assert_eq!(fed(&mut replica, 0, ask(0, 5)), answer(&updates[..2]));
    assert_eq!(fed(&mut replica, 0, ask(2, 3)), answer(&updates[2..3]));
    assert_eq!(fed(&mut replica, 0, ask(4, 900)), answer(&updates[4..]));
    assert_eq!(refused(&mut replica, ask(5, 9)), Outcome::Stale);
    assert_eq!(refused(&mut replica, ask(3, 3)), Outcome::Unexpected);
}

#[test]
fn a_third_site_answers_for_another() {
    let mut replica = replica(3);
    let lost = update(1, 2, 1, &[]);
    fed(&mut replica, 0, heard(&lost));
    let ask = ReplicaEvent::Pulled { by: Site(1), gap: gap(lane(1, 2), 0, 1) };
    let answer = ReplicaEffect::Answer { to: Site(1), lane: lane(1, 2), updates: vec![lost] };
    assert_eq!(fed(&mut replica, 0, ask), [answer]);
}
