//! Updates of others: once each, after all that they depend on.

use super::*;

#[test]
fn an_update_whose_causes_are_here_is_applied_at_once() {
    let mut replica = replica(2);
    let (first, second) = (update(1, 1, 1, &[]), update(1, 1, 2, &[(1, 1, 1)]));
    assert_eq!(fed(&mut replica, 0, heard(&first)), [apply(&first)]);
    assert_eq!(fed(&mut replica, 0, heard(&second)), [apply(&second)]);
    assert_eq!(applied(&replica), [dot(1, 1, 2)]);
}

#[test]
fn an_update_waits_for_those_before_it_in_its_lane() {
    let mut replica = replica(2);
    let updates = [1, 2, 3].map(|counter| update(1, 1, counter, &[]));
    assert_eq!(fed(&mut replica, 0, heard(&updates[2])), []);
    assert_eq!(fed(&mut replica, 0, heard(&updates[1])), []);
    assert_eq!(replica.lag().held.updates, 2);
    assert_eq!(fed(&mut replica, 0, heard(&updates[0])), updates.each_ref().map(apply));
    assert_eq!((replica.lag().held.updates, replica.lag().held.bytes), (0, 0));
}

#[test]
fn an_update_waits_for_what_it_depends_on_in_other_lanes() {
    let mut replica = replica(3);
    let cause = update(1, 1, 1, &[]);
    let effect = update(2, 2, 1, &[(1, 1, 1)]);
    let after = update(2, 1, 1, &[(1, 1, 1), (2, 2, 1)]);
    assert_eq!(fed(&mut replica, 0, heard(&after)), []);
    assert_eq!(fed(&mut replica, 0, heard(&effect)), []);
    assert_eq!(fed(&mut replica, 0, heard(&cause)), [&cause, &effect, &after].map(apply));
}

#[test]
fn an_update_is_applied_once() {
    let mut replica = replica(2);
    let (first, second) = (update(1, 1, 1, &[]), update(1, 1, 2, &[]));
    fed(&mut replica, 0, heard(&second));
    assert_eq!(refused(&mut replica, heard(&second)), Outcome::Duplicate);
    fed(&mut replica, 0, heard(&first));
    assert_eq!(refused(&mut replica, heard(&first)), Outcome::Duplicate);
    assert_eq!(refused(&mut replica, heard(&second)), Outcome::Duplicate);
}

#[test]
fn an_update_of_another_run_is_stale() {
    let mut replica = replica(2);
    for run in [RUN.0 - 1, RUN.0 + 1] {
        let mut other = update(1, 1, 1, &[]);
        other.stamp.dot.lane.run = watershed_core::Run(run);
        assert_eq!(refused(&mut replica, heard(&other)), Outcome::Stale);
    }
}
