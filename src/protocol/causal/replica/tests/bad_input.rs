//! What no correct peer sends: it changes nothing, whatever it is.

use watershed_core::Run;

use super::*;

fn unexpected(replica: &mut Replica<Vec<u8>>, event: Event) {
    assert_eq!(refused(replica, event.clone()), Outcome::Unexpected, "{event:?}");
}

#[test]
fn an_update_that_cannot_exist_is_refused() {
    let mut replica = replica(3);
    fed(&mut replica, 0, heard(&update(1, 1, 1, &[])));
    let far = 1 + crate::EPOCH_JUMP_MAX;
    for (epoch, counter) in [(1, 0), (1, 12), (1, u64::MAX), (far, 1), (u64::MAX, 1)] {
        unexpected(&mut replica, heard(&update(epoch, 1, counter, &[])));
    }
    fed(&mut replica, 0, heard(&update(1, 1, 11, &[])));
}

#[test]
fn an_update_is_not_taken_from_another_than_its_own_site() {
    let mut replica = replica(3);
    for from in [0, 2, 3, u16::MAX] {
        let event = ReplicaEvent::Heard { from: Site(from), update: update(1, 1, 1, &[]) };
        unexpected(&mut replica, event);
    }
    let own = ReplicaEvent::Heard { from: Site(1), update: update(1, 0, 1, &[]) };
    unexpected(&mut replica, own);
}

#[test]
fn dependencies_that_cannot_be_are_refused() {
    let mut replica = replica(3);
    written(&mut replica, 1);
    let nonsense: [&[(u64, u16, u64)]; 8] = [
        &[(1, 3, 1)],        // an unknown site
        &[(1, u16::MAX, 1)], // an unknown site
        &[(1, 0, 2)],        // what this site has not made
        &[(1, 2, 11)],       // too far ahead
        &[(1, 2, u64::MAX)], // too far ahead
        &[(3, 2, 1)],        // of an epoch that the writer does not see
        &[(2, 1, 1)],        // itself
        &[(2, 1, u64::MAX)], // its own future
    ];
    for deps in nonsense {
        unexpected(&mut replica, heard(&update(2, 1, 1, deps)));
    }
    let mut of_another_run = update(2, 1, 1, &[(1, 2, 1)]);
    of_another_run.deps = of_another_run
        .deps
        .dots()
        .map(|mut dot| {
            dot.lane.run = Run(RUN.0 + 1);
            dot
        })
        .collect();
    unexpected(&mut replica, heard(&of_another_run));
    let many: Vec<_> = (1..=100_000).map(|epoch| (epoch, 2, 1)).collect();
    unexpected(&mut replica, heard(&update(2, 1, 1, &many)));
    assert!(!replica.is_plausible(&clock(&many)));
    fed(&mut replica, 0, heard(&update(2, 1, 1, &[(1, 0, 1), (1, 2, 1)])));
}

#[test]
fn gossip_that_cannot_be_true_is_refused() {
    let mut replica = replica(3);
    written(&mut replica, 1);
    fed(&mut replica, 0, passed(1));
    fed(&mut replica, 0, heard(&update(1, 1, 1, &[])));
    fed(&mut replica, 0, heard(&update(1, 1, 3, &[])));
    for nonsense in [
        gossip(0, &[], 0, 0),                         // from this site
        gossip(3, &[], 0, 0),                         // from nowhere
        gossip(1, &[(1, 0, 2)], 0, 0),                // has what this site has not made
        gossip(1, &[(1, 2, u64::MAX)], 0, 0),         // has what nobody can have made
        gossip(1, &[(1, 3, 1)], 0, 0),                // has what is of nowhere
        gossip(1, &[], 2 + crate::EPOCH_JUMP_MAX, 0), // is too far
        gossip(1, &[], 1, 2),                         // has settled what it has not closed
        gossip(1, &[], 2, 2),                         // has settled what is open here
        gossip(1, &[(1, 1, 1)], 1, 0),                // forgets what it has made
        gossip(2, &[], 1, 1),                         // all have what this site waits for
    ] {
        unexpected(&mut replica, nonsense);
    }
}

#[test]
fn a_closed_lane_brings_nothing_more() {
    let mut replica = replica(2);
    fed(&mut replica, 0, gossip(1, &[(1, 1, 1)], 1, 0));
    unexpected(&mut replica, heard(&update(1, 1, 2, &[])));
    unexpected(&mut replica, gossip(1, &[(1, 1, 2)], 1, 0));
    fed(&mut replica, 0, heard(&update(1, 1, 1, &[])));
}

#[test]
fn an_answer_to_another_question_is_refused() {
    let mut replica = replica(3);
    let answered = |from, lane, updates: &[Update<Vec<u8>>]| ReplicaEvent::Answered {
        from: Site(from),
        lane,
        updates: updates.to_vec(),
    };
    unexpected(&mut replica, answered(3, lane(1, 1), &[update(1, 1, 1, &[])]));
    unexpected(&mut replica, answered(1, lane(1, 1), &[]));
    unexpected(&mut replica, answered(1, lane(1, 1), &[update(1, 2, 1, &[])]));
    let three = [1, 2, 3].map(|counter| update(1, 1, counter, &[]));
    unexpected(&mut replica, answered(1, lane(1, 1), &three));
    unexpected(&mut replica, ReplicaEvent::Pulled { by: Site(0), gap: gap(lane(1, 1), 0, 1) });
}

#[test]
fn a_site_opens_not_more_lanes_here_than_it_may() {
    let mut replica = replica(2);
    for epoch in 1..=6 {
        fed(&mut replica, 0, heard(&update(epoch, 1, 1, &[])));
    }
    unexpected(&mut replica, heard(&update(7, 1, 1, &[])));
}
